"""The page `tests/apps/words.md`."""

import json

INTRODUCTION = """\
# Reports of bad input, framework by framework

A client that accepts JSON sends the same bad input to real applications, from their registries. The tables show each
application's own response, and what the client gets from the layer around it. `.ci/frameworks` sends the requests again,
and fails when a row is no longer true; `.ci/frameworks --write` writes this page. Each app limits its bodies to 64 KiB
where it can, and the layer's policy to 128 KiB. The apps are in [`tests/apps`](.).
"""

POINTED = """\
## The wrong field, as the client reads it

If a report names a field, the client reads it as the path of an issue, without the value that was sent. A cell without a
path means that the report names no field. For a missing field, serde's report has the name alone; for a wrong type it has
the line and the column. salvo and Rocket report nothing unless a handler does. For each of these there is a second row,
with a few lines of code that report the path: its section has the file to copy. The URL's own path stays without a name.

Go's decoder reports no position in a list for a wrong type, and no name for a wrong number in a query, path or form.
Falcon uses the sentence of jsonschema without the place, as Connexion does for a query.
"""

OTHERS = """\
## Errors without a field

An app without a response to another method sends 404. Django sends 400 for a body over its limit, as Gin does if `err` is
sent as it is; Feathers sends 500 for a body that cannot be read. FastAPI, h3, Falcon, Connexion and Grape have no limit.
"""


def written(said, requests, apps):
    return "\n".join([INTRODUCTION, overviews(said, requests), *sections(said, apps)])


def overviews(said, requests):
    """Two tables: of what is wrong in one place, and of everything else."""
    pointed, others = [], []
    for request in requests:
        (pointed if "path" in request else others).append(request["name"])
    return "\n".join([POINTED, overview(said, pointed), OTHERS, overview(said, others)])


def overview(said, names):
    lines = [row(["", *names]), row(["---"] * (len(names) + 1))]
    for app in said.values():
        lines.append(row([app["title"], *(read(app["rows"][name]["got"]) for name in names)]))
    return "\n".join(lines) + "\n"


def sections(said, apps):
    for app in said.values():
        versions = ", ".join(f"{name} {version}" for name, version in app["versions"].items())
        lines = [f"## {app['title']}\n", f"{versions}.\n", row(["", "its response", "the client gets"]), row(["---"] * 3)]
        for name, words in app["rows"].items():
            lines.append(row([name, told(words["said"]), read(words["got"], whole=True)]))
        yield "\n".join(lines) + "\n" + copied(app, apps)


def copied(app, apps):
    """The file that an owner takes over, whole."""
    if "copy" not in app:
        return ""
    path = apps / app["copy"]
    language = {".rs": "rust", ".ts": "ts"}[path.suffix]
    used = f"[`{path.name}`]({app['copy']})"
    text = path.read_text().replace("pub(crate) ", "pub ")
    # No test of the library's: it has none of these frameworks' crates.
    fence = f"{language},ignore" if language == "rust" else language
    return f"\nTo copy, {used}:\n\n```{fence}\n{text}```\n"


def told(answer):
    media = answer.get("type", "").split(";")[0]
    kind = f" {media}" if media else ""
    return f"{answer['status']}{kind}" + (f": {code(answer['body'])}" if answer["body"] else "")


def read(answer, whole=False):
    """The status, the code, and where something is wrong."""
    status = str(answer["status"])
    if answer["status"] < 400:
        return status
    error = json.loads(answer["body"])["error"]
    issues = (error.get("details") or {}).get("issues", [])
    text = f"{status} `{error['code']}`"
    if not whole:
        return text + ", ".join(f" {path(issue)}" for issue in issues if issue["path"])
    others = {key: value for key, value in (error.get("details") or {}).items() if key != "issues"}
    lines = [f"{text}: {plain(error['message'])}"]
    lines += [f"{path(issue)} {plain(issue['message'])}{kind(issue)}" for issue in issues]
    lines += [code(json.dumps(others, ensure_ascii=False, separators=(",", ":")))] if others else []
    return "<br>".join(lines)


def kind(issue):
    return f" ({code(issue['code'])})" if "code" in issue else ""


def path(issue):
    return code(json.dumps(issue["path"], ensure_ascii=False, separators=(",", ":")))


def row(cells):
    return "| " + " | ".join(cells) + " |"


def code(text):
    """As it came, on one line; the fence is longer than any run of backticks within."""
    text = " ".join(text.split()).replace("|", "\\|")
    if len(text) > 400:
        text = text[:400] + "…"
    fence = "`" if "`" not in text else "``"
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{space}{text}{space}{fence}"


def plain(text):
    for character in "\\`|<*_[":
        text = text.replace(character, "\\" + character)
    return text
