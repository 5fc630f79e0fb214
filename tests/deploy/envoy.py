"""Writes the Envoy configuration that the manifests of custom kinds lead to, as far as it is ours: DIRECTORY gets a bootstrap
for each, for `envoy --mode validate`.

    envoy.py DIRECTORY POLICY

DIRECTORY has what `envoy-config --snippet` prints for the processor and for the module: the patches must have its values. What Istio and Envoy Gateway
generate themselves is written here after their sources (Istio 1.31, Envoy Gateway 1.9), in the few fields that matter.
"""

import copy
import json
import sys
from pathlib import Path

import jsonpath_rfc9535
import yaml

# Istio has its own access log, and WebSocket already; the others have patches of their own.
LEFT_TO_ISTIO = ("access_log", "upgrade_configs", "http_filters", "clusters", "per_connection_buffer_limit_bytes")
MANIFESTS = Path("deploy/kubernetes")
TYPE = "type.googleapis.com/envoy.extensions.filters"
ROUTER = {"name": "envoy.filters.http.router", "typed_config": {"@type": f"{TYPE}.http.router.v3.Router"}}


def documents(manifest):
    return {document["kind"]: document["spec"] for document in yaml.safe_load_all((MANIFESTS / manifest).read_text())
            if "spec" in document}


def bootstrap(listener, clusters):
    return {"static_resources": {"listeners": [listener], "clusters": clusters}}


def listener(filters, overrides, **manager):
    route = {"name": "orders", "match": {"prefix": "/orders"}, "route": {"cluster": "orders"}}
    if overrides:
        route["typed_per_filter_config"] = overrides
    hosts = [{"name": "all", "domains": ["*"], "routes": [route]}]
    config = {"@type": f"{TYPE}.network.http_connection_manager.v3.HttpConnectionManager", "stat_prefix": "edge",
              "route_config": {"name": "edge", "virtual_hosts": hosts}, "http_filters": [*filters, copy.deepcopy(ROUTER)], **manager}
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": config}]}
    address = {"socket_address": {"address": "127.0.0.1", "port_value": 10080}}
    return {"name": "default/eg/http", "address": address, "filter_chains": [chain]}


