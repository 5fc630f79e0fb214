"""Checks the manifests of custom kinds by the schemas of FOLDER, and fails at a field that a schema does not have.

    schemas.py FOLDER OUT MANIFEST...

OUT gets the documents of Kubernetes' own kinds, one file for each manifest. FOLDER has JSON Schemas, or custom resource
definitions in YAML, as products publish them. Each field is also misspelt once: then the schema must refuse the manifest.
"""

import copy
import json
import sys
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator

# What a definition leaves to Kubernetes.
METADATA = {"name": {}, "namespace": {}, "labels": {}, "annotations": {}}
COMMON = {"apiVersion": {}, "kind": {}, "metadata": {"type": "object", "properties": METADATA}}
KUBERNETES = ("v1", "apps/", "policy/", "networking.k8s.io/")


def closed(schema):
    """The schema, with no fields beside those that it names."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {key: closed(value) for key, value in schema.items()}
    is_open = schema.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in schema
    if isinstance(schema.get("properties"), dict) and "type" in schema and not is_open:
        schema["additionalProperties"] = False
    return schema


def of_definition(text):
    """The schemas of custom resource definitions, by version and kind."""
    for definition in filter(None, yaml.safe_load_all(text)):
        if definition["kind"] != "CustomResourceDefinition":
            continue
        spec = definition["spec"]
        for version in spec["versions"]:
            schema = version["schema"]["openAPIV3Schema"]
            schema["properties"] |= COMMON
            yield (f"{spec['group']}/{version['name']}", spec["names"]["kind"]), schema


def schemas(folder):
    found = {}
    for file in folder.glob("*.json"):
        schema = json.loads(file.read_text())
        found[schema["properties"]["apiVersion"]["const"], schema["properties"]["kind"]["const"]] = schema
    for file in folder.glob("*.yaml"):
        found.update(of_definition(file.read_text()))
    return {kind: Draft202012Validator(closed(schema)) for kind, schema in found.items()}


# What these hold, Envoy or a module reads, or it has names of anyone's choice.
FREE = ("value", "config", "labels", "matchLabels", "annotations")


def misspelt(document, place=()):
    """The document once for each of its fields, with that field misspelt."""
    part = document
    for step in place:
        part = part[step]
    for key in list(part if isinstance(part, dict) else range(len(part))):
        if isinstance(part, dict):
            other = copy.deepcopy(document)
            inner = other
            for step in place:
                inner = inner[step]
            inner[f"{key}x"] = inner.pop(key)
            yield (*place, key), other
        if key not in FREE and isinstance(part[key], (dict, list)):
            yield from misspelt(document, (*place, key))


def problems(error):
    """The deepest problems: those of the alternatives, where all of them fail."""
    return [deep for inner in error.context for deep in problems(inner)] if error.context else [error]


def main(folder, out, *manifests):
    validators, failed = schemas(Path(folder)), False
    for manifest in map(Path, manifests):
        documents = [document for document in yaml.safe_load_all(manifest.read_text()) if document]
        own = [document for document in documents if document["apiVersion"].startswith(KUBERNETES)]
        if own:
            (Path(out) / manifest.name).write_text(yaml.safe_dump_all(own))
        for document in (document for document in documents if document not in own):
            kind = document["apiVersion"], document["kind"]
            if kind not in validators:
                sys.exit(f"{manifest}: {folder} has no schema of {' '.join(kind)}")
            for error in validators[kind].iter_errors(document):
                for problem in problems(error):
                    print(f"{manifest}: {kind[1]}: {problem.json_path}: {problem.message[:200]}", file=sys.stderr)
                failed = True
            fields = 0
            for place, other in misspelt(document):
                fields += 1
                if validators[kind].is_valid(other):
                    print(f"{manifest}: {kind[1]}: {place} may be misspelt: the schema is not strict", file=sys.stderr)
                    failed = True
            print(f"{manifest}: {kind[1]}, and each of its {fields} fields misspelt is refused")
    sys.exit(failed)


main(*sys.argv[1:])
