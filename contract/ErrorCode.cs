// The error contract, version 1.
// Written by `error-envelope catalogue --format csharp`: do not edit.

using System;
using System.Collections.Generic;

namespace ErrorContract
{
    /// <summary>What a client may do with a request that failed.</summary>
    public enum Retry
    {
        /// <summary>The same request will fail again.</summary>
        No,
        /// <summary>The same request may work later: wait Retry-After where it is given, else back off.</summary>
        Backoff,
        /// <summary>Read the state again first, then build a new request.</summary>
        Refresh,
    }

    /// <summary>What to match on: a code never changes its meaning. The set is open.</summary>
    public sealed class ErrorCode : IEquatable<ErrorCode>
    {
        internal ErrorCode(string code, int status, Retry retry, string message)
        {
            Code = code;
            Status = status;
            Retry = retry;
            Message = message;
        }

        /// <summary>Its name, as services send it.</summary>
        public string Code { get; }

        /// <summary>The usual HTTP status, and 0 of a code that is not listed.</summary>
        public int Status { get; }

        /// <summary>What a client may do. A code that is not listed is transient.</summary>
        public Retry Retry { get; }

        /// <summary>What a client may do after an error with this code whose own field "retry" is the word, or null.</summary>
        public Retry Advised(string word)
        {
            switch (word)
            {
                case "no": return Retry.No;
                case "backoff": return Retry.Backoff;
                case "refresh": return Retry.Refresh;
                default: return Retry;
            }
        }

        /// <summary>For people, and free to change; empty where the code is not listed.</summary>
        public string Message { get; }

        /// <summary>Whether it was in the contract when this file was written.</summary>
        public bool IsKnown { get { return ErrorCodes.Known.ContainsKey(Code); } }

        /// <summary>The code of that name.</summary>
        public static ErrorCode Of(string code)
        {
            ErrorCode known;
            return ErrorCodes.Known.TryGetValue(code, out known) ? known : new ErrorCode(code, 0, Retry.Backoff, "");
        }

        /// <inheritdoc/>
        public bool Equals(ErrorCode other) { return other != null && other.Code == Code; }

        /// <inheritdoc/>
        public override bool Equals(object other) { return Equals(other as ErrorCode); }

        /// <inheritdoc/>
        public override int GetHashCode() { return Code.GetHashCode(); }

        /// <inheritdoc/>
        public override string ToString() { return Code; }
    }

    /// <summary>The codes of the contract when this file was written. A service may send others.</summary>
    public static class ErrorCodes
    {
        private static readonly Dictionary<string, ErrorCode> all = new Dictionary<string, ErrorCode>();

        /// <summary>They by name.</summary>
        public static IReadOnlyDictionary<string, ErrorCode> Known { get { return all; } }

