"""The page `tests/apps/words.md`."""

import json

INTRODUCTION = """\
# What frameworks say of bad input

Real applications, from their registries, were asked the same by a client that accepts JSON: what each of them says by
itself, and what the client gets from it behind the layer. `.ci/frameworks` asks them again and fails when a row of this
page is no longer true; `.ci/frameworks --write` writes the page. Each app limits its bodies to 64 KiB where it can, and
the layer's policy to 128 KiB. The apps stand in [`tests/apps`](.).
"""

POINTED = """\
## The member that is wrong, as the client reads it

What an app's words name, the client reads as the path of an issue, and nothing of the value that was sent. Where there is
no path the words name no member: serde says of a missing member its name alone, and of a wrong type nothing but the
line and the column; salvo and Rocket keep to themselves what was wrong unless a handler tells it. For each of these stands
a row with the few lines that let it say where: its section has the file to copy. Only the path of the URL stays without a name there: it is the route's own.

Of a wrong type Go's decoder says no place in a list, and of a number in a query, path or form nothing but that it is none.
Falcon takes of jsonschema its sentence without the place, and Connexion does so for a query.
"""

OTHERS = """\
## What names no member

Who has no answer of its own to another method says 404. Django says 400 to a body over its limit, as Gin does where `err` is
sent as it is, and Feathers says 500 to a body that cannot be read. FastAPI, h3, Falcon, Connexion and Grape have no limit.
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
        lines = [f"## {app['title']}\n", f"{versions}.\n", row(["", "it says", "the client gets"]), row(["---"] * 3)]
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
