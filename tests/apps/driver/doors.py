"""Sends real applications every spelling of the way into their closed parts, bare and behind the gateway (G0).

It fails, and prints the request, if one without credentials reaches a closed part, if an upgrade that the policy does not allow
opens a connection, or if an ordinary request gets another answer than from the bare app. With `--envoy` it does so behind Envoy,
with the module and with the processor.
"""

import argparse
import os
import re
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException, HTTPResponse
from pathlib import Path

from run import APPS, Processes
from spellings import FORGED, ORDINARY, overridden, queried, upgrades, ways_in
from tunnel import is_lingering, upgraded

KEY = [("authorization", "Bearer doors-key-1")]
# The markers that only a request with credentials may get, by policy.
POLICIES = {"part": ("CLOSED-REACHED",), **dict.fromkeys(["public", "plain"], ("CLOSED-REACHED", "OPEN-REACHED"))}
WAYS, OVERRIDDEN, UPGRADES, QUERIED = list(ways_in()), list(overridden()), list(upgrades()), list(queried())
LITERAL = {("GET", "/admin"), ("POST", "/orders"), ("DELETE", "/items/7")}

# The apps that replace a method get the decorated names of methods; a push has time for the first two.
OVERRIDING = ["express", "express-any"]
ALL_OVERRIDING = [*OVERRIDING, "hono", "flask", "php", "rack", "symfony", "spring", "jersey"]
# The apps that answer upgrades, and those of them with h2c.
HTTP2 = ["hypercorn", "spring", "jersey"]
UPGRADING = [*HTTP2, "upgrade"]
# The apps behind rewrite rules that put the path into a query.
REWRITING = ["apache", "nginx", "lighttpd", "apache-mended", "nginx-mended", "apache-uri"]
# The targets by which an app is reached although it is closed, by policy. No guard covers them, and SECURITY.md names each.
BY_QUERY, BEHIND_AMPERSAND = r"[?&](url|%75rl)=|%26(url|%75rl)=", r"^[^?]*(&|%26).*(url|%75rl)="
# The front controller's own address.
BY_SCRIPT = r"^/index.php.*(url|%75rl)="
NOT_COVERED = {
    **{(name, policy): BY_QUERY for name in REWRITING[:3] for policy in POLICIES},
    **{(name, "public"): BEHIND_AMPERSAND for name in REWRITING[3:5]},
    **{(name, "part"): f"{BEHIND_AMPERSAND}|{BY_SCRIPT}" for name in REWRITING[3:5]},
    **{("elysia", policy): r"^http://ab?/" for policy in POLICIES},
    ("caddy", "part"): r"(\.|%2e|%20)$",
    ("uwsgi", "part"): r"%[2x]?$",
    ("hunchentoot", "part"): r"%u\w+$",
}
JARS = """
tomcat9-catalina tomcat9-coyote tomcat9-juli tomcat9-util tomcat9-util-scan tomcat9-api tomcat9-annotations-api tomcat9-jaspic-api
tomcat9-jni tomcat9-servlet-api spring3-web spring3-core spring3-beans spring3-context commons-logging jersey1-core jersey1-server
jersey1-servlet jsr311-api jaxb-api
""".split()

UWSGI = "uwsgi --plugins http,python3 --master --die-on-term --workers 2 --disable-logging".split()


def commands(made):
    """Each app's command and where it runs."""
    python = made / "venv" / "bin"
    gunicorn = [python / "gunicorn", "--log-level", "critical", "--threads", "4", "--permit-unconventional-http-method"]
    node = {name: (["node", "doors.js", name], made / "node") for name in ["express", "express-any", "fastify", "hono", "elysia"]}
    return node | {
        "starlette": ([python / "uvicorn", "--log-level", "critical", "doors:starlette_app", "--port"], made / "python"),
        "hypercorn": ([python / "hypercorn", "--log-level", "critical", "doors:starlette_app", "--bind"], made / "python"),
        "flask": ([*gunicorn, "doors:flask_app", "--bind"], made / "python"),
        "django": ([*gunicorn, "doors:django_app", "--bind"], made / "python"),
        "php": (["php", "-S"], APPS / "php"),
        "upgrade": (["node", "upgrade.js"], made / "node"),
        "deno": (["node_modules/.bin/deno", "run", "--allow-net", "deno.js"], made / "node"),
        "cheroot": ([python / "python", "cheroot_app.py"], made / "python"),
    }


