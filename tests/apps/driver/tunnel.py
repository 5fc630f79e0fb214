"""Requests inside the connection that an upgrade opens: no guard stands there."""

import socket
from http.client import HTTPException, HTTPResponse

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, DataReceived, StreamEnded, StreamReset
from h2.exceptions import ProtocolError

INSIDE = [("GET", "/admin/x"), ("POST", "/orders"), ("DELETE", "/items/7")]
SECONDS = 5


def upgraded(address, method, target, headers):
    """The status, and the texts of the response and of each response inside its connection; status 0 without a response."""
    host, port = address.split(":")
    http2 = H2Connection(H2Configuration(client_side=True))
    settings = http2.initiate_upgrade_connection().decode()
    lines = [f"{method} {target} HTTP/1.1", "host: app.example", *(f"{name}: {value}" for name, value in headers)]
    head = "\r\n".join([*lines, f"http2-settings: {settings}", "", ""]).encode("latin-1")
    try:
        with socket.create_connection((host, int(port)), timeout=SECONDS) as connection:
            connection.sendall(head)
            response = HTTPResponse(connection, method=method)
            response.begin()
            if response.status != 101:
                return response.status, "" if is_lingering(response) else response.read().decode("utf-8", "replace")
            return 101, response.getheader("x-door", "") + inside(connection, response.fp, http2)
    except (OSError, HTTPException):
        return 0, ""


def is_lingering(response):
    """Whether the body ends with a connection that the server may keep for seconds: Puma does so with a head that it refuses."""
    return response.status == 400 and response.length is None and not response.chunked


def inside(connection, received, http2):
    # The upgrade's own request is the first stream.
    waiting, body = {1}, b""
    for method, target in INSIDE:
        stream = http2.get_next_available_stream_id()
        head = [(":method", method), (":scheme", "http"), (":authority", "app.example"), (":path", target)]
        http2.send_headers(stream, head, end_stream=True)
        waiting.add(stream)
    try:
        connection.sendall(http2.data_to_send())
        while waiting and (data := received.read1(65536)):
            for event in http2.receive_data(data):
                if isinstance(event, DataReceived):
                    body += event.data
                elif isinstance(event, StreamEnded | StreamReset):
                    waiting.discard(event.stream_id)
                elif isinstance(event, ConnectionTerminated):
                    waiting.clear()
            connection.sendall(http2.data_to_send())
    except (OSError, ProtocolError):
        # A service of another protocol.
        pass
    return body.decode("utf-8", "replace")
