"""Sends the requests, and keeps of the answers what is the same each time."""

import http.client
import json
import re

# What a client of an API accepts; some frameworks show a browser more.
ACCEPT = "application/json"
LONGEST = 1500
SECRET = "s3cret"
CODES = {404: "not_found", 405: "method_not_allowed", 413: "payload_too_large", 500: "internal_error"}
UNEXPECTED = "An unexpected error occurred."


def ask(address, request, more=()):
    method, target = request["send"].split()
    headers = {"accept": ACCEPT, **dict(more)}
    body = None
    if "json" in request:
        headers["content-type"] = "application/json"
        body = request["json"].replace("$filling", "x" * request.get("filling", 0)).encode()
    elif "form" in request:
        headers["content-type"] = "application/x-www-form-urlencoded"
        body = request["form"].encode()
    connection = http.client.HTTPConnection(address, timeout=20)
    try:
        try:
            connection.request(method, target, body, headers)
        except (BrokenPipeError, ConnectionResetError):
            pass  # an early answer to a large body may wait to be read all the same
        response = connection.getresponse()
        text = response.read().decode("utf-8", "replace")
    finally:
        connection.close()
    answer = {"status": response.status}
    if response.getheader("content-type"):
        answer["type"] = response.getheader("content-type")
    return {**answer, "body": same_each_time(text)}, response


def same_each_time(text):
    text = re.sub(r"req_[0-9A-HJKMNP-TV-Z]{26}", "req_…", text)
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:…", text)
    # Node's frames: lines of files that are none of the framework's words.
    text = re.sub(r"(<br> &nbsp; &nbsp;at ).*?(?=</pre>)", r"\1…", text, flags=re.DOTALL)
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"


def works(address):
    """A good request is served: what is refused later is refused for what is wrong with it."""
    good = {"send": "POST /orders", "json": '{"name":"n","items":[{"sku":"a1","qty":1}]}'}
    for request in [good, {"send": "GET /orders?page=1"}, {"send": "GET /orders/1"}, {"send": "POST /form", "form": "qty=1"}]:
        answer, _ = ask(address, request)
        if answer["status"] not in (200, 201):
            return f"{request['send']}: {answer}"
    return None


def breaks_its_word(answer, request, silent):
    """Whether the client reads where it is wrong, as the app promises of each place that it is not silent about."""
    if "path" not in request:
        return []
    error = json.loads(answer["body"])["error"] if answer["status"] >= 400 else {}
    paths = [issue["path"] for issue in error.get("details", {}).get("issues", [])]
    told = error.get("code") == "invalid_request" and request["path"] in paths
    if told and request["name"] in silent:
        return ["it tells where it is wrong, and apps.toml has it among the silent"]
    if not told and request["name"] not in silent:
        return [f"it promises invalid_request at {request['path']}, and the client reads {error.get('code')} at {paths}"]
    return []


def wrong_with(answer, response, request):
    """What is wrong with what the client got, whatever the framework."""
    if answer["status"] < 400:
        return []
    try:
        envelope = json.loads(answer["body"])
        error = envelope["error"]
    except (ValueError, KeyError, TypeError):
        return ["no envelope"]
    wrong = []
    if response.getheader("content-type") != "application/json" or envelope["request_id"] != "req_…":
        wrong.append("no envelope")
    if not re.fullmatch(r"req_[0-9A-HJKMNP-TV-Z]{26}", response.getheader("x-request-id") or ""):
        wrong.append("no x-request-id")
    if response.getheader("x-error-code") != error["code"]:
        wrong.append("another x-error-code")
    # What is said of a path that is not there passes as it came (R3).
    if SECRET in answer["body"] and answer["status"] != 404:
        wrong.append("it quotes what was sent, or what was thrown")
    if error["code"] != CODES.get(answer["status"], error["code"]):
        wrong.append(f"{error['code']} with {answer['status']}")
    if answer["status"] == 500 and (error["message"], "details" in error) != (UNEXPECTED, False):
        wrong.append("it tells of what was thrown")
    # Some say the member's name without the place of the object that it is missing in, and Go's decoder no place in a list.
    place = request.get("path", [])
    names = [name for name in place if isinstance(name, str)]
    for issue in error.get("details", {}).get("issues", []):
        if issue["path"] not in ([], place, place[-1:], names):
            wrong.append(f"{issue['path']} is not where it is wrong")
    return wrong
