"""Starts processes and ends those that it started."""

import json
import random
import re
import socket
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

APPS = Path(__file__).parent.parent
SECONDS_TO_START = 60


class Processes(ExitStack):
    """What was started, each with its output in a file of its own."""

    def __init__(self, logs):
        super().__init__()
        self.logs = logs
        logs.mkdir(parents=True, exist_ok=True)

    def start(self, name, command, **options):
        log = self.enter_context(open(self.logs / f"{name}.log", "wb"))
        options = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log, **options}
        process = subprocess.Popen(command, **options)
        self.callback(end, process)
        return process

    def app(self, name, command, cwd, **options):
        """On a port that the system names, which is the command's last argument."""
        port = free_port()
        last = f"127.0.0.1:{port}" if command[-1] in ("--bind", "-S") else str(port)
        return self.start(name, [*command, last], cwd=cwd, **options), f"127.0.0.1:{port}"

    def gateway(self, name, program, upstream, policy=APPS / "policy.toml"):
        command = [program, "gateway", "--listen", "127.0.0.1:0", "--policy", policy]
        command += ["--upstream", f"http://{upstream}"] if upstream else []
        process = self.start(f"{name}.gateway", command, stdout=subprocess.PIPE)
        said = process.stdout.readline().decode()
        found = re.search(r"listening on http://(\S+)", said)
        if not found:
            raise SystemExit(f"the gateway for {name} did not start: {self.told(name + '.gateway')}")
        return found[1]

    def tower(self, program):
        """The apps in process; they serve until their input ends."""
        process = self.start("tower", [program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        said = process.stdout.readline()
        if not said:
            raise SystemExit(f"the apps in process did not start: {self.told('tower')}")
        return json.loads(said)

    def until_it_answers(self, name, process, address):
        host, port = address.split(":")
        ends = time.monotonic() + SECONDS_TO_START
        while time.monotonic() < ends:
            if process.poll() is not None:
                raise SystemExit(f"{name} ended with {process.returncode}: {self.told(name)}")
            try:
                socket.create_connection((host, int(port)), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise SystemExit(f"{name} did not listen within {SECONDS_TO_START} s: {self.told(name)}")

    def told(self, name):
        return (self.logs / f"{name}.log").read_text(errors="replace")[-2000:]


def free_port():
    """Below those that the system gives to connections: one of these could take it before the app listens."""
    while True:
        port = random.randrange(20_000, 30_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def end(process):
    process.terminate()
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            pipe.close()
