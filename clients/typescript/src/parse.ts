import { ClientError } from "./error.js";
import { ERROR_CODES, isKnownErrorCode, retryOf, type ErrorCode, type Issue, type KnownErrorCode } from "./errors.js";
import { CODE_OF_STATUS } from "./statuses.js";
import { retryAfter } from "./wait.js";

/** How a response is read. */
export interface ParseOptions {
  /** The most bytes that are read of the body: 64 KiB by default. Past it the head decides. */
  limit?: number;
  /** How long the body is waited for, in milliseconds: 5,000 by default. Past it the head decides. */
  time?: number;
  /** The clock that a `retry-after` date is held against where the response has no `date`. */
  now?: () => number;
}

/** Connect's names of gRPC's statuses, and their HTTP statuses. */
const CONNECT: Readonly<Record<string, number>> = {
  canceled: 499,
  unknown: 500,
  invalid_argument: 400,
  deadline_exceeded: 504,
  not_found: 404,
  already_exists: 409,
  permission_denied: 403,
  resource_exhausted: 429,
  failed_precondition: 400,
  aborted: 409,
  out_of_range: 400,
  unimplemented: 501,
  internal: 500,
  unavailable: 503,
  data_loss: 500,
  unauthenticated: 401,
};

const CODE = /^[a-z][a-z0-9_]{0,62}$/;
const RAW_CODE = /^[A-Za-z0-9_.-]{1,64}$/;
const REQUEST_ID = /^[!-~]{1,128}$/;
const MAX_MESSAGE = 1024;

/**
 * What an error response says; `undefined` for any other. It reads a clone of the body, as far as the bounds allow: the
 * response's own is there still. Of one that was read already, or breaks off, the head decides.
 *
 * It takes the envelope, every dialect that a service with the contract may write, and Connect's unary errors. It never
 * rejects.
 */
export async function parseError(response: Response, options: ParseOptions = {}): Promise<ClientError | undefined> {
  const { status, headers } = response;
  if (status < 400 || status > 599) return undefined;
  const body = objectIn(await textOf(response, options));
  const said = body === undefined ? {} : readBody(body);
  const header = codeOf(headers.get("x-error-code"), false);
  const code: ErrorCode = said.canonical ?? header ?? codeFrom(said, status);
  const id = [headers.get("x-request-id"), headers.get("request-id"), said.requestId].find(isRequestId);
  return new ClientError({
    status,
    code,
    rawCode: rawCode(said.name, code),
    message: lineOf(said.message) ?? ERROR_CODES[isKnownErrorCode(code) ? code : codeOfStatus(status)].message,
    ...("details" in said ? { details: said.details } : {}),
    issues: issuesIn(said.details),
    requestId: id,
    retry: retryOf(code),
    retryAfter: retryAfter(response, options.now),
  });
}

/** What a body says, in whichever shape. */
interface Said {
  /** The code of an envelope. */
  canonical?: ErrorCode | undefined;
  /** The code of another shape. */
  name?: string | undefined;
  connect?: number | undefined;
  message?: string | undefined;
  details?: unknown;
  requestId?: string | undefined;
}

function readBody(body: Record<string, unknown>): Said {
  const meta = isObject(body["meta"]) ? body["meta"]["request_id"] : undefined;
  const requestId = text(body["request_id"]) ?? text(meta);
  const error = body["error"];
  if (isObject(error)) {
    const name = text(error["code"]) ?? text(error["status"]) ?? text(error["type"]);
    const canonical = requestId === undefined || meta !== undefined ? undefined : codeOf(error["code"], true);
    return { canonical, name, message: text(error["message"]), ...detailsOf(error), requestId };
  }
  const message = text(body["detail"]) ?? text(body["message"]) ?? text(error) ?? text(body["title"]);
  const name = text(body["code"]);
  const connect = name !== undefined && Object.keys(body).every(isConnects) ? CONNECT[name] : undefined;
  // Connect's details are messages of protobuf.
  const details = connect === undefined ? detailsOf(body) : {};
  return { name, connect, message, ...details, requestId };
}

function isConnects(member: string): boolean {
  return member === "code" || member === "message" || member === "details";
}

function detailsOf(object: Record<string, unknown>): { details?: unknown } {
  return "details" in object ? { details: object["details"] } : {};
}

/** A code in the form of the contract, or one of the known in capitals. */
function codeOf(value: unknown, inCapitals: boolean): ErrorCode | undefined {
  if (typeof value !== "string") return undefined;
  if (CODE.test(value)) return value;
  const known = value.toLowerCase();
  return inCapitals && value === value.toUpperCase() && isKnownErrorCode(known) ? known : undefined;
}

/** The code of a shape that is not the contract's: a known name, else what the status says. */
function codeFrom({ name, connect }: Said, status: number): ErrorCode {
  if (connect !== undefined) return codeOfStatus(connect);
  const known = name?.toLowerCase();
  return known !== undefined && isKnownErrorCode(known) ? known : codeOfStatus(status);
}

function codeOfStatus(status: number): KnownErrorCode {
  return CODE_OF_STATUS[status] ?? (status < 500 ? "bad_request" : "internal_error");
}

function rawCode(name: string | undefined, code: ErrorCode): string | undefined {
  if (name === undefined || !RAW_CODE.test(name) || name.toLowerCase() === code) return undefined;
  return Object.hasOwn(CONNECT, name) ? undefined : name;
}

/** One printable line of at most 1,024 bytes; `undefined` where nothing is left. */
function lineOf(message: string | undefined): string | undefined {
  const line = message?.replace(/\s+/gu, " ").replace(/[\p{Cc}\p{Cf}]/gu, "").trim();
  if (!line) return undefined;
  const bytes = new TextEncoder().encode(line);
  if (bytes.length <= MAX_MESSAGE) return line;
  const cut = new TextDecoder().decode(bytes.subarray(0, MAX_MESSAGE - 3), { stream: true });
  return `${cut}…`;
}

function issuesIn(details: unknown): Issue[] {
  const issues = isObject(details) ? details["issues"] : undefined;
  return Array.isArray(issues) && issues.every(isIssue) ? issues : [];
}

function isIssue(value: unknown): value is Issue {
  if (!isObject(value)) return false;
  const { path, message, code } = value;
  const isStep = (step: unknown) => typeof step === "string" || (Number.isInteger(step) && (step as number) >= 0);
  const hasCode = code === undefined || typeof code === "string";
  return Array.isArray(path) && path.every(isStep) && typeof message === "string" && hasCode;
}

function isRequestId(value: string | null | undefined): value is string {
  return typeof value === "string" && REQUEST_ID.test(value);
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function objectIn(text: string | undefined): Record<string, unknown> | undefined {
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The whole body; `undefined` where it cannot be read within the bounds. */
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
