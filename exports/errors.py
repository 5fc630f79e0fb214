# The error contract, version 1.
# Written by `error-envelope catalogue --format python`: do not edit.
"""The error codes of the contract, and what a client may do about each."""

from __future__ import annotations

import json
import re
from enum import StrEnum
from typing import Any, Final


class Retry(StrEnum):
    """What a client may do with a request that failed."""

    #: The same request will fail again.
    NO = "no"
    #: The same request may succeed later: wait for the time in `retry-after`, if any, else back off.
    BACKOFF = "backoff"
    #: Read the state again first, then build a new request.
    REFRESH = "refresh"


class ErrorCode(StrEnum):
    """The codes of the contract when this file was written. The set is open: a service may send others."""

    # auth
    #: 401, retry: no. No credentials were sent.
    AUTH_MISSING = "auth_missing"
    #: 401, retry: no. The credentials do not match any active key.
    AUTH_INVALID = "auth_invalid"
    #: 401, retry: no. The Authorization header is not a well-formed Bearer token.
    AUTH_MALFORMED = "auth_malformed"
    #: 401, retry: no. The credentials have expired or were revoked.
    AUTH_EXPIRED = "auth_expired"
    #: 403, retry: no. The session has no verified email address.
    AUTH_NO_EMAIL = "auth_no_email"
    # channel
    #: 404, retry: no. The channel does not exist.
    CHANNEL_NOT_FOUND = "channel_not_found"
    #: 403, retry: no. This key belongs to a different channel.
    CHANNEL_ACCESS_DENIED = "channel_access_denied"
    #: 409, retry: no. The channel is not connected.
    CHANNEL_UNAVAILABLE = "channel_unavailable"
    #: 403, retry: no. A key scoped to one channel cannot call a multi-channel route.
    CHANNEL_SCOPED_KEY = "channel_scoped_key"
    #: 409, retry: no. The channel cannot make this transition from its current state.
    INVALID_LIFECYCLE_TRANSITION = "invalid_lifecycle_transition"
    #: 409, retry: no. The channel's state does not allow a pair code right now.
    PAIR_CODE_UNAVAILABLE = "pair_code_unavailable"
    #: 502, retry: backoff. The upstream rejected the pair code request.
    PAIR_CODE_FAILED = "pair_code_failed"
    #: 409, retry: backoff. No QR code is available for the channel's current state.
    NO_QR = "no_qr"
    #: 409, retry: no. The channel is not disabled.
    NOT_DISABLED = "not_disabled"
    #: 402, retry: no. The plan's channel limit is reached.
    PLAN_CHANNEL_LIMIT = "plan_channel_limit"
    # quota
    #: 429, retry: backoff. Too many requests.
    RATE_LIMITED = "rate_limited"
    #: 503, retry: backoff. No worker has a free slot right now.
    WORKER_AT_CAPACITY = "worker_at_capacity"
    # media
    #: 404, retry: no. The webhook endpoint does not exist.
    WEBHOOK_ENDPOINT_NOT_FOUND = "webhook_endpoint_not_found"
    #: 410, retry: refresh. The media is no longer cached.
    MEDIA_GONE = "media_gone"
    # generic
    #: 400, retry: no. The request failed validation.
    INVALID_REQUEST = "invalid_request"
    #: 404, retry: no. Not found.
    NOT_FOUND = "not_found"
    #: 400, retry: no. The request is malformed.
    BAD_REQUEST = "bad_request"
    #: 409, retry: refresh. Another write changed the same resource first.
    CONCURRENT_MODIFICATION = "concurrent_modification"
    #: 409, retry: no. Already in the requested state.
    NO_OP = "no_op"
    #: 502, retry: backoff. An upstream provider failed.
    OTHER = "other"
    #: 500, retry: backoff. An unexpected error occurred.
    INTERNAL_ERROR = "internal_error"
    # status
    #: 402, retry: no. Payment is required.
    PAYMENT_REQUIRED = "payment_required"
    #: 403, retry: no. Not allowed.
    FORBIDDEN = "forbidden"
    #: 405, retry: no. The method is not allowed for this resource.
    METHOD_NOT_ALLOWED = "method_not_allowed"
    #: 406, retry: no. No acceptable representation.
    NOT_ACCEPTABLE = "not_acceptable"
    #: 408, retry: backoff. The request timed out.
    REQUEST_TIMEOUT = "request_timeout"
    #: 409, retry: no. The request conflicts with the resource's current state.
    CONFLICT = "conflict"
    #: 410, retry: no. The resource is gone.
    GONE = "gone"
    #: 411, retry: no. A Content-Length is required.
    LENGTH_REQUIRED = "length_required"
    #: 412, retry: refresh. A precondition failed.
    PRECONDITION_FAILED = "precondition_failed"
    #: 413, retry: no. The request body is too large.
    PAYLOAD_TOO_LARGE = "payload_too_large"
    #: 414, retry: no. The request target is too long.
    URI_TOO_LONG = "uri_too_long"
    #: 415, retry: no. Content-Type must be application/json.
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    #: 416, retry: no. The requested range cannot be satisfied.
    RANGE_NOT_SATISFIABLE = "range_not_satisfiable"
    #: 417, retry: no. The Expect header cannot be met.
    EXPECTATION_FAILED = "expectation_failed"
    #: 421, retry: no. This server does not answer for that host.
    MISDIRECTED_REQUEST = "misdirected_request"
    #: 423, retry: backoff. The resource is locked.
    LOCKED = "locked"
    #: 425, retry: backoff. The request arrived as early data; send it again.
    TOO_EARLY = "too_early"
    #: 426, retry: no. A protocol upgrade is required.
    UPGRADE_REQUIRED = "upgrade_required"
    #: 428, retry: refresh. The request must be conditional.
    PRECONDITION_REQUIRED = "precondition_required"
    #: 431, retry: no. The request headers are too large.
    HEADERS_TOO_LARGE = "headers_too_large"
    #: 451, retry: no. Unavailable for legal reasons.
    UNAVAILABLE_FOR_LEGAL_REASONS = "unavailable_for_legal_reasons"
    #: 501, retry: no. Not implemented.
    NOT_IMPLEMENTED = "not_implemented"
    #: 503, retry: backoff. The service is unavailable.
    SERVICE_UNAVAILABLE = "service_unavailable"
    #: 504, retry: backoff. The service did not answer in time.
    GATEWAY_TIMEOUT = "gateway_timeout"

    @property
    def status(self) -> int:
        """The usual HTTP status; a service may send the code with another."""
        return _ABOUT[self][0]

    @property
    def retry(self) -> Retry:
        """What a client may do after this code."""
        return _ABOUT[self][1]

    @property
    def message(self) -> str:
        """For people, and free to change."""
        return _ABOUT[self][2]


