"""Three services of different frameworks behind one gateway, by three scopes of a policy.

While one of them is gone and one does not answer, the third is asked as much as it bears: none of its answers may fail, and its
throughput and latency are printed beside those of rounds without trouble. Envoy, with the configuration that `envoy-config`
writes for the same policy, has to give the answers that the gateway gives.
"""

import argparse
import os
import re
import signal
import statistics
import subprocess
import sys
import threading
import tomllib
from pathlib import Path

from ask import ask
from run import APPS, Processes, free_port

SERVICES = ["axum", "flask", "express"]
THIRD, SLOW, DEAD = SERVICES
ROUNDS = 3
SECONDS = 4
POLICY = '[scope]\nhosts = ["{name}.example"]\nupstream = "http://{address}"\n'


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--made", type=lambda path: Path(path).absolute(), required=True, help="where the apps' packages are installed")
    options.add_argument("--target", type=lambda path: Path(path).absolute(), required=True, help="cargo's target directory")
    options.add_argument("--logs", type=lambda path: Path(path).absolute(), required=True, help="where policies and logs are written")
    options.add_argument("--envoy", help="the binary of Envoy, which loads the module from cargo's target directory")
    options = options.parse_args()
    with Processes(options.logs) as processes:
        services = started(processes, options)
        policy = written(options.logs, {name: address for name, (_, address) in services.items()})
        gateway = processes.gateway("services", options.target / "debug" / "error-envelope", None, policy)
        wrong = []
        if options.envoy:
            wrong += compared(gateway, processes.envoy("envoy", options.envoy, options.target, policy))
        wrong += side_by_side(processes, options, gateway, services)
    for problem in wrong:
        print(f"WRONG: {problem}", file=sys.stderr)
    sys.exit(bool(wrong))


def started(processes, options):
    """Each service's process and address."""
    python = options.made / "python"
    gunicorn = [options.made / "venv" / "bin" / "python", "-m", "gunicorn", "--log-level", "critical", "flask_app:app", "--bind"]
    slow = processes.app(SLOW, gunicorn, python, start_new_session=True)
    processes.until_it_answers(SLOW, *slow)
    tower = processes.tower(options.target / "debug" / "examples" / "tower-apps")
    dead = f"127.0.0.1:{free_port()}"
    return {THIRD: (None, tower[THIRD]["bare"]), SLOW: slow, DEAD: (alive(processes, options, dead), dead)}


def alive(processes, options, address):
    """The service that is ended and begun again, in its place."""
    process = processes.start(DEAD, ["node", "express.js", address.split(":")[1]], cwd=options.made / "node")
    processes.until_it_answers(DEAD, process, address)
    return process


def written(folder, addresses):
    (folder / "services").mkdir(exist_ok=True)
    for name, address in addresses.items():
        text = "version = 1\n" + POLICY.format(name=name, address=address)
        (folder / "services" / f"{name}.toml").write_text(text)
    policy = folder / "policy.toml"
    policy.write_text('version = 1\ninclude = ["services/*.toml"]\n')
    return policy


def compared(gateway, envoy):
    """What differs between their answers to the same requests, to each service and to none of them."""
    requests = tomllib.loads((APPS / "requests.toml").read_text())["request"]
    # Envoy sends a service the path in its normalised form, and the gateway as it came: no such path is asked.
    requests += [{"send": f"GET {path}"} for path in ("/orders?page=1", "/orders/1", "/orders/%31", "/nowhere")]
    hosts = [f"{name}.example" for name in SERVICES] + ["elsewhere.example"]
    for host in hosts:
        for request in requests:
            here, there = (answer(address, request, host) for address in (gateway, envoy))
            if here != there:
                yield f"{host}: {request['send']}:\n  gateway: {here}\n  envoy:   {there}"
    print(f"{len(hosts) * len(requests)} answers of the gateway, compared with Envoy's for the same policy")


def answer(address, request, host):
    told, response = ask(address, request, {"host": host})
    return {**told, "code": response.getheader("x-error-code"), "id": bool(response.getheader("x-request-id"))}


def side_by_side(processes, options, gateway, services):
    """Rounds without trouble and with it, in turn; what went wrong."""
    wrong, figures = [], {"without": [], "with": []}
    dead, place = services[DEAD]
    slow = services[SLOW][0]
    for _ in range(ROUNDS):
        figures["without"].append(measured(gateway, wrong))
        dead.kill()
        dead.wait()
        os.killpg(slow.pid, signal.SIGSTOP)
        try:
            with Trouble(gateway) as trouble:
                figures["with"].append(measured(gateway, wrong))
        finally:
            os.killpg(slow.pid, signal.SIGCONT)
        wrong += trouble.wrong()
        dead = alive(processes, options, place)
        print(f"meanwhile {trouble.refused} requests to the service that is gone got 502, {trouble.held} waited for the slow one")
    print(f"\n{'the third service':<28}{'requests/s':>12}{'p50 ms':>10}{'p99 ms':>10}")
    for name, rounds in figures.items():
        rate, half, most = (statistics.median(column) for column in zip(*rounds))
        print(f"{name + ' trouble':<28}{rate:>12.0f}{half:>10.2f}{most:>10.2f}")
    return wrong


UNITS = {"us": 0.001, "ms": 1, "s": 1000}


def measured(gateway, wrong):
    """Requests a second, and the median and 99th percentile of their times in ms."""
    command = ["wrk", "-t", "1", "-c", "16", "-d", f"{SECONDS}s", "--latency", "-H", f"Host: {THIRD}.example", f"http://{gateway}/orders/1"]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    if "Non-2xx" in told or "Socket errors" in told:
        wrong.append(f"the third service failed:\n{told}")
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", told)[1])
    times = [re.search(rf"{share}%\s+([\d.]+)(us|ms|s)\n", told) for share in (50, 99)]
    return rate, *(float(time[1]) * UNITS[time[2]] for time in times)


class Trouble:
    """Clients of the service that is gone, and of the one that does not answer."""

    def __init__(self, gateway):
        self.gateway, self.stopped = gateway, threading.Event()
        self.refused = self.held = 0
        self.others = []

    def __enter__(self):
        self.threads = [threading.Thread(target=self.ask_gone)] + [threading.Thread(target=self.ask_slow) for _ in range(32)]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.held = sum(thread.is_alive() for thread in self.threads[1:])
        # They are served, or out of time, once the service goes on.

    def ask_gone(self):
        while not self.stopped.wait(0.02):
            told = answer(self.gateway, {"send": "GET /orders/1"}, f"{DEAD}.example")
            if (told["status"], told["code"]) == (502, "other"):
                self.refused += 1
            else:
                self.others.append(told)

    def ask_slow(self):
        told = answer(self.gateway, {"send": "GET /orders?page=1"}, f"{SLOW}.example")
        if told["status"] != 200:
            self.others.append(told)

    def wrong(self):
        for thread in self.threads:
            thread.join()
        wrong = [f"while two services were in trouble: {told}" for told in self.others]
        if not self.refused or not self.held:
            wrong.append(f"there was no trouble: {self.refused} refused, {self.held} held")
        return wrong


if __name__ == "__main__":
    main()
