"""Sends real applications every spelling of the way into their closed parts, bare and behind the gateway (G0).

It fails, and prints the request, if one without credentials reaches a closed part, or if an ordinary request gets another
answer than from the bare app.
"""

import argparse
import os
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException, HTTPResponse
from pathlib import Path

from run import APPS, Processes
from spellings import FORGED, ORDINARY, ways_in

KEY = [("authorization", "Bearer doors-key-1")]
# The markers that only a request with credentials may get, by policy.
POLICIES = {"part": ("CLOSED-REACHED",), "public": ("CLOSED-REACHED", "OPEN-REACHED")}
WAYS = list(ways_in())
LITERAL = {("GET", "/admin"), ("POST", "/orders"), ("DELETE", "/items/7")}


def commands(made):
    """Each app's command and where it runs."""
    python = made / "venv" / "bin"
    gunicorn = [python / "gunicorn", "--log-level", "critical", "--threads", "4", "--permit-unconventional-http-method"]
    node = {name: (["node", "doors.js", name], made / "node") for name in ["express", "fastify", "hono"]}
    return node | {
        "starlette": ([python / "uvicorn", "--log-level", "critical", "doors:starlette_app", "--port"], made / "python"),
        "flask": ([*gunicorn, "doors:flask_app", "--bind"], made / "python"),
        "django": ([*gunicorn, "doors:django_app", "--bind"], made / "python"),
        "php": (["php", "-S"], APPS / "php"),
        "upgrade": (["node", "upgrade.js"], made / "node"),
        "deno": (["node_modules/.bin/deno", "run", "--allow-net", "deno.js"], made / "node"),
        "cheroot": ([python / "python", "cheroot_app.py"], made / "python"),
    }


class Client:
    """Sends a request as it is written: a library would normalise its target."""

    def __init__(self, address):
        self.host, port = address.split(":")
        self.port, self.socket = int(port), None

    def ask(self, method, target, headers=()):
        """Returns the status and the body; status 0 if the connection closes without an answer."""
        lines = [f"{method} {target} HTTP/1.1", "host: app.example", *(f"{name}: {value}" for name, value in headers)]
        if method not in ("GET", "HEAD", "DELETE", "delete") and "content-length" not in dict(headers):
            lines.append("content-length: 0")
        for is_last in (self.socket is None, True):
            try:
                return self.send("\r\n".join([*lines, "", ""]).encode("latin-1"), method)
            except (OSError, HTTPException):
                self.close()
                if is_last:
                    return 0, ""

    def send(self, head, method):
        if self.socket is None:
            self.socket = socket.create_connection((self.host, self.port), timeout=20)
        self.socket.sendall(head)
        response = HTTPResponse(self.socket, method=method)
        response.begin()
        body = response.read().decode("utf-8", "replace") or response.getheader("x-door", "")
        if response.will_close or response.status == 101:
            self.close()
        return response.status, body

    def close(self):
        if self.socket is not None:
            self.socket.close()
        self.socket = None


def is_literal(method, target):
    path = target.split("?")[0]
    return (method, path) in LITERAL or path.startswith("/admin/")


def tried(name, bare, behind):
    """Returns what is wrong with an app, and its row of figures."""
    bare, behind = Client(bare), {policy: Client(address) for policy, address in behind.items()}
    wrong, found, unseen = [], 0, 0
    reached = dict.fromkeys(POLICIES, 0)
    for method, target, headers in WAYS:
        is_way_in = "CLOSED-REACHED" in bare.ask(method, target, headers)[1]
        found += is_way_in
        unseen += is_way_in and (not is_literal(method, target) or bool(headers))
        for policy, markers in POLICIES.items():
            status, body = behind[policy].ask(method, target, headers)
            if any(marker in body for marker in markers):
                reached[policy] += 1
                wrong.append(f"{name}: {policy}.toml: {method} {target} {headers or ''} got in: {status} {body}")
    if not unseen:
        wrong.append(f"{name}: no other spelling reaches the closed part of the bare app, so this trial cannot fail")
    wrong += (f"{name}: {problem}" for problem in ordinary(bare, behind))
    row = [name, len(WAYS), found, unseen, *reached.values()]
    return wrong, row


def ordinary(bare, behind):
    for part, method, target in ORDINARY:
        expected = bare.ask(method, target)
        if expected[0] != 200:
            yield f"{method} {target} is no ordinary request: {expected}"
        for policy, client in behind.items():
            needs_key = part == "closed" or (part == "open" and policy == "public")
            for headers in [KEY] if needs_key else [[], KEY]:
                got = client.ask(method, target, headers)
                if got != expected:
                    yield f"{policy}.toml: {method} {target} {headers}: bare {expected}, behind {got}"
    for header in FORGED:
        for headers in ([header], [*KEY, header]):
            status, body = behind["part"].ask("GET", "/public/x", headers)
            if status != 200 or "forged" in body:
                yield f"{header[0]} gets through: {status} {body}"


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--made", type=lambda path: Path(path).absolute(), required=True, help="directory of the apps' packages")
    options.add_argument("--target", type=lambda path: Path(path).absolute(), required=True, help="cargo's target directory")
    options.add_argument("only", nargs="*", help="only these apps")
    options = options.parse_args()
    apps = {name: app for name, app in commands(options.made).items() if not options.only or name in options.only}
    if unknown := set(options.only) - apps.keys():
        raise SystemExit(f"no such app: {', '.join(sorted(unknown))}")
    several = {"env": {**os.environ, "PHP_CLI_SERVER_WORKERS": "4"}}

    with Processes(options.made / "logs") as processes, ThreadPoolExecutor(len(apps)) as threads:
        started = {name: processes.app(f"doors-{name}", command, cwd, **several) for name, (command, cwd) in apps.items()}
        trials = []
        for name, (process, address) in started.items():
            processes.until_it_answers(f"doors-{name}", process, address)
            program = options.target / "debug" / "error-envelope"
            behind = {
                policy: processes.gateway(f"doors-{name}-{policy}", program, address, APPS / "doors" / f"{policy}.toml")
                for policy in POLICIES
            }
            trials.append(threads.submit(tried, name, address, behind))
        results = [trial.result() for trial in trials]
    columns = ["app", "requests", "reach the bare app", "in another spelling", *(f"pass {policy}.toml" for policy in POLICIES)]
    for row in [columns, *(row for _, row in results)]:
        print("".join(f"{cell!s:20}" for cell in row).rstrip())
    wrong = [problem for problems, _ in results for problem in problems]
    for problem in wrong:
        print(f"WRONG: {problem}", file=sys.stderr)
    print(f"{len(WAYS)} spellings, {len(ORDINARY)} ordinary requests, {len(results)} apps, {len(wrong)} wrong")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
