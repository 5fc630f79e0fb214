// The error contract, version 1.
// Written by `error-envelope catalogue --format java`: do not edit.

import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

/** What to match on: a code never changes its meaning. The set is open: a service may send others than these. */
public final class ErrorCode {
    /** What a client may do with a request that failed. */
    public enum Retry {
        /** The same request will fail again. */
        NO,
        /** The same request may work later: wait Retry-After where it is given, else back off. */
        BACKOFF,
        /** Read the state again first, then build a new request. */
        REFRESH
    }

    // In capitals it could be a code's constant.
    private static final Map<String, ErrorCode> known = new LinkedHashMap<>();

    /** 401, retry: no. */
    public static final ErrorCode AUTH_MISSING =
        known("auth_missing", 401, Retry.NO, "No credentials were sent.");
    /** 401, retry: no. */
    public static final ErrorCode AUTH_INVALID =
        known("auth_invalid", 401, Retry.NO, "The credentials do not match any active key.");
    /** 401, retry: no. */
    public static final ErrorCode AUTH_MALFORMED =
        known("auth_malformed", 401, Retry.NO, "The Authorization header is not a well-formed Bearer token.");
    /** 401, retry: no. */
    public static final ErrorCode AUTH_EXPIRED =
        known("auth_expired", 401, Retry.NO, "The credentials have expired or were revoked.");
    /** 403, retry: no. */
    public static final ErrorCode AUTH_NO_EMAIL =
        known("auth_no_email", 403, Retry.NO, "The session has no verified email address.");
    /** 404, retry: no. */
    public static final ErrorCode CHANNEL_NOT_FOUND =
        known("channel_not_found", 404, Retry.NO, "The channel does not exist.");
    /** 403, retry: no. */
    public static final ErrorCode CHANNEL_ACCESS_DENIED =
        known("channel_access_denied", 403, Retry.NO, "This key belongs to a different channel.");
    /** 409, retry: no. */
    public static final ErrorCode CHANNEL_UNAVAILABLE =
        known("channel_unavailable", 409, Retry.NO, "The channel is not connected.");
    /** 403, retry: no. */
    public static final ErrorCode CHANNEL_SCOPED_KEY =
        known("channel_scoped_key", 403, Retry.NO, "A key scoped to one channel cannot call a multi-channel route.");
    /** 409, retry: no. */
    public static final ErrorCode INVALID_LIFECYCLE_TRANSITION =
        known("invalid_lifecycle_transition", 409, Retry.NO, "The channel cannot make this transition from its current state.");
    /** 409, retry: no. */
    public static final ErrorCode PAIR_CODE_UNAVAILABLE =
        known("pair_code_unavailable", 409, Retry.NO, "The channel's state does not allow a pair code right now.");
    /** 502, retry: backoff. */
    public static final ErrorCode PAIR_CODE_FAILED =
        known("pair_code_failed", 502, Retry.BACKOFF, "The upstream rejected the pair code request.");
    /** 409, retry: backoff. */
    public static final ErrorCode NO_QR =
        known("no_qr", 409, Retry.BACKOFF, "No QR code is available for the channel's current state.");
    /** 409, retry: no. */
    public static final ErrorCode NOT_DISABLED =
        known("not_disabled", 409, Retry.NO, "The channel is not disabled.");
    /** 402, retry: no. */
    public static final ErrorCode PLAN_CHANNEL_LIMIT =
        known("plan_channel_limit", 402, Retry.NO, "The plan's channel limit is reached.");
    /** 429, retry: backoff. */
    public static final ErrorCode RATE_LIMITED =
        known("rate_limited", 429, Retry.BACKOFF, "Too many requests.");
    /** 503, retry: backoff. */
    public static final ErrorCode WORKER_AT_CAPACITY =
        known("worker_at_capacity", 503, Retry.BACKOFF, "No worker has a free slot right now.");
    /** 404, retry: no. */
    public static final ErrorCode WEBHOOK_ENDPOINT_NOT_FOUND =
        known("webhook_endpoint_not_found", 404, Retry.NO, "The webhook endpoint does not exist.");
    /** 410, retry: refresh. */
    public static final ErrorCode MEDIA_GONE =
        known("media_gone", 410, Retry.REFRESH, "The media is no longer cached.");
    /** 400, retry: no. */
    public static final ErrorCode INVALID_REQUEST =
        known("invalid_request", 400, Retry.NO, "The request failed validation.");
    /** 404, retry: no. */
    public static final ErrorCode NOT_FOUND =
        known("not_found", 404, Retry.NO, "Not found.");
    /** 400, retry: no. */
    public static final ErrorCode BAD_REQUEST =
        known("bad_request", 400, Retry.NO, "The request is malformed.");
    /** 409, retry: refresh. */
    public static final ErrorCode CONCURRENT_MODIFICATION =
        known("concurrent_modification", 409, Retry.REFRESH, "Another write changed the same resource first.");
    /** 409, retry: no. */
    public static final ErrorCode NO_OP =
        known("no_op", 409, Retry.NO, "Already in the requested state.");
    /** 502, retry: backoff. */
    public static final ErrorCode OTHER =
        known("other", 502, Retry.BACKOFF, "An upstream provider failed.");
    /** 500, retry: backoff. */
    public static final ErrorCode INTERNAL_ERROR =
        known("internal_error", 500, Retry.BACKOFF, "An unexpected error occurred.");
    /** 402, retry: no. */
    public static final ErrorCode PAYMENT_REQUIRED =
        known("payment_required", 402, Retry.NO, "Payment is required.");
    /** 403, retry: no. */
    public static final ErrorCode FORBIDDEN =
        known("forbidden", 403, Retry.NO, "Not allowed.");
    /** 405, retry: no. */
    public static final ErrorCode METHOD_NOT_ALLOWED =
        known("method_not_allowed", 405, Retry.NO, "The method is not allowed for this resource.");
    /** 406, retry: no. */
    public static final ErrorCode NOT_ACCEPTABLE =
        known("not_acceptable", 406, Retry.NO, "No acceptable representation.");
    /** 408, retry: backoff. */
    public static final ErrorCode REQUEST_TIMEOUT =
        known("request_timeout", 408, Retry.BACKOFF, "The request timed out.");
    /** 409, retry: no. */
    public static final ErrorCode CONFLICT =
        known("conflict", 409, Retry.NO, "The request conflicts with the resource's current state.");
    /** 410, retry: no. */
    public static final ErrorCode GONE =
        known("gone", 410, Retry.NO, "The resource is gone.");
    /** 411, retry: no. */
    public static final ErrorCode LENGTH_REQUIRED =
        known("length_required", 411, Retry.NO, "A Content-Length is required.");
    /** 412, retry: refresh. */
    public static final ErrorCode PRECONDITION_FAILED =
        known("precondition_failed", 412, Retry.REFRESH, "A precondition failed.");
    /** 413, retry: no. */
    public static final ErrorCode PAYLOAD_TOO_LARGE =
        known("payload_too_large", 413, Retry.NO, "The request body is too large.");
    /** 414, retry: no. */
    public static final ErrorCode URI_TOO_LONG =
        known("uri_too_long", 414, Retry.NO, "The request target is too long.");
    /** 415, retry: no. */
    public static final ErrorCode UNSUPPORTED_MEDIA_TYPE =
        known("unsupported_media_type", 415, Retry.NO, "Content-Type must be application/json.");
    /** 416, retry: no. */
    public static final ErrorCode RANGE_NOT_SATISFIABLE =
        known("range_not_satisfiable", 416, Retry.NO, "The requested range cannot be satisfied.");
    /** 417, retry: no. */
    public static final ErrorCode EXPECTATION_FAILED =
        known("expectation_failed", 417, Retry.NO, "The Expect header cannot be met.");
    /** 421, retry: no. */
    public static final ErrorCode MISDIRECTED_REQUEST =
        known("misdirected_request", 421, Retry.NO, "This server does not answer for that host.");
    /** 423, retry: backoff. */
    public static final ErrorCode LOCKED =
        known("locked", 423, Retry.BACKOFF, "The resource is locked.");
    /** 425, retry: backoff. */
    public static final ErrorCode TOO_EARLY =
        known("too_early", 425, Retry.BACKOFF, "The request arrived as early data; send it again.");
    /** 426, retry: no. */
    public static final ErrorCode UPGRADE_REQUIRED =
        known("upgrade_required", 426, Retry.NO, "A protocol upgrade is required.");
    /** 428, retry: refresh. */
    public static final ErrorCode PRECONDITION_REQUIRED =
        known("precondition_required", 428, Retry.REFRESH, "The request must be conditional.");
    /** 431, retry: no. */
    public static final ErrorCode HEADERS_TOO_LARGE =
        known("headers_too_large", 431, Retry.NO, "The request headers are too large.");
    /** 451, retry: no. */
    public static final ErrorCode UNAVAILABLE_FOR_LEGAL_REASONS =
        known("unavailable_for_legal_reasons", 451, Retry.NO, "Unavailable for legal reasons.");
    /** 501, retry: no. */
    public static final ErrorCode NOT_IMPLEMENTED =
        known("not_implemented", 501, Retry.NO, "Not implemented.");
    /** 503, retry: backoff. */
    public static final ErrorCode SERVICE_UNAVAILABLE =
        known("service_unavailable", 503, Retry.BACKOFF, "The service is unavailable.");
    /** 504, retry: backoff. */
    public static final ErrorCode GATEWAY_TIMEOUT =
        known("gateway_timeout", 504, Retry.BACKOFF, "The service did not answer in time.");

