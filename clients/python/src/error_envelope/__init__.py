"""Reads the errors of services that follow the error contract, and retries requests as the contract allows.

A package without dependencies, for Python 3.10 and later. It accepts the responses of httpx and of
requests, and any other with ``status_code``, ``headers`` and ``content``.

    response = retry(lambda: httpx.get(url), failures=(httpx.TransportError,))
    error = parse_error(response)
    if error is not None:
        raise error

The code comes from the first of these that the response has: a canonical envelope, the header ``x-error-code``, a known
name, the status. The set of codes is open: a code that is not known here is transient.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import json
import random as _random
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Literal, NamedTuple, Protocol, TypeVar

__all__ = [
    "CODE_OF_STATUS",
    "ERROR_CODES",
    "Advice",
    "ClientError",
    "Issue",
    "Response",
    "Retry",
    "codes_of",
    "is_retryable",
    "parse_error",
    "retry",
    "retry_after",
    "retry_async",
]

Retry = Literal["no", "backoff", "refresh"]
"""The advice after a failed request. ``no``: it will fail again. ``backoff``: it may succeed later. ``refresh``: read the
state again and build a new request."""


class Advice(NamedTuple):
    """The facts about a code: its usual status, the advice to clients, its usual message."""

    status: int
    retry: Retry
    message: str
    docs: str | None = None
    """The address of the page about the code."""


# --- made from the catalogue: do not edit
ERROR_CODES: Final[Mapping[str, Advice]] = {
    # auth
    "auth_missing": Advice(401, "no", "No credentials were sent."),
    "auth_invalid": Advice(401, "no", "The credentials do not match any active key."),
    "auth_malformed": Advice(401, "no", "The Authorization header is not a well-formed Bearer token."),
    "auth_expired": Advice(401, "no", "The credentials have expired or were revoked."),
    "auth_no_email": Advice(403, "no", "The session has no verified email address."),
    # channel
    "channel_not_found": Advice(404, "no", "The channel does not exist."),
    "channel_access_denied": Advice(403, "no", "This key belongs to a different channel."),
    "channel_unavailable": Advice(409, "no", "The channel is not connected."),
    "channel_scoped_key": Advice(403, "no", "A key scoped to one channel cannot call a multi-channel route."),
    "invalid_lifecycle_transition": Advice(409, "no", "The channel cannot make this transition from its current state."),
    "pair_code_unavailable": Advice(409, "no", "The channel's state does not allow a pair code right now."),
    "pair_code_failed": Advice(502, "backoff", "The upstream rejected the pair code request."),
    "no_qr": Advice(409, "backoff", "No QR code is available for the channel's current state."),
    "not_disabled": Advice(409, "no", "The channel is not disabled."),
    "plan_channel_limit": Advice(402, "no", "The plan's channel limit is reached."),
    # quota
    "rate_limited": Advice(429, "backoff", "Too many requests."),
    "worker_at_capacity": Advice(503, "backoff", "No worker has a free slot right now."),
    # media
    "webhook_endpoint_not_found": Advice(404, "no", "The webhook endpoint does not exist."),
    "media_gone": Advice(410, "refresh", "The media is no longer cached."),
    # generic
    "invalid_request": Advice(400, "no", "The request failed validation."),
    "not_found": Advice(404, "no", "Not found."),
    "bad_request": Advice(400, "no", "The request is malformed."),
    "concurrent_modification": Advice(409, "refresh", "Another write changed the same resource first."),
    "no_op": Advice(409, "no", "Already in the requested state."),
    "other": Advice(502, "backoff", "An upstream provider failed."),
    "internal_error": Advice(500, "backoff", "An unexpected error occurred."),
    # status
    "payment_required": Advice(402, "no", "Payment is required."),
    "forbidden": Advice(403, "no", "Not allowed."),
    "method_not_allowed": Advice(405, "no", "The method is not allowed for this resource."),
    "not_acceptable": Advice(406, "no", "No acceptable representation."),
    "request_timeout": Advice(408, "backoff", "The request timed out."),
    "conflict": Advice(409, "no", "The request conflicts with the resource's current state."),
    "gone": Advice(410, "no", "The resource is gone."),
    "length_required": Advice(411, "no", "A Content-Length is required."),
    "precondition_failed": Advice(412, "refresh", "A precondition failed."),
    "payload_too_large": Advice(413, "no", "The request body is too large."),
    "uri_too_long": Advice(414, "no", "The request target is too long."),
    "unsupported_media_type": Advice(415, "no", "Content-Type must be application/json."),
    "range_not_satisfiable": Advice(416, "no", "The requested range cannot be satisfied."),
    "expectation_failed": Advice(417, "no", "The Expect header cannot be met."),
    "misdirected_request": Advice(421, "no", "This server does not answer for that host."),
    "locked": Advice(423, "backoff", "The resource is locked."),
    "too_early": Advice(425, "backoff", "The request arrived as early data; send it again."),
    "upgrade_required": Advice(426, "no", "A protocol upgrade is required."),
    "precondition_required": Advice(428, "refresh", "The request must be conditional."),
    "headers_too_large": Advice(431, "no", "The request headers are too large."),
    "unavailable_for_legal_reasons": Advice(451, "no", "Unavailable for legal reasons."),
    "not_implemented": Advice(501, "no", "Not implemented."),
    "service_unavailable": Advice(503, "backoff", "The service is unavailable."),
    "gateway_timeout": Advice(504, "backoff", "The service did not answer in time."),
}

CODE_OF_STATUS: Final[Mapping[int, str]] = {
    401: "auth_invalid",
    402: "payment_required",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    408: "request_timeout",
    409: "conflict",
    410: "gone",
    411: "length_required",
    412: "precondition_failed",
    413: "payload_too_large",
    414: "uri_too_long",
    415: "unsupported_media_type",
    416: "range_not_satisfiable",
    417: "expectation_failed",
    421: "misdirected_request",
    422: "invalid_request",
    423: "locked",
    425: "too_early",
    426: "upgrade_required",
    428: "precondition_required",
    429: "rate_limited",
    431: "headers_too_large",
    451: "unavailable_for_legal_reasons",
    501: "not_implemented",
    502: "other",
    503: "service_unavailable",
    504: "gateway_timeout",
    520: "other",
    521: "other",
    522: "other",
    523: "other",
    524: "other",
    525: "other",
    526: "other",
    527: "other",
    529: "worker_at_capacity",
}
# --- the end of what is made


class Response(Protocol):
    """The common parts of httpx's and requests' responses."""

    @property
    def status_code(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers. Names are looked up in any letter case."""

    @property
    def content(self) -> bytes: ...


