"""Runs what envoy.py wrote in a real Envoy with the real processor, and looks at one response of each kind.

    live.py ENVOY COMMAND DIRECTORY NAME...

The configuration of a NAME that ends in `-unpatched` has no EnvoyPatchPolicy: there, Envoy's own errors stay its own.
"""

import http.server
import json
import re
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

POLICY = 'version = 1\n[[route]]\nmatch = "/orders/{*rest}"\nmode = "enforce"\nbody_limit = "1 KiB"\n[defaults]\nmode = "enforce"\n'


class Service(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        status, body = (409, b'{"error":{"code":"taken","message":"Taken."}}') if "taken" in self.path else (200, b"{}")
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def free_port():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return bound.getsockname()[1]


def soon(condition, what):
    until = time.monotonic() + 30
    while not condition():
        if time.monotonic() > until:
            sys.exit(f"never: {what}")
        time.sleep(0.1)


def answer(port, head):
    """The status, and the code of the envelope: `None` if the response has none."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
            client.sendall(head.encode())
            response = b"".join(iter(lambda: client.recv(65536), b"")).decode()
    except OSError:
        return None, None
    head, _, body = response.partition("\r\n\r\n")
    try:
        code = json.loads(body)["error"]["code"]
    except (ValueError, KeyError):
        code = None
    identified = re.search(r"^x-request-id: req_[0-9A-HJKMNP-TV-Z]{26}\r?$", head, re.MULTILINE)
    return int(head.split()[1]) if head else None, code if identified else "no id" if code else code


def get(path, more=""):
    return f"GET {path} HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\n{more}\r\n"


def check(envoy, command, directory, name, service):
    ports = {10080: free_port(), 10081: service, 9002: free_port()}
    text = (directory / f"{name}.json").read_text().replace("error-envelope-ext-proc.default.svc.cluster.local", "127.0.0.1")
    text = re.sub(r'"port_value": (\d+)', lambda found: f'"port_value": {ports[int(found[1])]}', text)
    config, policy = directory / f"{name}.live.json", directory / "live.toml"
    config.write_text(text)
    policy.write_text(POLICY)
    with open(directory / f"{name}.log", "w") as log:
        processor = subprocess.Popen(
            [command, "ext-proc", "--policy", policy, "--listen", f"127.0.0.1:{ports[9002]}"], stdout=subprocess.DEVNULL, stderr=log)
        proxy = subprocess.Popen(
            [envoy, "--config-path", config, "--disable-hot-restart", "--concurrency", "1"], stdout=log, stderr=log)
    edge, patched = ports[10080], not name.endswith("-unpatched")
    try:
        soon(lambda: answer(edge, get("/orders/1"))[0] == 200, f"{name}: a response of the service")
        own = [(404, "not_found"), (400, "bad_request"), (503, "service_unavailable")]
        without_route, malformed, alone = own if patched else [(status, None) for status, _ in own]
        for head, expected in [
            (get("/orders/taken"), (409, "conflict")),
            (get("/orders/1", "content-type: application/json\r\ncontent-length: 2000\r\n"), (413, "payload_too_large")),
            (get("/elsewhere"), without_route),
            (get("/orders/1", "bad\0: name\r\n"), malformed),
        ]:
            assert answer(edge, head) == expected, f"{name}: {head!r}: {answer(edge, head)}, not {expected}"
        processor.kill()
        processor.wait()
        assert answer(edge, get("/orders/1")) == alone, f"{name}: without the processor: {answer(edge, get('/orders/1'))}"
    finally:
        proxy.kill()
        processor.kill()
    print(f"{name}: as its manifest states")


def main(envoy, command, directory, *names):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name in names:
        check(envoy, command, Path(directory), name, server.server_address[1])


main(*sys.argv[1:])
