"""The versions that lock files name, and those of Debian's packages that are installed."""

import json
import re
import subprocess
import tomllib
from functools import cache

from run import APPS

LOCKS = [APPS / "rust" / "Cargo.lock", APPS.parent.parent / "Cargo.lock"]


def versions(app):
    lock = APPS / "node" / "package-lock.json"
    named = {name: npm(lock)[f"node_modules/{name}"]["version"] for name in app.get("npm", [])}
    named |= {name: pypi(APPS / "python" / "requirements.txt")[name] for name in app.get("pypi", [])}
    named |= {name: debian(name) for name in app.get("debian", [])}
    # What runs in process is of the workspace's own lock file, and anything else of the other.
    crates = LOCKS[0] if "run" in app else LOCKS[1]
    return named | {name: cargo(crates)[name] for name in app.get("crates", [])}


@cache
def npm(lock):
    return json.loads(lock.read_text())["packages"]


@cache
def pypi(requirements):
    return dict(re.findall(r"^(\S+)==(\S+)$", requirements.read_text(), re.MULTILINE))


@cache
def cargo(lock):
    return {package["name"]: package["version"] for package in tomllib.loads(lock.read_text())["package"]}


def debian(name):
    """As the package's authors count them: Debian's own repairs change nothing of what is said."""
    told = subprocess.run(["dpkg-query", "-W", "-f=${Version}", name], stdout=subprocess.PIPE, text=True, check=True).stdout
    return re.sub(r"^\d+:|[+-][^-]*$", "", told)
