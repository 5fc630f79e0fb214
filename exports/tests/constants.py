"""The Python module of constants against what clients of the gateway got: constants.py FOLDER TOUR."""

import importlib.util
import json
import pickle
import sys
from pathlib import Path
from typing import Any


def imported(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location("errors", path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{path} is no module")
    module = importlib.util.module_from_spec(spec)
    sys.modules["errors"] = module
    spec.loader.exec_module(module)
    return module


folder, tour = Path(sys.argv[1]), Path(sys.argv[2])
errors = imported(folder / "errors.py")
parsed = 0
for line in tour.read_text().splitlines():
    row = json.loads(line)
    headers = dict(row["headers"])
    code = headers.get("x-error-code")
    error = errors.ApiError.parse(row["status"], row["body"])
    # What passes in its protocol's own form (R10) is no envelope.
    if code is None or not row["body"] or '"jsonrpc"' in row["body"]:
        continue
    assert error is not None, row
    assert error.code == code and errors.known(code).value == code, row
    assert error.retry == errors.ErrorCode(code).retry and error.request_id == headers["x-request-id"], row
    if code == "invalid_request":
        assert error.issues, row
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is errors.ApiError and vars(copy) == vars(error) and str(copy) == str(error), row
    parsed += 1
assert parsed > 20, f"{parsed} errors on the tour"
assert errors.known("no_such_code") is None and errors.retry_of("no_such_code") is errors.Retry.BACKOFF
advised = '{"error":{"code":"not_found","message":"m","retry":"refresh","docs":"https://a.example/e"},"request_id":"r"}'
for text, expected in [
    (advised, (errors.Retry.REFRESH, "https://a.example/e")),
    (advised.replace("refresh", "later").replace("https", "http"), (errors.Retry.NO, None)),
    (advised.replace('"refresh"', "[1]").replace('"https://a.example/e"', "1"), (errors.Retry.NO, None)),
]:
    error = errors.ApiError.parse(404, text)
    assert (error.retry, error.docs) == expected, text
    assert vars(pickle.loads(pickle.dumps(error))) == vars(error), text
for body in ["", "[]", "{}", '{"error":1}', '{"error":{"code":1,"message":"","request_id":""}}', b"\xff", "[" * 100_000]:
    assert errors.ApiError.parse(500, body) is None, body
assert all(code.message and 400 <= code.status <= 599 for code in errors.ErrorCode)
print(f"{parsed} errors, {len(errors.ErrorCode)} codes")