_ABOUT: Final[dict[ErrorCode, tuple[int, Retry, str]]] = {
    ErrorCode.AUTH_MISSING: (401, Retry.NO, "No credentials were sent."),
    ErrorCode.AUTH_INVALID: (401, Retry.NO, "The credentials do not match any active key."),
    ErrorCode.AUTH_MALFORMED: (401, Retry.NO, "The Authorization header is not a well-formed Bearer token."),
    ErrorCode.AUTH_EXPIRED: (401, Retry.NO, "The credentials have expired or were revoked."),
    ErrorCode.AUTH_NO_EMAIL: (403, Retry.NO, "The session has no verified email address."),
    ErrorCode.CHANNEL_NOT_FOUND: (404, Retry.NO, "The channel does not exist."),
    ErrorCode.CHANNEL_ACCESS_DENIED: (403, Retry.NO, "This key belongs to a different channel."),
    ErrorCode.CHANNEL_UNAVAILABLE: (409, Retry.NO, "The channel is not connected."),
    ErrorCode.CHANNEL_SCOPED_KEY: (403, Retry.NO, "A key scoped to one channel cannot call a multi-channel route."),
    ErrorCode.INVALID_LIFECYCLE_TRANSITION: (409, Retry.NO, "The channel cannot make this transition from its current state."),
    ErrorCode.PAIR_CODE_UNAVAILABLE: (409, Retry.NO, "The channel's state does not allow a pair code right now."),
    ErrorCode.PAIR_CODE_FAILED: (502, Retry.BACKOFF, "The upstream rejected the pair code request."),
    ErrorCode.NO_QR: (409, Retry.BACKOFF, "No QR code is available for the channel's current state."),
    ErrorCode.NOT_DISABLED: (409, Retry.NO, "The channel is not disabled."),
    ErrorCode.PLAN_CHANNEL_LIMIT: (402, Retry.NO, "The plan's channel limit is reached."),
    ErrorCode.RATE_LIMITED: (429, Retry.BACKOFF, "Too many requests."),
    ErrorCode.WORKER_AT_CAPACITY: (503, Retry.BACKOFF, "No worker has a free slot right now."),
    ErrorCode.WEBHOOK_ENDPOINT_NOT_FOUND: (404, Retry.NO, "The webhook endpoint does not exist."),
    ErrorCode.MEDIA_GONE: (410, Retry.REFRESH, "The media is no longer cached."),
    ErrorCode.INVALID_REQUEST: (400, Retry.NO, "The request failed validation."),
    ErrorCode.NOT_FOUND: (404, Retry.NO, "Not found."),
    ErrorCode.BAD_REQUEST: (400, Retry.NO, "The request is malformed."),
    ErrorCode.CONCURRENT_MODIFICATION: (409, Retry.REFRESH, "Another write changed the same resource first."),
    ErrorCode.NO_OP: (409, Retry.NO, "Already in the requested state."),
    ErrorCode.OTHER: (502, Retry.BACKOFF, "An upstream provider failed."),
    ErrorCode.INTERNAL_ERROR: (500, Retry.BACKOFF, "An unexpected error occurred."),
    ErrorCode.PAYMENT_REQUIRED: (402, Retry.NO, "Payment is required."),
    ErrorCode.FORBIDDEN: (403, Retry.NO, "Not allowed."),
    ErrorCode.METHOD_NOT_ALLOWED: (405, Retry.NO, "The method is not allowed for this resource."),
    ErrorCode.NOT_ACCEPTABLE: (406, Retry.NO, "No acceptable representation."),
    ErrorCode.REQUEST_TIMEOUT: (408, Retry.BACKOFF, "The request timed out."),
    ErrorCode.CONFLICT: (409, Retry.NO, "The request conflicts with the resource's current state."),
    ErrorCode.GONE: (410, Retry.NO, "The resource is gone."),
    ErrorCode.LENGTH_REQUIRED: (411, Retry.NO, "A Content-Length is required."),
    ErrorCode.PRECONDITION_FAILED: (412, Retry.REFRESH, "A precondition failed."),
    ErrorCode.PAYLOAD_TOO_LARGE: (413, Retry.NO, "The request body is too large."),
    ErrorCode.URI_TOO_LONG: (414, Retry.NO, "The request target is too long."),
    ErrorCode.UNSUPPORTED_MEDIA_TYPE: (415, Retry.NO, "Content-Type must be application/json."),
    ErrorCode.RANGE_NOT_SATISFIABLE: (416, Retry.NO, "The requested range cannot be satisfied."),
    ErrorCode.EXPECTATION_FAILED: (417, Retry.NO, "The Expect header cannot be met."),
    ErrorCode.MISDIRECTED_REQUEST: (421, Retry.NO, "This server does not answer for that host."),
    ErrorCode.LOCKED: (423, Retry.BACKOFF, "The resource is locked."),
    ErrorCode.TOO_EARLY: (425, Retry.BACKOFF, "The request arrived as early data; send it again."),
    ErrorCode.UPGRADE_REQUIRED: (426, Retry.NO, "A protocol upgrade is required."),
    ErrorCode.PRECONDITION_REQUIRED: (428, Retry.REFRESH, "The request must be conditional."),
    ErrorCode.HEADERS_TOO_LARGE: (431, Retry.NO, "The request headers are too large."),
    ErrorCode.UNAVAILABLE_FOR_LEGAL_REASONS: (451, Retry.NO, "Unavailable for legal reasons."),
    ErrorCode.NOT_IMPLEMENTED: (501, Retry.NO, "Not implemented."),
    ErrorCode.SERVICE_UNAVAILABLE: (503, Retry.BACKOFF, "The service is unavailable."),
    ErrorCode.GATEWAY_TIMEOUT: (504, Retry.BACKOFF, "The service did not answer in time."),
}


