"""Starts processes and ends those that it started."""

import json
import os
import random
import re
import signal
import socket
import subprocess
import time
from contextlib import ExitStack, suppress
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
        last = f"127.0.0.1:{port}" if command[-1] in ("--bind", "-S", "--http") else str(port)
        return self.start(name, [*command, last], cwd=cwd, **options), f"127.0.0.1:{port}"

    def gateway(self, name, program, upstream, policy=APPS / "policy.toml"):
        command = [program, "gateway", "--listen", "127.0.0.1:0", "--policy", policy]
        command += ["--upstream", f"http://{upstream}"] if upstream else []
        return self.listening(f"{name}.gateway", command)

    def listening(self, name, command):
        """The address that the command prints in its first line."""
        process = self.start(name, command, stdout=subprocess.PIPE)
        found = re.search(r"listening on http://(\S+)", process.stdout.readline().decode())
        if not found:
            raise SystemExit(f"{name} did not start: {self.told(name)}")
        return found[1]

    def envoy(self, name, binary, target, policy, upstream=None, processor=False):
        """Where an Envoy listens that runs what the command writes for the module, or for the processor."""
        program, address = target / "debug" / "error-envelope", f"127.0.0.1:{free_port()}"
        command = [program, "envoy-config", "--listen", address, "--policy", policy]
        command += ["--upstream", upstream] if upstream else []
        if processor:
            serve = [program, "ext-proc", "--listen", "127.0.0.1:0", "--policy", policy]
            command += ["--ext-proc", self.listening(f"{name}.processor", serve)]
        config = self.logs / f"{name}.yaml"
        config.write_text(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
        command = [binary, "-c", config, "--concurrency", "1", "--disable-hot-restart", "-l", "error"]
        module = {**os.environ, "ENVOY_DYNAMIC_MODULES_SEARCH_PATH": str(target / "debug")}
        process = self.start(name, command, env=module)
        self.until_it_answers(name, process, address)
        return address

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
    # PHP's workers outlive the server that started them.
    workers = [] if process.poll() is not None else children(process.pid)
    process.terminate()
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for worker in workers:
        with suppress(ProcessLookupError):
            os.kill(worker, signal.SIGTERM)
    for pipe in (process.stdin, process.stdout):
        if pipe:
            pipe.close()


def children(pid):
    """None where the kernel lists no children."""
    with suppress(OSError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []
