# The error contract, version {{ version }}.
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

{% for group in groups %}
    # {{ group.name }}
{% for code in group.codes %}
    #: {{ code.summary }}
    {{ code.name | upper }} = "{{ code.name }}"
{% endfor %}
{% endfor %}

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
{% for code in codes %}
    ErrorCode.{{ code.name | upper }}: ({{ code.status }}, Retry.{{ code.retry | upper }}, {{ code.message | literal }}),
{% endfor %}
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
        is_address = isinstance(docs, str) and len(docs) <= {{ max_docs }} and re.match(r"{{ docs }}", docs)
        return cls(status, code, message, request_id, error.get("details"), advice, docs if is_address else None)
