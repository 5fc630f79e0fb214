"""Clients of LLMs, over a stream that breaks off behind the gateway (F6), and over a service that is busy (R12): each raises its
own error.

    sdks.py GATEWAY_COMMAND POLICY
"""

import json
import os
import re
import socket
import subprocess
import sys
import threading
import unittest
import warnings

# Before the import, which fetches a list of prices otherwise.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import anthropic
import litellm
import openai
from google import genai
from google.genai import errors as gemini_errors

litellm.suppress_debug_info = True

CHUNK = {
    "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
    "choices": [{"index": 0, "delta": {"content": "Once upon"}, "finish_reason": None}],
}
START = {
    "type": "message_start",
    "message": {
        "id": "m", "type": "message", "role": "assistant", "model": "m", "content": [],
        "stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 1},
    },
}
CANDIDATE = {"candidates": [{"content": {"role": "model", "parts": [{"text": "Once upon"}]}, "index": 0}]}
EVENTS = {
    ":streamGenerateContent": f"data: {json.dumps(CANDIDATE)}\r\n\r\n",
    "/chat/completions": f"data: {json.dumps(CHUNK)}\n\n",
    "/messages": f"event: message_start\ndata: {json.dumps(START)}\n\n",
}


BUSY = b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 7\r\ncontent-type: text/plain\r\ncontent-length: 19\r\n\r\nThe trams are full."


def answer(connection):
    """Answers for the model `busy` with an error, else with one event, and closes within the body."""
    with connection:
        request = b""
        while b"\r\n\r\n" not in request:
            request += connection.recv(65536)
        head, body = request.split(b"\r\n\r\n", 1)
        left = int(re.search(rb"(?i)content-length: (\d+)", head)[1]) - len(body)
        while left > 0:
            piece = connection.recv(65536)
            left, body = left - len(piece), body + piece
        if b"busy" in head + body:
            connection.sendall(BUSY)
            return
        path = head.split(b" ")[1].split(b"?")[0].decode()
        event = next(event for end, event in EVENTS.items() if path.endswith(end)).encode()
        connection.sendall(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
            + b"%x\r\n%b\r\n" % (len(event), event)
        )


def upstream():
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1]


