// The error contract, version 1.
// Written by `error-envelope catalogue --format typescript`: do not edit.

/**
 * What a client may do with a request that failed.
 *
 * - `no`: the same request will fail again.
 * - `backoff`: the same request may work later: wait `retry-after` where it is given, else back off.
 * - `refresh`: read the state again first, then build a new request.
 */
export type Retry = "no" | "backoff" | "refresh";

/** The codes of the contract when this file was written. The set is open: a service may send others. */
export const ERROR_CODES = {
  // auth
  /** 401, retry: no. No credentials were sent. */
  auth_missing: { status: 401, retry: "no", message: "No credentials were sent." },
  /** 401, retry: no. The credentials do not match any active key. */
  auth_invalid: { status: 401, retry: "no", message: "The credentials do not match any active key." },
  /** 401, retry: no. The Authorization header is not a well-formed Bearer token. */
  auth_malformed: { status: 401, retry: "no", message: "The Authorization header is not a well-formed Bearer token." },
  /** 401, retry: no. The credentials have expired or were revoked. */
  auth_expired: { status: 401, retry: "no", message: "The credentials have expired or were revoked." },
  /** 403, retry: no. The session has no verified email address. */
  auth_no_email: { status: 403, retry: "no", message: "The session has no verified email address." },
  // channel
  /** 404, retry: no. The channel does not exist. */
  channel_not_found: { status: 404, retry: "no", message: "The channel does not exist." },
  /** 403, retry: no. This key belongs to a different channel. */
  channel_access_denied: { status: 403, retry: "no", message: "This key belongs to a different channel." },
  /** 409, retry: no. The channel is not connected. */
  channel_unavailable: { status: 409, retry: "no", message: "The channel is not connected." },
  /** 403, retry: no. A key scoped to one channel cannot call a multi-channel route. */
  channel_scoped_key: { status: 403, retry: "no", message: "A key scoped to one channel cannot call a multi-channel route." },
  /** 409, retry: no. The channel cannot make this transition from its current state. */
  invalid_lifecycle_transition: { status: 409, retry: "no", message: "The channel cannot make this transition from its current state." },
  /** 409, retry: no. The channel's state does not allow a pair code right now. */
  pair_code_unavailable: { status: 409, retry: "no", message: "The channel's state does not allow a pair code right now." },
  /** 502, retry: backoff. The upstream rejected the pair code request. */
  pair_code_failed: { status: 502, retry: "backoff", message: "The upstream rejected the pair code request." },
  /** 409, retry: backoff. No QR code is available for the channel's current state. */
  no_qr: { status: 409, retry: "backoff", message: "No QR code is available for the channel's current state." },
  /** 409, retry: no. The channel is not disabled. */
  not_disabled: { status: 409, retry: "no", message: "The channel is not disabled." },
  /** 402, retry: no. The plan's channel limit is reached. */
  plan_channel_limit: { status: 402, retry: "no", message: "The plan's channel limit is reached." },
  // quota
  /** 429, retry: backoff. Too many requests. */
  rate_limited: { status: 429, retry: "backoff", message: "Too many requests." },
  /** 503, retry: backoff. No worker has a free slot right now. */
  worker_at_capacity: { status: 503, retry: "backoff", message: "No worker has a free slot right now." },
  // media
  /** 404, retry: no. The webhook endpoint does not exist. */
  webhook_endpoint_not_found: { status: 404, retry: "no", message: "The webhook endpoint does not exist." },
  /** 410, retry: refresh. The media is no longer cached. */
  media_gone: { status: 410, retry: "refresh", message: "The media is no longer cached." },
  // generic
  /** 400, retry: no. The request failed validation. */
  invalid_request: { status: 400, retry: "no", message: "The request failed validation." },
  /** 404, retry: no. Not found. */
  not_found: { status: 404, retry: "no", message: "Not found." },
  /** 400, retry: no. The request is malformed. */
  bad_request: { status: 400, retry: "no", message: "The request is malformed." },
  /** 409, retry: refresh. Another write changed the same resource first. */
  concurrent_modification: { status: 409, retry: "refresh", message: "Another write changed the same resource first." },
  /** 409, retry: no. Already in the requested state. */
  no_op: { status: 409, retry: "no", message: "Already in the requested state." },
  /** 502, retry: backoff. An upstream provider failed. */
  other: { status: 502, retry: "backoff", message: "An upstream provider failed." },
  /** 500, retry: backoff. An unexpected error occurred. */
  internal_error: { status: 500, retry: "backoff", message: "An unexpected error occurred." },
  // status
  /** 402, retry: no. Payment is required. */
  payment_required: { status: 402, retry: "no", message: "Payment is required." },
  /** 403, retry: no. Not allowed. */
  forbidden: { status: 403, retry: "no", message: "Not allowed." },
  /** 405, retry: no. The method is not allowed for this resource. */
  method_not_allowed: { status: 405, retry: "no", message: "The method is not allowed for this resource." },
  /** 406, retry: no. No acceptable representation. */
  not_acceptable: { status: 406, retry: "no", message: "No acceptable representation." },
  /** 408, retry: backoff. The request timed out. */
  request_timeout: { status: 408, retry: "backoff", message: "The request timed out." },
  /** 409, retry: no. The request conflicts with the resource's current state. */
  conflict: { status: 409, retry: "no", message: "The request conflicts with the resource's current state." },
  /** 410, retry: no. The resource is gone. */
  gone: { status: 410, retry: "no", message: "The resource is gone." },
  /** 411, retry: no. A Content-Length is required. */
  length_required: { status: 411, retry: "no", message: "A Content-Length is required." },
  /** 412, retry: refresh. A precondition failed. */
  precondition_failed: { status: 412, retry: "refresh", message: "A precondition failed." },
  /** 413, retry: no. The request body is too large. */
  payload_too_large: { status: 413, retry: "no", message: "The request body is too large." },
  /** 414, retry: no. The request target is too long. */
  uri_too_long: { status: 414, retry: "no", message: "The request target is too long." },
  /** 415, retry: no. Content-Type must be application/json. */
  unsupported_media_type: { status: 415, retry: "no", message: "Content-Type must be application/json." },
  /** 416, retry: no. The requested range cannot be satisfied. */
  range_not_satisfiable: { status: 416, retry: "no", message: "The requested range cannot be satisfied." },
  /** 417, retry: no. The Expect header cannot be met. */
  expectation_failed: { status: 417, retry: "no", message: "The Expect header cannot be met." },
  /** 421, retry: no. This server does not answer for that host. */
  misdirected_request: { status: 421, retry: "no", message: "This server does not answer for that host." },
  /** 423, retry: backoff. The resource is locked. */
  locked: { status: 423, retry: "backoff", message: "The resource is locked." },
  /** 425, retry: backoff. The request arrived as early data; send it again. */
  too_early: { status: 425, retry: "backoff", message: "The request arrived as early data; send it again." },
  /** 426, retry: no. A protocol upgrade is required. */
  upgrade_required: { status: 426, retry: "no", message: "A protocol upgrade is required." },
  /** 428, retry: refresh. The request must be conditional. */
  precondition_required: { status: 428, retry: "refresh", message: "The request must be conditional." },
  /** 431, retry: no. The request headers are too large. */
  headers_too_large: { status: 431, retry: "no", message: "The request headers are too large." },
  /** 451, retry: no. Unavailable for legal reasons. */
  unavailable_for_legal_reasons: { status: 451, retry: "no", message: "Unavailable for legal reasons." },
  /** 501, retry: no. Not implemented. */
  not_implemented: { status: 501, retry: "no", message: "Not implemented." },
  /** 503, retry: backoff. The service is unavailable. */
  service_unavailable: { status: 503, retry: "backoff", message: "The service is unavailable." },
  /** 504, retry: backoff. The service did not answer in time. */
  gateway_timeout: { status: 504, retry: "backoff", message: "The service did not answer in time." },
} as const satisfies Record<string, { status: number; retry: Retry; message: string }>;

