"""Spellings of requests for the closed parts of `doors.py`, and ordinary requests beside them (G0)."""

import random
from itertools import product
from urllib.parse import quote

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
    yield from rewritten()
    yield from replaced()


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


def rewritten():
    """Requests to a service that makes a query of the path, calls each name of a list, drops characters, or runs any method."""
    for end, ampersand in product(["", "x", "x=1", "/x", "/../x", "x&y=1", "?x"], AMPERSANDS):
        yield "GET", f"/admin/x{ampersand}{end}", []
        yield "POST", f"/orders{ampersand}{end}", []
    for path in ["/admin@/x", "/admin@", "//admin@x", "/x/../admin@x", "/%61dmin@x", "/ADMIN@x", "/public/../admin@x"]:
        yield from (("GET", path.replace("@", ampersand), []) for ampersand in AMPERSANDS)
    for dropped in DROPPED:
        for path in ["/@admin/x", "/ad@min/x", "/admin@/x", "/admin@", "/@/admin/x", "/x/.@./admin/x", "/ad@min&x"]:
            yield "GET", path.replace("@", dropped), []
        yield "POST", f"/or{dropped}ders", []
        yield "DELETE", f"/items{dropped}/7", []
    for end in ENDS:
        yield "GET", f"/admin{end}", []
        yield "POST", f"/orders{end}", []
    # Where a service looks for the path behind a host of four letters or more.
    for target in ["http://a/xx/admin/x", "http://ab/x/admin/x", "http://a/public/admin/x"]:
        yield "GET", target, []
    for method, path in product(UNKNOWN, ["/orders", "/x/../orders"]):
        yield method, path, []
    yield from batches()


def batches():
    """Calls of tRPC's procedures, which are names in the last segment of a path."""
    many = ",".join(["hello"] * 300)
    spellings = product([",", "%2C", "%252C"], ["admin.drop", "%61dmin.drop", "admin%2Edrop"], ["?batch=1", "?%62atch=1", ""])
    for comma, drop, end in spellings:
        for names in ["@", "@,hello", "hello,@", "hello,@,hello", "@,", ",@", "/@", "@/", f"{many},@"]:
            path = "/trpc/" + names.replace(",", comma).replace("@", drop)
            yield "GET", path + end, []
            yield "POST", path.replace("drop", "purge") + end, []


def replaced():
    """Requests whose method stands where only some services look for it."""
    for ampersand, name, value in product(AMPERSANDS[:3], NAMED, ["DELETE", "%44elete", "DELETE%20", "DELETE&_method=PATCH"]):
        yield "POST", f"/items/7{ampersand}{name}={value}", []
    for name in NAMED:
        for query in ["?@", "a=b&?@", "a=b&@", "a;@"]:
            yield "GET", f"/items/7?{query.replace('@', f'{name}=DELETE')}", []
        cookies = ["@", "a=b; @", "a=b;@", "a=b,@", "@; _method=PATCH"]
        for value, cookie in product(["DELETE", "%44elete", '"DELETE"', "DEL.ETE"], cookies):
            yield "GET", "/items/7", [("cookie", cookie.replace("@", f"{name}={value}"))]
        yield "POST", "/items/7", [("cookie", "a=b"), ("cookie", f"{name}=DELETE")]
    for name in NAMED[:4]:
        yield "OPTIONS", "/items/7", [*PREFLIGHT, ("cookie", f"{name}=DELETE")]
        yield "OPTIONS", f"/items/7&{name}=DELETE", PREFLIGHT


def queried():
    """Requests whose query, or the part behind an `&`, replaces the path that a rewrite rule put there."""
    for name, value in product(["url", "%75rl", "a=b&url"], ["admin/x", "%61dmin/x", "/admin/x"]):
        for path in ["/public/x?", "/public/x&", "/public/x%26", "/public/x&y&", "/?", "/index.php?", "/index.php/public/x?"]:
            yield "GET", f"{path}{name}={value}", []
    yield "POST", "/public/x?url=orders", []
    yield "POST", "/public/x?url=items/7&_method=DELETE", []


AMPERSANDS = ["&", "%26", "%2526", "%2F&", "&&", "&amp;"]
DROPPED = "%20 + %C3%A9 %E2%80%8B %E3%82%A2 %C2%A0 %FF %80 %F0%9F%98%80 %2520 %25C3%25A9 %C3%A9%20 %09 %3C".split()
ENDS = ". .. %2e %20 %20. . %252e % %2 %x %u2215 %u0041x %uff0f".split()
UNKNOWN = "PROPFIND FOO QUERY TRACE MOVE MKCOL LINK PURGE SEARCH propfind POSTS".split()
# Names that some version of PHP reads as `_method`, in a query or in a cookie; except the last one.
NAMED = "_method %5Fmethod .method %2Emethod %20_method +_method %20.method _method%00x %20method".split()


