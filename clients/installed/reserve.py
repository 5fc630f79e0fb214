"""A program of an empty project. A request whose error has the organisation's own code, with the advice `no`, is sent once."""

import http.client
import json
import pathlib
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer

from error_envelope import ClientError, codes_of, parse_error, retry

CODES = codes_of(json.loads(pathlib.Path("errors.json").read_text()))


class Seats(BaseHTTPRequestHandler):
    asked = 0

    def do_PUT(self) -> None:
        Seats.asked += 1
        code = "seat_lost" if self.path == "/own" else "service_unavailable"
        error = {"code": code, "message": "The seat is lost."}
        body = json.dumps({"error": error, "request_id": "req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D"}).encode()
        self.send_response(503)
        for name, value in {"content-type": "application/json", "retry-after": "0", "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@dataclass
class Response:
    status_code: int
    headers: dict[str, str]
    content: bytes


def put(path: str) -> Response:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port)
    connection.request("PUT", path)
    response = connection.getresponse()
    return Response(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())


def reserve(path: str) -> ClientError | None:
    Seats.asked = 0
    return parse_error(retry(lambda: put(path), method="PUT", codes=CODES), codes=CODES)


server = HTTPServer(("127.0.0.1", 0), Seats)
threading.Thread(target=server.serve_forever, daemon=True).start()
for path, expected in {"/own": ("seat_lost", "no", 1), "/": ("service_unavailable", "backoff", 4)}.items():
    error = reserve(path)
    assert error is not None
    assert (error.code, error.retry, Seats.asked) == expected, (error, Seats.asked)
print("installed: the organisation's own code is sent once")
