/**
 * Reads the errors of services that follow the error contract, and retries requests as the contract allows.
 *
 * @module
 */
export { codesOf, type Advice, type Codes, type Exported } from "./codes.js";
export { ClientError, isRetryable } from "./error.js";
export {
  ERROR_CODES,
  detailsOf,
  hasCode,
  isErrorEnvelope,
  isKnownErrorCode,
  isTransient,
  issuesOf,
  knownErrorOf,
  retryOf,
  type DetailsOf,
  type ErrorCode,
  type ErrorDetails,
  type ErrorEnvelope,
  type Issue,
  type KnownError,
  type KnownErrorCode,
  type Retry,
} from "./errors.js";
export { fetchWithRetry, type RetryOptions } from "./fetch.js";
export { parseError, type ParseOptions } from "./parse.js";
export type { TypedClientError, UnlistedCode, UnlistedError } from "./typed.js";
export { retryAfter } from "./wait.js";
