"""Takes apart the manifests that are named: the policies and the Envoy configuration of their ConfigMaps, and the flags of
the servers that they start. FOLDER, the last argument, gets them as files. It also looks at what every workload of ours has.
"""

import sys
from pathlib import Path

import yaml

*manifests, folder = sys.argv[1:]
folder = Path(folder)
flags = set()
for manifest in manifests:
    documents = [document for document in yaml.safe_load_all(Path(manifest).read_text()) if document]
    kinds = [document["kind"] for document in documents]
    # A gateway of another product starts our module, or calls the processor.
    ours = ("ConfigMap", "Deployment", "Service", "NetworkPolicy", "PodDisruptionBudget") if "Deployment" in kinds else ()
    for kind in ours:
        assert kind in kinds, f"{manifest} has no {kind}"
    for document in documents:
        name = document["metadata"]["name"]
        if document["kind"] == "ConfigMap":
            # Files that include each other stand beside each other.
            (folder / name).mkdir()
            for file, text in document["data"].items():
                (folder / name / file).write_text(text)
        if document["kind"] == "Deployment":
            spec = document["spec"]
            pod = spec["template"]["spec"]
            assert spec["replicas"] >= 2, f"{manifest}: two replicas"
            assert pod["securityContext"]["runAsNonRoot"] and not pod["automountServiceAccountToken"], manifest
            for container in pod["containers"]:
                security = container["securityContext"]
                assert security["readOnlyRootFilesystem"] and not security["allowPrivilegeEscalation"], manifest
                mounts = container.get("volumeMounts", [])
                assert not any("subPath" in mount for mount in mounts), f"{manifest}: a file that never changes"
                args = container.get("args", [])
                if args[:1] in (["gateway"], ["ext-proc"]):
                    flags.update(f"{args[0]} {argument.split('=')[0]}" for argument in args[1:])
                    drained = sum(
                        int(argument.split("=")[1].removesuffix("s"))
                        for argument in args
                        if argument.startswith(("--drain-delay", "--stop-timeout"))
                    )
                    assert drained < pod["terminationGracePeriodSeconds"], f"{manifest}: killed before it has drained"
        if document["kind"] == "PodMonitor":
            template = next(other for other in documents if other["kind"] == "Deployment")["spec"]["template"]
            labels, (endpoint,) = template["metadata"]["labels"], document["spec"]["podMetricsEndpoints"]
            selected = document["spec"]["selector"]["matchLabels"].items()
            assert selected <= labels.items() and document["spec"]["jobLabel"] in labels, f"{manifest}: no pod is monitored"
            ports = [port["name"] for container in template["spec"]["containers"] for port in container["ports"]]
            assert endpoint["port"] in ports and endpoint["path"] == "/metrics", f"{manifest}: no metrics there"
        if document["kind"] == "NetworkPolicy":
            rules = document["spec"]["ingress"]
            admin = [rule for rule in rules if any(port["port"] == "admin" for port in rule["ports"])]
            assert admin and all(rule.get("from") for rule in admin), f"{manifest}: anybody reaches the admin address"
(folder / "flags.txt").write_text("".join(f"{flag}\n" for flag in sorted(flags)))
