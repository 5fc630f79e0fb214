"""Python's own client of MCP, over the gateway with `dialect = "jsonrpc"`: each error arrives as its `MCPError` (R10).

    clients.py GATEWAY_COMMAND POLICY
"""

import asyncio
import json
import subprocess
import sys
import unittest
from urllib.parse import parse_qs, urlsplit

import httpx2
import mcp_types
import service
from mcp import Client, MCPError
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider, OAuthRegistrationError, OAuthTokenError
from mcp.client.auth.utils import extract_resource_metadata_from_www_auth
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientMetadata

PUBLIC = "https://mcp.example.com"
METADATA = f"{PUBLIC}/.well-known/oauth-protected-resource"
# The handshake of 2025, and the revision of 2026 that has none.
MODES = "legacy", "auto"


class Gateway(httpx2.AsyncHTTPTransport):
    """Connects to the gateway for its public name, and keeps what it returned."""

    def __init__(self, url):
        super().__init__()
        self.url, self.responses = urlsplit(url), []

    async def handle_async_request(self, request):
        request.url = request.url.copy_with(scheme="http", host=self.url.hostname, port=self.url.port)
        response = await super().handle_async_request(request)
        response.request = request
        self.responses.append(response)
        return response


class Stored:
    """What a client stores between its runs: nothing yet."""

    tokens = client = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client_info):
        self.client = client_info


def oauth(redirect):
    pages = []

    async def open_page(url):
        pages.append(url)

    async def returned():
        return AuthorizationCodeResult(code="stolen", state=parse_qs(urlsplit(pages[-1]).query)["state"][0])

    metadata = OAuthClientMetadata(redirect_uris=[redirect], client_name="agent", scope="tools")
    return OAuthClientProvider(PUBLIC, metadata, Stored(), open_page, returned)


def only_error(group):
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    return group


