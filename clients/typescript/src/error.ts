import { type ErrorCode, type Issue, type Retry } from "./errors.js";

/** The facts about an error response. */
export interface Told {
  status: number;
  code: ErrorCode;
  rawCode?: string | undefined;
  message: string;
  /** If there are no details, the field is absent, not `undefined`. */
  details?: unknown;
  issues: Issue[];
  requestId?: string | undefined;
  retry: Retry;
  retryAfter?: number | undefined;
  docs?: string | undefined;
}

/** An error response of any shape. Its `toString` returns one line without details, for the log. */
export class ClientError extends Error {
  override readonly name = "ClientError";
  /** The HTTP status, 400–599. */
  readonly status: number;
  /** The code to match on. The set is open: a service may send codes that are not known here. */
  readonly code: ErrorCode;
  /** The code in the body, if it has another name, such as OpenAI's `model_not_found`. */
  readonly rawCode: string | undefined;
  /** The details, which may be any JSON value. `undefined` if there are none. */
  readonly details: unknown;
  /** The issues of an invalid request, each with its place. */
  readonly issues: readonly Issue[];
  /** The request id. Quote it when you ask for help. */
  readonly requestId: string | undefined;
  /** What to do next: the advice of the error, or otherwise that of its code. A code that is not known here is transient. */
  readonly retry: Retry;
  /** The wait that the server requests, in milliseconds. */
  readonly retryAfter: number | undefined;
  /** The https address of the page about the code: the error's own, or otherwise that of `codes`. */
  readonly docs: string | undefined;

  constructor(told: Told) {
    super(told.message);
    this.status = told.status;
    this.code = told.code;
    this.rawCode = told.rawCode;
    this.details = told.details;
    this.issues = told.issues;
    this.requestId = told.requestId;
    this.retry = told.retry;
    this.retryAfter = told.retryAfter;
    this.docs = told.docs;
  }

  override toString(): string {
    const id = this.requestId === undefined ? "" : ` (${this.requestId})`;
    return `${this.status} ${this.code}: ${this.message}${id}`;
  }
}

/** Returns true if the same request may succeed later. */
export function isRetryable(error: ClientError): boolean {
  return error.retry === "backoff";
}
