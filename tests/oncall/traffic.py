"""The error ratio, the latency and the burn-rate alert, by promtool, on what a gateway counted of real requests.

Writes a test for `promtool test rules`: a scrape of a live gateway stands for each minute. For 70 minutes its service answers,
then for 8 it fails, slowly. Run it as `traffic.py COMMAND RULES >TEST`.
"""

import http.client
import json
import re
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

GOOD, BAD, REQUESTS = 70, 8, 4
SLOW = 0.3
NAMES = re.compile(r"error_envelope_(requests_total|request_duration_seconds_(bucket|count|sum))\{(.*)\} ([0-9.e+-]+)$")


class Service(BaseHTTPRequestHandler):
    fails = False
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if Service.fails:
            time.sleep(SLOW)
        self.send_response(500 if Service.fails else 200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def get(address, path):
    connection = http.client.HTTPConnection(address, timeout=30)
    connection.request("GET", path)
    response = connection.getresponse()
    return response.status, response.read().decode()


def gateway(command, service):
    arguments = ["gateway", "--listen", "127.0.0.1:0", "--admin", "0", "--upstream", f"http://127.0.0.1:{service}"]
    process = subprocess.Popen([command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    addresses = {}
    while len(addresses) < 2:
        line = process.stdout.readline()
        assert line, "the gateway ended"
        found = re.match(r"(listening|admin) on \S*?([\d.]+:\d+)", line)
        if found:
            addresses[found[1]] = found[2]
    return process, addresses["listening"], addresses["admin"]


def scrape(admin):
    found = (NAMES.match(line) for line in get(admin, "/metrics")[1].splitlines())
    return {match.group(0).rsplit(" ", 1)[0]: match.group(4) for match in found if match}


def minutes(command):
    service = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=service.serve_forever, daemon=True).start()
    process, clients, admin = gateway(command, service.server_port)
    try:
        for minute in range(GOOD + BAD):
            Service.fails = minute >= GOOD
            seen = {get(clients, "/orders")[0] for _ in range(REQUESTS)}
            assert seen == {500 if Service.fails else 200}, seen
            yield scrape(admin)
    finally:
        process.terminate()
        process.wait()


def with_job(series):
    return series.replace("{", '{job="gateway",', 1)


def checks(minute, *pairs):
    samples = lambda value: [] if value is None else [{"labels": '{job="gateway"}', "value": value}]
    return [{"expr": expr, "eval_time": f"{minute}m", "exp_samples": samples(value)} for expr, value in pairs]


def main(command, rules):
    scrapes = list(minutes(command))
    names = sorted({name for scraped in scrapes for name in scraped})
    values = {name: " ".join(scraped.get(name, "_") for scraped in scrapes) for name in names}
    ratio, p99 = "job:error_envelope_requests:error_ratio_rate5m", "job:error_envelope_request_duration_seconds:p99_rate5m"
    firing = 'count by (job) (ALERTS{alertname="ErrorEnvelopeErrorBudgetBurnsFast", alertstate="firing"})'
    healthy = checks(GOOD - 1, (f"{ratio} > 0", None), (f"{p99} < bool {SLOW}", 1), (firing, None))
    failing = checks(GOOD + BAD - 1, (f"sum by (job) ({ratio})", 1), (f"{p99} > bool {SLOW}", 1), (firing, 1))
    test = {
        "interval": "1m",
        "input_series": [{"series": with_job(name), "values": values[name]} for name in names],
        "promql_expr_test": healthy + failing,
    }
    print(json.dumps({"rule_files": [rules], "evaluation_interval": "1m", "tests": [test]}, indent=1))


main(*sys.argv[1:])
