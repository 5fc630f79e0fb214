"""Servers of MCP, by Python's own SDK, on one port: `/mcp`, `/broken` and `/closed` are one of them, `/resumed` and `/ended`
another one, which keeps its events, `/own` requires tokens and has an authorization server beside it, and `/nowhere` is none."""

import contextlib
import logging
import socket
import threading

import uvicorn
from mcp.server.auth.provider import AccessToken, RegistrationError
from mcp.server.auth.settings import AuthSettings, ClientRegistrationOptions
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.streamable_http import EventMessage, EventStore
from mcp.server.transport_security import TransportSecuritySettings
from starlette.responses import PlainTextResponse

BREAK = "and here it breaks off"


class Authority:
    """Registers clients whose redirects go to https, and issues no token but `narrow`, which has no scope."""

    def __init__(self):
        self.clients = {}

    async def register_client(self, client):
        if client.redirect_uris[0].scheme != "https":
            raise RegistrationError("invalid_redirect_uri", "Redirects go to https.")
        self.clients[client.client_id] = client

    async def get_client(self, client_id):
        return self.clients.get(client_id)

    async def load_authorization_code(self, client, code):
        return None

    async def load_access_token(self, token):
        return AccessToken(token=token, client_id="c", scopes=[]) if token == "narrow" else None


class Events(EventStore):
    def __init__(self):
        self.events = []

    async def store_event(self, stream_id, message):
        self.events.append((stream_id, message))
        return str(len(self.events) - 1)

    async def replay_events_after(self, last_event_id, send_callback):
        last = int(last_event_id)
        stream = self.events[last][0]
        for number, (stream_id, message) in enumerate(self.events):
            if number > last and stream_id == stream and message is not None:
                await send_callback(EventMessage(message, str(number)))
        return stream


async def echo(text: str) -> str:
    return text


async def story(context: Context) -> str:
    await context.report_progress(1, 2, "Once upon a time")
    await context.report_progress(2, 2, BREAK)
    return "the end"


async def unknown(scope, receive, send):
    # The gateway has the call's id only if the service reads the call.
    while (await receive()).get("more_body"):
        pass
    await PlainTextResponse("Not Found", 404)(scope, receive, send)


def app_of(path="/mcp", store=None, **settings):
    server = MCPServer("tales", log_level="CRITICAL", **settings)
    server.add_tool(echo)
    server.add_tool(story)
    # Clients come by the gateway, and its name is not the server's.
    names = TransportSecuritySettings(enable_dns_rebinding_protection=False)
    return server.streamable_http_app(streamable_http_path=path, event_store=store, retry_interval=10, transport_security=names)


def application(public):
    plain, resumable = app_of(), app_of(store=Events())
    registration = ClientRegistrationOptions(enabled=True, valid_scopes=["tools"])
    auth = AuthSettings(
        issuer_url=public, resource_server_url=public, required_scopes=["tools"], validate_token_resource=False,
        client_registration_options=registration,
    )
    own = app_of("/own", auth_server_provider=Authority(), auth=auth)
    mounted = {"/mcp": plain, "/broken": plain, "/closed": plain, "/resumed": resumable, "/ended": resumable, "/nowhere": unknown}

    async def serve(scope, receive, send):
        async def breaking(message):
            await send(message)
            if BREAK.encode() in message.get("body", b"") and scope["method"] == "POST":
                raise ConnectionAbortedError

        if scope["type"] == "lifespan":
            await lifespan([plain, resumable, own], receive, send)
        elif app := mounted.get(scope["path"]):
            await app({**scope, "path": "/mcp", "raw_path": b"/mcp"}, receive, breaking)
        else:
            await own(scope, receive, send)

    return serve


async def lifespan(apps, receive, send):
    await receive()
    async with contextlib.AsyncExitStack() as stack:
        for app in apps:
            await stack.enter_async_context(app.router.lifespan_context(app))
        await send({"type": "lifespan.startup.complete"})
        await receive()
    await send({"type": "lifespan.shutdown.complete"})


def start(public):
    """Serves in a thread of its own; returns the address."""
    logging.disable(logging.CRITICAL)
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(application(public), log_level="critical"))
    threading.Thread(target=server.run, args=([listener],), daemon=True).start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}"
