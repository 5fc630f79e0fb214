"""The clients of Kubernetes, Elasticsearch, OpenSearch, Azure's blobs, Docker and OCI registries, and errors of their documents.

Each row is the error, the call, and the status, headers and body that the service answers with.
"""

import functools
import json
import logging

import docker
import dxf
import elasticsearch
import kubernetes
import opensearchpy
from azure.storage.blob import BlobServiceClient

logging.getLogger("opensearch").setLevel(logging.CRITICAL)

# Kubernetes: staging/src/k8s.io/apimachinery/pkg/api/errors makes these.
STATUS = {"Audit-Id": "6f7d", "Cache-Control": "no-cache, private", "Content-Type": "application/json"}
PLAIN = {"Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff"}
WEB = {"name": "web-0", "kind": "pods"}


@functools.cache
def pods(url):
    settings = kubernetes.client.Configuration(host=url)
    # urllib3's number includes no further attempt.
    settings.retries = False
    return kubernetes.client.CoreV1Api(kubernetes.client.ApiClient(settings))


def kubernetes_seen(error):
    try:
        reason = json.loads(error.body)["reason"]
    except (ValueError, KeyError):
        reason = error.reason
    return reason, f"{error.status} {error.reason} {error.headers.get('retry-after')} {error.body}", message_of(error.body)


def message_of(body):
    try:
        return json.loads(body).get("message", body)
    except (ValueError, AttributeError):
        return body


def status(code, reason, message, **details):
    body = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message, "reason": reason}
    if details:
        body["details"] = details
    return code, STATUS, json.dumps({**body, "code": code}, separators=(",", ":")) + "\n"


def read_pod(url):
    return pods(url).read_namespaced_pod("web-0", "default")


def create_pod(url):
    return pods(url).create_namespaced_pod("default", {"metadata": {"name": "web-0"}})


def evict(url):
    return pods(url).create_namespaced_pod_eviction("web-0", "default", {"metadata": {"name": "web-0"}})


REQUIRED = {"reason": "FieldValueRequired", "message": "Required value", "field": "spec.containers"}
BUDGET = {"reason": "DisruptionBudget", "message": "The disruption budget web needs 2 healthy pods and has 2 currently"}
KUBERNETES = [
    ("no pod", read_pod, status(404, "NotFound", 'pods "web-0" not found', **WEB)),
    ("no token", read_pod, status(401, "Unauthorized", "Unauthorized")),
    ("may not", read_pod, status(
        403, "Forbidden",
        'pods "web-0" is forbidden: User "ada" cannot get resource "pods" in API group "" in the namespace "default"', **WEB,
    )),
    ("exists", create_pod, status(409, "AlreadyExists", 'pods "web-0" already exists', **WEB)),
    ("changed meanwhile", create_pod, status(
        409, "Conflict", 'Operation cannot be fulfilled on pods "web-0": the object has been modified', **WEB,
    )),
    ("invalid, with causes", create_pod, status(
        422, "Invalid", 'Pod "web-0" is invalid: spec.containers: Required value', **{**WEB, "kind": "Pod"}, causes=[REQUIRED],
    )),
    ("bad request", create_pod, status(
        400, "BadRequest", "the namespace of the provided object does not match the namespace sent on the request",
    )),
    ("too old", read_pod, status(
        410, "Expired", "The provided continue parameter is too old to display a consistent list result.",
    )),
    ("disruption budget", evict, status(
        429, "TooManyRequests", "Cannot evict pod as it would violate the pod's disruption budget.", causes=[BUDGET],
    )),
    ("media type", create_pod, status(
        415, "UnsupportedMediaType",
        "the body of the request was in an unknown format - accepted media types include: application/json",
    )),
    ("unknown path, as text", read_pod, (404, PLAIN, "404 page not found\n")),
    ("too many, as text", read_pod, (429, {**PLAIN, "Retry-After": "1"}, "Too many requests, please try again later.\n")),
    ("webhook", create_pod, status(
        500, "InternalError", 'Internal error occurred: failed calling webhook "x"', causes=[{"message": "pool is gone"}],
    )),
    ("not ready", read_pod, status(503, "ServiceUnavailable", "the server is currently unable to handle the request")),
    ("timeout", read_pod, status(504, "Timeout", "Timeout: request did not complete within the allotted duration")),
]

