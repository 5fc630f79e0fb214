"""gRPC's client for Python against each application: grpc_client.py SERVER FOLDER

Each scenario, by each kind of call, shows the code, message, id, retry delay and details of scenarios.json, and after
it the channel serves a success. Then health checks and reflection pass untouched.
"""

import json
import re
import sys
from pathlib import Path

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.rpc import error_details_pb2
from grpc_status import rpc_status

import untouched

# The line of JSON that the server printed; and where scenarios.json is.
SERVER, FOLDER = json.loads(sys.argv[1]), Path(sys.argv[2])
SECRET = "s3cr3t"
ID = re.compile("req_[0-7][0-9A-HJKMNP-TV-Z]{25}")
# What each call answers where nothing is wrong.
TEXTS = {"Say": ["hello"], "Collect": ["onetwohello"], "Repeat": ["hello"] * 3, "Talk": ["one", "two", "hello"]}


def words_class():
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString((FOLDER / "echo.bin").read_bytes()).file:
        pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("echo.v1.Words"))


Words = words_class()


class Seen:
    """What came of a call: the texts, the error, the metadata of its head and of its end."""

    def __init__(self, channel, method, row):
        self.texts, self.error = [], None
        try:
            call = self.ask(channel, method, row)
        except grpc.RpcError as error:
            call = self.error = error
        self.metadata = {}
        for name, value in [*(call.initial_metadata() or []), *(call.trailing_metadata() or [])]:
            self.metadata.setdefault(name, set()).add(value)

    def ask(self, channel, method, row):
        """Says one thing, or three, or one thing three times."""
        last = Words(text="x" * (1024 * 1024 + 1) if row.get("big") else "hello", count=3)
        many_said, many_heard = method in ("Collect", "Talk"), method in ("Repeat", "Talk")
        kind = f"{'stream' if many_said else 'unary'}_{'stream' if many_heard else 'unary'}"
        path = f"/echo.v1.{row.get('service', 'Echo')}/{method}"
        stub = getattr(channel, kind)(path, Words.SerializeToString, Words.FromString)
        said = iter([Words(text="one"), Words(text="two"), last]) if many_said else last
        if many_heard:
            call = stub(said, metadata=metadata(row), timeout=60)
            for answer in call:
                self.texts.append(answer.text)
        else:
            answer, call = stub.with_call(said, metadata=metadata(row), timeout=60)
            self.texts.append(answer.text)
        return call


def metadata(row):
    scenario = [("x-scenario", row.get("scenario", ""))]
    return scenario + ([("authorization", f"Bearer {row['token']}")] if "token" in row else [])


def differences(row, seen):
    """Each thing that is another one, with what it should be."""
    if seen.error is None:
        return [f"no error after {seen.texts}"]
    try:
        details = unpacked(rpc_status.from_call(seen.error))
    except ValueError as error:
        return [f"grpc_status refuses it: {error}"]
    own = row.get("own", False)
    ids = seen.metadata.get("x-request-id", set())
    after = range(3) if row.get("big") else [row.get("after", 0)]
    domain = "echo.example" if own else "tower-error-envelope"
    found = {
        "the code": (seen.error.code().value[0], row["grpc"]),
        "the message": (seen.error.details(), row["message"]),
        "x-error-code": (seen.metadata.get("x-error-code"), None if own else {row["code"]}),
        "x-request-id, well formed": ([bool(ID.fullmatch(each)) for each in ids], [True]),
        "ErrorInfo": (details.get("ErrorInfo"), (row["code"].upper(), domain, row.get("metadata", {}))),
        "RequestInfo": (details.get("RequestInfo"), None if own else "".join(ids)),
        "RetryInfo": (details.get("RetryInfo"), row.get("retry_seconds")),
        "BadRequest": (details.get("BadRequest", []), row.get("violations", [])),
        "a secret": (SECRET in str(seen.error), False),
        "the number of messages before it": (len(seen.texts) in after or len(seen.texts), True),
    }
    return [f"{what} is {is_!r}, not {should!r}" for what, (is_, should) in found.items() if is_ != should]


READ = {
    "ErrorInfo": lambda info: (info.reason, info.domain, dict(info.metadata)),
    "RequestInfo": lambda info: info.request_id,
    "RetryInfo": lambda info: info.retry_delay.ToTimedelta().total_seconds(),
    "BadRequest": lambda bad: [{"field": each.field, "description": each.description} for each in bad.field_violations],
}


def unpacked(status):
    details = {}
    for packed in status.details if status else []:
        name = packed.TypeName().removeprefix("google.rpc.")
        message = getattr(error_details_pb2, name)()
        packed.Unpack(message)
        details[name] = READ[name](message)
    return details


def served(channel, method, row):
    seen = Seen(channel, method, row)
    told = seen.metadata.get("x-greeting") == {"hello"} and "x-request-id" in seen.metadata
    fine = told and seen.error is None and seen.texts == TEXTS[method]
    return [] if fine else [f"no success: {seen.texts}, {seen.metadata}, {seen.error}"]


def meets(app, channel, row):
    """The calls of a row on an application, and what is wrong about them."""
    wrong, methods = [], row.get("calls", TEXTS)
    for method in methods:
        found = differences(row, Seen(channel, method, row))
        # Nobody is behind that one.
        found += [] if app == "dead" else served(channel, method, {})
        wrong += [f"{app}, {method}: {each}" for each in found]
    return len(methods), wrong


def read(name):
    return json.loads((FOLDER / f"{name}.json").read_text("utf-8"))


def rows():
    """What holds behind another process: rows with a text are not for it, and it has rows of its own."""
    if "behind" not in SERVER:
        return read("scenarios")
    behind = SERVER["behind"]
    theirs = [row for row in read("scenarios") if not isinstance(row[behind], str)]
    return [{**row, **(row[behind] if isinstance(row[behind], dict) else {})} for row in theirs] + read(behind)


def main():
    # The client's own clock outruns the server's word; other clients have the scenarios with a time-out of the call.
    asked = [row for row in rows() if "deadline_ms" not in row]
    channels = {app: grpc.insecure_channel(address.removeprefix("http://")) for app, address in SERVER["apps"].items()}
    wrong = []
    for row in asked:
        met = [meets(app, channel, row) for app, channel in channels.items() if (app == "dead") == (row.get("app") == "dead")]
        print(f"{row['name']}: {sum(calls for calls, _ in met)} calls, {row['grpc']} {row['code']}")
        wrong += [f"{row['name']}: {each}" for _, found in met for each in found]
    channels.pop("dead", None)
    for app, channel in channels.items():
        for method in TEXTS:
            unlocked = served(channel, method, {"service": "Vault", "token": SERVER["key"]})
            wrong += [f"the vault, with its key: {app}, {method}: {each}" for each in unlocked]
        wrong += [f"{app}: {each}" for each in untouched.differences(channel)]
    print(f"the vault with its key, health and reflection: {len(channels)} applications")
    sys.exit("\n".join(wrong) if wrong else 0)


main()
