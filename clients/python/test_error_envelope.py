"""Tests the rows that all clients share, and the gateway with the address GATEWAY, which `clients/check` starts."""

from __future__ import annotations

import asyncio
import copy
import json
import os
import pathlib
import pickle
import unittest
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

import httpx
import requests

import error_envelope
from error_envelope import ClientError, Issue, codes_of, is_retryable, parse_error, retry, retry_after, retry_async

CASES = pathlib.Path(__file__).parent.parent / "cases"
NOW = 784_111_777.0


class Answer(NamedTuple):
    """A complete response."""

    status_code: int
    headers: Mapping[str, str]
    content: bytes


def answer(case: Mapping[str, Any]) -> Answer:
    return Answer(case["status"], httpx.Headers(case.get("headers", [])), case["body"].encode())


def said(error: ClientError | None) -> dict[str, Any] | None:
    """Returns the error in the form of the cases, which list only the fields that it has."""
    if error is None:
        return None
    known: dict[str, Any] = {"status": error.status, "code": error.code, "message": error.message, "retry": error.retry}
    if error.raw_code is not None:
        known["raw_code"] = error.raw_code
    if error.has_details:
        known["details"] = error.details
    if error.issues:
        known["issues"] = [issue(it) for it in error.issues]
    if error.request_id is not None:
        known["request_id"] = error.request_id
    if error.retry_after is not None:
        known["retry_after_ms"] = error.retry_after * 1000
    if error.docs is not None:
        known["docs"] = error.docs
    return known


class SeatTaken(ClientError):
    """A subclass with its own arguments."""

    def __init__(self, seat: int) -> None:
        super().__init__(409, "seat_taken", f"Seat {seat} is taken.")
        self.seat = seat


def issue(it: Issue) -> dict[str, Any]:
    code = {} if it.code is None else {"code": it.code}
    return {"path": list(it.path), "message": it.message, **code}


def clock_of(now: str | None) -> Callable[[], float]:
    since = 0.0 if now is None else error_envelope._date_of(now)
    assert since is not None
    return lambda: since


class Parse(unittest.TestCase):
    def test_each_shared_case_is_read(self) -> None:
        cases = json.loads((CASES / "parse.json").read_text())
        ours = [case for case in cases if "python" in case.get("only", ["python"])]
        self.assertGreater(len(ours), 20)
        for case in ours:
            with self.subTest(case["name"]):
                error = parse_error(answer(case), clock=clock_of(case.get("now")))
                self.assertEqual(said(error), case["expect"])

    def test_a_line_for_the_log_has_no_details(self) -> None:
        body = {"error": {"code": "conflict", "message": "a\nb", "details": {"token": "s3cr3t"}}, "request_id": "r1"}
        error = parse_error(httpx.Response(409, json=body))
        self.assertEqual(str(error), "409 conflict: a b (r1)")
        self.assertNotIn("s3cr3t", repr(error))

    def test_what_cannot_be_read_leaves_it_to_the_head(self) -> None:
        body = b'{"error":{"code":"conflict","message":"Taken."},"request_id":"r1"}'
        unread = httpx.Response(503, headers={"x-error-code": "no_qr"}, stream=httpx.ByteStream(body))
        answers: list[tuple[error_envelope.Response, int]] = [
            (unread, len(body)),
            (Answer(503, {"x-error-code": "no_qr"}, body), len(body) - 1),
            (Answer(503, {"x-error-code": "no_qr"}, b"\xff{"), 100),
            (Answer(503, {"x-error-code": "no_qr"}, b"[" * 60_000), 64_000),
        ]
        for response, limit in answers:
            error = parse_error(response, limit=limit)
            assert error is not None
            self.assertEqual(error.code, "no_qr")

    def test_what_is_no_form_of_retry_after_is_none(self) -> None:
        for value in ["soon", "1.5", "-1", "", "1e3", "\u0661", "Sun, 99 Nov 1994 08:49:37 GMT", "Sun, 0\u0666 Nov 1994 08:49:37 GMT"]:
            self.assertIsNone(retry_after(Answer(503, {"retry-after": value}, b"")), value)
        self.assertEqual(retry_after(Answer(503, {"retry-after": "9" * 5000}, b"")), 315_576_000_000)

    def test_an_error_goes_to_another_process(self) -> None:
        body = {"error": {"code": "seat_taken", "message": "m", "details": None}, "request_id": "r1"}
        error = parse_error(httpx.Response(409, json=body, headers={"retry-after": "7"}))
        assert error is not None
        error.__cause__ = ValueError("x")
        for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
            self.assertIs(type(again), ClientError)
            self.assertEqual((str(again), vars(again)), (str(error), vars(error)))
            self.assertEqual((again.has_details, again.retry, again.retry_after), (True, "backoff", 7.0))

    def test_and_so_does_one_of_a_class_of_its_own(self) -> None:
        again = pickle.loads(pickle.dumps(SeatTaken(4)))
        self.assertEqual((type(again), str(again), again.seat), (SeatTaken, "409 seat_taken: Seat 4 is taken.", 4))

    def test_a_long_message_is_cut_between_characters(self) -> None:
        body = json.dumps({"error": {"code": "conflict", "message": "ä" * 2000}, "request_id": "r1"}).encode()
        error = parse_error(Answer(409, {}, body))
        assert error is not None
        self.assertLessEqual(len(error.message.encode()), 1024)
        self.assertTrue(error.message.endswith("ä…"))