class Issue(NamedTuple):
    """An error at one place of an invalid request."""

    path: tuple[str | int, ...]
    """The names and indices that lead to the value. It is empty for the whole request."""
    message: str
    code: str | None = None


class _Missing:
    pass


_MISSING: Final = _Missing()


class ClientError(Exception):
    """An error response of any shape. Its text is one printable line without details, for the log."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        raw_code: str | None = None,
        details: Any = _MISSING,
        issues: tuple[Issue, ...] = (),
        request_id: str | None = None,
        retry_after: float | None = None,
        advice: Advice | None = None,
        retry: Retry | None = None,
        docs: str | None = None,
    ) -> None:
        self.status = status
        """The HTTP status, 400-599."""
        self.code = code
        """The code to match on."""
        self.message = message
        """One printable line for people."""
        self.raw_code = raw_code
        """The code in the body, if it has another name."""
        self.has_details = not isinstance(details, _Missing)
        """True if there are details, which may be None."""
        self.details: Any = None if isinstance(details, _Missing) else details
        """The details, which may be any JSON value."""
        self.issues = issues
        """The issues of an invalid request, each with its place."""
        self.request_id = request_id
        """The request id. Quote it when you ask for help."""
        self.retry_after = retry_after
        """The wait that the server requests, in seconds."""
        self._advice = advice or ERROR_CODES.get(code)
        self._retry = retry
        self.docs = docs or (self._advice.docs if self._advice else None)
        """The https address of the page about the code: the error's own, or otherwise that of ``codes``."""
        name = f" ({request_id})" if request_id is not None else ""
        super().__init__(f"{status} {code}: {message}{name}")

    def __reduce__(self) -> tuple[Any, ...]:
        # By default an exception is made anew from its text alone, which this one does not accept.
        return _restored, (type(self), self.args), self.__dict__

    @property
    def retry(self) -> Retry:
        """What to do next: the advice of the error, or otherwise that of its code. A code that is not known here is
        transient."""
        return self._retry or ("backoff" if self._advice is None else self._advice.retry)