def known(code: str) -> ErrorCode | None:
    """The code, where it was in the contract when this file was written."""
    try:
        return ErrorCode(code)
    except ValueError:
        return None


def retry_of(code: str) -> Retry:
    """What a client may do after any code. One that is not listed is transient."""
    found = known(code)
    return Retry.BACKOFF if found is None else found.retry


class ApiError(Exception):
    """An error that a service has answered with. Match on `code`: it never changes its meaning."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        request_id: str,
        details: Any = None,
        advice: Retry | None = None,
        docs: str | None = None,
    ) -> None:
        super().__init__(f"{status} {code}: {message} ({request_id})")
        self.status = status
        self.code = code
        self.message = message
        self.request_id = request_id
        self.details = details
        #: What the error itself advises, where it does.
        self.advice = advice
        #: The https address of the page about the code, where the error names one.
        self.docs = docs

    def __reduce__(self) -> tuple[Any, ...]:
        # An exception is pickled by its arguments, and its only one is the text.
        facts = (self.status, self.code, self.message, self.request_id, self.details, self.advice, self.docs)
        return (type(self), facts)

    @property
    def retry(self) -> Retry:
        """What a client may do: the error's own advice, else that of its code."""
        return self.advice or retry_of(self.code)

    @property
    def issues(self) -> list[Any]:
        """What is wrong with an invalid request, and where; empty where there is no list."""
        issues = self.details.get("issues") if isinstance(self.details, dict) else None
        return issues if isinstance(issues, list) else []

    @classmethod
    def parse(cls, status: int, body: str | bytes) -> ApiError | None:
        """The error in a body; none where the body is no envelope."""
        try:
            envelope = json.loads(body)
        except (ValueError, RecursionError):
            return None
        error = envelope.get("error") if isinstance(envelope, dict) else None
        if not isinstance(error, dict):
            return None
        code, message, request_id = error.get("code"), error.get("message"), envelope.get("request_id")
        if not isinstance(code, str) or not isinstance(message, str) or not isinstance(request_id, str):
            return None
        retry, docs = error.get("retry"), error.get("docs")
        advice = next((word for word in Retry if word == retry), None)
        is_address = isinstance(docs, str) and len(docs) <= 1024 and re.match(r"^https://[^/?#\s]", docs)
        return cls(status, code, message, request_id, error.get("details"), advice, docs if is_address else None)