class Open(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body that nobody reads. It keeps its connection open until it is closed."""

    closed = False

    def close(self) -> None:
        self.closed = True

    async def aclose(self) -> None:
        self.closed = True


class Server:
    """Returns one response after the other, and records the waits between them."""

    def __init__(self, answers: list[Mapping[str, Any]]) -> None:
        self.left = list(answers)
        self.waits: list[float] = []

    def send(self) -> Answer:
        case = self.left.pop(0)
        if "fails" in case:
            raise ConnectionError("reset")
        return answer(case)

    async def send_async(self) -> Answer:
        return self.send()

    async def sleep_async(self, wait: float) -> None:
        self.waits.append(wait)


def settings(case: Mapping[str, Any]) -> dict[str, Any]:
    share = case.get("share", 0.5)
    given: dict[str, Any] = {
        "method": case["method"],
        "repeatable": case.get("repeatable", False),
        "failures": (ConnectionError,),
        "clock": lambda: NOW,
        "random": lambda: share,
    }
    if "attempts" in case:
        given["attempts"] = case["attempts"]
    for name, ours in [("most_ms", "most"), ("total_ms", "total")]:
        if name in case:
            given[ours] = case[name] / 1000
    return given


class Repeat(unittest.TestCase):
    def each(self, run: Callable[[Server, Mapping[str, Any]], Answer]) -> None:
        cases = json.loads((CASES / "retry.json").read_text())
        self.assertGreater(len(cases), 10)
        for case in cases:
            with self.subTest(case["name"]):
                server = Server(case["answers"])
                try:
                    status: int | None = run(server, settings(case)).status_code
                except ConnectionError:
                    status = None
                waits = [round(wait * 1000) for wait in server.waits]
                self.assertEqual({"waits_ms": waits, "status": status}, case["expect"])
                self.assertEqual(server.left, [])

    def test_each_shared_case_is_sent_again_as_told(self) -> None:
        self.each(lambda server, given: retry(server.send, sleep=server.waits.append, **given))

    def test_and_so_where_it_is_awaited(self) -> None:
        self.each(
            lambda server, given: asyncio.run(retry_async(server.send_async, sleep=server.sleep_async, **given))
        )

    def test_what_is_not_given_back_is_closed(self) -> None:
        for is_async in (False, True):
            bodies = [Open(), Open(), Open()]
            responses = [httpx.Response(status, stream=body) for status, body in zip((503, 503, 404), bodies)]
            left = list(responses)
            closed: list[list[bool]] = []

            def send() -> httpx.Response:
                closed.append([body.closed for body in bodies])
                return left.pop(0)

            async def send_async() -> httpx.Response:
                return send()

            async def at_once(_wait: float) -> None:
                pass

            if is_async:
                last = asyncio.run(retry_async(send_async, sleep=at_once))
            else:
                last = retry(send, sleep=lambda _wait: None)
            self.assertIs(last, responses[-1])
            self.assertEqual(closed, [[False] * 3, [True, False, False], [True, True, False]], is_async)
            self.assertEqual([body.closed for body in bodies], [True, True, False], is_async)

    def test_and_so_is_what_a_thread_gave(self) -> None:
        class Blocking(httpx.SyncByteStream):
            closed = False

            def close(self) -> None:
                self.closed = True

        body = Blocking()
        responses = [httpx.Response(503, stream=body), httpx.Response(200)]
        last = asyncio.run(retry_async(lambda: asyncio.to_thread(responses.pop, 0), base=0))
        self.assertEqual((last.status_code, body.closed), (200, True))

    def test_what_breaks_when_it_is_closed_is_sent_again(self) -> None:
        class Broken(Open):
            def close(self) -> None:
                raise OSError("reset")

            async def aclose(self) -> None:
                raise OSError("reset")

        async def send_async() -> httpx.Response:
            return send()

        def send() -> httpx.Response:
            return responses.pop(0)

        responses = [httpx.Response(503, stream=Broken()), httpx.Response(200)] * 2
        self.assertEqual(retry(send, base=0).status_code, 200)
        self.assertEqual(asyncio.run(retry_async(send_async, base=0)).status_code, 200)

    def test_an_exception_that_is_not_named_is_not_caught(self) -> None:
        server = Server([{"fails": True}])
        self.assertRaises(ConnectionError, lambda: retry(server.send, sleep=server.waits.append))
        self.assertEqual(server.waits, [])


class Gateway(unittest.TestCase):
    gateway = os.environ["GATEWAY"]

    def test_both_libraries_read_what_the_gateway_writes(self) -> None:
        gets: list[Callable[[str], error_envelope.Response]] = [
            lambda url: httpx.get(url),
            lambda url: requests.get(url, timeout=10),
        ]
        for get in gets:
            for path, status, code, message, advice in [
                ("/empty-404", 404, "not_found", "Not found.", "no"),
                ("/html-502", 502, "other", "An upstream provider failed.", "backoff"),
                ("/envelope", 409, "no_qr", "QR not yet ready.", "backoff"),
                ("/code-message", 410, "media_gone", "It has aged out.", "refresh"),
            ]:
                response = get(self.gateway + path)
                error = parse_error(response)
                assert error is not None
                self.assertEqual((error.status, error.code, error.message, error.retry), (status, code, message, advice))
                self.assertEqual(error.request_id, response.headers["x-request-id"])
            fields = parse_error(get(f"{self.gateway}/field-errors"))
            assert fields is not None
            self.assertEqual(fields.issues, (Issue(("to",), "Required."),))
            self.assertIsNone(parse_error(get(f"{self.gateway}/ok")))
            self.assertEqual(retry_after(get(f"{self.gateway}/retry-after")), 7)

    def test_a_body_that_is_streamed_stays_unread(self) -> None:
        for path in ("/envelope", "/endless"):
            with requests.get(self.gateway + path, stream=True, timeout=10) as response:
                error = parse_error(response)
                assert error is not None
                self.assertEqual(error.code, response.headers["x-error-code"])
                self.assertEqual(error.message, error_envelope.ERROR_CODES[error.code].message)
                self.assertEqual(next(response.iter_content(1)), b"{")
        with requests.get(f"{self.gateway}/envelope", stream=True, timeout=10) as response:
            self.assertIn(b"QR not yet ready.", response.content)
            error = parse_error(response)
            assert error is not None
            self.assertEqual(error.message, "QR not yet ready.")

    def test_streams_that_are_dropped_give_their_connections_back(self) -> None:
        with httpx.Client(limits=httpx.Limits(max_connections=1), timeout=httpx.Timeout(10, pool=0.5)) as client:

            def send() -> httpx.Response:
                return client.send(client.build_request("GET", f"{self.gateway}/error"), stream=True)

            response = retry(send, attempts=3, base=0.001)
            self.assertEqual((response.status_code, response.is_closed), (500, False))
            response.close()

    def test_a_real_request_is_sent_again(self) -> None:
        ids = []

        def send() -> requests.Response:
            response = requests.get(f"{self.gateway}/error", timeout=10)
            ids.append(response.headers["x-request-id"])
            return response

        response = retry(send, attempts=3, base=0.001, failures=(requests.ConnectionError, requests.Timeout))
        self.assertEqual((response.status_code, len(set(ids))), (500, 3))
        error = parse_error(response)
        assert error is not None and is_retryable(error)

    def test_and_so_by_an_asynchronous_client(self) -> None:
        async def ask() -> int:
            async with httpx.AsyncClient() as client:

                def send() -> Awaitable[httpx.Response]:
                    return client.get(f"{self.gateway}/retry-after")

                failures = (httpx.TransportError,)
                return (await retry_async(send, total=1, failures=failures)).status_code

        self.assertEqual(asyncio.run(ask()), 503)


class OwnCodes(unittest.TestCase):
    """Tests an organisation's own codes, as in its policy's export."""

    EXPORT = {"codes": [{"code": "seat_taken", "status": 409, "retry": "no", "message": "The seat is taken."}]}

    def test_its_advice_is_followed(self) -> None:
        codes = codes_of(self.EXPORT)
        for code in ("SEAT_TAKEN", "seat_taken"):
            body = json.dumps({"error": {"code": code, "message": ""}, "request_id": "r"}).encode()
            taken = Answer(409, httpx.Headers(), body)
            error = parse_error(taken, codes=codes)
            assert error is not None
            self.assertEqual((error.code, error.retry, error.message), ("seat_taken", "no", "The seat is taken."))
            self.assertEqual(pickle.loads(pickle.dumps(error)).retry, "no")
        sent: list[Answer] = []

        def send() -> Answer:
            sent.append(taken)
            return taken

        retry(send, codes=codes, sleep=lambda _: None)
        self.assertEqual(len(sent), 1)
        retry(send, sleep=lambda _: None)
        self.assertEqual(len(sent), 5)

if __name__ == "__main__":
    unittest.main()