/** A code that was in the contract when this file was written. */
export type KnownErrorCode = keyof typeof ERROR_CODES;

/** Any code: the listed ones for completion, every other text for codes that are yet to come. */
export type ErrorCode = KnownErrorCode | (string & {});

/** Whether the code was in the contract when this file was written. */
export function isKnownErrorCode(code: string): code is KnownErrorCode {
  return Object.prototype.hasOwnProperty.call(ERROR_CODES, code);
}

/** What a client may do after this code. One that is not listed is transient. */
export function retryOf(code: ErrorCode): Retry {
  return isKnownErrorCode(code) ? ERROR_CODES[code].retry : "backoff";
}

/** Whether the same request may work later. */
export function isTransient(code: ErrorCode): boolean {
  return retryOf(code) === "backoff";
}

/** The body of every error response. */
export interface ErrorEnvelope<Code extends ErrorCode = ErrorCode> {
  error: {
    /** What to match on: it never changes its meaning. */
    code: Code;
    /** One line for people, free to change. */
    message: string;
    /** Any JSON value; absent where there is none. */
    details?: unknown;
    /** What a client may do: it counts more than the advice of the code. Absent where the service adds none. */
    retry?: Retry | undefined;
    /** The https address of the page about the code; absent where there is none. */
    docs?: string | undefined;
  };
  /** The same as in the header `x-request-id`: quote it when you ask for help. */
  request_id: string;
}

