"""FastAPI behind the gateway with `[cors]` (R6a). Its own CORS middleware adds no header to an exception that nobody handles; a
script of another origin, in Chromium, reads that error all the same.

    browser.py GATEWAY_COMMAND
"""

import json
import os
import queue
import socket
import subprocess
import sys
import tempfile
import threading
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import uvicorn
from fastapi import FastAPI, HTTPException
from fastapi.middleware.cors import CORSMiddleware

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--remote-debugging-port=0",
)
PAGE = """<!doctype html><meta charset="utf-8"><title>cors</title><script type="module">
const read = async ([url, options]) => {
  try {
    const response = await fetch(url, options);
    const headers = ['x-request-id', 'x-error-code'].map((name) => response.headers.get(name));
    return { status: response.status, headers, body: await response.json() };
  } catch (error) {
    return { failed: error.name };
  }
};
const results = [];
for (const request of REQUESTS) results.push(await read(request));
await fetch('/results', { method: 'POST', body: JSON.stringify(results) });
</script>
"""


class Pages(ThreadingHTTPServer):
    """An origin: a page that sends requests, and what its script could read of their responses."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Page)
        self.origin = f"http://127.0.0.1:{self.server_port}"
        self.results = queue.Queue()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def read(self, *requests):
        self.page = PAGE.replace("REQUESTS", json.dumps(requests))
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
            chromium = subprocess.Popen(
                [CHROMIUM, *OPTIONS, f"--user-data-dir={profile}", self.origin],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )
            try:
                return self.results.get(timeout=60)
            finally:
                chromium.terminate()
                chromium.wait()


class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(self.server.page.encode() if self.path == "/" else b"")

    def do_POST(self):
        self.server.results.put(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self.answer(b"")

    def answer(self, body):
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def service(origins):
    app = FastAPI()
    app.add_middleware(CORSMiddleware, allow_origins=origins, allow_methods=["*"], allow_headers=["*"])

    @app.api_route("/fails", methods=["GET", "POST"])
    def fails():
        raise RuntimeError("the pool is gone")

    @app.get("/missing")
    def missing():
        raise HTTPException(404, "There is no ship 7.")

    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical"))
    threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True).start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


class Cors(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.own, cls.foreign = Pages(), Pages()
        cls.service = service([cls.own.origin])
        policy = Path(cls.enterClassContext(tempfile.TemporaryDirectory()), "policy.toml")
        policy.write_text(f'version = 1\n[cors]\norigins = ["{cls.own.origin}"]\n')
        cls.gateway = subprocess.Popen(
            [COMMAND, "gateway", "--listen", "127.0.0.1:0", "--upstream", cls.service, "--policy", policy],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )
        cls.url = next(line.split()[-1] for line in cls.gateway.stdout if line.startswith("listening on "))

    @classmethod
    def tearDownClass(cls):
        cls.gateway.terminate()
        cls.gateway.wait()
        cls.gateway.stdout.close()

    def check(self, read, status, code, message):
        self.assertEqual(read.get("status"), status, read)
        self.assertEqual(read["body"]["error"], {"code": code, "message": message})
        self.assertRegex(read["body"]["request_id"], "^req_[0-9A-Z]{26}$")
        self.assertEqual(read["headers"], [read["body"]["request_id"], code])

    def test_a_script_of_an_origin_that_is_listed_reads_each_error(self):
        # Its content type makes the browser ask before, which FastAPI's middleware answers.
        post = {"method": "POST", "headers": {"content-type": "application/json"}, "body": "{}"}
        fails, posted, missing = self.own.read([self.url + "/fails"], [self.url + "/fails", post], [self.url + "/missing"])
        self.check(fails, 500, "internal_error", "An unexpected error occurred.")
        self.check(posted, 500, "internal_error", "An unexpected error occurred.")
        self.check(missing, 404, "not_found", "There is no ship 7.")

    def test_without_the_gateway_it_reads_those_alone_that_were_handled(self):
        fails, missing = self.own.read([self.service + "/fails"], [self.service + "/missing"])
        self.assertEqual(fails, {"failed": "TypeError"})
        self.assertEqual((missing["status"], missing["body"]), (404, {"detail": "There is no ship 7."}))

    def test_a_script_of_another_origin_reads_none(self):
        refused = {"failed": "TypeError"}
        self.assertEqual(self.foreign.read([self.url + "/fails"], [self.url + "/missing"]), [refused, refused])


if __name__ == "__main__":
    COMMAND = sys.argv[1]
    unittest.main(argv=sys.argv[:1], verbosity=2)
