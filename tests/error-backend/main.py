"""Starts nginx between a service and the error backend, and looks at what a client gets of each kind of error.

    main.py ADDRESS LOG FOLDER

ADDRESS and LOG are the error backend's; FOLDER gets what nginx writes.
"""

import http.server
import json
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path


class Service(http.server.BaseHTTPRequestHandler):
    """Its status is the last part of the path."""

    def do_GET(self):
        self.send_response(int(self.path.split("/")[-1].split("?")[0]))
        self.send_header("content-length", "6")
        self.end_headers()
        self.wfile.write(b"secret")

    def log_message(self, *_):
        pass


def free_ports(count):
    bound = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [it.getsockname()[1] for it in bound]
    for it in bound:
        it.close()
    return ports


def start_nginx(folder, port, closed, service, backend):
    config = Path(__file__).with_name("nginx.conf").read_text().split("\n", 1)[1]
    values = {"PORT": port, "SERVICE": service, "CLOSED": closed, "BACKEND": backend, "OUT": folder}
    config = re.sub(r"\b(" + "|".join(values) + r")\b", lambda found: str(values[found[0]]), config)
    (folder / "nginx.conf").write_text(config)
    with open(folder / "logs/start.log", "w") as log:
        nginx = subprocess.Popen(["nginx", "-p", folder, "-c", folder / "nginx.conf"], stderr=log)
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return nginx
        except OSError:
            if nginx.poll() is not None:
                sys.exit("".join(log.read_text() for log in (folder / "logs").iterdir()))
            time.sleep(0.1)


def get(url, **headers):
    try:
        return urllib.request.urlopen(urllib.request.Request(url, headers=headers))
    except urllib.error.HTTPError as error:
        return error


def check(front, log):
    def error(path, status, code, **headers):
        response = get(front + path, **headers)
        body = response.read().decode()
        identifier = response.headers["x-request-id"]
        assert response.status == status and response.headers["x-error-code"] == code, (path, response.status, body)
        assert re.fullmatch("req_[0-9A-HJKMNP-TV-Z]{26}", identifier), identifier
        assert "secret" not in body, body
        # A thread of its own writes the log.
        until = time.monotonic() + 10
        while identifier not in log.read_text():
            assert time.monotonic() < until, identifier
            time.sleep(0.01)
        return response, body, identifier

    assert get(front + "/200").read() == b"secret"
    for path, status, code in [
        ("/orders/503", 503, "service_unavailable"),
        ("/orders/409?x=1", 409, "conflict"),
        ("/down/now", 502, "other"),
    ]:
        _, body, identifier = error(path, status, code)
        envelope = json.loads(body)
        assert envelope["error"]["code"] == code and envelope["request_id"] == identifier, body
        assert envelope["error"]["retry"] == ("no" if status == 409 else "backoff"), body
    _, body, _ = error("/v1/models/429", 429, "rate_limited")
    assert json.loads(body)["error"]["code"] == "rate_limit_exceeded", body
    response, body, identifier = error("/orders/404", 404, "not_found", Accept="text/html,*/*;q=0.1")
    assert response.headers["content-type"].startswith("text/html") and identifier in body, body
    response, body, _ = error("/orders/404", 404, "not_found", Accept="application/problem+json")
    assert json.loads(body)["status"] == 404 and response.headers["content-type"] == "application/problem+json", body
    text = log.read_text()
    assert 'route="/v1/{*rest}"' in text and 'origin="proxy"' in text, text
    print("nginx handed over 6 errors: envelopes, a dialect, a page, a problem, each with the id of its log line")


def main(address, log, folder):
    service = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=service.serve_forever, daemon=True).start()
    port, closed = free_ports(2)
    nginx = start_nginx(Path(folder), port, closed, service.server_port, address.removeprefix("http://"))
    try:
        check(f"http://127.0.0.1:{port}", Path(log))
    finally:
        nginx.terminate()


main(*sys.argv[1:])