def _restored(kind: type[ClientError], args: tuple[Any, ...]) -> ClientError:
    return kind.__new__(kind, *args)


def codes_of(export: Mapping[str, Any]) -> Mapping[str, Advice]:
    """Returns the codes of the catalogue and an organisation's own, from ``error-envelope catalogue --format json``.

    Pass them as the ``codes`` of the other functions. Their advice is then that of the policy.
    """
    own = {it["code"]: Advice(it["status"], it["retry"], it["message"], it.get("docs")) for it in export["codes"]}
    return {**ERROR_CODES, **own}


def is_retryable(error: ClientError) -> bool:
    """Returns True if the same request may succeed later."""
    return error.retry == "backoff"


def parse_error(
    response: Response,
    *,
    codes: Mapping[str, Advice] = ERROR_CODES,
    limit: int = 64 * 1024,
    clock: Callable[[], float] = time.time,
) -> ClientError | None:
    """Returns the error of an error response, or None for any other response.

    ``codes`` are the known codes: ``codes_of`` adds an organisation's own. If a body is longer than ``limit`` bytes, or was
    not read (``stream``), the head alone decides. ``clock`` returns the time in seconds with which a ``retry-after`` date
    is compared if the response has no ``date``.
    """
    status, headers = response.status_code, response.headers
    if not 400 <= status <= 599:
        return None
    body = _body_of(response, limit)
    said = _Said(_object_in(body), codes)
    code = said.canonical or _code_of(headers.get("x-error-code")) or said.code(status, codes)
    known = codes.get(code) or ERROR_CODES[_code_of_status(status)]
    ids = (headers.get("x-request-id"), headers.get("request-id"), said.request_id)
    return ClientError(
        status,
        code,
        _line_of(said.message) or _line_of(_plain_text(body, headers.get("content-type"))) or known.message,
        raw_code=said.raw_code(code),
        details=said.details,
        issues=_issues_in(said.details),
        request_id=next((it for it in ids if it is not None and _REQUEST_ID.fullmatch(it)), None),
        retry_after=retry_after(response, clock=clock),
        advice=codes.get(code),
        retry=said.retry,
        docs=said.docs,
    )


