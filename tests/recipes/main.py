"""Runs the recipes of manual/recipes-id.md as services behind the gateway: the log of each has the id that the client got.

    main.py MADE TARGET GO

MADE has the packages of `.ci/frameworks`, TARGET is cargo's folder, GO the command. A recipe that is no whole service is part
of a service of this folder. Sections of the page are named by their headings; one that is not in the list fails.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE.parent / "apps" / "driver"))
from doors import JARS  # noqa: E402
from run import Processes, free_port  # noqa: E402

MADE, TARGET, GO = (Path(path).absolute() for path in sys.argv[1:])
COMMAND = TARGET / "debug" / "error-envelope"
OUT = TARGET / "recipes"
PYTHON = MADE / "venv" / "bin" / "python"
# Spring Boot, too, has its own lines through SLF4J.
LOGGING = ["slf4j-api", "jcl-over-slf4j", "logback-classic", "logback-core"]
CLASSES = ":".join(f"/usr/share/java/{jar}.jar" for jar in [*LOGGING, *JARS]) + ":."
BLOCK = re.compile(r"^```\w+ (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# The rest of nginx' configuration, around a recipe.
NGINX = """daemon off;
pid OUT/nginx.pid;
error_log OUT/error.log;
events {}
http {
    client_body_temp_path OUT/body;
    proxy_temp_path OUT/proxy;
    fastcgi_temp_path OUT/fastcgi;
    uwsgi_temp_path OUT/uwsgi;
    scgi_temp_path OUT/scgi;
"""


def written(title, files):
    """The folder of a recipe, with the blocks of its section and the files of this folder that it needs."""
    folder = OUT / re.sub(r"\W", "", title)
    folder.mkdir(parents=True)
    shared = SECTIONS["Python"] if "```python" in SECTIONS[title] else ""
    for name, text in BLOCK.findall(SECTIONS[title] + shared):
        (folder / name).write_text(text)
    for name in files:
        shutil.copy(HERE / name, folder)
    return folder


def spring(folder):
    """Debian's Spring is of the time before `jakarta`. The pattern of the page is Spring Boot's for a level."""
    text = (folder / "RequestIdFilter.java").read_text().replace("jakarta.", "javax.")
    (folder / "RequestIdFilter.java").write_text(text)
    level = re.search(r"`logging\.pattern\.level=([^`]+)`", SECTIONS["Spring Boot"])[1]
    (folder / "logback.xml").write_text(
        '<configuration><appender name="out" class="ch.qos.logback.core.ConsoleAppender"><encoder>'
        f"<pattern>{level} %m%n</pattern></encoder></appender>"
        '<root level="info"><appender-ref ref="out"/></root></configuration>'
    )
    subprocess.run(["javac", "-nowarn", "-cp", CLASSES, "App.java"], cwd=folder, check=True)


def go(folder):
    (folder / "go.mod").write_text("module recipe\n\ngo 1.21\n")
    subprocess.run([GO, "build", "-o", "recipe", "."], cwd=folder, check=True)


def express(folder):
    (folder / "node_modules").symlink_to(MADE / "node" / "node_modules")


def laravel(folder):
    (folder / "bootstrap" / "cache").mkdir(parents=True)


# By the heading: what is copied, what is made, and the command; the port is its last argument or PORT.
SERVICES = {
    "Express": ([], express, lambda port: ["node", "express.mjs"]),
    "FastAPI": ([], None, lambda port: [PYTHON, "fastapi_app.py"]),
    "Flask": ([], None, lambda port: [PYTHON, "flask_app.py"]),
    "Django": (["django_app.py"], None, lambda port: [PYTHON, "django_app.py", port]),
    "Spring Boot": (["App.java"], spring, lambda port: ["java", "-cp", CLASSES, "App", port]),
    "Go": ([], go, lambda port: ["./recipe"]),
    "Rails": (["app.ru"], None, lambda port: ["puma", "--quiet", "--bind", f"tcp://127.0.0.1:{port}", "app.ru"]),
    "Laravel": (["index.php"], laravel, lambda port: ["php", "-S", f"127.0.0.1:{port}", "index.php"]),
}
NOT_RUN = "ASP.NET Core"


def started(processes, title):
    """The address of a recipe's service."""
    files, make, command = SERVICES[title]
    folder = written(title, files)
    if make:
        make(folder)
    port = str(free_port())
    process = processes.start(folder.name, command(port), cwd=folder, env={**os.environ, "PORT": port})
    processes.until_it_answers(folder.name, process, f"127.0.0.1:{port}")
    return f"127.0.0.1:{port}"


def failed(address):
    """The id that a client gets with an error, which its header and body have."""
    request = urllib.request.Request(f"http://{address}/orders/7", headers={"accept": "application/json"})
    try:
        urllib.request.urlopen(request, timeout=30)
    except urllib.error.HTTPError as error:
        body = json.loads(error.read())
        assert error.code == 500 and body["request_id"] == error.headers["x-request-id"], (error.code, body)
        return body["request_id"]
    raise AssertionError(f"{address}: no error")


def logged(title, log, wanted, beside=""):
    """The first line of a log with two texts, which may be written after the response."""
    ends = time.monotonic() + 10
    while time.monotonic() < ends:
        for line in log.read_text(errors="replace").splitlines():
            if wanted in line and re.search(beside, line, re.IGNORECASE):
                print(f"{title}: {line[:160]}")
                return line
        time.sleep(0.05)
    sys.exit(f"{title}: the log lacks {wanted}:\n{log.read_text(errors='replace')[-1500:]}")


def nginx(processes, name, port, parts):
    """An nginx with these parts of its configuration."""
    folder = OUT / name
    folder.mkdir()
    (folder / "nginx.conf").write_text(NGINX.replace("OUT", str(folder)) + parts + "}\n")
    process = processes.start(name, ["nginx", "-p", folder, "-c", folder / "nginx.conf"])
    processes.until_it_answers(name, process, f"127.0.0.1:{port}")
    return f"127.0.0.1:{port}"


def nginx_recipes(processes, service, gateway):
    shown = dict(BLOCK.findall(SECTIONS["nginx"]))
    port = free_port()
    log = OUT / "access.log"
    server = f"access_log {log} id;\nserver {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://{gateway}; }} }}\n"
    front = nginx(processes, "nginx-front", port, shown["front.conf"] + server)
    logged("nginx in front of the gateway", log, failed(front))

    backend = processes.listening("backend", [COMMAND, "error-backend", "--listen", "127.0.0.1:0"])
    port = free_port()
    recipe = shown["backend.conf"]
    server = f"""access_log off;
    server {{
        listen 127.0.0.1:{port};
        proxy_intercept_errors on;
        error_page 500 @errors;
        location / {{ {recipe} proxy_pass http://{service}; }}
        location @errors {{ internal; proxy_intercept_errors off; {recipe} proxy_set_header X-Code $status; proxy_pass http://{backend}; }}
    }}
    """
    front = nginx(processes, "nginx-backend", port, server)
    line = logged("the error backend behind nginx", OUT / "backend.log", failed(front))
    logged("the service behind this nginx", OUT / "Express.log", re.search(r'client_request_id="(\w+)"', line)[1])


SECTIONS = dict(part.split("\n", 1) for part in (ROOT / "manual" / "recipes-id.md").read_text().split("\n## ")[1:])
unknown = set(SECTIONS) ^ {*SERVICES, NOT_RUN, "Python", "nginx"}
assert not unknown, f"recipes that are not run: {unknown}"
shutil.rmtree(OUT, ignore_errors=True)
with Processes(OUT) as running:
    for title in SERVICES:
        service = started(running, title)
        gateway = running.gateway(title, COMMAND, service)
        logged(title, OUT / f"{re.sub(r'[^A-Za-z]', '', title)}.log", failed(gateway), "error|exception|fatal")
        if title == "Express":
            nginx_recipes(running, service, gateway)
print(f"not tested: the recipe of {NOT_RUN}, because Debian has no .NET")
