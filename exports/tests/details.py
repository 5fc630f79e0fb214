"""Holds details against the schemas that were written with own codes: details.py EXPORTS DETAILS

What the schema of a code's details takes and rejects, in the JSON Schema, the OpenAPI document and the list of codes, is
what the modules take; and an envelope is one whatever its details are.
"""

import json
import sys
from pathlib import Path

from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

exports, details = map(Path, sys.argv[1:])


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


schema, document, codes = (read(exports / name) for name in ["envelope.schema.json", "openapi.json", "errors.json"])
OpenAPIV31SpecValidator(document).validate()
listed = {entry["code"]: entry["details"] for entry in codes["codes"] if "details" in entry}
for each in [schema, *listed.values()]:
    Draft202012Validator.check_schema(each)

documents = {
    "the JSON Schema": (schema, "$defs", "#/$defs/"),
    "the OpenAPI document": ({"$ref": "#/components/schemas/ErrorEnvelope", **document}, "components", "#/components/schemas/"),
}
names = {"invalid_request": "ValidationDetails", "payload_too_large": "PayloadTooLargeDetails", "seat_taken": "SeatTakenDetails"}
if names.keys() != listed.keys():
    sys.exit(f"there are details of {sorted(listed)}")

rows = read(details)
for row in rows:
    code, value = row["code"], row["details"]
    envelope = {"error": {"code": code, "message": "m", "details": value}, "request_id": "req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D"}
    says = {"the list of codes": Draft202012Validator(listed[code])}
    for who, (whole, parts, at) in documents.items():
        says[who] = Draft202012Validator({"$ref": at + names[code], parts: whole[parts]})
        if not Draft202012Validator(whole).is_valid(envelope):
            sys.exit(f"{who} refuses the envelope with {row}")
    for who, validator in says.items():
        if validator.is_valid(value) != row["fits"]:
            sys.exit(f"{who} says otherwise of {row}")

print(f"the schemas say the same of {len(rows)} details")
