"""Holds the policy's JSON Schema against the reader: policy.py SCHEMA REFUSED POLICY...

It takes every policy that the reader takes, and refuses each file that the reader refuses for a key, a type or a word.
"""

import datetime
import json
import sys
import tomllib
from pathlib import Path

from jsonschema import Draft202012Validator

schema_file, refused_file, *policies = map(Path, sys.argv[1:])
schema = json.loads(schema_file.read_text(encoding="utf-8"))
Draft202012Validator.check_schema(schema)
validator = Draft202012Validator(schema)


def plain(value):
    """TOML's dates are texts to JSON Schema, as editors have it."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    return value


for policy in policies:
    wrong = [error.message for error in validator.iter_errors(plain(tomllib.loads(policy.read_text(encoding="utf-8"))))]
    if wrong:
        sys.exit(f"the schema refuses {policy}: {wrong}")

of_form = ("unknown-key", "unknown-word", "wrong-type")
refused = dict.fromkeys(of_form, 0)
for case in tomllib.loads(refused_file.read_text(encoding="utf-8"))["case"]:
    if case["kind"] not in of_form:
        continue
    try:
        file = plain(tomllib.loads(case["file"]))
    except tomllib.TOMLDecodeError:
        continue
    if validator.is_valid(file):
        sys.exit(f"the schema takes a file that the reader refuses: {case['at']}\n{case['file']}")
    refused[case["kind"]] += 1
if missing := [sign for sign, count in refused.items() if count == 0]:
    sys.exit(f"no refused file is of the kinds {missing}")
print(f"the policy's schema takes {len(policies)} policies, and rejects {sum(refused.values())} files that are refused for their form")
