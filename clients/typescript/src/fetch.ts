import { type Codes } from "./codes.js";
import { isRetryable } from "./error.js";
import { parseError } from "./parse.js";

/** The settings for retries. Times are in milliseconds. */
export interface RetryOptions {
  /** The most attempts, including the first. Default: 4. */
  attempts?: number;
  /** The longest random wait before the second attempt. It doubles with each attempt. Default: 100. */
  base?: number;
  /** The longest random wait. Default: 10,000. */
  most?: number;
  /** The longest sum of all waits. A wait that would exceed it is not begun. Default: 60,000. */
  total?: number;
  /** True if the request may be sent again even if its method is not idempotent, because the service ignores repetitions. */
  repeatable?: boolean;
  /** The known codes, with their advice. `codesOf` adds an organisation's own codes. */
  codes?: Codes;
  /** The function that sends a request. Default: the global `fetch`. */
  fetch?: typeof fetch;
  /** Returns a share of the random wait, 0–1. Default: `Math.random`. */
  random?: () => number;
  /** The clock with which a `retry-after` date is compared if the response has no `date`. */
  now?: () => number;
}

/** The idempotent methods (RFC 9110 §9.2.2). */
const IDEMPOTENT = new Set(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"]);

/** The longest timer of JavaScript. */
const MOST_TIMER = 2 ** 31 - 1;

/**
 * Sends a request as `fetch` does, and sends it again if the contract states that the same request may succeed later.
 * Returns the last response, with any status, and with its body unread. `parseError` reads its error.
 *
 * 1. Only idempotent and `repeatable` requests are repeated. A body that is a stream, or another async iterable, is sent
 *    once.
 * 2. The code of an error decides: the request is repeated if the advice is `backoff`, or if the code is not known here.
 *    A request that got no response is also repeated.
 * 3. The wait is the one that the server requests (`retry-after`). Otherwise it is random, up to a bound that doubles each
 *    time.
 *
 * A signal of `init` or of the request also ends the waits: the promise is rejected with its reason.
 */
export async function fetchWithRetry(
  input: RequestInfo | URL,
  init: RequestInit = {},
  options: RetryOptions = {},
): Promise<Response> {
  const { attempts = 4, total = 60_000, fetch: send = fetch, now, codes } = options;
  const reading = { ...(now && { now }), ...(codes && { codes }) };
  const signal = init.signal ?? (input instanceof Request ? input.signal : undefined) ?? undefined;
  const repeats = attempts > 1 && mayRepeat(input, init, options);
  let waited = 0;
  for (let attempt = 1; ; attempt += 1) {
    signal?.throwIfAborted();
    // The last attempt sends the request itself. Earlier attempts send a copy of it.
    const ours = input instanceof Request && repeats && attempt < attempts ? input.clone() : input;
    const last = !repeats || attempt >= attempts;
    let response: Response | undefined;
    let failure: unknown;
    try {
      response = await send(ours, init);
    } catch (error) {
      if (last || signal?.aborted || !(error instanceof TypeError)) throw error;
      failure = error;
    }
    if (response !== undefined && (last || response.status < 400)) return response;
    const error = response && (await parseError(response, reading));
    if (response !== undefined && (error === undefined || !isRetryable(error))) return response;
    const wait = error?.retryAfter ?? drawn(attempt, options);
    if (waited + wait > total) {
      if (response === undefined) throw failure;
      return response;
    }
    waited += wait;
    // An unread body would keep its connection open.
    void response?.body?.cancel().catch(() => {});
    await sleep(wait, signal);
  }
}

function mayRepeat(input: RequestInfo | URL, init: RequestInit, { repeatable = false }: RetryOptions): boolean {
  const method = (init.method ?? (input instanceof Request ? input.method : "GET")).toUpperCase();
  return (repeatable || IDEMPOTENT.has(method)) && !isStream(init.body);
}

/** Returns true for a body that can be read only once. Node's `fetch` accepts any async iterable, such as a `Readable`. */
function isStream(body: unknown): boolean {
  return typeof body === "object" && body !== null && (body instanceof ReadableStream || Symbol.asyncIterator in body);
}

function drawn(attempt: number, { base = 100, most = 10_000, random = Math.random }: RetryOptions): number {
  return Math.min(most, base * 2 ** (attempt - 1)) * random();
}

function sleep(wait: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const aborted = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", aborted);
      resolve();
    }, Math.min(wait, MOST_TIMER));
    if (signal?.aborted) aborted();
    else signal?.addEventListener("abort", aborted, { once: true });
  });
}