def nightly(made):
    """The apps whose packages a push does not install."""
    java = ["java", "-XX:TieredStopAtLevel=1", "-cp", ":".join(f"/usr/share/java/{jar}.jar" for jar in JARS), "Doors.java"]
    return {filter: ([*java, filter], made / "java") for filter in ["spring", "jersey"]} | {
        "rack": (["ruby", "doors.rb"], made / "ruby"),
        "symfony": (["php", "-d", "include_path=/usr/share/php", "-S"], APPS / "symfony"),
        # Without a `php.ini` PHP has cookies among a request's parameters.
        "php-n": (["env", "DOOR_PATH=uri", "php", "-n", "-S"], APPS / "servers"),
        "trpc": (["node", "trpc.js"], made / "node"),
        "mojolicious": (["perl", "doors.pl"], APPS / "servers"),
        "hunchentoot": (["sbcl", "--script", "doors.lisp"], APPS / "servers"),
        "guile": (["guile", "--no-auto-compile", "doors.scm"], APPS / "servers"),
        "uwsgi": ([*UWSGI, "--venv", made / "venv", "--module", "doors:flask_app", "--http"], made / "python"),
    } | {name: (["./serve", made / "servers", name], APPS / "servers") for name in [*REWRITING, "caddy", "yaws"]}


class Client:
    """Sends a request as it is written: a library would normalise its target."""

    def __init__(self, address, patience=20):
        self.address, self.patience, self.socket = address, patience, None

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
            finally:
                # Node reads no second request from a connection that was to be upgraded, and lets it wait for seconds.
                if any(name.lower() == "upgrade" for name, _ in headers):
                    self.close()

    def send(self, head, method):
        if self.socket is None:
            host, port = self.address.split(":")
            self.socket = socket.create_connection((host, int(port)), timeout=self.patience)
        self.socket.sendall(head)
        response = HTTPResponse(self.socket, method=method)
        response.begin()
        body = "" if is_lingering(response) else response.read().decode("utf-8", "replace") or response.getheader("x-door", "")
        if response.will_close or response.status == 101:
            self.close()
        return response.status, body

    def close(self):
        if self.socket is not None:
            self.socket.close()
        self.socket = None


def loses_upgrade(place, method, headers):
    """Whether Envoy makes a plain preflight of a request: it removes an upgrade to h2c before any filter sees the head."""
    return place[0] != "gateway" and method == "OPTIONS" and any(
        name.lower() == "upgrade" and value.strip(" \t").lower() == "h2c" for name, value in headers
    )


def is_literal(method, target):
    path = target.split("?")[0]
    return (method, path) in LITERAL or path.startswith("/admin/")


def tried(name, bare, behind, places, has_decorated):
    """Returns what is wrong with an app, and its row of figures."""
    begun = time.monotonic()
    bare, behind = Client(bare), {place: Client(address) for place, address in behind.items()}
    ways = WAYS + OVERRIDDEN * has_decorated + QUERIED * (name in REWRITING)
    wrong, found, unseen, named = [], 0, 0, 0
    reached = dict.fromkeys(behind, 0)
    for method, target, headers in ways:
        is_way_in = "CLOSED-REACHED" in bare.ask(method, target, headers)[1]
        found += is_way_in
        unseen += is_way_in and (not is_literal(method, target) or bool(headers))
        for place, client in behind.items():
            status, body = client.ask(method, target, headers)
            if not any(marker in body for marker in POLICIES[place[1]]) or loses_upgrade(place, method, headers):
                continue
            reached[place] += 1
            if (name, place[1]) in NOT_COVERED and re.search(NOT_COVERED[name, place[1]], target):
                named += 1
            else:
                wrong.append(f"{name}: {' '.join(place)}.toml: {method} {target} {headers or ''} got in: {status} {body}")
    if not unseen:
        wrong.append(f"{name}: no other spelling reaches the closed part of the bare app, so this trial cannot fail")
    requests = len(ways)
    if name in UPGRADING:
        requests += len(UPGRADES)
        inside, problems = through_upgrades(name, bare, behind, reached)
        found += inside
        wrong += problems
    wrong += (f"{name}: {problem}" for problem in ordinary(name, bare, behind))
    passed = [*(reached.get(place, "") for place in places), named]
    return wrong, [name, requests, found, unseen, *passed, f"{time.monotonic() - begun:.0f} s"]


def through_upgrades(name, bare, behind, reached):
    """Returns how many upgrades lead into the closed part of the bare app, and what is wrong behind the gateway."""
    found, opened, wrong = 0, 0, []
    for method, target, headers in UPGRADES:
        status, body = upgraded(bare.address, method, target, headers)
        found += "CLOSED-REACHED" in body
        opened += status == 101
        for place, client in behind.items():
            status, body = upgraded(client.address, method, target, headers)
            got_in = any(marker in body for marker in POLICIES[place[1]])
            got_in = got_in and (status == 101 or not loses_upgrade(place, method, headers))
            if got_in or (status == 101 and not is_websocket(headers)):
                reached[place] += got_in
                how = "got in" if got_in else "opened a connection"
                wrong.append(f"{name}: {' '.join(place)}.toml: {method} {target} {headers} {how}: {status} {body}")
    if not (found if name in HTTP2 else opened):
        wrong.append(f"{name}: no upgrade reaches the closed part of the bare app, so this trial cannot fail")
    return found, wrong


def is_websocket(headers):
    """Whether a request has the one upgrade that passes without a flag."""
    return [value.strip(" \t").lower() for name, value in headers if name == "upgrade"] == ["websocket"]


