"""Spellings of requests for the closed parts of `doors.py`, and ordinary requests beside them (G0)."""

import random
from itertools import product

# Each list begins with the plain piece.
LEADS = """
/ // /// /./ /%2e/ /; /;/ /;a=b/ /\\ /%5c /%2f /%252f /.// /x/../ /x/%2e%2e/ /x/.%2e/ /x/..;/ /x/..;a=b/ /x%2f..%2f /x%2F..%2F
/x\\..\\ /x/..%5c /x/..%252f /x/%252e%252e/ /x%5c..%5c /x/y/../../ /../ /public/../ /public/..%2f /public/%2e%2e%2f /public/..;/
/public/%2e%2e/ /public/..%252f /public/x/../../ /public/..%5c /public/;/../ /public/;/../ /public/.;/../
""".split()
NAMES = """
admin %61dmin %41dmin adm%69n %61%64%6d%69%6e %2561dmin %2541DMIN %61%2564min ADMIN Admin aDmIn %41DMIN admin; admin;a=b
%61dmin;v=1 ADMIN;/ admin%3bv=1 admin%3Bv=1
""".split()
TAILS = """
/x / //x /./x /%2e/x %2fx %2Fx %252fx \\x %5cx %255cx /;/x /;a=b/x /x;v=1 /x/ /../x /..%2fx /..%2f..%2fx /%2e%2e/x
/%2e%2e%2f..%2fx /..;/x /..%5cx /..\\x /..%252fx /%252e%252e%252fx /..%2fpublic/x /../public/x /..;/public/x
/..%2f..%2fpublic/x /..%5cpublic%5cx /%2e%2e/public/x /..%252fpublic%252fx /x?/../y /x?y=/public/
""".split()


# Pairs of hostile pieces that are tried, besides each piece alone and besides each way through the open part.
PAIRS = 500


def ways_in():
    """Methods, targets and headers."""
    targets = paths()
    yield from (("GET", target, []) for target in targets)
    for target in targets[::40]:
        yield "POST", target, []
        yield "GET", f"http://other.example{target}", []
    yield from methods()
    yield from headers()


def paths():
    alone = [*product(LEADS, NAMES[:1], TAILS[:1]), *product(LEADS[:1], NAMES, TAILS[:1]), *product(LEADS[:1], NAMES[:1], TAILS)]
    through = [(lead, "admin", tail) for lead, tail in product(LEADS, TAILS) if "public" in lead and "public" in tail]
    pairs = [*product(LEADS, NAMES, TAILS[:1]), *product(LEADS, NAMES[:1], TAILS), *product(LEADS[:1], NAMES, TAILS)]
    # The same ones each time: a failure is found again.
    chosen = random.Random(1).sample(pairs, PAIRS)
    return list(dict.fromkeys("".join(pieces) for pieces in [*alone, *through, *chosen, ("", "", "/admin")]))


def methods():
    """Requests that some service runs as POST /orders or as DELETE /items/7."""
    for method in ["POST", "post", "Post", "pOST"]:
        for target in ["/orders", "/%6frders", "/orders/", "/ORDERS"]:
            yield method, target, []
    yield "DELETE", "/items/7", []
    yield "delete", "/items/7", []
    for name, value in product(OVERRIDES, ["DELETE", "delete", "DELETE, PATCH", " DELETE "]):
        for method in ["POST", "GET", "PUT"]:
            yield method, "/items/7", [(name, value)]
    for name in OVERRIDES[:3]:
        yield "POST", "/items/7", [(name, "PATCH"), (name, "DELETE")]
        yield "POST", "/items/7", [(name, "DELETE"), (name, "PATCH")]
        yield "POST", "/items/%37", [(name, "DELETE")]
        yield "GET", "/orders", [(name, "POST")]
        yield "PUT", "/orders", [(name, "POST")]
        yield "OPTIONS", "/items/7", [*PREFLIGHT, (name, "DELETE")]
    for query in QUERIES:
        yield "POST", f"/items/7?{query}", []
        yield "OPTIONS", f"/items/7?{query}", PREFLIGHT


def headers():
    """Upgrades that look like preflights, and headers that look like the one that a guard reads."""
    for upgrade in UPGRADES:
        for lines in [[*PREFLIGHT, *upgrade], [*upgrade, *PREFLIGHT]]:
            yield "OPTIONS", "/admin/x", lines
        for method in ["GET", "options", "POST"]:
            yield method, "/admin/x", [*PREFLIGHT, *upgrade]
    for name in TENANTS:
        for lines in [[("x-tenant", "a"), (name, "ROOT")], [(name, "ROOT"), ("x-tenant", "a")], [(name, "ROOT")]]:
            yield "GET", "/tenants/x", lines


HANDSHAKE = [("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="), ("sec-websocket-version", "13")]
UPGRADES = [
    [("connection", "upgrade"), ("upgrade", "websocket")],
    [("connection", "keep-alive, Upgrade"), ("upgrade", "websocket")],
    [("Upgrade", "websocket"), ("Connection", "UPGRADE")],
    [("connection", "upgrade"), ("upgrade", "websocket"), ("content-length", "0")],
    [("connection", "upgrade"), ("upgrade", "x"), ("upgrade", "websocket")],
    [("connection", "upgrade"), ("upgrade", "websocket"), *HANDSHAKE],
    [("connection", "upgrade, http2-settings"), ("upgrade", "h2c"), ("http2-settings", "AAMAAABkAAQAAP__")],
]
TENANTS = ["x-tenant", "X-Tenant", "x_tenant", "X_TENANT", "x.tenant", "x!tenant", "x~tenant"]
PREFLIGHT = [("origin", "https://app.example"), ("access-control-request-method", "POST")]
QUERIES = """
_method=DELETE _method=delete a=1&_method=DELETE %5fmethod=DELETE _method=%44ELETE _method=PATCH&_method=DELETE
_method=DELETE&_method=PATCH
""".split()
OVERRIDES = """
X-HTTP-Method-Override X-HTTP-Method X-Method-Override x_http_method_override x.http.method.override X-Http.Method_Override
x_http_method x.method.override
""".split()

# Behind the gateway each has the bare app's answer. The first word names the part: `closed` needs a key under both
# policies, `open` under the one that closes everything but `/public/`.
ORDINARY = [
    ("public", "GET", "/public/x"),
    ("public", "GET", "/public/a%20b"),
    ("public", "GET", "/public/READ-ME;v=1"),
    ("public", "GET", "/public/caf%C3%A9"),
    ("public", "GET", "/public/x?q=/admin/y&_method=DELETE"),
    ("public", "POST", "/public/x"),
    ("open", "GET", "/about"),
    ("open", "GET", "/a/b/C;v=1"),
    ("open", "GET", "/administrators/x"),
    ("open", "GET", "/a/admin/x"),
    ("open", "GET", "/orders"),
    ("open", "PUT", "/orders"),
    ("open", "GET", "/items/7"),
    ("open", "POST", "/items/7"),
    ("open", "GET", "/caf%C3%A9/x%20y"),
    ("closed", "GET", "/admin/x"),
    ("closed", "GET", "/admin/a%20b"),
    ("closed", "POST", "/orders"),
    ("closed", "DELETE", "/items/7"),
]
FORGED = [("x.consumer.id", "forged"), ("x_consumer_id", "forged"), ("X.Forwarded.Host", "forged"), ("x_request_id", "forged")]
