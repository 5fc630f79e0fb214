"""Checks that no name that we publish under is somebody else's: on crates.io, PyPI and npm it must be free, or have our
repository. A registry that cannot be reached is skipped, with a message.

Each registry is read by its own client, so that a mirror that is configured for it is used. What a client prints may name
that mirror, and is not shown. It runs at the root of the repository.
"""

import json
import os
import re
import subprocess
import sys
import tomllib


def run(*command):
    """The output of a client, or None where it fails; and its messages."""
    # Offline, cargo reads its cache, in which a name that was never fetched is absent.
    online = os.environ | {"CARGO_NET_OFFLINE": "false"}
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=120, env=online)
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return None, ""
    return (ended.stdout if ended.returncode == 0 else None), ended.stderr


def crates_io(name):
    output, messages = run("cargo", "info", "--registry", "crates-io", "--color", "never", name)
    if output is None:
        return None if f"could not find `{name}`" in messages else "unknown"
    return "".join(re.findall(r"^repository: (.*)$", output, re.M))


def pypi(name):
    output, messages = run(sys.executable, "-m", "pip", "index", "versions", name)
    if output is None:
        # pip prints this for a registry that it cannot reach, too, after its retries.
        is_absent = f"No matching distribution found for {name}" in messages and "Retrying" not in messages
        return None if is_absent else "unknown"
    # A wheel states its addresses without running its author's code.
    wheel = "--dry-run", "--quiet", "--no-deps", "--ignore-installed", "--only-binary", ":all:", "--report", "-"
    report, _ = run(sys.executable, "-m", "pip", "install", *wheel, name)
    links = json.loads(report)["install"][0]["metadata"].get("project_url", []) if report else []
    return "".join(link.split(", ")[1] for link in links if link.startswith("Repository, "))


def npm(name):
    output, messages = run("npm", "view", name, "repository.url")
    if output is None:
        return None if "E404" in messages else "unknown"
    return output


def our_crates():
    metadata = json.loads(subprocess.check_output(["cargo", "metadata", "--no-deps", "--format-version", "1"]))
    return [(it["name"], it["repository"]) for it in metadata["packages"] if it["publish"] != []]


def our_wheel():
    with open("clients/python/pyproject.toml", "rb") as file:
        project = tomllib.load(file)["project"]
    return [(project["name"], project.get("urls", {}).get("Repository"))]


def our_npm_package():
    with open("clients/typescript/package.json", encoding="utf-8") as file:
        package = json.load(file)
    return [(package["name"], package.get("repository", {}).get("url"))]


def address(repository):
    """Without what a registry adds: `git+https://…/x.git` is `https://…/x`."""
    return (repository or "").strip().removeprefix("git+").removesuffix("/").removesuffix(".git")


# Each with a package that is there as long as the registry is.
REGISTRIES = [
    ("crates.io", crates_io, our_crates, "tower"),
    ("PyPI", pypi, our_wheel, "pip"),
    ("npm", npm, our_npm_package, "typescript"),
]

foreign = []
for registry, repository_of, ours, reference in REGISTRIES:
    if repository_of(reference) in (None, "unknown"):
        print(f"not tested: {registry} cannot be reached from here")
        continue
    for name, our_repository in ours():
        found = repository_of(name)
        if found is None:
            print(f"{registry}: {name} is free")
        elif found == "unknown":
            print(f"not tested: {registry}: {name}: the registry could not be read")
        elif our_repository and address(found) == address(our_repository):
            print(f"{registry}: {name} is ours")
        else:
            foreign.append(f"{registry}: {name} has the repository {address(found) or '(none)'}, not ours ({our_repository or 'no manifest states one'})")

if foreign:
    sys.exit("\n".join([*foreign, "choose other names, or state our repository in the manifests"]))