def retry_after(response: Response, *, clock: Callable[[], float] = time.time) -> float | None:
    """Returns the wait that a response requests, in seconds. Returns None if it requests none, or uses an unknown form.

    ``retry-after`` has seconds, or a date. A date is compared with the response's own ``date``, or with ``clock`` if there
    is none. A date in the past means no wait.
    """
    value = (response.headers.get("retry-after") or "").strip()
    if re.fullmatch("[0-9]+", value):
        return float(_MOST_SECONDS if len(value) > 12 else min(int(value), _MOST_SECONDS))
    until = _date_of(value)
    if until is None:
        return None
    since = _date_of((response.headers.get("date") or "").strip())
    wait = until - (clock() if since is None else since)
    return float(min(max(0, -int(-wait // 1)), _MOST_SECONDS))


R = TypeVar("R", bound=Response)


def retry(
    send: Callable[[], R],
    *,
    method: str = "GET",
    repeatable: bool = False,
    attempts: int = 4,
    base: float = 0.1,
    most: float = 10.0,
    total: float = 60.0,
    failures: tuple[type[Exception], ...] = (),
    codes: Mapping[str, Advice] = ERROR_CODES,
    sleep: Callable[[float], object] = time.sleep,
    clock: Callable[[], float] = time.time,
    random: Callable[[], float] = _random.random,
) -> R:
    """Sends a request, and sends it again if the contract states that the same request may succeed later.

    ``send`` must build the request and its body anew each time, because a file or a generator can be sent only once.
    Returns the last response, with any status. Only requests with an idempotent ``method`` (RFC 9110 9.2.2) and
    ``repeatable`` requests are repeated. A request is sent at most ``attempts`` times.

    The wait is the one that the server requests. Otherwise it is random, up to a bound that begins with ``base`` seconds
    and doubles up to ``most``. A wait that would exceed ``total`` seconds in all is not begun.

    ``codes`` are the known codes (``codes_of``). ``failures`` are the exceptions of a request that got no response, such as
    ``(httpx.TransportError,)`` or ``(requests.ConnectionError, requests.Timeout)``. They are treated like ``backoff``, and
    the last one is raised. A response that is not returned is closed.
    """
    plan = _Plan(method, repeatable, attempts, base, most, total, codes, clock, random)
    while True:
        try:
            response = send()
        except failures:
            wait = plan.next(None)
            if wait is None:
                raise
        else:
            wait = plan.next(response)
            if wait is None:
                return response
            _close(response)
        sleep(wait)


async def retry_async(
    send: Callable[[], Awaitable[R]],
    *,
    method: str = "GET",
    repeatable: bool = False,
    attempts: int = 4,
    base: float = 0.1,
    most: float = 10.0,
    total: float = 60.0,
    failures: tuple[type[Exception], ...] = (),
    codes: Mapping[str, Advice] = ERROR_CODES,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    clock: Callable[[], float] = time.time,
    random: Callable[[], float] = _random.random,
) -> R:
    """Works like ``retry``, for an async ``send``. A cancellation ends its waits."""
    plan = _Plan(method, repeatable, attempts, base, most, total, codes, clock, random)
    while True:
        try:
            response = await send()
        except failures:
            wait = plan.next(None)
            if wait is None:
                raise
        else:
            wait = plan.next(response)
            if wait is None:
                return response
            await _aclose(response)
        await sleep(wait)


def _close(response: Response) -> None:
    """Closes a response that is not needed any more. A streamed response would keep its connection open."""
    close = getattr(response, "close", None)
    if callable(close):
        with contextlib.suppress(Exception):
            close()


async def _aclose(response: Response) -> None:
    close = getattr(response, "aclose", None)
    if callable(close):
        with contextlib.suppress(Exception):
            await close()
            return
    # The response may come from a client that is not asynchronous, for example from a thread.
    _close(response)


class _Plan:
    """Decides when to send the request again."""

    def __init__(
        self,
        method: str,
        repeatable: bool,
        attempts: int,
        base: float,
        most: float,
        total: float,
        codes: Mapping[str, Advice],
        clock: Callable[[], float],
        random: Callable[[], float],
    ) -> None:
        self._left = attempts - 1 if repeatable or method.upper() in _IDEMPOTENT else 0
        self._bound, self._most, self._total = base, most, total
        self._codes, self._clock, self._random = codes, clock, random
        self._waited = 0.0

    def next(self, response: Response | None) -> float | None:
        """Returns the wait before the next attempt, or None if there is none.

        Without a response, the request failed before it got one.
        """
        asked = None
        if response is not None:
            error = parse_error(response, codes=self._codes, clock=self._clock)
            if error is None or not is_retryable(error):
                return None
            asked = error.retry_after
        wait = min(self._bound, self._most) * self._random() if asked is None else asked
        if self._left < 1 or self._waited + wait > self._total:
            return None
        self._left -= 1
        # The bound is limited, so that it never becomes infinite.
        self._bound = min(2 * self._bound, self._most)
        self._waited += wait
        return wait


_RETRIES: Final[Mapping[str, Retry]] = {"no": "no", "backoff": "backoff", "refresh": "refresh"}
_IDEMPOTENT: Final = frozenset(("GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"))
_CODE: Final = re.compile("[a-z][a-z0-9_]{0,62}")
_RAW_CODE: Final = re.compile("[A-Za-z0-9_.-]{1,64}")
_REQUEST_ID: Final = re.compile("[!-~]{1,128}")
_DOCS: Final = re.compile(r"https://[^/?#\s][!#-;=?-Z\]_a-z~\[]*")
_MAX_DOCS: Final = 1024
_MAX_MESSAGE: Final = 1024
# Markup, an entity, or a control character other than a line break.
_PAGE: Final = re.compile(r"[<\0-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f]|&#?[0-9A-Za-z]+;")
# Markup, or JSON that was cut off.
_WRAPPED: Final = re.compile(r"<[A-Za-z!/?]|\{\s*([\"'}]|$)|\[\s*[{\[\"\]]")
# Line breaks and tabs, with the blanks around them. One blank replaces them.
_BREAK: Final = re.compile(r" ?[\t-\r\x85\u2028\u2029][ \t-\r\x85\u2028\u2029]*")
# Invisible control and format characters, except for breaks and the joiners U+200C and U+200D, which texts need.
_UNPRINTABLE: Final = re.compile(
    r"[\0-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff0-\ufffb"
    r"\U000e0000-\U000e007f]"
)
# The longest wait: 10,000 years.
_MOST_SECONDS: Final = 315_576_000_000

# Connect's names of gRPC's statuses, and their HTTP statuses.
_CONNECT: Final[Mapping[str, int]] = {
    "canceled": 499,
    "unknown": 500,
    "invalid_argument": 400,
    "deadline_exceeded": 504,
    "not_found": 404,
    "already_exists": 409,
    "permission_denied": 403,
    "resource_exhausted": 429,
    "failed_precondition": 400,
    "aborted": 409,
    "out_of_range": 400,
    "unimplemented": 501,
    "internal": 500,
    "unavailable": 503,
    "data_loss": 500,
    "unauthenticated": 401,
}

_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# The three forms that RFC 9110 5.6.7 requires recipients to accept.
_DATES: Final = tuple(
    re.compile(form, re.ASCII)
    for form in (
        r"[A-Z][a-z]{2}, (?P<day>\d\d) (?P<month>[A-Z][a-z]{2}) (?P<year>\d{4}) (?P<time>\d\d:\d\d:\d\d) GMT",
        r"[A-Z][a-z]{5,8}, (?P<day>\d\d)-(?P<month>[A-Z][a-z]{2})-(?P<year>\d\d) (?P<time>\d\d:\d\d:\d\d) GMT",
        r"[A-Z][a-z]{2} (?P<month>[A-Z][a-z]{2}) (?P<day>[ \d]\d) (?P<time>\d\d:\d\d:\d\d) (?P<year>\d{4})",
    )
)


class _Said:
    """The error in a body of any shape."""

    def __init__(self, body: dict[str, Any], codes: Mapping[str, Advice]) -> None:
        meta = body.get("meta")
        in_meta = meta.get("request_id") if isinstance(meta, dict) else None
        self.request_id = _text(body.get("request_id")) or _text(in_meta)
        self.canonical: str | None = None
        self._connect: int | None = None
        error = body.get("error")
        self.retry, self.docs = _advice_in(error)
        if isinstance(error, dict) and body.get("jsonrpc") == "2.0":
            self._read_json_rpc(error, codes)
            return
        if isinstance(error, dict):
            names = (error.get("code"), _reason_in(error.get("details")), error.get("status"), error.get("type"))
            self._name = next((name for name in names if isinstance(name, str)), None)
            if body.get("request_id") is not None and isinstance(error.get("message"), str):
                self.canonical = _code_of(error.get("code"), codes)
            self.message = _text(error.get("message"))
            self.details = _details_of_error(error)
            return
        if body.get("success") is False and isinstance(error, str):
            further = {name: value for name, value in body.items() if name not in ("success", "error")}
            self.message, self._name, self.details = error, None, further or _MISSING
            return
        texts = (_text(it) for it in (body.get("detail"), body.get("message"), error, body.get("title")))
        self.message = next((text for text in texts if text is not None), None)
        self._name = _text(body.get("code"))
        if self._name is not None and body.keys() <= {"code", "message", "details"}:
            self._connect = _CONNECT.get(self._name)
        # Connect's details are messages of protobuf.
        details = _with_issues(body.get("details", _MISSING), _issues_by_field(body.get("errors")))
        self.details = details if self._connect is None else _MISSING

    def _read_json_rpc(self, error: dict[str, Any], codes: Mapping[str, Advice]) -> None:
        """Reads a JSON-RPC error. A layer's code, id and advice are in the data. Any other server's data are details."""
        data, number = error.get("data"), error.get("code")
        name = _text(data.get("code")) if isinstance(data, dict) else None
        self.message = _text(error.get("message"))
        if isinstance(data, dict) and name is not None and "request_id" in data:
            self.canonical, self._name, self.request_id = _code_of(name, codes), name, _text(data["request_id"])
            self.details = data.get("details", _MISSING)
            self.retry, self.docs = _advice_in(data)
            return
        is_number = isinstance(number, int) and not isinstance(number, bool)
        self._name = name or (str(number) if is_number else None)
        self.details = error.get("data", _MISSING)

    def code(self, status: int, codes: Mapping[str, Advice]) -> str:
        """Returns the code of a body that is not an envelope: from a known name, an issue list, or the status."""
        if self._connect is not None:
            return _code_of_status(self._connect)
        known = (self._name or "").lower()
        if known in codes:
            return known
        return "invalid_request" if status == 400 and _issues_in(self.details) else _code_of_status(status)

    def raw_code(self, code: str) -> str | None:
        """Returns the body's own name for the code, if it differs."""
        name = self._name
        if name is None or self._connect is not None or not _RAW_CODE.fullmatch(name) or name.lower() == code:
            return None
        return name


def _advice_in(value: object) -> tuple[Retry | None, str | None]:
    """Returns one of the three words, and an https address of at most 1,024 bytes."""
    retry, docs = (value.get("retry"), value.get("docs")) if isinstance(value, dict) else (None, None)
    is_address = isinstance(docs, str) and len(docs) <= _MAX_DOCS and _DOCS.fullmatch(docs)
    return _RETRIES.get(retry) if isinstance(retry, str) else None, docs if is_address else None


def _details_of_error(error: dict[str, Any]) -> Any:
    message, param, details = error.get("message"), error.get("param"), error.get("details", _MISSING)
    if isinstance(error.get("status"), str) and isinstance(details, list):
        return _details_of_google(details)
    if isinstance(param, str) and isinstance(message, str):
        return _with_issues(details, [{"path": _path_of(param), "message": message}])
    return details


def _details_of_google(messages: list[Any]) -> Any:
    """Reads messages of google.rpc: the metadata of the reason, and violations by field."""
    infos = _googles(messages, "ErrorInfo")
    metadata = infos[0].get("metadata") if infos else None
    lists = [it.get("fieldViolations") for it in _googles(messages, "BadRequest")]
    violations = [it for listed in lists if isinstance(listed, list) for it in listed if isinstance(it, dict)]
    issues = [
        {"path": _path_of(_text(it.get("field")) or ""), "message": it["description"]}
        for it in violations
        if isinstance(it.get("description"), str)
    ]
    return _with_issues(metadata if isinstance(metadata, dict) and metadata else _MISSING, issues)


def _reason_in(details: object) -> object:
    infos = _googles(details, "ErrorInfo") if isinstance(details, list) else []
    return infos[0].get("reason") if infos else None


def _googles(messages: list[Any], name: str) -> list[dict[str, Any]]:
    known = (it for it in messages if isinstance(it, dict))
    return [it for it in known if str(it.get("@type")).rpartition("/")[2] == f"google.rpc.{name}"]


def _issues_by_field(errors: object) -> list[dict[str, Any]]:
    """Reads issues of the form ``{"field": ["a text"]}``. Any other form has none."""
    if not isinstance(errors, dict) or not all(isinstance(texts, list) for texts in errors.values()):
        return []
    issues = [{"path": _path_of(field), "message": text} for field, texts in errors.items() for text in texts]
    return issues if all(isinstance(it["message"], str) for it in issues) else []


def _with_issues(details: Any, issues: list[dict[str, Any]]) -> Any:
    if not issues or _issues_in(details):
        return details
    return {**(details if isinstance(details, dict) else {}), "issues": issues}


def _path_of(name: str) -> list[str | int]:
    """Splits ``messages[0].content`` and ``messages.0.content`` into their steps."""
    steps = [step for step in re.split(r"[.\[\]]", name) if step]
    return [int(step) if re.fullmatch("0|[1-9][0-9]{0,8}", step) else step for step in steps]


def _code_of(value: object, codes: Mapping[str, Advice] | None = None) -> str | None:
    """Returns a code in the form of the contract. If ``codes`` are given, a known code may also be in capitals."""
    if not isinstance(value, str):
        return None
    if _CODE.fullmatch(value):
        return value
    known = value.lower()
    return known if codes is not None and value == value.upper() and known in codes else None


def _code_of_status(status: int) -> str:
    return CODE_OF_STATUS.get(status) or ("bad_request" if status < 500 else "internal_error")


def _body_of(response: Response, limit: int) -> bytes:
    # requests has not read the body (stream=True), and would now read all of it, even a long one.
    if getattr(response, "_content", None) is False:
        return b""
    try:
        content = response.content
    except Exception:  # The body was not read. Each library has its own errors for that.
        return b""
    return content if len(content) <= limit else b""


def _object_in(body: bytes) -> dict[str, Any]:
    value = _json_in(body)
    return value if isinstance(value, dict) else {}


def _json_in(body: bytes | str) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return _MISSING


def _plain_text(body: bytes, media_type: str | None) -> str | None:
    """Returns a line for people (R3) from a text, or from octets whose only control characters are line feeds.

    If the type is missing or ``text/html``, the text must have no sign of a page.
    """
    try:
        whole = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    text = whole.strip()
    essence = None if media_type is None else media_type.partition(";")[0].strip().lower()
    if essence is None or essence == "text/html":
        is_text = not _PAGE.search(text)
    elif essence == "application/octet-stream":
        is_text = not re.search("[\x00-\x09\x0b-\x1f\x7f]", whole)
    else:
        is_text = essence == "" or (essence.startswith("text/") and essence not in ("text/xml", "text/event-stream"))
    # JSON and markup are not wrapped again. A text that begins like JSON but does not parse was cut off.
    is_quoted = text[:1] == '"' and not isinstance(_json_in(text), _Missing)
    is_wrapped = _WRAPPED.match(text) or text[:1] in ("{", "[") or is_quoted
    return text if is_text and not is_wrapped else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _line_of(message: str | None) -> str | None:
    """Returns one printable line of at most 1,024 bytes, or None if nothing is left."""
    if message is None:
        return None
    # Half a character is replaced by a mark for a lost one.
    whole = re.sub("[\ud800-\udfff]", "\ufffd", message)
    data = _BREAK.sub(" ", _UNPRINTABLE.sub("", whole)).strip().encode()
    if len(data) > _MAX_MESSAGE:
        return data[: _MAX_MESSAGE - 3].decode(errors="ignore") + "…"
    return data.decode() or None


def _issues_in(details: object) -> tuple[Issue, ...]:
    listed = details.get("issues") if isinstance(details, dict) else None
    issues = [_issue_of(it) for it in listed] if isinstance(listed, list) else []
    known = tuple(it for it in issues if it is not None)
    return known if len(known) == len(issues) else ()


def _issue_of(value: object) -> Issue | None:
    if not isinstance(value, dict):
        return None
    path, message, code = value.get("path"), value.get("message"), value.get("code")
    if not isinstance(path, list) or not all(_is_step(step) for step in path) or not isinstance(message, str):
        return None
    if "code" in value and not isinstance(code, str):
        return None
    return Issue(tuple(path), message, code)


def _is_step(step: object) -> bool:
    return isinstance(step, str) or (isinstance(step, int) and not isinstance(step, bool) and step >= 0)


def _date_of(text: str) -> float | None:
    found = next((match for match in (form.fullmatch(text) for form in _DATES) if match), None)
    if found is None or found["month"] not in _MONTHS:
        return None
    hours, minutes, seconds = (int(part) for part in found["time"].split(":"))
    year = int(found["year"])
    if len(found["year"]) == 2:
        # Two digits mean the years 1970 to 2069.
        year += 2000 if year < 70 else 1900
    try:
        day = datetime.datetime(year, _MONTHS.index(found["month"]) + 1, int(found["day"]), tzinfo=datetime.timezone.utc)
    except ValueError:
        return None
    if hours > 23 or minutes > 59 or seconds > 60:
        return None
    return day.timestamp() + hours * 3600 + minutes * 60 + seconds
