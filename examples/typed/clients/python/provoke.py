"""Holds an app against the OpenAPI document that it serves: routes.py URL REQUESTS

The document is valid; each request is answered with an error that its operation declares, whose body and headers fit what
is declared; and of what is declared nothing is left unasked but what a server below the app answers.
"""

import http.client
import json
import sys
import urllib.parse
from pathlib import Path

from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

url, requests = sys.argv[1:]
authority = urllib.parse.urlsplit(url).netloc


def ask(method, path, headers=(), body=None):
    connection = http.client.HTTPConnection(authority, timeout=10)
    connection.putrequest(method, path)
    for name, value in headers:
        connection.putheader(name, value)
    body = None if body is None else body.encode()
    if body is not None:
        connection.putheader("content-length", str(len(body)))
    connection.endheaders(body)
    response = connection.getresponse()
    return response, response.read()


def check(holds, why):
    if not holds:
        sys.exit(why)


document = json.loads(ask("GET", "/openapi.json")[1])
OpenAPIV31SpecValidator(document).validate()


def resolved(response):
    reference = response.get("$ref")
    return document["components"]["responses"][reference.rsplit("/", 1)[1]] if reference else response


declared = {}
for path, item in document["paths"].items():
    for method, operation in item.items():
        for status, response in operation["responses"].items():
            response = resolved(response)
            for code, example in response.get("content", {}).get("application/json", {}).get("examples", {}).items():
                declared[f"{method.upper()} {path}", int(status), code] = response
                schema = Draft202012Validator(response["content"]["application/json"]["schema"])
                check(schema.is_valid(example["value"]), f"{method} {path} {status}: the example {code} does not fit")

provoked = set()
for row in json.loads(Path(requests).read_text(encoding="utf-8")):
    answer = (row["operation"], row["status"], row["code"])
    check(answer in declared, f"{answer} is not declared")
    provoked.add(answer)
    response, body = ask(row["operation"].split()[0], row["path"], row["headers"], row["body"])
    body = json.loads(body)
    check((response.status, body["error"]["code"]) == answer[1:], f"{row}: {response.status} {body}")
    wrong = Draft202012Validator(declared[answer]["content"]["application/json"]["schema"]).iter_errors(body)
    check(not (wrong := [error.message for error in wrong]), f"{answer}: {wrong}")
    for name, header in declared[answer]["headers"].items():
        value = response.getheader(name)
        check(value is not None or not header["required"], f"{answer}: no {name}")
        check(value is None or Draft202012Validator(header["schema"]).is_valid(value), f"{answer}: {name}: {value}")

check(provoked == declared.keys(), f"declared, and not provoked: {declared.keys() - provoked}")
print(f"the document is valid; each of {len(declared)} errors that it declares was answered as it says")
