"""Renders the chart by Helm's own engine: with its default values, with every value set, and as the external processor.

    chart.py CHART OUT

OUT gets a manifest for each release. The chart's ci/full-values.yaml must set every value. Each value is also misspelt once: then
the chart must refuse it.
"""

import copy
import sys
import tomllib
from pathlib import Path

import helm_python
import yaml

# What these hold, Kubernetes reads, or they have names of anyone's choice.
FREE = (
    "policy", "env", "envFrom", "pullSecrets", "volumes", "volumeMounts", "requests", "limits", "annotations", "labels", "podLabels",
    "podAnnotations", "nodeSelector", "tolerations", "affinity",
)


def keys(values, place=()):
    for key, value in values.items():
        yield (*place, key)
        if isinstance(value, dict) and key not in FREE:
            yield from keys(value, (*place, key))


def misspelt(values, place):
    other = copy.deepcopy(values)
    inner = other
    for step in place[:-1]:
        inner = inner[step]
    inner[f"{place[-1]}x"] = inner.pop(place[-1])
    return other


def render(chart, name, values):
    report = helm_python.lint(path, values, strict=True)
    assert not report["errors"], report
    # Helm's own order is of no account here.
    parts = sorted(chart.render(values, name=name, namespace="default").items())
    (out / f"{name}.yaml").write_text("".join(f"---\n{text}\n" for file, text in parts if not file.endswith(".tpl")))


path, out = Path(sys.argv[1]), Path(sys.argv[2])
full, processor = (yaml.safe_load((path / file).read_text()) for file in ("ci/full-values.yaml", "../processor-values.yaml"))
released = tomllib.loads((Path(__file__).parent / "../../Cargo.toml").read_text())["package"]["version"]
with helm_python.Chart.load(path) as chart:
    assert {chart.version, chart.metadata["appVersion"]} == {released}, f"Chart.yaml has another version than {released}"
    unset = {place for place in keys(chart.values) if place[0] != "probes"} - set(keys(full))
    assert not unset, f"ci/full-values.yaml does not set {unset}"
    for name, values in [("error-envelope", {}), ("edge", full), ("error-envelope-ext-proc", processor)]:
        render(chart, name, values)
    refused = list(keys(full))
    for place in refused:
        try:
            chart.validate_schema(chart.merge_values(misspelt(full, place)))
        except helm_python.HelmValuesError:
            continue
        sys.exit(f"{'.'.join(place)} may be misspelt: values.schema.json is not strict")
print(f"rendered with Helm {helm_python.helm_sdk_version()}; each of {len(refused)} values misspelt is refused")