class Raised(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        command, policy = ARGUMENTS
        cls.gateway = subprocess.Popen(
            [command, "gateway", "--listen", "127.0.0.1:0", "--upstream", f"http://127.0.0.1:{upstream()}", "--policy", policy],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )
        cls.url = next(line.split()[-1] for line in cls.gateway.stdout if line.startswith("listening on "))

    @classmethod
    def tearDownClass(cls):
        cls.gateway.terminate()
        cls.gateway.wait()
        cls.gateway.stdout.close()

    def stories(self, path, read):
        with openai.OpenAI(base_url=self.url + path, api_key="k", max_retries=0) as client:
            stream = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "?"}], stream=True)
            for chunk in stream:
                read.append(chunk.choices[0].delta.content)

    def test_openai_raises_its_own_error(self):
        read = []
        with self.assertRaises(openai.APIError) as raised:
            self.stories("/v1", read)
        self.assertEqual(read, ["Once upon"])
        self.assertEqual((raised.exception.code, raised.exception.type), ("other", "server_error"))

    def test_without_the_key_openai_s_client_knows_a_broken_connection_alone(self):
        read = []
        with self.assertRaises(Exception) as raised:
            self.stories("/broken", read)
        self.assertEqual((read, getattr(raised.exception, "code", None)), (["Once upon"], None))

    def test_anthropic_raises_its_own_error(self):
        read = []
        with anthropic.Anthropic(base_url=self.url, api_key="k", max_retries=0) as client:
            stream = client.messages.create(model="m", max_tokens=9, messages=[{"role": "user", "content": "?"}], stream=True)
            with self.assertRaises(anthropic.APIStatusError) as raised:
                for event in stream:
                    read.append(event.type)
        self.assertEqual(read, ["message_start"])
        body = raised.exception.body
        self.assertEqual((body["type"], body["error"]["type"]), ("error", "api_error"))
        self.assertEqual(body["request_id"], raised.exception.response.headers["x-request-id"])

    def test_gemini_raises_its_own_error(self):
        options = {"base_url": self.url, "api_version": "gemini", "retry_options": {"attempts": 1}}
        read = []
        with genai.Client(api_key="k", http_options=options) as client, self.assertRaises(gemini_errors.ServerError) as raised:
            for chunk in client.models.generate_content_stream(model="m", contents="?"):
                read.append(chunk.text)
        self.assertEqual(read, ["Once upon"])
        self.assertEqual((raised.exception.code, raised.exception.status), (502, "UNAVAILABLE"))

    def test_openai_s_error_has_the_code_and_the_id(self):
        with openai.OpenAI(base_url=self.url + "/v1", api_key="k", max_retries=0) as client:
            with self.assertRaises(openai.RateLimitError) as raised:
                client.chat.completions.create(model="busy", messages=[{"role": "user", "content": "?"}])
        error = raised.exception
        body = {"message": "The trams are full.", "type": "invalid_request_error", "param": None, "code": "rate_limit_exceeded"}
        self.assertEqual((error.status_code, error.code, error.body), (429, "rate_limit_exceeded", body))
        self.check_head(error.response.headers)
        self.assertEqual(error.request_id, error.response.headers["x-request-id"])

    def test_anthropic_s_error_has_the_type_and_the_id(self):
        with anthropic.Anthropic(base_url=self.url, api_key="k", max_retries=0) as client:
            with self.assertRaises(anthropic.RateLimitError) as raised:
                client.messages.create(model="busy", max_tokens=9, messages=[{"role": "user", "content": "?"}])
        error = raised.exception
        self.check_head(error.response.headers)
        inner = {"type": "rate_limit_error", "message": "The trams are full."}
        self.assertEqual((error.status_code, error.type), (429, "rate_limit_error"))
        self.assertEqual(error.body, {"type": "error", "error": inner, "request_id": error.request_id})
        self.assertEqual(error.request_id, error.response.headers["x-request-id"])

    def test_gemini_s_error_has_the_reason_and_the_id(self):
        options = {"base_url": self.url, "api_version": "gemini", "retry_options": {"attempts": 1}}
        with genai.Client(api_key="k", http_options=options) as client, self.assertRaises(gemini_errors.ClientError) as raised:
            client.models.generate_content(model="busy", contents="?")
        error = raised.exception
        self.assertEqual((error.code, error.status, error.message), (429, "RESOURCE_EXHAUSTED", "The trams are full."))
        self.check_head(error.response.headers)
        parts = {part["@type"].rsplit(".")[-1]: part for part in error.details["error"]["details"]}
        self.assertEqual((parts["ErrorInfo"]["reason"], parts["RetryInfo"]["retryDelay"]), ("RATE_LIMITED", "7s"))
        self.assertEqual(parts["RequestInfo"]["requestId"], error.response.headers["x-request-id"])

    def check_head(self, headers):
        self.assertEqual((headers["x-error-code"], headers["retry-after"]), ("rate_limited", "7"))
        self.assertRegex(headers["x-request-id"], "^req_[0-9A-Z]{26}$")

    def test_litellm_raises_what_the_provider_s_event_holds(self):
        routes = {"openai/m": "/v1", "gemini/m": "/gemini", "anthropic/m": ""}
        for model, path in routes.items():
            with self.subTest(model), warnings.catch_warnings(action="ignore"):
                messages = [{"role": "user", "content": "?"}]
                with self.assertRaises(litellm.exceptions.MidStreamFallbackError) as raised:
                    for _ in litellm.completion(
                        model=model, api_base=self.url + path, api_key="k", messages=messages, stream=True, max_retries=0
                    ):
                        pass
                self.assertIn("An upstream provider failed.", str(raised.exception.original_exception))


if __name__ == "__main__":
    ARGUMENTS = sys.argv[1:3]
    unittest.main(argv=sys.argv[:1], verbosity=2)