        /// <summary>401, retry: no.</summary>
        public static readonly ErrorCode AuthMissing =
            Add("auth_missing", 401, Retry.No, "No credentials were sent.");
        /// <summary>401, retry: no.</summary>
        public static readonly ErrorCode AuthInvalid =
            Add("auth_invalid", 401, Retry.No, "The credentials do not match any active key.");
        /// <summary>401, retry: no.</summary>
        public static readonly ErrorCode AuthMalformed =
            Add("auth_malformed", 401, Retry.No, "The Authorization header is not a well-formed Bearer token.");
        /// <summary>401, retry: no.</summary>
        public static readonly ErrorCode AuthExpired =
            Add("auth_expired", 401, Retry.No, "The credentials have expired or were revoked.");
        /// <summary>403, retry: no.</summary>
        public static readonly ErrorCode AuthNoEmail =
            Add("auth_no_email", 403, Retry.No, "The session has no verified email address.");
        /// <summary>404, retry: no.</summary>
        public static readonly ErrorCode ChannelNotFound =
            Add("channel_not_found", 404, Retry.No, "The channel does not exist.");
        /// <summary>403, retry: no.</summary>
        public static readonly ErrorCode ChannelAccessDenied =
            Add("channel_access_denied", 403, Retry.No, "This key belongs to a different channel.");
        /// <summary>409, retry: no.</summary>
        public static readonly ErrorCode ChannelUnavailable =
            Add("channel_unavailable", 409, Retry.No, "The channel is not connected.");
        /// <summary>403, retry: no.</summary>
        public static readonly ErrorCode ChannelScopedKey =
            Add("channel_scoped_key", 403, Retry.No, "A key scoped to one channel cannot call a multi-channel route.");
        /// <summary>409, retry: no.</summary>
        public static readonly ErrorCode InvalidLifecycleTransition =
            Add("invalid_lifecycle_transition", 409, Retry.No, "The channel cannot make this transition from its current state.");
        /// <summary>409, retry: no.</summary>
        public static readonly ErrorCode PairCodeUnavailable =
            Add("pair_code_unavailable", 409, Retry.No, "The channel's state does not allow a pair code right now.");
        /// <summary>502, retry: backoff.</summary>
        public static readonly ErrorCode PairCodeFailed =
            Add("pair_code_failed", 502, Retry.Backoff, "The upstream rejected the pair code request.");
        /// <summary>409, retry: backoff.</summary>
        public static readonly ErrorCode NoQr =
            Add("no_qr", 409, Retry.Backoff, "No QR code is available for the channel's current state.");
        /// <summary>409, retry: no.</summary>
        public static readonly ErrorCode NotDisabled =
            Add("not_disabled", 409, Retry.No, "The channel is not disabled.");
        /// <summary>402, retry: no.</summary>
        public static readonly ErrorCode PlanChannelLimit =
            Add("plan_channel_limit", 402, Retry.No, "The plan's channel limit is reached.");
        /// <summary>429, retry: backoff.</summary>
        public static readonly ErrorCode RateLimited =
            Add("rate_limited", 429, Retry.Backoff, "Too many requests.");
        /// <summary>503, retry: backoff.</summary>
        public static readonly ErrorCode WorkerAtCapacity =
            Add("worker_at_capacity", 503, Retry.Backoff, "No worker has a free slot right now.");
        /// <summary>404, retry: no.</summary>
        public static readonly ErrorCode WebhookEndpointNotFound =
            Add("webhook_endpoint_not_found", 404, Retry.No, "The webhook endpoint does not exist.");
        /// <summary>410, retry: refresh.</summary>
        public static readonly ErrorCode MediaGone =
            Add("media_gone", 410, Retry.Refresh, "The media is no longer cached.");
        /// <summary>400, retry: no.</summary>
        public static readonly ErrorCode InvalidRequest =
            Add("invalid_request", 400, Retry.No, "The request failed validation.");
        /// <summary>404, retry: no.</summary>
        public static readonly ErrorCode NotFound =
            Add("not_found", 404, Retry.No, "Not found.");
        /// <summary>400, retry: no.</summary>
        public static readonly ErrorCode BadRequest =
            Add("bad_request", 400, Retry.No, "The request is malformed.");
        /// <summary>409, retry: refresh.</summary>
        public static readonly ErrorCode ConcurrentModification =
            Add("concurrent_modification", 409, Retry.Refresh, "Another write changed the same resource first.");
        /// <summary>409, retry: no.</summary>
        public static readonly ErrorCode NoOp =
            Add("no_op", 409, Retry.No, "Already in the requested state.");
        /// <summary>502, retry: backoff.</summary>
        public static readonly ErrorCode Other =
            Add("other", 502, Retry.Backoff, "An upstream provider failed.");
        /// <summary>500, retry: backoff.</summary>
        public static readonly ErrorCode InternalError =
            Add("internal_error", 500, Retry.Backoff, "An unexpected error occurred.");
        /// <summary>402, retry: no.</summary>
        public static readonly ErrorCode PaymentRequired =
            Add("payment_required", 402, Retry.No, "Payment is required.");
        /// <summary>403, retry: no.</summary>
        public static readonly ErrorCode Forbidden =
            Add("forbidden", 403, Retry.No, "Not allowed.");
        /// <summary>405, retry: no.</summary>
        public static readonly ErrorCode MethodNotAllowed =
            Add("method_not_allowed", 405, Retry.No, "The method is not allowed for this resource.");
        /// <summary>406, retry: no.</summary>
        public static readonly ErrorCode NotAcceptable =
            Add("not_acceptable", 406, Retry.No, "No acceptable representation.");
        /// <summary>408, retry: backoff.</summary>
        public static readonly ErrorCode RequestTimeout =
            Add("request_timeout", 408, Retry.Backoff, "The request timed out.");
        /// <summary>409, retry: no.</summary>
        public static readonly ErrorCode Conflict =
            Add("conflict", 409, Retry.No, "The request conflicts with the resource's current state.");
        /// <summary>410, retry: no.</summary>
        public static readonly ErrorCode Gone =
            Add("gone", 410, Retry.No, "The resource is gone.");
        /// <summary>411, retry: no.</summary>
        public static readonly ErrorCode LengthRequired =
            Add("length_required", 411, Retry.No, "A Content-Length is required.");
        /// <summary>412, retry: refresh.</summary>
        public static readonly ErrorCode PreconditionFailed =
            Add("precondition_failed", 412, Retry.Refresh, "A precondition failed.");
        /// <summary>413, retry: no.</summary>
        public static readonly ErrorCode PayloadTooLarge =
            Add("payload_too_large", 413, Retry.No, "The request body is too large.");
        /// <summary>414, retry: no.</summary>
        public static readonly ErrorCode UriTooLong =
            Add("uri_too_long", 414, Retry.No, "The request target is too long.");
        /// <summary>415, retry: no.</summary>
        public static readonly ErrorCode UnsupportedMediaType =
            Add("unsupported_media_type", 415, Retry.No, "Content-Type must be application/json.");
        /// <summary>416, retry: no.</summary>
        public static readonly ErrorCode RangeNotSatisfiable =
            Add("range_not_satisfiable", 416, Retry.No, "The requested range cannot be satisfied.");
        /// <summary>417, retry: no.</summary>
        public static readonly ErrorCode ExpectationFailed =
            Add("expectation_failed", 417, Retry.No, "The Expect header cannot be met.");
        /// <summary>421, retry: no.</summary>
        public static readonly ErrorCode MisdirectedRequest =
            Add("misdirected_request", 421, Retry.No, "This server does not answer for that host.");
        /// <summary>423, retry: backoff.</summary>
        public static readonly ErrorCode Locked =
            Add("locked", 423, Retry.Backoff, "The resource is locked.");
        /// <summary>425, retry: backoff.</summary>
        public static readonly ErrorCode TooEarly =
            Add("too_early", 425, Retry.Backoff, "The request arrived as early data; send it again.");
        /// <summary>426, retry: no.</summary>
        public static readonly ErrorCode UpgradeRequired =
            Add("upgrade_required", 426, Retry.No, "A protocol upgrade is required.");
        /// <summary>428, retry: refresh.</summary>
        public static readonly ErrorCode PreconditionRequired =
            Add("precondition_required", 428, Retry.Refresh, "The request must be conditional.");
        /// <summary>431, retry: no.</summary>
        public static readonly ErrorCode HeadersTooLarge =
            Add("headers_too_large", 431, Retry.No, "The request headers are too large.");
        /// <summary>451, retry: no.</summary>
        public static readonly ErrorCode UnavailableForLegalReasons =
            Add("unavailable_for_legal_reasons", 451, Retry.No, "Unavailable for legal reasons.");
        /// <summary>501, retry: no.</summary>
        public static readonly ErrorCode NotImplemented =
            Add("not_implemented", 501, Retry.No, "Not implemented.");
        /// <summary>503, retry: backoff.</summary>
        public static readonly ErrorCode ServiceUnavailable =
            Add("service_unavailable", 503, Retry.Backoff, "The service is unavailable.");
        /// <summary>504, retry: backoff.</summary>
        public static readonly ErrorCode GatewayTimeout =
            Add("gateway_timeout", 504, Retry.Backoff, "The service did not answer in time.");

        private static ErrorCode Add(string code, int status, Retry retry, string message)
        {
            return all[code] = new ErrorCode(code, status, retry, message);
        }
    }
}
