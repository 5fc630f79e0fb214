"""Puts Envoy with the module in front of the bare application: behind_envoy.py FOLDER SERVER, where FOLDER has the
command and the module. It prints the server's line of JSON with Envoy's addresses in it, and serves until its input ends or
it is terminated.

`ENVOY` names the binary of Envoy. A second one stands in front of a port that nobody listens on.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

FOLDER, SERVER = Path(sys.argv[1]).absolute(), json.loads(sys.argv[2])
POLICY = Path(__file__).with_name("envoy.toml")


def start(upstream, work):
    command = [FOLDER / "error-envelope", "envoy-config", "--policy", POLICY, "--upstream-h2", "--upstream", upstream]
    config = subprocess.run([*command, "--listen", "127.0.0.1:0", "--envoy-admin", "127.0.0.1:0"], check=True, stdout=-1).stdout
    (work / "envoy.yaml").write_bytes(config)
    return subprocess.Popen(
        [os.environ["ENVOY"], "-c", work / "envoy.yaml", "--admin-address-path", work / "admin"]
        + ["--concurrency", "1", "--disable-hot-restart", "-l", "error"],
        env={**os.environ, "ENVOY_DYNAMIC_MODULES_SEARCH_PATH": str(FOLDER)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )


def address(envoy, work):
    """Where it listens, once its administration says so."""
    for _ in range(600):
        if envoy.poll() is not None:
            sys.exit(f"Envoy has ended with {envoy.returncode}")
        try:
            listeners = urllib.request.urlopen(f"http://{(work / 'admin').read_text()}/listeners?format=json").read()
            address = json.loads(listeners)["listener_statuses"][0]["local_address"]["socket_address"]
            if address["port_value"]:
                return f"http://{address['address']}:{address['port_value']}"
        except (OSError, LookupError):
            pass
        time.sleep(0.1)
    sys.exit("Envoy does not listen")


def main():
    # Envoy ends with this process.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    bare = SERVER["apps"]["bare"].removeprefix("http://")
    with socket.socket() as nobody, tempfile.TemporaryDirectory() as folder:
        nobody.bind(("127.0.0.1", 0))
        envoys = {}
        try:
            for app, upstream in {"mixed": bare, "dead": f"127.0.0.1:{nobody.getsockname()[1]}"}.items():
                work = Path(folder, app)
                work.mkdir()
                envoys[app] = (start(upstream, work), work)
            apps = {app: address(*envoy) for app, envoy in envoys.items()}
            print(json.dumps({**SERVER, "apps": apps, "behind": "envoy"}), flush=True)
            sys.stdin.read()
        finally:
            for envoy, _ in envoys.values():
                envoy.terminate()
                envoy.wait()


main()
