"""Spans and lines of the log that a collector gets from a gateway, with the messages of OpenTelemetry's own package.

Run it as `otlp.py COMMAND`, with a command that was built with the feature `otlp`.
"""

import http.client
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

POLICY = 'version = 1\n\n[[route]]\nmatch = "GET /seats/{id}"\n\n[[route]]\nmatch = "POST /seats"\njson = true\n'
CLIENT = "4bf92f3577b34da6a3ce929d0e0e4736"
SAMPLED, UNSAMPLED, UNKNOWN = (f"00-{CLIENT}-00f067aa0ba902b7-{flags}" for flags in ("01", "00", "fd"))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body=b""):
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Service(Handler):
    """Answers with the trace context that it got."""

    got = queue.Queue()

    def do_GET(self):
        Service.got.put((self.headers.get("traceparent"), self.headers.get("tracestate")))
        self.answer(500 if self.path == "/seats/broken" else 200)


class Collector(Handler):
    spans, lines, names = {}, [], set()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path == "/v1/traces":
            for group in ExportTraceServiceRequest.FromString(body).resource_spans:
                Collector.names.add(attributes(group.resource)["service.name"])
                for span in (span for scope in group.scope_spans for span in scope.spans):
                    Collector.spans[attributes(span)["request_id"]] = span
        elif self.path == "/v1/logs":
            groups = ExportLogsServiceRequest.FromString(body).resource_logs
            Collector.lines += [line for group in groups for scope in group.scope_logs for line in scope.log_records]
        self.answer(200)


def attributes(of):
    return {it.key: getattr(it.value, it.value.WhichOneof("value")) for it in of.attributes}


def listen(handler):
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def gateway(collector, service, stderr=None):
    """Starts a gateway, and returns its process and its address."""
    environment = dict(os.environ, OTEL_EXPORTER_OTLP_ENDPOINT=collector, OTEL_SERVICE_NAME="seats")
    with open("target/otlp.toml", "w") as policy:
        policy.write(POLICY)
    flags = ["gateway", "--listen", "127.0.0.1:0", "--upstream", service, "--policy", "target/otlp.toml"]
    process = subprocess.Popen([sys.argv[1], *flags], env=environment, stdout=subprocess.PIPE, stderr=stderr, text=True)
    return process, process.stdout.readline().removeprefix("listening on http://").strip()


def send(address, method, path, headers={}, body=None):
    """Sends a request, and returns the status and the request id."""
    connection = http.client.HTTPConnection(address, timeout=30)
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    response.read()
    return response.status, response.getheader("x-request-id")


def stop(process, seconds=60):
    """Stops the gateway, which sends what waits first."""
    process.send_signal(signal.SIGTERM)
    assert process.wait(seconds) == 0


service = listen(Service)
process, address = gateway(listen(Collector), service)
# A trace of the client goes on; a request without one begins one, whose id is the request's.
continued = send(address, "GET", "/seats/7?token=secret", {"traceparent": SAMPLED, "tracestate": "a=1"})[1]
begun = send(address, "GET", "/seats/8", {"tracestate": "a=1"})[1]
broken = send(address, "GET", "/seats/broken", {"traceparent": UNKNOWN})[1]
refused = send(address, "POST", "/seats", {"content-type": "text/xml"}, "<seat/>")
unsampled = send(address, "GET", "/seats/9", {"traceparent": UNSAMPLED})[1]
assert refused[0] == 415, refused
stop(process)

got = [Service.got.get_nowait() for _ in range(4)]
spans = Collector.spans
assert Collector.names == {"seats"} and set(spans) == {continued, begun, broken, refused[1]}, spans
for (traceparent, _), id in zip(got, (continued, begun, broken)):
    assert traceparent == f"00-{spans[id].trace_id.hex()}-{spans[id].span_id.hex()}-01", (traceparent, spans[id])
assert [state for _, state in got] == ["a=1", None, None, None], got
assert got[3][0].startswith(f"00-{CLIENT}-") and got[3][0].endswith("-00") and got[3][0] != UNSAMPLED, got
assert spans[continued].trace_id.hex() == CLIENT and spans[continued].parent_span_id.hex() == "00f067aa0ba902b7"
assert not spans[begun].parent_span_id and "secret" not in str(spans)

ok, error, refusal = (attributes(spans[id]) for id in (continued, broken, refused[1]))
assert ok["http.route"] == "/seats/{id}" and ok["url.scheme"] == "http" and ok["url.path"] == "/seats/7", ok
assert ok["http.response.status_code"] == 200 and "error.type" not in ok, ok
assert error["http.response.status_code"] == 500 and error["error.type"] == "internal_error", error
assert refusal["error.type"] == "unsupported_media_type" and "upstream" not in refusal, refusal
assert [spans[id].name for id in (begun, refused[1])] == ["GET /seats/{id}", "POST /seats"], spans
assert [spans[id].status.code for id in (continued, broken, refused[1])] == [0, 2, 0], spans

lines = {attributes(line).get("request_id"): line for line in Collector.lines}
assert {broken, refused[1]} == set(lines) - {None}, lines
for id in (broken, refused[1]):
    assert (lines[id].trace_id, lines[id].span_id) == (spans[id].trace_id, spans[id].span_id), (id, lines[id])
print(f"{len(spans)} spans and {len(Collector.lines)} lines of the log, as a collector got them")

# One that never answers delays a stop by two seconds, not by the exporter's own limits.
silent = socket.create_server(("127.0.0.1", 0))
process, address = gateway(f"http://127.0.0.1:{silent.getsockname()[1]}", service)
assert send(address, "GET", "/seats/1")[0] == 200
stop(process, 8)

# A collector that is away costs no request its answer, and no stop more than its limit.
process, address = gateway("http://127.0.0.1:9", service, stderr=subprocess.PIPE)
statuses = {send(address, "GET", "/seats/1")[0] for _ in range(50)}
assert statuses == {200}, statuses
stop(process)
log = process.stderr.read()
assert 'ExportError" error="Operation failed: http://127.0.0.1:9: ' in log, log
