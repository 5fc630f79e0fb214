// The error contract, version 1.
// Written by `error-envelope catalogue --format zod`: do not edit.

import * as z from "zod";

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

/** The details of a code, where a schema declares them. A service may add members, and may send none at all. */
export const errorDetails = {
  invalid_request: z.looseObject({ issues: z.array(z.looseObject({ code: z.string().optional(), message: z.string(), path: z.array(z.union([z.string(), z.number().min(0).refine(Number.isInteger)])) })).min(1) }),
  payload_too_large: z.looseObject({ limit_bytes: z.number().min(0).refine(Number.isInteger).optional() }),
};

/**
 * An error whose code is listed, by its code.
 *
 * Details that do not fit the schema of the code are left out: a service may send others.
 */
export const knownError = z.discriminatedUnion("code", [
  z.object({ code: z.literal("invalid_request"), message: z.string(), details: errorDetails.invalid_request.optional().catch(undefined) }),
  z.object({ code: z.literal("payload_too_large"), message: z.string(), details: errorDetails.payload_too_large.optional().catch(undefined) }),
  z.object({ code: z.enum(["auth_missing", "auth_invalid", "auth_malformed", "auth_expired", "auth_no_email", "channel_not_found", "channel_access_denied", "channel_unavailable", "channel_scoped_key", "invalid_lifecycle_transition", "pair_code_unavailable", "pair_code_failed", "no_qr", "not_disabled", "plan_channel_limit", "rate_limited", "worker_at_capacity", "webhook_endpoint_not_found", "media_gone", "not_found", "bad_request", "concurrent_modification", "no_op", "other", "internal_error", "payment_required", "forbidden", "method_not_allowed", "not_acceptable", "request_timeout", "conflict", "gone", "length_required", "precondition_failed", "uri_too_long", "unsupported_media_type", "range_not_satisfiable", "expectation_failed", "misdirected_request", "locked", "too_early", "upgrade_required", "precondition_required", "headers_too_large", "unavailable_for_legal_reasons", "not_implemented", "service_unavailable", "gateway_timeout"]), message: z.string(), details: z.unknown().optional() }),
]);

/** An error whose code is listed, to switch over. */
export type KnownError = z.output<typeof knownError>;

const CODE = /^[a-z][a-z0-9_]{0,62}$/;
const MESSAGE = /^[^\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]+$/;
const REQUEST_ID = /^req_[0-7][0-9A-HJKMNP-TV-Z]{25}$/;
const DOCS = /^https:\/\/[^\/?#\s]/;

/** One issue of an invalid request; further members are kept. */
export const issue = z.looseObject({
  path: z.array(z.union([z.string(), z.int().nonnegative()])),
  message: z.string(),
  code: z.string().optional(),
});

const validationDetails = z.looseObject({ issues: z.array(issue).min(1) });

/**
 * The body of every error response.
 *
 * The output also has whether the code is `known`, when to `retry` (the error's own advice, else that of its code), whether
 * the error is `transient` (a code that is not listed is), the list of `issues`, empty where there is none, and `typed`, the
 * error to switch over where its code is listed, with details that fit the schema of the code. Members that are not in the
 * contract are dropped.
 */
export const errorEnvelope = z
  .object({
    error: z.object({
      code: z.string().regex(CODE),
      message: z.string().max(1024).regex(MESSAGE),
      details: z.unknown().optional(),
      retry: z.enum(["no", "backoff", "refresh"]).optional(),
      docs: z.string().max(1024).regex(DOCS).optional(),
    }),
    request_id: z.string().regex(REQUEST_ID),
  })
  .refine(({ error }) => error.code !== "invalid_request" || error.details !== undefined, {
    path: ["error", "details"],
    message: "An invalid_request has details",
  })
  .transform(({ error, request_id }) => {
    const code: ErrorCode = error.code;
    const retry: Retry = error.retry ?? retryOf(code);
    const issues: Issue[] = validationDetails.safeParse(error.details).data?.issues ?? [];
    return {
      error: {
        ...error,
        code,
        known: isKnownErrorCode(code),
        retry,
        transient: retry === "backoff",
        issues,
        typed: knownError.safeParse(error).data,
      },
      request_id,
    };
  });

/** What a service sends. */
export type ErrorEnvelope = z.input<typeof errorEnvelope>;

/** What parsing makes of it. */
export type ParsedErrorEnvelope = z.output<typeof errorEnvelope>;

/** What is wrong at one place of an invalid request. */
export type Issue = z.output<typeof issue>;