def cluster(name, port):
    endpoint = {"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}}}
    return {"name": name, "type": "STATIC", "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]}}


def merge(into, value):
    """As protocol buffers merge: fields of messages one by one, lists by appending."""
    for key, new in value.items():
        if isinstance(new, dict) and isinstance(into.get(key), dict):
            merge(into[key], new)
        elif isinstance(new, list):
            into[key] = into.get(key, []) + new
        else:
            into[key] = new


def istio(printed):
    """The gateway's listener with the patches of the EnvoyFilter, each of whose values the command prints too."""
    edge = listener([], {}, upgrade_configs=[{"upgrade_type": "websocket"}], use_remote_address=True)
    manager = edge["filter_chains"][0]["filters"][0]["typed_config"]
    clusters = [cluster("orders", 10081)]
    for patch in documents("istio-processor.yaml")["EnvoyFilter"]["configPatches"]:
        operation, value = patch["patch"]["operation"], patch["patch"]["value"]
        match patch["applyTo"], operation:
            case "CLUSTER", "ADD":
                assert value == printed["clusters"][0], "istio-processor.yaml: the cluster is not the command's"
                clusters.append(value)
            case "HTTP_FILTER", "INSERT_FIRST":
                assert value == printed["http_filters"][0], "istio-processor.yaml: the filter is not the command's"
                manager["http_filters"].insert(0, value)
            case "HTTP_FILTER", "MERGE":
                merge(router(manager), value)
                assert router(manager) == printed["http_filters"][-1], "istio-processor.yaml: the router is not the command's"
            case "NETWORK_FILTER", "MERGE":
                ours = {key: value for key, value in value["typed_config"].items() if key != "@type"}
                wanted = {key: value for key, value in printed.items() if key in ours or key not in LEFT_TO_ISTIO}
                assert ours == wanted, "istio-processor.yaml: the connection manager's settings are not the command's"
                merge(manager, ours)
            case "LISTENER", "MERGE":
                merge(edge, value)
                assert value.items() <= printed.items(), "istio-processor.yaml: the listener's settings are not the command's"
            case other:
                sys.exit(f"istio-processor.yaml: {other} is not checked here: write it")
    return bootstrap(edge, clusters)


def router(manager):
    return manager["http_filters"][-1]


def envoy_gateway(manifest, named, printed):
    """The listener of Envoy Gateway, without and with the EnvoyPatchPolicy, whose values the command prints too."""
    spec = documents(manifest)
    filter_config = printed["http_filters"][0]["typed_config"]
    client, extension = spec["ClientTrafficPolicy"], spec["EnvoyExtensionPolicy"]
    times = client["timeout"]["http"]
    name, config = named(spec["EnvoyProxy"], extension)
    entry = {"name": name, "disabled": True, "typed_config": config}
    switched_on = {"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "config": {}}
    assert client["headers"]["requestID"] == "Preserve" and client["path"]["escapedSlashesAction"] == "UnescapeAndRedirect"
    edge = listener(
        [entry], {name: switched_on}, use_remote_address=True, server_header_transformation="PASS_THROUGH", normalize_path=True,
        generate_request_id=False, preserve_external_request_id=True, merge_slashes=not client["path"]["disableMergeSlashes"],
        path_with_escaped_slashes_action="UNESCAPE_AND_REDIRECT", http_protocol_options={"enable_trailers": True},
        request_headers_timeout=times["requestHeadersReceivedTimeout"], stream_idle_timeout=times["streamIdleTimeout"],
        common_http_protocol_options={"idle_timeout": times["idleTimeout"]})
    edge["per_connection_buffer_limit_bytes"] = 1 << 20
    edge["filter_chains"][0]["filters"][0]["typed_config"]["http_filters"][-1]["typed_config"]["suppress_envoy_headers"] = True
    processor = cluster("processor", 9002)
    options = {"explicit_http_config": {"http2_protocol_options": {}}}
    options["@type"] = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    processor["typed_extension_protocol_options"] = {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options}
    plain = copy.deepcopy(edge)
    for patch in spec["EnvoyPatchPolicy"]["jsonPatches"]:
        patched(edge, patch, manifest)
        field, value = patch["operation"]["path"].split("/")[-1], patch["operation"]["value"]
        ours = printed | filter_config | filter_config.get("processing_mode", {}) | {"disabled": False}
        assert value == ours[field], f"{manifest}: {field} is not the command's"
    clusters = [cluster("orders", 10081), processor]
    return bootstrap(plain, clusters), bootstrap(edge, clusters)


def patched(edge, patch, manifest):
    operation = patch["operation"]
    assert patch["name"] == edge["name"] and operation["op"] == "add", f"{manifest}: {patch['name']} is not checked here"
    found = [node.value for node in jsonpath_rfc9535.find("$" + operation["jsonPath"], edge)]
    assert len(found) == 1, f"{manifest}: {operation['jsonPath']} finds {len(found)} places"
    *way, last = operation["path"].strip("/").split("/")
    part = found[0]
    for step in way:
        part = part[step]
    part[last] = operation["value"]


def processor(_, extension):
    ours = extension["extProc"][0]
    modes, backend = ours["processingMode"], ours["backendRefs"][0]
    send = {True: "SEND", False: "SKIP"}
    assert not any("body" in modes.get(side, {}) for side in ("request", "response")), "a body from the start"
    return "envoy.filters.http.ext_proc/envoyextensionpolicy/default/error-envelope/extproc/0", {
        "@type": f"{TYPE}.http.ext_proc.v3.ExternalProcessor",
        "grpc_service": {"timeout": "10s", "envoy_grpc": {
            "cluster_name": "processor", "authority": f"{backend['name']}.default:{backend['port']}"}},
        "failure_mode_allow": ours["failOpen"], "allow_mode_override": modes["allowModeOverride"],
        "message_timeout": "0.5s", "status_on_error": {"code": ours["statusOnError"]},
        "processing_mode": {
            "request_header_mode": send["request" in modes], "response_header_mode": send["response" in modes],
            "request_body_mode": "NONE", "response_body_mode": "NONE", "request_trailer_mode": "SKIP", "response_trailer_mode": "SKIP"},
        "request_attributes": modes["request"]["attributes"], "response_attributes": modes["response"]["attributes"],
        "metadata_options": {"receiving_namespaces": {"untyped": ours["metadata"]["writableNamespaces"]}}}


def module(proxy, extension):
    ours, allowed = extension["dynamicModule"][0], proxy["dynamicModules"][0]
    assert ours["name"] == allowed["name"], "the EnvoyProxy does not allow the module"
    return "envoy.filters.http.dynamic_modules/envoyextensionpolicy/default/error-envelope/dynamic-module/0", {
        "@type": f"{TYPE}.http.dynamic_modules.v3.DynamicModuleFilter", "filter_name": ours["filterName"],
        "dynamic_module_config": {
            "do_not_close": allowed["doNotClose"], "module": {"local": {"filename": allowed["source"]["local"]["path"]}}},
        "filter_config": {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": json.dumps(ours["config"])}}


def main(directory, policy):
    directory = Path(directory)
    printed = {kind: yaml.safe_load((directory / f"{kind}.yaml").read_text()) for kind in ("processor", "module")}
    written = {"istio": istio(printed["processor"])}
    for kind, named in (("processor", processor), ("module", module)):
        plain, edge = envoy_gateway(f"envoy-gateway-{kind}.yaml", named, printed[kind])
        written |= {f"envoy-gateway-{kind}-unpatched": plain, f"envoy-gateway-{kind}": edge}
    for name, config in written.items():
        # The module's policy is where its ConfigMap was written to.
        text = json.dumps(config, indent=1).replace("/etc/error-envelope/policy.toml", policy)
        (directory / f"{name}.json").write_text(text)


main(*sys.argv[1:])