# Elasticsearch and OpenSearch
ELASTIC = {"X-elastic-product": "Elasticsearch", "content-type": "application/vnd.elasticsearch+json;compatible-with=9"}
SEARCH = {"content-type": "application/json; charset=UTF-8"}


@functools.cache
def elastic(url):
    return elasticsearch.Elasticsearch(url, max_retries=0)


@functools.cache
def opensearch(url):
    return opensearchpy.OpenSearch(url, max_retries=0)


def elastic_seen(error):
    everything = error.status_code, error.error, error.body, str(error), error.meta.headers.get("www-authenticate")
    return kind_of(error.error), repr(everything), reason_of(error.body)


def opensearch_seen(error):
    return kind_of(error.error), repr((error.status_code, error.error, error.info, str(error))), reason_of(error.info)


def kind_of(error):
    """The class has a text where the body has a type."""
    return error if isinstance(error, str) and " " not in error else None


def reason_of(body):
    try:
        return body["error"].get("reason") or body["error"]["message"]
    except (TypeError, KeyError, AttributeError):
        return body["error"] if isinstance(body, dict) and "error" in body else body


def caused(status, kind, reason, **more):
    cause = {"type": kind, "reason": reason, **more}
    return status, json.dumps({"error": {"root_cause": [cause], **cause}, "status": status})


def search_cases(client, headers):
    def get(url):
        return client(url).get(index="ships", id="7")

    def find(url):
        return client(url).search(index="ships")

    def answer(caused, **more):
        return caused[0], {**headers, **more}, caused[1]

    index = {"resource.type": "index_or_alias", "resource.id": "ships", "index_uuid": "_na_", "index": "ships"}
    method = "Incorrect HTTP method for uri [/ships/_search] and method [POST], allowed: [GET]"
    basic = {"WWW-Authenticate": 'Basic realm="security", charset="UTF-8"'}
    return [
        ("no index", find, answer(caused(404, "index_not_found_exception", "no such index [ships]", **index))),
        ("no document", get, answer((404, '{"_index":"ships","_id":"7","found":false}'))),
        ("version", get, answer(
            caused(409, "version_conflict_engine_exception", "[7]: version conflict, current version [2] is different", **index),
        )),
        ("query", find, answer(caused(400, "parsing_exception", "unknown query [mach]", line=1, col=20))),
        ("no credentials", find, answer(
            caused(401, "security_exception", "missing authentication credentials for REST request [/ships]", header=basic),
            **basic,
        )),
        ("may not", find, answer(
            caused(403, "security_exception", "action [indices:data/read/search] is unauthorized for user [ada]"),
        )),
        ("read-only index", find, answer(
            caused(429, "cluster_block_exception", "index [ships] blocked by: [TOO_MANY_REQUESTS/12/disk usage];", index="ships"),
        )),
        ("method", find, answer((405, json.dumps({"error": method, "status": 405})))),
        ("shards", find, answer(caused(503, "no_shard_available_action_exception", "pool is gone"))),
        ("internal", find, answer(caused(500, "null_pointer_exception", "pool is gone"))),
    ]


def opensearch_find(url):
    return opensearch(url).search(index="ships")


OPENSEARCH = [
    *search_cases(opensearch, SEARCH),
    ("no credentials, as text", opensearch_find, (
        401, {**PLAIN, "WWW-Authenticate": 'Basic realm="OpenSearch Security"'}, "Unauthorized",
    )),
]

# Azure's blobs: learn.microsoft.com/rest/api/storageservices/status-and-error-codes2
BEGINNING = '\ufeff<?xml version="1.0" encoding="utf-8"?>'
AZURE = {"Server": "Windows-Azure-Blob/1.0 Microsoft-HTTPAPI/2.0", "x-ms-request-id": "a84c", "x-ms-version": "2024-08-04"}


