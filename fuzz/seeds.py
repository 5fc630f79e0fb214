"""Seeds of the fuzz targets, made of the cases under tests/: `seeds.py FOLDER` writes them to FOLDER/TARGET.

A target reads bytes as choices (fuzz_targets/): what stands in front of a body here says which.
"""

import hashlib
import pathlib
import sys
import tomllib

TESTS = pathlib.Path(__file__).parent.parent / "tests"
# As in fuzz_targets/rewrite.rs.
TYPES = ["application/json", "text/plain", "text/html", "application/problem+json"]
# As in fuzz_targets/words.rs: what the first byte says of the rest.
TEXT, JSON = 2, 3


def main(folder):
    seeds = {"rewrite": set(), "words": set(), "policy": set()}
    for file in sorted(TESTS.glob("cases/*.toml")):
        for case in tomllib.loads(file.read_text())["case"]:
            for row in [case, *({**case, **row} for row in case.get("each", []))]:
                of_case(row, case, seeds)
    for file in sorted(TESTS.glob("polic*/**/*.toml")):
        seeds["policy"].add(b"GET /\n" + file.read_bytes())
    for target, found in seeds.items():
        assert len(found) > 50, (target, len(found))
        into = pathlib.Path(folder) / target
        into.mkdir(parents=True, exist_ok=True)
        for seed in found:
            (into / f"seed-{hashlib.sha256(seed).hexdigest()[:16]}").write_bytes(seed)


def of_case(row, case, seeds):
    inner = {**case.get("inner", {}), **row.get("inner", {})}
    request = {**case.get("request", {}), **row.get("request", {})}
    if isinstance(row.get("policy"), str):
        asked = f"{request.get('method', 'GET')} {request.get('path', '/')}\n"
        seeds["policy"].add((asked + row["policy"]).encode())
    body, status = inner.get("body"), inner.get("status", 200)
    if not isinstance(body, str) or len(body) > 4096 or not 400 <= status < 600:
        return
    said = next((value for name, value in inner.get("headers", []) if name.lower() == "content-type"), "")
    kind = next((at for at, it in enumerate(TYPES) if said.startswith(it)), 5)
    seeds["rewrite"].add(bytes([status - 400, kind, 0, 0]) + body.encode())
    seeds["words"].add(bytes([JSON if body.startswith(("{", "[")) else TEXT, status % 256]) + body.encode())


main(sys.argv[1])
