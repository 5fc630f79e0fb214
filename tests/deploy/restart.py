"""Restarts a gateway with the unit's flags on a socket that stays open, as systemd does, while clients keep their connections.

Each client sends a request every 50 ms, and opens a new connection only after a response with `connection: close`. A
connection that ends in any other way is a failure. Run it as `restart.py COMMAND UNIT`.
"""

import http.client
import os
import re
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

CLIENTS, EVERY, RESTARTS = 8, 0.05, 2


def start(command, listener, drain):
    """Passes the socket as descriptor 3, under the number of the new process (sd_listen_fds)."""
    arguments = [command, "gateway", "--upstream", "http://127.0.0.1:1", "--drain-delay", drain, "--stop-timeout", "5s"]
    script = 'exec 3<&%d; export LISTEN_FDS=1 LISTEN_PID=$$; exec "$@"' % listener.fileno()
    process = subprocess.Popen(
        ["bash", "-c", script, "start", *arguments],
        pass_fds=[listener.fileno()],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    line = process.stdout.readline()
    assert line.startswith("listening on "), line
    return process


def keep_alive(port, failures, counts, stop):
    connection, has_response = None, False
    while not stop.is_set():
        try:
            if connection is None:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            connection.request("GET", "/nothing")
            response = connection.getresponse()
            response.read()
            counts.append(response.status)
            if response.getheader("connection") == "close":
                connection = None
        except OSError as error:
            failures.append(repr(error))
            connection = None
        time.sleep(EVERY)


def main(command, unit):
    drain = re.search(r"--drain-delay (\S+)", Path(unit).read_text())[1]
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    process = start(command, listener, drain)
    failures, counts, stop = [], [], threading.Event()
    port = listener.getsockname()[1]
    clients = [threading.Thread(target=keep_alive, args=(port, failures, counts, stop)) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    for _ in range(RESTARTS):
        before = len(counts)
        while len(counts) < before + 20 * CLIENTS:
            time.sleep(EVERY)
        process.terminate()
        assert process.wait() == 0, process.returncode
        process = start(command, listener, drain)
    before = len(counts)
    while len(counts) < before + 10 * CLIENTS:
        time.sleep(EVERY)
    stop.set()
    for client in clients:
        client.join()
    process.terminate()
    process.wait()
    print(f"{len(counts)} requests of {CLIENTS} clients over {RESTARTS} restarts, {len(failures)} broken off")
    assert not failures and set(counts) == {502}, (failures[:3], set(counts))


main(*sys.argv[1:])
