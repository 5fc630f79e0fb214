// The error contract, version 1.
// Written by `error-envelope catalogue --format go`: do not edit.

// Package errorcontract has the error codes of the contract, and what a client may do about each.
package errorcontract

// Retry is what a client may do with a request that failed.
type Retry string

const (
	// The same request will fail again.
	RetryNo Retry = "no"
	// The same request may work later: wait Retry-After where it is given, else back off.
	RetryBackoff Retry = "backoff"
	// Read the state again first, then build a new request.
	RetryRefresh Retry = "refresh"
)

// ErrorCode is what to match on: it never changes its meaning. The set is open: a service may send codes that were not
// in the contract when this file was written.
type ErrorCode string

const (
	// Group auth.

	// 401, retry: no. No credentials were sent.
	CodeAuthMissing ErrorCode = "auth_missing"
	// 401, retry: no. The credentials do not match any active key.
	CodeAuthInvalid ErrorCode = "auth_invalid"
	// 401, retry: no. The Authorization header is not a well-formed Bearer token.
	CodeAuthMalformed ErrorCode = "auth_malformed"
	// 401, retry: no. The credentials have expired or were revoked.
	CodeAuthExpired ErrorCode = "auth_expired"
	// 403, retry: no. The session has no verified email address.
	CodeAuthNoEmail ErrorCode = "auth_no_email"

	// Group channel.

	// 404, retry: no. The channel does not exist.
	CodeChannelNotFound ErrorCode = "channel_not_found"
	// 403, retry: no. This key belongs to a different channel.
	CodeChannelAccessDenied ErrorCode = "channel_access_denied"
	// 409, retry: no. The channel is not connected.
	CodeChannelUnavailable ErrorCode = "channel_unavailable"
	// 403, retry: no. A key scoped to one channel cannot call a multi-channel route.
	CodeChannelScopedKey ErrorCode = "channel_scoped_key"
	// 409, retry: no. The channel cannot make this transition from its current state.
	CodeInvalidLifecycleTransition ErrorCode = "invalid_lifecycle_transition"
	// 409, retry: no. The channel's state does not allow a pair code right now.
	CodePairCodeUnavailable ErrorCode = "pair_code_unavailable"
	// 502, retry: backoff. The upstream rejected the pair code request.
	CodePairCodeFailed ErrorCode = "pair_code_failed"
	// 409, retry: backoff. No QR code is available for the channel's current state.
	CodeNoQr ErrorCode = "no_qr"
	// 409, retry: no. The channel is not disabled.
	CodeNotDisabled ErrorCode = "not_disabled"
	// 402, retry: no. The plan's channel limit is reached.
	CodePlanChannelLimit ErrorCode = "plan_channel_limit"

	// Group quota.

	// 429, retry: backoff. Too many requests.
	CodeRateLimited ErrorCode = "rate_limited"
	// 503, retry: backoff. No worker has a free slot right now.
	CodeWorkerAtCapacity ErrorCode = "worker_at_capacity"

	// Group media.

	// 404, retry: no. The webhook endpoint does not exist.
	CodeWebhookEndpointNotFound ErrorCode = "webhook_endpoint_not_found"
	// 410, retry: refresh. The media is no longer cached.
	CodeMediaGone ErrorCode = "media_gone"

	// Group generic.

	// 400, retry: no. The request failed validation.
	CodeInvalidRequest ErrorCode = "invalid_request"
	// 404, retry: no. Not found.
	CodeNotFound ErrorCode = "not_found"
	// 400, retry: no. The request is malformed.
	CodeBadRequest ErrorCode = "bad_request"
	// 409, retry: refresh. Another write changed the same resource first.
	CodeConcurrentModification ErrorCode = "concurrent_modification"
	// 409, retry: no. Already in the requested state.
	CodeNoOp ErrorCode = "no_op"
	// 502, retry: backoff. An upstream provider failed.
	CodeOther ErrorCode = "other"
	// 500, retry: backoff. An unexpected error occurred.
	CodeInternalError ErrorCode = "internal_error"

	// Group status.

	// 402, retry: no. Payment is required.
	CodePaymentRequired ErrorCode = "payment_required"
	// 403, retry: no. Not allowed.
	CodeForbidden ErrorCode = "forbidden"
	// 405, retry: no. The method is not allowed for this resource.
	CodeMethodNotAllowed ErrorCode = "method_not_allowed"
	// 406, retry: no. No acceptable representation.
	CodeNotAcceptable ErrorCode = "not_acceptable"
	// 408, retry: backoff. The request timed out.
	CodeRequestTimeout ErrorCode = "request_timeout"
	// 409, retry: no. The request conflicts with the resource's current state.
	CodeConflict ErrorCode = "conflict"
	// 410, retry: no. The resource is gone.
	CodeGone ErrorCode = "gone"
	// 411, retry: no. A Content-Length is required.
	CodeLengthRequired ErrorCode = "length_required"
	// 412, retry: refresh. A precondition failed.
	CodePreconditionFailed ErrorCode = "precondition_failed"
	// 413, retry: no. The request body is too large.
	CodePayloadTooLarge ErrorCode = "payload_too_large"
	// 414, retry: no. The request target is too long.
	CodeUriTooLong ErrorCode = "uri_too_long"
	// 415, retry: no. Content-Type must be application/json.
	CodeUnsupportedMediaType ErrorCode = "unsupported_media_type"
	// 416, retry: no. The requested range cannot be satisfied.
	CodeRangeNotSatisfiable ErrorCode = "range_not_satisfiable"
	// 417, retry: no. The Expect header cannot be met.
	CodeExpectationFailed ErrorCode = "expectation_failed"
	// 421, retry: no. This server does not answer for that host.
	CodeMisdirectedRequest ErrorCode = "misdirected_request"
	// 423, retry: backoff. The resource is locked.
	CodeLocked ErrorCode = "locked"
	// 425, retry: backoff. The request arrived as early data; send it again.
	CodeTooEarly ErrorCode = "too_early"
	// 426, retry: no. A protocol upgrade is required.
	CodeUpgradeRequired ErrorCode = "upgrade_required"
	// 428, retry: refresh. The request must be conditional.
	CodePreconditionRequired ErrorCode = "precondition_required"
	// 431, retry: no. The request headers are too large.
	CodeHeadersTooLarge ErrorCode = "headers_too_large"
	// 451, retry: no. Unavailable for legal reasons.
	CodeUnavailableForLegalReasons ErrorCode = "unavailable_for_legal_reasons"
	// 501, retry: no. Not implemented.
	CodeNotImplemented ErrorCode = "not_implemented"
	// 503, retry: backoff. The service is unavailable.
	CodeServiceUnavailable ErrorCode = "service_unavailable"
	// 504, retry: backoff. The service did not answer in time.
	CodeGatewayTimeout ErrorCode = "gateway_timeout"
)

type about struct {
	status  int
	retry   Retry
	message string
}

func (code ErrorCode) about() (about, bool) {
	switch code {
	case CodeAuthMissing:
		return about{401, RetryNo, "No credentials were sent."}, true
	case CodeAuthInvalid:
		return about{401, RetryNo, "The credentials do not match any active key."}, true
	case CodeAuthMalformed:
		return about{401, RetryNo, "The Authorization header is not a well-formed Bearer token."}, true
	case CodeAuthExpired:
		return about{401, RetryNo, "The credentials have expired or were revoked."}, true
	case CodeAuthNoEmail:
		return about{403, RetryNo, "The session has no verified email address."}, true
	case CodeChannelNotFound:
		return about{404, RetryNo, "The channel does not exist."}, true
	case CodeChannelAccessDenied:
		return about{403, RetryNo, "This key belongs to a different channel."}, true
	case CodeChannelUnavailable:
		return about{409, RetryNo, "The channel is not connected."}, true
	case CodeChannelScopedKey:
		return about{403, RetryNo, "A key scoped to one channel cannot call a multi-channel route."}, true
	case CodeInvalidLifecycleTransition:
		return about{409, RetryNo, "The channel cannot make this transition from its current state."}, true
	case CodePairCodeUnavailable:
		return about{409, RetryNo, "The channel's state does not allow a pair code right now."}, true
	case CodePairCodeFailed:
		return about{502, RetryBackoff, "The upstream rejected the pair code request."}, true
	case CodeNoQr:
		return about{409, RetryBackoff, "No QR code is available for the channel's current state."}, true
	case CodeNotDisabled:
		return about{409, RetryNo, "The channel is not disabled."}, true
	case CodePlanChannelLimit:
		return about{402, RetryNo, "The plan's channel limit is reached."}, true
	case CodeRateLimited:
		return about{429, RetryBackoff, "Too many requests."}, true
	case CodeWorkerAtCapacity:
		return about{503, RetryBackoff, "No worker has a free slot right now."}, true
	case CodeWebhookEndpointNotFound:
		return about{404, RetryNo, "The webhook endpoint does not exist."}, true
	case CodeMediaGone:
		return about{410, RetryRefresh, "The media is no longer cached."}, true
	case CodeInvalidRequest:
		return about{400, RetryNo, "The request failed validation."}, true
	case CodeNotFound:
		return about{404, RetryNo, "Not found."}, true
	case CodeBadRequest:
		return about{400, RetryNo, "The request is malformed."}, true
	case CodeConcurrentModification:
		return about{409, RetryRefresh, "Another write changed the same resource first."}, true
	case CodeNoOp:
		return about{409, RetryNo, "Already in the requested state."}, true
	case CodeOther:
		return about{502, RetryBackoff, "An upstream provider failed."}, true
	case CodeInternalError:
		return about{500, RetryBackoff, "An unexpected error occurred."}, true
	case CodePaymentRequired:
		return about{402, RetryNo, "Payment is required."}, true
	case CodeForbidden:
		return about{403, RetryNo, "Not allowed."}, true
	case CodeMethodNotAllowed:
		return about{405, RetryNo, "The method is not allowed for this resource."}, true
	case CodeNotAcceptable:
		return about{406, RetryNo, "No acceptable representation."}, true
	case CodeRequestTimeout:
		return about{408, RetryBackoff, "The request timed out."}, true
	case CodeConflict:
		return about{409, RetryNo, "The request conflicts with the resource's current state."}, true
	case CodeGone:
		return about{410, RetryNo, "The resource is gone."}, true
	case CodeLengthRequired:
		return about{411, RetryNo, "A Content-Length is required."}, true
	case CodePreconditionFailed:
		return about{412, RetryRefresh, "A precondition failed."}, true
	case CodePayloadTooLarge:
		return about{413, RetryNo, "The request body is too large."}, true
	case CodeUriTooLong:
		return about{414, RetryNo, "The request target is too long."}, true
	case CodeUnsupportedMediaType:
		return about{415, RetryNo, "Content-Type must be application/json."}, true
	case CodeRangeNotSatisfiable:
		return about{416, RetryNo, "The requested range cannot be satisfied."}, true
	case CodeExpectationFailed:
		return about{417, RetryNo, "The Expect header cannot be met."}, true
	case CodeMisdirectedRequest:
		return about{421, RetryNo, "This server does not answer for that host."}, true
	case CodeLocked:
		return about{423, RetryBackoff, "The resource is locked."}, true
	case CodeTooEarly:
		return about{425, RetryBackoff, "The request arrived as early data; send it again."}, true
	case CodeUpgradeRequired:
		return about{426, RetryNo, "A protocol upgrade is required."}, true
	case CodePreconditionRequired:
		return about{428, RetryRefresh, "The request must be conditional."}, true
	case CodeHeadersTooLarge:
		return about{431, RetryNo, "The request headers are too large."}, true
	case CodeUnavailableForLegalReasons:
		return about{451, RetryNo, "Unavailable for legal reasons."}, true
	case CodeNotImplemented:
		return about{501, RetryNo, "Not implemented."}, true
	case CodeServiceUnavailable:
		return about{503, RetryBackoff, "The service is unavailable."}, true
	case CodeGatewayTimeout:
		return about{504, RetryBackoff, "The service did not answer in time."}, true
	default:
		return about{0, RetryBackoff, ""}, false
	}
}

// IsKnown reports whether the code was in the contract when this file was written.
func (code ErrorCode) IsKnown() bool {
	_, known := code.about()
	return known
}

// Status is the usual HTTP status, and 0 of a code that is not listed. A service may send the code with another.
func (code ErrorCode) Status() int {
	about, _ := code.about()
	return about.status
}

// Retry is what a client may do after this code. One that is not listed is transient.
func (code ErrorCode) Retry() Retry {
	about, _ := code.about()
	return about.retry
}

// Advised is what a client may do after an error with this code whose own field "retry" is word, or empty.
func (code ErrorCode) Advised(word string) Retry {
	switch retry := Retry(word); retry {
	case RetryNo, RetryBackoff, RetryRefresh:
		return retry
	default:
		return code.Retry()
	}
}

// Message is for people and free to change. It is empty where the code is not listed.
func (code ErrorCode) Message() string {
	about, _ := code.about()
	return about.message
}