@functools.cache
def blob(url):
    key = {"account_name": "harbour", "account_key": "a2V5"}
    return BlobServiceClient(f"{url}/harbour", credential=key, retry_total=0).get_blob_client("ships", "list.csv")


def azure_seen(error):
    code = getattr(error.error_code, "value", error.error_code)
    return code, repr((code, error.status_code, error.reason, error.message, error.additional_info)), error.message.split("\n")[0]


def azure(status, code, message, more=""):
    message += "\nRequestId:a84c\nTime:2026-11-29T10:00:00.1Z"
    error = f"<Error><Code>{code}</Code><Message>{message}</Message>{more}</Error>"
    return status, {**AZURE, "x-ms-error-code": code, "Content-Type": "application/xml"}, BEGINNING + error


def read_blob(url):
    return blob(url).download_blob()


def write_blob(url):
    return blob(url).upload_blob(b"x", overwrite=True)


def blob_properties(url):
    return blob(url).get_blob_properties()


AZURE_CASES = [
    ("no blob", read_blob, azure(404, "BlobNotFound", "The specified blob does not exist.")),
    ("no container", write_blob, azure(404, "ContainerNotFound", "The specified container does not exist.")),
    ("no blob, by HEAD", blob_properties, (404, {**AZURE, "x-ms-error-code": "BlobNotFound"}, "")),
    ("no container, by HEAD", blob_properties, (404, {**AZURE, "x-ms-error-code": "ContainerNotFound"}, "")),
    ("exists", write_blob, azure(409, "BlobAlreadyExists", "The specified blob already exists.")),
    ("condition", write_blob, azure(
        412, "ConditionNotMet", "The condition specified using HTTP conditional header(s) is not met.",
    )),
    ("lease", write_blob, azure(
        412, "LeaseIdMissing", "There is currently a lease on the blob and no lease ID was specified in the request.",
    )),
    ("range", read_blob, azure(416, "InvalidRange", "The range specified is invalid for the current size of the resource.")),
    ("authentication", read_blob, azure(
        403, "AuthenticationFailed", "Server failed to authenticate the request.",
        "<AuthenticationErrorDetail>The MAC signature is not the same as any computed one.</AuthenticationErrorDetail>",
    )),
    ("may not", read_blob, azure(
        403, "AuthorizationPermissionMismatch", "This request is not authorized to perform this operation using this permission.",
    )),
    ("no public access", read_blob, azure(
        409, "PublicAccessNotPermitted", "Public access is not permitted on this storage account.",
    )),
    ("header", write_blob, azure(
        400, "InvalidHeaderValue", "The value for one of the HTTP headers is not in the correct format.",
        "<HeaderName>x-ms-version</HeaderName><HeaderValue>2099-01-01</HeaderValue>",
    )),
    ("busy", read_blob, azure(503, "ServerBusy", "The server is busy.")),
    ("internal", read_blob, azure(500, "InternalError", "The server encountered an internal error. Please retry the request.")),
    ("timeout", write_blob, azure(500, "OperationTimedOut", "Operation could not be completed within the specified time.")),
]

# Docker Engine: docs.docker.com/reference/api/engine
ENGINE = {"Api-Version": "1.47", "Content-Type": "application/json", "Docker-Experimental": "false", "Ostype": "linux"}


@functools.cache
def engine(url):
    return docker.DockerClient(base_url=url.replace("http:", "tcp:"), version="1.47")


def docker_seen(error):
    # The whole text has the address in it.
    everything = error.response.status_code, error.response.reason, error.explanation
    return error.response.reason, repr(everything), error.explanation


def engine_error(status, message):
    return status, ENGINE, json.dumps({"message": message}) + "\n"


def container(url):
    return engine(url).containers.get("web")


def image(url):
    return engine(url).images.get("web:v9")


def create(url):
    return engine(url).containers.create("web:v9", name="web")


def services(url):
    return engine(url).services.list()


def pull(url):
    return engine(url).images.pull("web", "v9")


DOCKER = [
    ("no container", container, engine_error(404, "No such container: web")),
    ("no image", image, engine_error(404, "No such image: web:v9")),
    ("no access to the image", pull, engine_error(
        404, "pull access denied for web, repository does not exist or may require 'docker login': denied",
    )),
    ("name is in use", create, engine_error(409, 'Conflict. The container name "/web" is already in use by container "4f66".')),
    ("parameter", create, engine_error(400, "invalid reference format")),
    ("plugin refuses", create, engine_error(403, "authorization denied by plugin: no")),
    ("no manager", services, engine_error(503, 'This node is not a swarm manager. Use "docker swarm init" and try again.')),
    ("internal", create, engine_error(500, "driver failed programming external connectivity on endpoint web")),
]

# Podman has the same API, but sends this row's headers for /_ping alone.
PODMAN = {"Api-Version": "1.41", "Content-Type": "application/json", "Libpod-Api-Version": "5.4.0"}
ABSENT = {"cause": "no such container", "message": 'no container with name or ID "web" found: no such container', "response": 404}
DOCKER.append(("no container, by Podman", container, (404, PODMAN, json.dumps(ABSENT))))

# The OCI distribution specification, and what registries of it send.
REGISTRY = {"Content-Type": "application/json; charset=utf-8", "Docker-Distribution-Api-Version": "registry/2.0"}


@functools.cache
def registry(url):
    return dxf.DXF(url.removeprefix("http://"), "harbour/web", insecure=True)


def oci_seen(error):
    response = getattr(error, "response", None)
    if response is None:
        return None, str(error), str(error)
    everything = response.status_code, response.reason, response.headers.get("retry-after"), response.text
    try:
        first = response.json()["errors"][0]
    except (ValueError, KeyError):
        return None, repr(everything), response.text
    return first.get("code"), repr(everything), first.get("message")


def oci(status, code, message, detail=None, **headers):
    return status, {**REGISTRY, **headers}, json.dumps({"errors": [{"code": code, "message": message, "detail": detail}]})


def manifest(url):
    return registry(url).get_manifest("v9")


def layer(url):
    return b"".join(registry(url).pull_blob("sha256:" + 64 * "0"))


def tag(url):
    return registry(url).set_manifest("v9", '{"mediaType":"application/vnd.oci.image.manifest.v1+json"}')


BEARER = {"WWW-Authenticate": 'Bearer realm="https://auth.example.com/token",service="registry"'}
OCI = [
    ("no manifest", manifest, oci(404, "MANIFEST_UNKNOWN", "manifest unknown", {"Tag": "v9"})),
    ("no repository", manifest, oci(404, "NAME_UNKNOWN", "repository name not known to registry", {"name": "harbour/web"})),
    ("no blob", layer, oci(404, "BLOB_UNKNOWN", "blob unknown to registry", "sha256:00")),
    ("no credentials", manifest, oci(401, "UNAUTHORIZED", "authentication required", [{"Type": "repository"}], **BEARER)),
    ("may not", tag, oci(403, "DENIED", "requested access to the resource is denied")),
    ("manifest", tag, oci(400, "MANIFEST_INVALID", "manifest invalid", {})),
    ("rate", manifest, oci(
        429, "TOOMANYREQUESTS", "You have reached your unauthenticated pull rate limit.", **{"Retry-After": "30"},
    )),
    ("Harbor's own code", manifest, oci(404, "NOT_FOUND", "artifact harbour/web:v9 not found")),
    ("without a message", manifest, (404, REGISTRY, '{"errors":[{"code":"MANIFEST_UNKNOWN"}]}')),
    ("unknown", manifest, oci(500, "UNKNOWN", "unknown error", {"DriverName": "filesystem"})),
    ("unavailable", manifest, oci(503, "UNAVAILABLE", "service unavailable")),
]

SDKS = [
    ("kubernetes", kubernetes_seen, KUBERNETES),
    ("elasticsearch", elastic_seen, search_cases(elastic, ELASTIC)),
    ("opensearch", opensearch_seen, OPENSEARCH),
    ("azure blob", azure_seen, AZURE_CASES),
    ("docker", docker_seen, DOCKER),
    ("python-dxf", oci_seen, OCI),
]
