import { type ErrorCode, type Issue, type Retry } from "./errors.js";

/** What is known of an error response. */
export interface Told {
  status: number;
  code: ErrorCode;
  rawCode?: string | undefined;
  message: string;
  /** Absent, and not `undefined`, where there are none. */
  details?: unknown;
  issues: Issue[];
  requestId?: string | undefined;
  retry: Retry;
  retryAfter?: number | undefined;
  docs?: string | undefined;
}

/** An error response, whichever shape it came in. Its `toString` is one line without details, for the log. */
export class ClientError extends Error {
  override readonly name = "ClientError";
  /** The HTTP status, 400–599. */
  readonly status: number;
  /** What to match on. The set is open: a service may send codes that are not known here. */
  readonly code: ErrorCode;
  /** What the body calls its code, where that is another name, such as OpenAI's `model_not_found`. */
  readonly rawCode: string | undefined;
  /** Any JSON value; `undefined` where there is none. */
  readonly details: unknown;
  /** What is wrong with an invalid request, place by place. */
  readonly issues: readonly Issue[];
  /** Name it when you ask for help. */
  readonly requestId: string | undefined;
  /** What to do next: as the error advises, else as the contract does after this code. One that is not known here is transient. */
  readonly retry: Retry;
  /** The wait that the server requests, in milliseconds. */
  readonly retryAfter: number | undefined;
  /** The https address of the page about the code: the error's own, else that of `codes`. */
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

/** Whether the same request may work later. */
export function isRetryable(error: ClientError): boolean {
  return error.retry === "backoff";
}
