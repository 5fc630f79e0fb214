"""Asks real applications what they say of bad input, bare and behind the layer.

It compares what they say with `tests/apps/said.json` and with `tests/apps/words.md`, and writes both with `--write`.
"""

import argparse
import json
import sys
import tomllib
from pathlib import Path

import page
from ask import ask, breaks_its_word, works, wrong_with
from run import APPS, Processes
from versions import versions

SAID = APPS / "said.json"
PAGE = APPS / "words.md"
# Where a program runs that is not of Python's packages.
HOMES = {"node": "node", "ruby": "ruby", "./gin": "go"}


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--write", action="store_true", help="write what was said instead of comparing it")
    options.add_argument("--made", type=lambda path: Path(path).absolute(), required=True, help="where the apps' packages are installed")
    options.add_argument("--target", type=lambda path: Path(path).absolute(), required=True, help="cargo's target directory")
    options.add_argument("--without", choices=sorted({*HOMES.values(), "python"}), help="leave out the apps in this folder")
    options.add_argument("only", nargs="*", help="these apps alone; nothing is written of the others")
    options = options.parse_args()

    apps = tomllib.loads((APPS / "apps.toml").read_text())["app"]
    requests = tomllib.loads((APPS / "requests.toml").read_text())["request"]
    pointed = {request["name"] for request in requests if "path" in request}
    for app in apps:
        if unknown := set(app.get("silent", [])) - pointed:
            raise SystemExit(f"{app['name']} is silent about what nobody asks: {', '.join(sorted(unknown))}")
    recorded = json.loads(SAID.read_text()) if SAID.exists() else {}
    unknown = set(options.only) - {app["name"] for app in apps}
    if unknown:
        raise SystemExit(f"no such app: {', '.join(sorted(unknown))}")
    chosen = [app for app in apps if not options.only or app["name"] in options.only]
    chosen = [app for app in chosen if options.without is None or options.without != home_of(app)]

    wrong, said = [], {}
    with Processes(options.made / "logs") as processes:
        for app, addresses in started(processes, chosen, options):
            said[app["name"]] = {"title": app["title"], "versions": versions(app), "rows": {}}
            if "copy" in app:
                said[app["name"]]["copy"] = app["copy"]
            for row, words, problems in rows(app, addresses, requests):
                said[app["name"]]["rows"][row] = words
                wrong += [f"{app['title']}: {row}: {problem}" for problem in problems]

    now = {app["name"]: said.get(app["name"], recorded.get(app["name"])) for app in apps}
    now = {name: told for name, told in now.items() if told}
    if options.write:
        SAID.write_text(json.dumps(now, indent=1, ensure_ascii=False) + "\n")
        PAGE.write_text(page.written(now, requests, APPS))
    else:
        wrong += compared(recorded, now)
        if not options.only and PAGE.read_text() != page.written(now, requests, APPS):
            wrong.append(f"{PAGE.name} shows something else: write it anew with .ci/frameworks --write")
    print(page.overviews(said, requests))
    for problem in wrong:
        print(f"WRONG: {problem}", file=sys.stderr)
    print(f"{len(said) * len(requests)} rows of what applications say, {len(wrong)} wrong")
    sys.exit(bool(wrong))


def started(processes, apps, options):
    """Each app with the address of itself and of the layer around it; all start at the same time."""
    behind = {}
    for app in apps:
        if "run" in app:
            program, *arguments = app["run"]
            home = home_of(app)
            if program == "framework-apps":
                program = options.target / "debug" / program
            elif home == "python":
                program = options.made / "venv" / "bin" / program
            behind[app["name"]] = processes.app(app["name"], [program, *arguments], options.made / home)
    in_process = {}
    if any("run" not in app for app in apps):
        in_process = processes.tower(options.target / "debug" / "examples" / "tower-apps")
    for app in apps:
        name = app["name"]
        if name in behind:
            process, address = behind[name]
            processes.until_it_answers(name, process, address)
            layered = processes.gateway(name, options.target / "debug" / "error-envelope", address)
            yield app, {"bare": address, "layered": layered}
        else:
            yield app, in_process[name]


def home_of(app):
    """The folder that an app runs in, or None where it runs in process."""
    return HOMES.get(app["run"][0], "python") if "run" in app else None


def rows(app, addresses, requests):
    for address in addresses.values():
        if broken := works(address):
            raise SystemExit(f"{app['title']} refuses what is right: {broken}")
    for request in requests:
        words, _ = ask(addresses["bare"], request)
        got, response = ask(addresses["layered"], request)
        problems = wrong_with(got, response, request)
        # Without an envelope there is nothing to read it from, and that is told.
        problems = problems or breaks_its_word(got, request, app.get("silent", []))
        yield request["name"], {"said": words, "got": got}, problems


def compared(before, now):
    for name, told in now.items():
        old = before.get(name, {})
        if old.get("versions") != told["versions"]:
            yield f"{told['title']}: recorded was {old.get('versions')}, and it is {told['versions']}"
        for row, words in told["rows"].items():
            recorded = old.get("rows", {}).get(row)
            if recorded != words:
                yield f"{told['title']}: {row}:\n  recorded: {recorded}\n  now:      {words}"
    for name in before.keys() - now.keys():
        yield f"{name} is recorded, and not asked any more"


if __name__ == "__main__":
    main()