class Errors(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        command, policy = ARGUMENTS
        cls.process = subprocess.Popen(
            [command, "gateway", "--listen", "127.0.0.1:0", "--upstream", service.start(PUBLIC), "--policy", policy],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )
        cls.url = next(line.split()[-1] for line in cls.process.stdout if line.startswith("listening on "))

    @classmethod
    def tearDownClass(cls):
        cls.process.terminate()
        cls.process.wait()
        cls.process.stdout.close()

    def run_client(self, path, work, mode="legacy", **settings):
        """What `work` returned, or the error that ended it, and the responses of the gateway."""
        gateway = Gateway(self.url)

        async def run():
            async with (
                asyncio.timeout(20),
                httpx2.AsyncClient(transport=gateway, **settings) as http,
                Client(streamable_http_client(PUBLIC + path, http_client=http), mode=mode) as client,
            ):
                return await work(client)

        try:
            return asyncio.run(run()), gateway.responses
        except BaseException as error:
            return only_error(error), gateway.responses

    def error_of(self, path, work, expected, **settings):
        """Asserts the number, text, code, details and advice of the client's error; returns the response that held it."""
        error, responses = self.run_client(path, work, **settings)
        number, message, code, retry, details = expected
        self.assertIsInstance(error, MCPError, error)
        self.assertEqual((error.code, error.message), (number, message))
        advice = {"retry": retry, "docs": f"https://docs.example.com/errors#{code}"}
        data = dict(error.data)
        request_id = data.pop("request_id")
        self.assertEqual(data, {"code": code, **({"details": details} if details else {}), **advice})
        self.assertRegex(request_id, r"^req_[0-9A-Z]{26}$")
        response = next(response for response in responses if response.headers["x-request-id"] == request_id)
        self.assertEqual(response.headers.get("x-error-code"), code if response.is_error else None)
        return response

    def each_mode(self, *arguments, status, **settings):
        for mode in MODES:
            with self.subTest(mode):
                response = self.error_of(*arguments, mode=mode, **settings)
                self.assertEqual(response.status_code, status)
        return response

    def test_without_an_error_the_gateway_is_not_seen(self):
        for mode in MODES:
            result, _ = self.run_client("/mcp", lambda client: client.call_tool("echo", {"text": "tram"}), mode)
            self.assertEqual(result.content[0].text, "tram")

    def test_a_body_that_is_too_large(self):
        expected = -32040, "The request body is too large.", "payload_too_large", "no", {"limit_bytes": 65536}
        self.each_mode("/mcp", lambda client: client.call_tool("echo", {"text": "x" * 65536}), expected, status=413)

    def test_a_service_that_is_down(self):
        expected = -32603, "An upstream provider failed.", "other", "backoff", None
        self.each_mode("/down", lambda client: client.list_tools(), expected, status=502)

    def test_an_id_is_read_wherever_it_stands(self):
        # As other clients may write a call: white space behind the id, the id last, and two ids, of which neither is taken.
        call = {"jsonrpc": "2.0", "method": "tools/list", "id": "a-1"}
        two = '{"id":1,"jsonrpc":"2.0","method":"tools/list","id":2 }'
        for content, call_id in [('{"id":1 }', 1), (json.dumps(call, indent=2), "a-1"), (two, None)]:
            response = httpx2.post(self.url + "/nowhere", content=content, headers={"content-type": "application/json"})
            with self.subTest(content):
                found = response.json()
                self.assertEqual((response.status_code, found["id"], found["error"]["data"]["code"]), (404, call_id, "not_found"))

    def test_a_closed_route(self):
        missing = -32010, "No credentials were sent.", "auth_missing", "no", None
        invalid = -32011, "The credentials do not match any active key.", "auth_invalid", "no", None
        for headers, expected, reason in [({}, missing, ""), ({"authorization": "Bearer x"}, invalid, 'error="invalid_token", ')]:
            response = self.each_mode("/closed", lambda client: client.list_tools(), expected, status=401, headers=headers)
            self.assertEqual(response.headers["www-authenticate"], f'Bearer {reason}resource_metadata="{METADATA}"')
            self.assertEqual(extract_resource_metadata_from_www_auth(response), METADATA)
        opened, _ = self.run_client("/closed", lambda client: client.list_tools(), headers={"authorization": "Bearer sesame"})
        self.assertEqual([tool.name for tool in opened.tools], ["echo", "story"])

    def test_a_token_that_the_service_refuses(self):
        for headers, status, number, message, code, reason in [
            ({}, 401, -32010, "Authentication required", "auth_missing", "invalid_token"),
            ({"authorization": "Bearer narrow"}, 403, -32033, "Required scope: tools", "forbidden", "insufficient_scope"),
        ]:
            expected = number, message, code, "no", {"upstream_code": reason}
            response = self.each_mode("/own", lambda client: client.list_tools(), expected, status=status, headers=headers)
            challenge = f'Bearer error="{reason}", error_description="{message}", resource_metadata="{METADATA}"'
            self.assertEqual(response.headers["www-authenticate"], challenge)

    def test_the_errors_of_oauth_pass(self):
        registration = "invalid_redirect_uri", "Redirects go to https."
        grant = "invalid_grant", "authorization code does not exist"
        for redirect, error, message, (name, text) in [
            ("http://localhost/back", OAuthRegistrationError, "Registration failed: 400 ", registration),
            ("https://agent.example/back", OAuthTokenError, "Token exchange failed (400): ", grant),
        ]:
            for path in "/closed", "/own":
                raised, responses = self.run_client(path, lambda client: client.list_tools(), auth=oauth(redirect))
                with self.subTest(path, error=error):
                    self.assertIsInstance(raised, error)
                    self.assertEqual(str(raised), f'{message}{{"error":"{name}","error_description":"{text}"}}')
                    self.assertEqual(responses[-1].headers["x-error-code"], "bad_request")

    def test_an_unknown_method_keeps_the_server_s_error(self):
        def park(client):
            request = mcp_types.Request[dict, str](method="trams/park", params={})
            return client.session.send_request(request, mcp_types.EmptyResult)

        for mode, status in zip(MODES, (200, 404)):
            error, responses = self.run_client("/mcp", park, mode)
            with self.subTest(mode):
                self.assertEqual((error.code, error.message, error.data), (-32601, "Method not found", "trams/park"))
                self.assertIn(status, [response.status_code for response in responses])

    def story(self, client):
        self.read = []

        async def progress(done, total, text):
            self.read.append(text)

        return client.call_tool("story", {}, progress_callback=progress)

    def test_a_stream_that_breaks_off_ends_with_an_error(self):
        expected = -32603, "An upstream provider failed.", "other", "backoff", None
        response = self.each_mode("/mcp", self.story, expected, status=200)
        self.assertRegex(response.headers["content-type"], "^text/event-stream")
        self.assertEqual(self.read, ["Once upon a time", service.BREAK])

        error, _ = self.run_client("/broken", self.story)
        self.assertEqual((error.code, error.message, error.data), (-32000, "SSE stream ended without a response", None))

    def test_a_stream_with_ids_is_resumed_unless_an_error_ends_it(self):
        resumed, _ = self.run_client("/resumed", self.story)
        self.assertEqual((resumed.content[0].text, self.read), ("the end", ["Once upon a time", service.BREAK]))
        self.error_of("/ended", self.story, (-32603, "An upstream provider failed.", "other", "backoff", None))


if __name__ == "__main__":
    ARGUMENTS = sys.argv[1:3]
    unittest.main(argv=sys.argv[:1], verbosity=2)
