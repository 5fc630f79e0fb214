"""Checks the bills of materials of a folder: each has every crate that the list beside it names, with licences and hashes."""

import json
import pathlib
import sys

out = pathlib.Path(sys.argv[1])
for listed in sorted(out.glob("*.txt")):
    bill = json.loads(listed.with_suffix(".json").read_text())
    parts = {(it["name"], it["version"]): it for it in [bill["metadata"]["component"], *bill["components"]]}
    linked = {tuple(line.split()) for line in listed.read_text().splitlines()}
    missing = sorted(linked - parts.keys())
    assert not missing, f"{listed.stem}: the bill lacks {missing}"
    bare = [name for name, it in parts.items() if not it.get("licenses")]
    assert not bare, f"{listed.stem}: no licence of {bare}"
    foreign = [it for it in parts.values() if "download_url=file" not in it["purl"]]
    bare = [it["name"] for it in foreign if not it.get("hashes")]
    assert not bare, f"{listed.stem}: no hash of {bare}"
    print(f"{listed.stem}.json: all {len(linked)} linked crates, each with a licence, {len(foreign)} of registries with a hash")
for made in out.glob("error-envelope-client.json"):
    npm = json.loads(made.read_text())
    # Its name is that of the folder.
    assert npm["metadata"]["component"]["purl"].startswith("pkg:npm/error-envelope-client@"), npm
    assert not npm["components"], npm
    print("error-envelope-client.json: no dependencies")
