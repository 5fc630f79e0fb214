//! The shapes over HTTP/1.

use super::Expect::{Either, One, Refused};
use super::{Expect, HIDDEN, PLACE, Says, Shape};

pub(super) fn shapes() -> Vec<Shape> {
    let hidden = format!("GET {HIDDEN} HTTP/1.1\r\nhost: hidden.example\r\n\r\n");
    let length = hidden.len();
    let mut shapes = Vec::new();
    let mut add = |name: &'static str, expect: Expect, says: String| {
        shapes.push(Shape { name, expect, says: Says::Http1(says.into_bytes()) });
    };
    // Makes a POST with these header lines and this body.
    let post = |lines: &str, body: &str| format!("POST {PLACE} HTTP/1.1\r\nhost: a.example\r\n{lines}\r\n\r\n{body}");
    let get = |lines: &str| format!("GET {PLACE} HTTP/1.1\r\nhost: a.example\r\n{lines}\r\n\r\n");
    let none = format!("0\r\n\r\n{hidden}");
    let chunks = |chunks: &str| post("transfer-encoding: chunked\r\nconnection: close", chunks);

    // RFC 9112, section 6.3 states which of the two determines the body, and that the connection ends after it.
    for (name, lines) in [
        ("length, then coding", "content-length: LENGTH\r\ntransfer-encoding: chunked"),
        ("coding, then length", "transfer-encoding: chunked\r\ncontent-length: LENGTH"),
        ("length of 0 beside a coding", "content-length: 0\r\ntransfer-encoding: chunked"),
    ] {
        add(name, Either, post(&lines.replace("LENGTH", &(5 + length).to_string()), &none));
    }
    for (name, expect, lines) in [
        ("two lengths", Refused, "content-length: 0\r\ncontent-length: LENGTH"),
        ("two lengths in one line", Refused, "content-length: 0, LENGTH"),
        ("the same length twice", Either, "connection: close\r\ncontent-length: LENGTH\r\ncontent-length: LENGTH"),
        ("the same length twice in one line", Either, "connection: close\r\ncontent-length: LENGTH, LENGTH"),
        ("a length with a sign", Refused, "content-length: +LENGTH"),
        ("a length below zero", Refused, "content-length: -1"),
        ("a length in hexadecimal", Refused, "content-length: 0x30"),
        ("a length of two numbers", Refused, "content-length: 1 2"),
        ("a length of nothing", Refused, "content-length: "),
        ("a length beyond 64 bits", Refused, "content-length: 18446744073709551617"),
        ("a length with a decimal point", Refused, "content-length: 1.0"),
        ("a space before a length's colon", Refused, "content-length : LENGTH"),
        ("a coding on a folded line", Refused, "transfer-encoding:\r\n chunked"),
        ("a length on a folded line", Refused, "x-a: b\r\n content-length: LENGTH"),
        ("a CR within a value", Refused, "x-a: b\rtransfer-encoding: chunked"),
        ("a NUL within a value", Refused, "x-a: b\0c"),
        ("a coding with a letter too many", Refused, "transfer-encoding: xchunked"),
        ("chunked, then identity", Refused, "transfer-encoding: chunked, identity"),
        ("chunked twice", Either, "connection: close\r\ntransfer-encoding: chunked, chunked"),
        ("identity alone", Refused, "transfer-encoding: identity"),
        ("a coding of nothing", Refused, "transfer-encoding: "),
        ("a coding in quotes", Refused, "transfer-encoding: \"chunked\""),
        ("a coding behind a vertical tab", Refused, "transfer-encoding: \u{b}chunked"),
        ("a space before a coding's colon", Refused, "transfer-encoding : chunked"),
        ("a name with a space", Refused, "x a: b"),
        ("a line without a colon", Refused, "nothing"),
        ("a line without a name", Refused, ": b"),
    ] {
        add(name, expect, post(&lines.replace("LENGTH", &length.to_string()), &hidden));
    }
    for (name, expect, lines) in [
        ("a coding in capitals", One, "connection: close\r\ntransfer-encoding: CHUNKED"),
        ("a coding between blanks", Either, "connection: close\r\ntransfer-encoding: \t chunked \t"),
        (
            "two lines of coding",
            Refused,
            "connection: close\r\ntransfer-encoding: identity\r\ntransfer-encoding: chunked",
        ),
        ("another coding before chunked", Refused, "connection: close\r\ntransfer-encoding: gzip, chunked"),
        (
            "a coding that connection names",
            Either,
            "connection: close, transfer-encoding\r\ntransfer-encoding: chunked",
        ),
    ] {
        add(name, expect, post(lines, "3\r\nabc\r\n0\r\n\r\n"));
    }
    for (name, lines, body) in [
        ("a host that connection names", "connection: close, host", ""),
        ("a length that connection names", "connection: close, content-length\r\ncontent-length: 3", "abc"),
        ("continue, asked for", "connection: close\r\nexpect: 100-continue\r\ncontent-length: 3", "abc"),
    ] {
        add(name, Either, post(lines, body));
    }
    add(
        "a coding in HTTP/1.0",
        Either,
        format!("POST {PLACE} HTTP/1.0\r\nhost: a.example\r\ntransfer-encoding: chunked\r\n\r\n{none}"),
    );
    add(
        "a length and a coding in HTTP/1.0",
        Either,
        format!(
            "POST {PLACE} HTTP/1.0\r\nhost: a.example\r\nconnection: keep-alive\r\ncontent-length: {}\r\ntransfer-encoding: chunked\r\n\r\n{none}",
            5 + length
        ),
    );

    for (name, expect, body) in [
        ("a chunk extension", One, "3;a=b\r\nabc\r\n0\r\n\r\n".to_owned()),
        ("a chunk extension of 1 MiB", Refused, format!("3;{}\r\nabc\r\n0\r\n\r\n", "a".repeat(1 << 20))),
        ("1,000,000 chunk extensions", Refused, "1;a=b\r\nx\r\n".repeat(1_000_000) + "0\r\n\r\n"),
        ("a LF within a chunk extension", Refused, format!("3;a\nabc\r\n0\r\n\r\n{hidden}")),
        ("a CR within a chunk extension", Refused, format!("3;a\rb\r\nabc\r\n0\r\n\r\n{hidden}")),
        ("a chunk size with a sign", Refused, format!("+3\r\nabc\r\n{none}")),
        ("a chunk size below zero", Refused, format!("-3\r\nabc\r\n{none}")),
        ("a chunk size with 0x", Refused, format!("0x3\r\nabc\r\n{none}")),
        ("a chunk size beyond 64 bits", Refused, format!("10000000000000003\r\nabc\r\n{none}")),
        ("a chunk size of 64 bits", Refused, format!("ffffffffffffffff\r\nabc\r\n{none}")),
        ("a chunk size of nothing", Refused, format!("\r\nabc\r\n{none}")),
        ("a chunk size behind a blank", Refused, format!(" 3\r\nabc\r\n{none}")),
        ("a chunk size ended by LF", Refused, format!("3\nabc\r\n{none}")),
        ("a chunk without its end", Refused, format!("3\r\nabcd\r\n{none}")),
        ("a chunk ended by LF", Refused, format!("3\r\nabc\n{none}")),
    ] {
        add(name, expect, chunks(&body));
    }
    for field in [
        "content-length: 5",
        "transfer-encoding: chunked",
        "host: other.example",
        "authorization: Bearer t",
        "cookie: a=b",
        "x-api-key: k",
        "x-team-key: test",
        "x-request-id: req_0",
        "connection: close",
        "proxy-authorization: Basic eA==",
    ] {
        let name = field.split(':').next().unwrap_or_default();
        let lines = format!("transfer-encoding: chunked\r\nconnection: close\r\nte: trailers\r\ntrailer: {name}");
        let title: &'static str = format!("trailers with {name}").leak();
        add(title, Either, post(&lines, &format!("3\r\nabc\r\n0\r\n{field}\r\n\r\n")));
    }
    add(
        "trailers with a credential past a guard",
        Refused,
        format!(
            "POST /guarded{PLACE} HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\ntransfer-encoding: chunked\r\ntrailer: x-team-key\r\n\r\n0\r\nx-team-key: test\r\n\r\n"
        ),
    );

    let close = "connection: close";
    add("lines ended by LF", Either, format!("GET {PLACE} HTTP/1.1\nhost: a.example\nconnection: close\n\n"));
    add("two hosts", Refused, get(&format!("{close}\r\nhost: b.example")));
    add("no host", Refused, format!("GET {PLACE} HTTP/1.1\r\n{close}\r\n\r\n"));
    add(
        "a host that is none",
        Refused,
        format!("GET {PLACE} HTTP/1.1\r\nhost: a.example, b.example\r\n{close}\r\n\r\n"),
    );
    add("a host with a path", Refused, format!("GET {PLACE} HTTP/1.1\r\nhost: a.example/x\r\n{close}\r\n\r\n"));
    add(
        "a URI whose host is another",
        One,
        format!("GET http://b.example{PLACE} HTTP/1.1\r\nhost: a.example\r\n{close}\r\n\r\n"),
    );
    add(
        "a URI with a user",
        Either,
        format!("GET http://a.example@b.example{PLACE} HTTP/1.1\r\nhost: a.example\r\n{close}\r\n\r\n"),
    );
    add("a path with a blank", Refused, format!("GET {PLACE} x HTTP/1.1\r\nhost: a.example\r\n{close}\r\n\r\n"));
    add("a path with a tab", Refused, format!("GET {PLACE}\tx HTTP/1.1\r\nhost: a.example\r\n{close}\r\n\r\n"));
    add(
        "a blank before the first field",
        Refused,
        format!("GET {PLACE} HTTP/1.1\r\n host: a.example\r\n{close}\r\n\r\n"),
    );
    add(
        "a version that does not exist",
        Refused,
        format!("GET {PLACE} HTTP/1.2\r\nhost: a.example\r\n{close}\r\n\r\n"),
    );
    add(
        "a method with a control character",
        Refused,
        format!("GE\x01T {PLACE} HTTP/1.1\r\nhost: a.example\r\n{close}\r\n\r\n"),
    );
    add(
        "a tunnel",
        Refused,
        format!(
            "CONNECT a.example:80 HTTP/1.1\r\nhost: a.example:80\r\nconnection: close\r\n\r\nGET {PLACE} HTTP/1.1\r\nhost: a.example\r\n\r\n"
        ),
    );
    add(
        "an upgrade to h2c",
        One,
        get("connection: upgrade, http2-settings, close\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__"),
    );
    shapes
}
