/**
 * Reads the errors of services that keep the error contract, and asks again where it says so.
 *
 * @module
 */
export { ClientError, isRetryable } from "./error.js";
export {
  ERROR_CODES,
  hasCode,
  isErrorEnvelope,
  isKnownErrorCode,
  isTransient,
  issuesOf,
  retryOf,
  type ErrorCode,
  type ErrorEnvelope,
  type Issue,
  type KnownErrorCode,
  type Retry,
} from "./errors.js";
export { fetchWithRetry, type RetryOptions } from "./fetch.js";
export { parseError, type ParseOptions } from "./parse.js";
export { retryAfter } from "./wait.js";
