"""Holds real responses against the schemas: validate.py CONTRACT TOUR

The JSON Schema takes every error body of the tour and every well-formed one, and rejects the malformed ones; so does the
OpenAPI document's own schema. The document is valid, its examples fit its schema, and the tour's responses have the
headers that it promises for their status.
"""

import json
import sys
from pathlib import Path

from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

exports, tour = map(Path, sys.argv[1:])


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


schema = read(exports / "envelope.schema.json")
document = read(exports / "openapi.json")
OpenAPIV31SpecValidator(document).validate()

Draft202012Validator.check_schema(schema)
validators = {
    "the JSON Schema": Draft202012Validator(schema),
    "the OpenAPI document": Draft202012Validator({"$ref": "#/components/schemas/ErrorEnvelope", **document}),
}


def check(holds, why):
    if not holds:
        sys.exit(why)


def accepted(name, body):
    for who, validator in validators.items():
        wrong = [error.message for error in validator.iter_errors(body)]
        check(not wrong, f"{who} refuses {name}: {wrong}")


def rejected(name, body):
    for who, validator in validators.items():
        check(not validator.is_valid(body), f"{who} takes {name}")


def resolved(header):
    if "$ref" not in header:
        return header
    return document["components"]["headers"][header["$ref"].rsplit("/", 1)[1]]


def has_headers(row, response):
    got = {}
    for name, value in row["headers"]:
        got.setdefault(name, []).append(value)
    for name, header in response["headers"].items():
        header = resolved(header)
        check(name in got or not header["required"], f"{row['name']}: no {name}")
        for value in got.get(name, []):
            check(Draft202012Validator(header["schema"]).is_valid(value), f"{row['name']}: {name}: {value}")
    for name in ["retry-after", "www-authenticate"]:
        check(name not in got or name in response["headers"], f"{row['name']}: {name} is not in the document")


responses = document["components"]["responses"]
rows = [json.loads(line) for line in tour.read_text(encoding="utf-8").splitlines()]
errors = [row for row in rows if any(name == "x-error-code" for name, _ in row["headers"])]
# What passes in its protocol's own form (R10) is no envelope.
bodies = [row for row in errors if row["body"] and '"jsonrpc"' not in row["body"]]
check(len(bodies) >= 30, f"only {len(bodies)} error bodies in the tour")
for row in errors:
    has_headers(row, responses.get(f"Error{row['status']}", responses["Error"]))
for row in bodies:
    accepted(row["name"], json.loads(row["body"]))

examples = 0
for status, response in responses.items():
    for code, example in response["content"]["application/json"].get("examples", {}).items():
        accepted(f"the example {code} of {status}", example["value"])
        check(example["value"]["error"]["code"] == code, f"the example {code} of {status} has another code")
        examples += 1

wellformed = read(exports / "tests/wellformed.json")
malformed = read(exports / "tests/malformed.json")
check(len(malformed) == 13, "13 malformed bodies")
for each in wellformed:
    accepted(each["name"], each["body"])
for each in malformed:
    rejected(each["name"], each["body"])
rejected("a member that the contract does not know", {**wellformed[0]["body"], "meta": {}})

print(
    f"the schemas take {len(bodies)} bodies of the tour, {examples} examples and {len(wellformed)} others,"
    f" and reject {len(malformed) + 1}; the OpenAPI document is valid"
)