    private final String code;
    private final int status;
    private final Retry retry;
    private final String message;

    private ErrorCode(String code, int status, Retry retry, String message) {
        this.code = code;
        this.status = status;
        this.retry = retry;
        this.message = message;
    }

    private static ErrorCode known(String code, int status, Retry retry, String message) {
        ErrorCode made = new ErrorCode(code, status, retry, message);
        known.put(code, made);
        return made;
    }

    /** The code of that name. One that is not listed is transient. */
    public static ErrorCode of(String code) {
        ErrorCode found = known.get(code);
        return found != null ? found : new ErrorCode(code, 0, Retry.BACKOFF, "");
    }

    /** The codes of the contract when this file was written. */
    public static Collection<ErrorCode> known() {
        return Collections.unmodifiableCollection(known.values());
    }

    /** Whether it was in the contract when this file was written. */
    public boolean isKnown() {
        return known.containsKey(code);
    }

    /** Its name, as services send it. */
    public String code() {
        return code;
    }

    /** The usual HTTP status, and 0 of a code that is not listed. A service may send the code with another. */
    public int status() {
        return status;
    }

    /** What a client may do. */
    public Retry retry() {
        return retry;
    }

    /** What a client may do after an error with this code whose own field {@code retry} is the word, or null. */
    public Retry advised(String word) {
        for (Retry each : Retry.values()) {
            if (each.name().toLowerCase(Locale.ROOT).equals(word)) {
                return each;
            }
        }
        return retry;
    }

    /** For people, and free to change. It is empty where the code is not listed. */
    public String message() {
        return message;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof ErrorCode && ((ErrorCode) other).code.equals(code);
    }

    @Override
    public int hashCode() {
        return code.hashCode();
    }

    @Override
    public String toString() {
        return code;
    }
}
