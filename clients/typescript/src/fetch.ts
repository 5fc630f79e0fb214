import { type Codes } from "./codes.js";
import { isRetryable } from "./error.js";
import { parseError } from "./parse.js";

/** When and how often a request is sent again. Times are in milliseconds. */
export interface RetryOptions {
  /** The most attempts, the first one among them: 4. */
  attempts?: number;
  /** The longest random wait before the second attempt, which doubles with each: 100. */
  base?: number;
  /** The longest random wait: 10,000. */
  most?: number;
  /** All waits together: 60,000. One that would go past it is not begun. */
  total?: number;
  /** The request may be sent again whatever its method, since the service takes it as one. */
  repeatable?: boolean;
  /** The codes that are known, and what they advise: `codesOf` adds an organisation's own. */
  codes?: Codes;
  /** What sends: the global `fetch`. */
  fetch?: typeof fetch;
  /** A share of the random wait, 0–1: `Math.random`. */
  random?: () => number;
  /** The clock that a `retry-after` date is held against where the response has no `date`. */
  now?: () => number;
}

/** RFC 9110 §9.2.2. */
const IDEMPOTENT = new Set(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"]);

/** No timer of JavaScript's is longer. */
const MOST_TIMER = 2 ** 31 - 1;

/**
 * Sends a request as `fetch` does, and again if the contract states that the same request may work later. It gives the
 * last response, whatever its status, with its body unread; `parseError` reads its error.
 *
 * 1. Only what is idempotent is repeated, and what is `repeatable`. A body that is a stream, or another async iterable,
 *    is sent once.
 * 2. The code of an error decides: `backoff`, or one that is not known here. A request that got no response is repeated,
 *    too.
 * 3. It waits as the server requests (`retry-after`), else a random part of a bound that doubles each time.
 *
 * A signal, of `init` or the request, ends the waits as well: the promise is rejected with its reason.
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
    // The last attempt takes the request itself: of those before it the body is sent from a copy.
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
    // An unread body would keep its connection.
    void response?.body?.cancel().catch(() => {});
    await sleep(wait, signal);
  }
}

function mayRepeat(input: RequestInfo | URL, init: RequestInit, { repeatable = false }: RetryOptions): boolean {
  const method = (init.method ?? (input instanceof Request ? input.method : "GET")).toUpperCase();
  return (repeatable || IDEMPOTENT.has(method)) && !isStream(init.body);
}

/** Node's `fetch` takes any async iterable as a body, such as a `Readable`: it gives its bytes once. */
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