# Latin-1's white space is a single byte in a header; Unicode's, and what has no width, is sent as UTF-8.
LATIN_BLANKS = [bytes([byte]) for byte in (*b"\t\v\f\x1c\x1d\x1e\x1f ", 0x85, 0xA0)]
WIDE = [0x85, 0xA0, 0x1680, 0x180E, *range(0x2000, 0x200C), 0x2028, 0x2029, 0x202F, 0x205F, 0x2060, 0x3000, 0xFEFF]
WIDE_BLANKS = [chr(point).encode() for point in WIDE]
CONTROLS = [b"\0", b"\x01", b"\b", b"\n", b"\r", b"\x1b", b"\x7f", b"\x80", b"\xad", b"\xff", b"\xc2"]
QUOTES = ['""', "''", "``", "()", "[]", "{}", "<>", "\u201c\u201d", "\u2018\u2019", "\xab\xbb"]
SEPARATORS = [", ", ",", ";", "; ", ",,", " ", "\t", "|", "/", ":", "&", "+", "\\", "#", "?", "="]
FORMS = r"""
@;q=1 @;q="1" @;charset=utf-8 @;a=@ @=@ _method=@ @. .@ @- @_ _@ @* *@ $@ @%00 %00@ @%0a @%0d%0a @%20 %20@ @%2520 @%a0 @%c2%a0 @%2c
@%22 %22@%22 @%3bq=1 &nbsp;@ @&#32; @\n @\u00a0 =?utf-8?q?@?= utf-8''@ @/1.1
""".split()
# Letters that become these in capitals or small letters, or once they are normalised.
OTHER_LETTERS = {"I": "\u0131\u0130", "K": "\u212a", "S": "\u017f", "ST": "\ufb06\ufb05"}


def decorated(name):
    """Some 200 values, as bytes, that a service may read as this name."""
    return list(dict.fromkeys([*around(name.encode()), *forms(name), *letters(name)]))


def around(name):
    middle = len(name) // 2
    for blank in [*LATIN_BLANKS, *WIDE_BLANKS, *CONTROLS]:
        yield blank + name
        yield name + blank
    for blank in [b"\xa0", b"\x85", b"\x1f", "\u3000".encode(), "\ufeff".encode()]:
        yield blank + name + blank
        yield b" " + blank + b" " + name
        yield name[:middle] + blank + name[middle:]
    # The first letter with its code written out, and in two bytes where one is enough.
    for first in (b"%%%02x", b"%%25%02x", b"\\u%04x"):
        yield first % name[0] + name[1:]
    yield bytes([0xC0 | name[0] >> 6, 0x80 | name[0] & 0x3F]) + name[1:]


def forms(name):
    texts = [f"{left}{name}{right}" for left, right in QUOTES]
    for separator in SEPARATORS:
        texts += [f"{name}{separator}PATCH", f"PATCH{separator}{name}", f"{separator}{name}", f"{name}{separator}"]
    texts += [form.replace("@", name) for form in FORMS]
    return [text.encode() for text in texts]


def letters(name):
    texts = [name.lower(), name.capitalize(), name.swapcase(), f"{name[0]}\u0301{name[1:]}"]
    for text in (name.upper(), name.lower()):
        # Of full width, and mathematical.
        texts.append("".join(chr(ord(letter) + 0xFEE0) for letter in text))
        texts.append("".join(chr(ord(letter) + (0x1D3BF if letter < "a" else 0x1D3B9)) for letter in text if letter.isalpha()))
    for letter, others in OTHER_LETTERS.items():
        texts += [name.replace(letter, other) for other in others if letter in name]
    return [text.encode() for text in texts]


# The transport ends a header at these.
LINE_ENDS = (b"\r", b"\n")


def overridden():
    """Requests that a service which replaces methods may run as DELETE or LINK /items/7, or as POST /orders."""
    for method, values, target, sent_as in [
        ("DELETE", decorated("DELETE"), "/items/7", ["POST", "GET", "OPTIONS"]),
        ("POST", decorated("POST"), "/orders", ["GET", "OPTIONS"]),
        ("LINK", letters("LINK"), "/items/7", ["POST", "GET"]),
    ]:
        for value, sent in product([method.encode(), *values], sent_as):
            more = PREFLIGHT if sent == "OPTIONS" else []
            if not any(end in value for end in LINE_ENDS):
                yield from ((sent, target, [*more, (name, value.decode("latin-1"))]) for name in OVERRIDES[:3])
            yield sent, f"{target}?_method={quote(value, safe='')}", more


def upgrades():
    """Requests for an open part, and preflights for a closed one, by the `upgrade` lines that they have.

    None has a length: some services upgrade no request with a body.
    """
    lines = [[value.decode("latin-1")] for value in decorated("h2c") if not any(end in value for end in LINE_ENDS)]
    for other in ["h2c", "h2", "HTTP/2.0", "HTTP/2", "http/1.1", "TLS/1.0", "TLS", "x"]:
        lines += [[other], [f"websocket, {other}"], [f"{other}, websocket"], ["websocket", other], [other, "websocket"]]
        lines += [[other + "\xa0"], [other.upper() + "\x85"], [f"websocket;{other}"], [f"websocket {other}"], ["", other]]
    lines += [["websocket\xa0"], ["\xa0websocket"], ["websocket/13"], ["web\xc5\xbfoc\xe2\x84\xaaet"], [""]]
    for method, target, more in [("GET", "/public/x", []), ("OPTIONS", "/admin/x", PREFLIGHT)]:
        for protocols in lines:
            yield method, target, [*more, ("connection", "upgrade, http2-settings"), *(("upgrade", it) for it in protocols)]


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