/** What is wrong at one place of an invalid request. */
export interface Issue {
  /** Names and indices that lead to the value; empty for the whole request. */
  path: (string | number)[];
  message: string;
  code?: string;
}

/** The details of a code, where a schema declares them. A service may add members, and may send none at all. */
export interface ErrorDetails {
  invalid_request: { issues: ({ code?: string; message: string; path: (string | number)[]; [name: string]: unknown })[]; [name: string]: unknown };
  payload_too_large: { limit_bytes?: number; [name: string]: unknown };
}

/** The details of a code; anything where no schema declares them. */
export type DetailsOf<Code extends string> = Code extends keyof ErrorDetails ? ErrorDetails[Code] : unknown;

/** An error whose code is listed, to switch over. */
export type KnownError = {
  [Code in KnownErrorCode]: { code: Code; message: string; details?: DetailsOf<Code> };
}[KnownErrorCode];

/** A part of JSON Schema. */
interface Schema {
  type?: string | string[];
  enum?: unknown[];
  const?: unknown;
  anyOf?: Schema[];
  properties?: { [name: string]: Schema };
  required?: string[];
  additionalProperties?: boolean | Schema;
  items?: Schema;
  minItems?: number;
  maxItems?: number;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
}

const DETAILS: { [code: string]: Schema } = {
  invalid_request: {"properties":{"issues":{"items":{"properties":{"code":{"type":"string"},"message":{"type":"string"},"path":{"items":{"anyOf":[{"type":"string"},{"minimum":0,"type":"integer"}]},"type":"array"}},"required":["path","message"],"type":"object"},"minItems":1,"type":"array"}},"required":["issues"],"type":"object"},
  payload_too_large: {"properties":{"limit_bytes":{"minimum":0,"type":"integer"}},"type":"object"},
};