def ordinary(name, bare, behind):
    for part, method, target in ORDINARY:
        expected = bare.ask(method, target)
        if name.startswith("apache") and "%20" in target:
            # It puts no space into a query: 403.
            continue
        if expected[0] != 200:
            yield f"{method} {target} is no ordinary request: {expected}"
        for place, client in behind.items():
            if place[1] == "plain" and not re.fullmatch(r"[\w./~-]+", target.split("?")[0]):
                continue
            needs_key = part == "closed" or (part == "open" and place[1] != "part")
            for headers in [KEY] if needs_key else [[], KEY]:
                got = client.ask(method, target, headers)
                if got != expected:
                    yield f"{' '.join(place)}.toml: {method} {target} {headers}: bare {expected}, behind {got}"
    for header in FORGED:
        for headers in ([header], [*KEY, header]):
            for place, client in behind.items():
                if place[1] == "part":
                    status, body = client.ask("GET", "/public/x", headers)
                    if status != 200 or "forged" in body:
                        yield f"{place[0]}: {header[0]} gets through: {status} {body}"


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--made", type=lambda path: Path(path).absolute(), required=True, help="directory of the apps' packages")
    options.add_argument("--target", type=lambda path: Path(path).absolute(), required=True, help="cargo's target directory")
    options.add_argument("--nightly", action="store_true", help="all apps, and decorated methods for all that replace one")
    options.add_argument("--envoy", help="Envoy's binary, which stands in front of the apps instead of the gateway")
    options.add_argument("only", nargs="*", help="only these apps, as `--nightly` has them")
    options = options.parse_args()
    apps, overriding = commands(options.made), OVERRIDING
    if options.nightly or options.only:
        apps, overriding = apps | nightly(options.made), ALL_OVERRIDING
    if unknown := set(options.only) - apps.keys():
        raise SystemExit(f"no such app: {', '.join(sorted(unknown))}")
    apps = {name: app for name, app in apps.items() if not options.only or name in options.only}
    places = [(kind, policy) for kind in (["module", "processor"] if options.envoy else ["gateway"]) for policy in POLICIES]
    several = {"env": {**os.environ, "PHP_CLI_SERVER_WORKERS": "4"}}

    with Processes(options.made / "logs") as processes, ThreadPoolExecutor(len(apps)) as threads:
        started = {name: processes.app(f"doors-{name}", command, cwd, **several) for name, (command, cwd) in apps.items()}
        trials = []
        for name, (process, address) in started.items():
            processes.until_it_answers(f"doors-{name}", process, address)
            behind = in_front(processes, options, name, address)
            trials.append(threads.submit(tried, name, address, behind, places, name in overriding))
        results = [trial.result() for trial in trials]
        lost = after_refused_upgrades(processes, options) if not options.only else 0
    passed = [f"pass {' '.join(place)}" for place in places]
    columns = ["app", "requests", "reach the bare app", "in another spelling", *passed, "of these not covered", "time"]
    for row in [columns, *(row for _, row in results)]:
        print("".join(f"{cell!s:22}" for cell in row).rstrip())
    wrong = [problem for problems, _ in results for problem in problems]
    wrong += [f"{lost} of 10 clients got no answer after a refused upgrade of another client"] * bool(lost)
    for problem in wrong:
        print(f"WRONG: {problem}", file=sys.stderr)
    total = sum(row[1] for _, row in results)
    print(f"{total} requests, {len(ORDINARY)} ordinary ones for each app, {len(results)} apps, {len(wrong)} wrong")
    sys.exit(bool(wrong))


def after_refused_upgrades(processes, options):
    """How many requests get no answer that follow an upgrade which the service refuses, and whose connection it keeps."""
    process, address = processes.app("refusing", ["node", "refusing.js"], options.made / "node")
    processes.until_it_answers("refusing", process, address)
    gateway = processes.gateway("refusing", options.target / "debug" / "error-envelope", address, APPS / "doors" / "part.toml")
    lost = 0
    for _ in range(10):
        refused = Client(gateway).ask("GET", "/public/x", [("connection", "upgrade"), ("upgrade", "websocket")])
        answer = Client(gateway, patience=2).ask("GET", "/public/x")
        lost += (refused[0], answer[0]) != (403, 200)
    print(f"after 10 refused upgrades, {lost} clients got no answer")
    return lost


def in_front(processes, options, name, address):
    """The addresses of what stands in front of an app, by its kind and its policy."""
    behind = {}
    for policy in POLICIES:
        if policy == "plain" and name not in REWRITING:
            continue
        file, label = APPS / "doors" / f"{policy}.toml", f"doors-{name}-{policy}"
        if not options.envoy:
            program = options.target / "debug" / "error-envelope"
            behind["gateway", policy] = processes.gateway(label, program, address, file)
            continue
        for kind in ("module", "processor"):
            front = (f"{label}-{kind}", options.envoy, options.target, file, address, kind == "processor")
            behind[kind, policy] = processes.envoy(*front)
    return behind


if __name__ == "__main__":
    main()
