"""A preprocessor of mdBook: pages of the repository outside of manual/ that the book links to become pages of the book.

A link to a file that is no page, such as a source file, becomes the file's name: the book has no such file. So does a link to a
page that tests generate for maintainers.
"""
import json
import os
import re
import sys

FOLDER = "repository"
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")
GENERATED = {
    ".ci/README.md",
    "crates/cli/benches/abuse/abuse.md",
    "tests/apps/words.md",
    "tests/frameworks/checks.md",
    "tests/repository/house.md",
}
FENCED = re.compile(r"(^[ \t]*```.*?^[ \t]*```[^\n]*)", re.MULTILINE | re.DOTALL)


class Book:
    def __init__(self, root):
        self.root, self.found = root, {}

    def page(self, file):
        """The path in the book of a page of the repository."""
        if file == "manual/README.md":
            return "index.md"
        if file.startswith("manual/"):
            return file.removeprefix("manual/")
        self.found.setdefault(file, None)
        return f"{FOLDER}/{file}"

    def mended(self, text, file):
        """The text of a page of the repository, with its links as they hold in the book."""
        here = os.path.dirname(self.page(file))

        def link(match):
            image, label, target = match.groups()
            path, anchor = (target.split("#", 1) + [""])[:2]
            if "://" in target or target.startswith("mailto:") or not path:
                return match[0]
            to = os.path.normpath(os.path.join(os.path.dirname(file), path))
            if not os.path.exists(os.path.join(self.root, to)):
                sys.exit(f"{file}: the link {target} leads nowhere")
            if to.startswith("manual/"):
                to = os.path.relpath(self.page(to), here)
            elif to.endswith(".md") and to not in GENERATED:
                to = os.path.relpath(self.page(to), here)
            else:
                return label if to in label else f"{label} (`{to}`)"
            return f"{image}[{label}]({to}{'#' + anchor if anchor else ''})"

        # A link's text may go on in the next line.
        blocks = FENCED.split(text)
        return "".join(block if FENCED.match(block) else LINK.sub(link, block) for block in blocks)


def chapters(items):
    for item in items:
        if isinstance(item, dict) and "Chapter" in item:
            yield item["Chapter"]
            yield from chapters(item["Chapter"]["sub_items"])


def main():
    if sys.argv[1:2] == ["supports"]:
        return
    context, content = json.load(sys.stdin)
    book = Book(os.path.join(context["root"], ".."))
    items = content["items"]
    for chapter in chapters(items):
        if source := chapter["source_path"]:
            chapter["content"] = book.mended(chapter["content"], f"manual/{source}")
    items.append({"PartTitle": "The repository"})
    # A page may lead to one more.
    while pending := [file for file, text in book.found.items() if text is None]:
        for file in pending:
            with open(os.path.join(book.root, file), encoding="utf-8") as page:
                book.found[file] = book.mended(page.read(), file)
    for file, text in sorted(book.found.items()):
        title = text.split("\n", 1)[0].lstrip("# ") + f" ({file})"
        path = f"{FOLDER}/{file}"
        items.append({"Chapter": {
            "name": title, "content": text, "number": None, "sub_items": [],
            "path": path, "source_path": path, "parent_names": [],
        }})
    json.dump(content, sys.stdout)


main()