const CODE = /^[a-z][a-z0-9_]{0,62}$/;
const MESSAGE = /^[^\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]+$/;
const MAX_MESSAGE = 1024;
const REQUEST_ID = /^req_[0-7][0-9A-HJKMNP-TV-Z]{25}$/;
const RETRY = /^(no|backoff|refresh)$/;
const DOCS = /^https:\/\/[^\/?#\s]/;
const MAX_DOCS = 1024;

/** Whether a value, such as a parsed body, is an envelope. */
export function isErrorEnvelope(value: unknown): value is ErrorEnvelope {
  if (!isObject(value) || !isObject(value.error)) return false;
  const { code, message, retry, docs } = value.error;
  return (
    isOfForm(code, CODE) &&
    isOfForm(message, MESSAGE) &&
    message.length <= MAX_MESSAGE &&
    isOfForm(value.request_id, REQUEST_ID) &&
    (retry === undefined || isOfForm(retry, RETRY)) &&
    (docs === undefined || (isOfForm(docs, DOCS) && docs.length <= MAX_DOCS)) &&
    (code !== "invalid_request" || value.error.details !== undefined)
  );
}

/** Whether an envelope has this very code. */
export function hasCode<Code extends KnownErrorCode>(
  envelope: ErrorEnvelope,
  code: Code,
): envelope is ErrorEnvelope<Code> {
  return envelope.error.code === code;
}

/** What a client may do after this error: its own advice, else that of its code. */
export function adviceOf(envelope: ErrorEnvelope): Retry {
  return envelope.error.retry ?? retryOf(envelope.error.code);
}

/** The issues of an envelope, in the shape of Zod's; none where it has no list of them. */
export function issuesOf(envelope: ErrorEnvelope): Issue[] {
  const { details } = envelope.error;
  const issues = isObject(details) ? details.issues : undefined;
  return Array.isArray(issues) && issues.every(isIssue) ? issues : [];
}

function isIssue(value: unknown): value is Issue {
  const isStep = (step: unknown) => typeof step === "string" || (Number.isInteger(step) && (step as number) >= 0);
  return (
    isObject(value) &&
    Array.isArray(value.path) &&
    value.path.every(isStep) &&
    typeof value.message === "string" &&
    (value.code === undefined || typeof value.code === "string")
  );
}

function isOfForm(value: unknown, form: RegExp): value is string {
  return typeof value === "string" && form.test(value);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

/** The details of an envelope, where it has this code and they fit the schema of the code. */
export function detailsOf<Code extends keyof ErrorDetails>(
  envelope: ErrorEnvelope,
  code: Code,
): ErrorDetails[Code] | undefined {
  const known = envelope.error.code === code ? knownErrorOf(envelope) : undefined;
  return known?.details as ErrorDetails[Code] | undefined;
}

/**
 * The error of an envelope, to switch over its code; none where the code is not listed.
 *
 * Details that do not fit the schema of the code are left out: a service may send others.
 */
export function knownErrorOf(envelope: ErrorEnvelope): KnownError | undefined {
  const { code, message, details } = envelope.error;
  if (!isKnownErrorCode(code)) return undefined;
  const schema = own(DETAILS, code);
  const error = details === undefined || (schema && !fits(schema, details)) ? { code, message } : { code, message, details };
  return error as KnownError;
}

function fits(schema: Schema, value: unknown): boolean {
  if (schema.anyOf) return schema.anyOf.some((form) => fits(form, value));
  const types = schema.type === undefined ? [] : ([] as string[]).concat(schema.type);
  if (types.length > 0 && !types.some((type) => isOfType(value, type))) return false;
  if (schema.enum && schema.enum.indexOf(value) < 0) return false;
  if (schema.const !== undefined && schema.const !== value) return false;
  if (typeof value === "string") return isWithin([...value].length, schema.minLength, schema.maxLength);
  if (typeof value === "number") return isWithin(value, schema.minimum, schema.maximum);
  const { items, properties = {}, required = [], additionalProperties = true } = schema;
  if (Array.isArray(value)) {
    return isWithin(value.length, schema.minItems, schema.maxItems) && (!items || value.every((one) => fits(items, one)));
  }
  if (!isObject(value)) return true;
  return (
    required.every((name) => own(value, name) !== undefined) &&
    Object.keys(value).every((name) => {
      const member = own(properties, name) ?? additionalProperties;
      return typeof member === "boolean" ? member : fits(member, value[name]);
    })
  );
}

function isOfType(value: unknown, type: string): boolean {
  switch (type) {
    case "null":
      return value === null;
    case "array":
      return Array.isArray(value);
    case "object":
      return isObject(value) && !Array.isArray(value);
    case "integer":
      return Number.isInteger(value);
    default:
      return typeof value === type;
  }
}

function isWithin(number: number, least = -Infinity, most = Infinity): boolean {
  return number >= least && number <= most;
}

function own<Value>(object: { [name: string]: Value }, name: string): Value | undefined {
  return Object.prototype.hasOwnProperty.call(object, name) ? object[name] : undefined;
}
