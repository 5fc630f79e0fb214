"""Types the commands of manual/tutorial-gateway.md, on other ports, and compares what they print with what the page shows.

    tutorial.py TARGET
"""

import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "apps" / "driver"))
from run import Processes, end, free_port  # noqa: E402

TARGET = Path(sys.argv[1]).absolute()
OUT = TARGET / "tutorial"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def normalised(text):
    """Without what differs each time."""
    return re.sub(r"req_\w{26}|\d{4}-\d\d-\d\dT[\d:.]+Z", "…", text).strip()


def expect(shown, printed):
    """The policy is reloaded, and the log is written, after the command that a reader typed before."""
    ends = time.monotonic() + 10
    while normalised(shown) not in normalised(printed()):
        if time.monotonic() > ends:
            sys.exit(f"the page shows:\n{shown}\nbut this is printed:\n{printed()}")
        time.sleep(0.1)


def typed(lines):
    return subprocess.run(["sh", "-c", lines], cwd=OUT, check=True, capture_output=True, text=True).stdout


shutil.rmtree(OUT, ignore_errors=True)
OUT.mkdir(parents=True)
service_port = str(free_port())
page = (ROOT / "manual" / "tutorial-gateway.md").read_text().replace(":3000", f":{service_port}")
page = page.replace("listen(3000", f"listen({service_port}").replace("error-envelope check", f"{TARGET}/debug/error-envelope check")
with Processes(OUT) as processes:
    blocks, front, compared = iter(BLOCK.findall(page)), None, 0
    for kind, text in blocks:
        if kind == "js":
            (OUT / "shop.mjs").write_text(text)
            service = processes.start("shop", ["node", "shop.mjs"], cwd=OUT)
            processes.until_it_answers("shop", service, f"127.0.0.1:{service_port}")
        elif kind == "toml":
            (OUT / "policy.toml").write_text(text)
        elif "error-envelope gateway" in text:
            first, start = text.splitlines()
            typed(first)
            command = [TARGET / "debug" / "error-envelope", *start.split()[1:], "--listen", "127.0.0.1:0"]
            process = processes.start("gateway", command, cwd=OUT, stdout=subprocess.PIPE)
            front = process.stdout.readline().decode().split("http://")[1].strip()
        elif kind == "bash":
            lines = text.replace("127.0.0.1:8080", front or "")
            # The last request of the page is sent after Ctrl-C.
            if compared == 3:
                end(service)
            expect(next(blocks)[1], lambda: typed(lines.replace("\n", "; echo\n")).replace("\n\n", "\n"))
            compared += 1
        else:
            expect(text, lambda: (OUT / "gateway.log").read_text())
            compared += 1
assert compared == 5, compared
print("the tutorial of the gateway prints what it shows")
