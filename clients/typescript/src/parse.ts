import { ClientError } from "./error.js";
import { adviceOf, type Codes } from "./codes.js";
import { ERROR_CODES, type ErrorCode, type KnownErrorCode } from "./errors.js";
import { codeOf, isObject, issuesIn, readBody, type Said } from "./shapes.js";
import { CODE_OF_STATUS } from "./statuses.js";
import type { TypedClientError } from "./typed.js";
import { retryAfter } from "./wait.js";

/** The settings for reading a response. */
export interface ParseOptions {
  /** The most bytes to read of the body. A longer body is ignored, and the head decides. Default: 64 KiB. */
  limit?: number;
  /** The time limit for the body, in milliseconds. After that the head decides. Default: 5,000. */
  time?: number;
  /** The known codes. Default: those of the catalogue. `codesOf` adds an organisation's own. */
  codes?: Codes;
  /** The clock with which a `retry-after` date is compared if the response has no `date`. */
  now?: () => number;
}

const RAW_CODE = /^[A-Za-z0-9_.-]{1,64}$/;
const REQUEST_ID = /^[!-~]{1,128}$/;
const MAX_MESSAGE = 1024;
/** Markup, an entity, or a control character other than a line break. */
const PAGE = /[<\0-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f]|&#?[0-9A-Za-z]+;/u;
/** Markup, or JSON that was cut off. */
const WRAPPED = /^(?:<[A-Za-z!/?]|\{\s*(?:["'}]|$)|\[\s*[{["\]])/u;
/** Line breaks and tabs, with the blanks around them. One blank replaces them. */
const BREAK = / ?[\t-\r\x85\u2028\u2029][ \t-\r\x85\u2028\u2029]*/gu;
/** Invisible control and format characters, except for breaks and the joiners U+200C and U+200D, which texts need. */
const UNPRINTABLE =
  /[\0-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff0-\ufffb\u{e0000}-\u{e007f}]/gu;

/**
 * Parses an error response. Returns `undefined` for any other response. It reads a clone of the body within the limits, so
 * the response's own body stays unread. If the body was already read, or breaks off, the head decides.
 *
 * It parses the envelope, a line of text, and every dialect that a service with the contract may write, including JSON-RPC's
 * and Connect's unary errors. It never rejects.
 *
 * With the type of an operation, `parseError<paths["/orders"]["post"]>(response)`, the error has the details of each code.
 */
export async function parseError<Operation = unknown>(
  response: Response,
  options: ParseOptions = {},
): Promise<TypedClientError<Operation> | undefined> {
  const { status, headers } = response;
  const { codes = ERROR_CODES } = options;
  if (status < 400 || status > 599) return undefined;
  const text = await textOf(response, options);
  const body = objectIn(text);
  const said = body === undefined ? {} : readBody(body, codes);
  const header = codeOf(headers.get("x-error-code"));
  const code: ErrorCode = said.canonical ?? header ?? codeFrom(said, status, codes);
  const advice = adviceOf(codes, code);
  const id = [headers.get("x-request-id"), headers.get("request-id"), said.requestId].find(isRequestId);
  const error = new ClientError({
    status,
    code,
    rawCode: rawCode(said.connect === undefined ? said.name : undefined, code),
    message:
      lineOf(said.message) ??
      lineOf(plainText(text, headers.get("content-type"))) ??
      (advice ?? ERROR_CODES[codeOfStatus(status)]).message,
    ...("details" in said ? { details: said.details } : {}),
    issues: issuesIn(said.details),
    requestId: id,
    retry: said.retry ?? advice?.retry ?? "backoff",
    retryAfter: retryAfter(response, options.now),
    docs: said.docs ?? advice?.docs,
  });
  return error as TypedClientError<Operation>;
}

/** Returns the code of a body that is not an envelope, from a known name, a list of issues, or otherwise the status. */
function codeFrom({ name, connect, details }: Said, status: number, codes: Codes): ErrorCode {
  if (connect !== undefined) return codeOfStatus(connect);
  const known = name?.toLowerCase();
  if (known !== undefined && adviceOf(codes, known)) return known;
  return status === 400 && issuesIn(details).length > 0 ? "invalid_request" : codeOfStatus(status);
}

function codeOfStatus(status: number): KnownErrorCode {
  return CODE_OF_STATUS[status] ?? (status < 500 ? "bad_request" : "internal_error");
}

function rawCode(name: string | undefined, code: ErrorCode): string | undefined {
  return name !== undefined && RAW_CODE.test(name) && name.toLowerCase() !== code ? name : undefined;
}

/** Returns one printable line of at most 1,024 bytes, or `undefined` if nothing is left. */
function lineOf(message: string | undefined): string | undefined {
  // Half a character is replaced by a mark for a lost one.
  const line = message?.replace(/\p{Cs}/gu, "\ufffd").replace(UNPRINTABLE, "").replace(BREAK, " ").trim();
  if (!line) return undefined;
  const bytes = new TextEncoder().encode(line);
  if (bytes.length <= MAX_MESSAGE) return line;
  const cut = new TextDecoder().decode(bytes.subarray(0, MAX_MESSAGE - 3), { stream: true });
  return `${cut}…`;
}

function isRequestId(value: string | null | undefined): value is string {
  return typeof value === "string" && REQUEST_ID.test(value);
}

function objectIn(text: string | undefined): Record<string, unknown> | undefined {
  const value = text === undefined ? undefined : jsonIn(text);
  return isObject(value) ? value : undefined;
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * Returns a line for people (R3) from a text, or from octets whose only control characters are line feeds. If the type is
 * missing or `text/html`, the text must have no sign of a page.
 */
function plainText(body: string | undefined, mediaType: string | null): string | undefined {
  const text = (body ?? "").trim();
  const essence = mediaType?.split(";", 1)[0]?.trim().toLowerCase();
  const isText = isTextOf(essence, body ?? "", text);
  // JSON and markup are not wrapped again. A text that begins like JSON but does not parse was cut off.
  const isQuoted = text.startsWith('"') && jsonIn(text) !== undefined;
  const isWrapped = WRAPPED.test(text) || /^[{[]/.test(text) || isQuoted;
  return isText && !isWrapped ? text : undefined;
}

function isTextOf(essence: string | undefined, body: string, text: string): boolean {
  if (essence === undefined || essence === "text/html") return !PAGE.test(text);
  if (essence === "application/octet-stream") return !/[\x00-\x09\x0b-\x1f\x7f]/.test(body);
  return essence === "" || (essence.startsWith("text/") && essence !== "text/xml" && essence !== "text/event-stream");
}

/** Returns the whole body, or `undefined` if it cannot be read within the limits. */
async function textOf(response: Response, { limit = 64 * 1024, time = 5_000 }: ParseOptions): Promise<string | undefined> {
  if (response.bodyUsed || response.body === null || response.body.locked) return undefined;
  const reader = response.clone().body?.getReader();
  if (reader === undefined) return undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), time);
  });
  try {
    return await Promise.race([wholeOf(reader, limit), late]);
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
    void reader.cancel().catch(() => {});
  }
}

async function wholeOf(reader: ReadableStreamDefaultReader<Uint8Array>, limit: number): Promise<string | undefined> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let read = 0;
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    read += value.byteLength;
    if (read > limit) return undefined;
    text += decoder.decode(value, { stream: true });
  }
}
