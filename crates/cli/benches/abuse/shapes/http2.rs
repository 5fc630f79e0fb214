//! The shapes that are sent over HTTP/2, while the service uses HTTP/1.

use super::Expect::{Either, One, Refused};
use super::{Expect, HIDDEN, PLACE, Says, Shape};
use crate::attacks::{DATA, END_HEADERS, END_STREAM, Frame, HEADERS, head};

type Field<'a> = (&'a [u8], &'a [u8]);

const BEGIN: [Field<'static>; 3] = [(b":method", b"POST"), (b":scheme", b"http"), (b":authority", b"a.example")];
const PATH: Field<'static> = (b":path", PLACE.as_bytes());

pub(super) fn shapes() -> Vec<Shape> {
    let mut shapes = Vec::new();
    let mut add = |name: &'static str, expect: Expect, frames: &[Frame]| {
        let frames = frames.iter().flat_map(Frame::bytes).collect();
        shapes.push(Shape { name, expect, says: Says::Http2(frames) });
    };
    let injected = format!("x\r\nx-injected: 1\r\n\r\nGET {HIDDEN} HTTP/1.1\r\nhost: hidden.example\r\n\r\n");
    let hidden = format!("0\r\n\r\nGET {HIDDEN} HTTP/1.1\r\nhost: hidden.example\r\n\r\n");

    for (name, expect, field) in [
        ("transfer-encoding", Refused, (&b"transfer-encoding"[..], &b"chunked"[..])),
        ("connection", Refused, (b"connection", b"x-a")),
        ("keep-alive", Refused, (b"keep-alive", b"1")),
        ("proxy-connection", Refused, (b"proxy-connection", b"close")),
        ("upgrade", Refused, (b"upgrade", b"websocket")),
        ("te with more than trailers", Either, (b"te", b"gzip")),
        ("CR LF within a value", Refused, (b"x-a", injected.as_bytes())),
        ("LF within a value", Refused, (b"x-a", b"a\nx-injected: 1")),
        ("CR within a value", Refused, (b"x-a", b"a\rx-injected: 1")),
        ("NUL within a value", Refused, (b"x-a", b"a\0b")),
        ("CR LF within a name", Refused, (b"x-a: b\r\nx-injected", b"1")),
        ("a colon within a name", Refused, (b"x-a: b", b"1")),
        ("a name in capitals", Refused, (b"X-A", b"1")),
        ("a name with a blank", Refused, (b"transfer-encoding ", b"chunked")),
        ("an empty name", Refused, (b"", b"1")),
        ("a pseudo field behind others", Refused, (b":path", b"/hidden-")),
        ("a host that is another", Either, (b"host", b"b.example")),
        ("a length that is too long", Refused, (b"content-length", b"1000")),
        ("a length that is too short", Refused, (b"content-length", b"1")),
        ("a length with a sign", Refused, (b"content-length", b"+4")),
    ] {
        let title: &'static str = format!("{name}, in HTTP/2").leak();
        let fields = with(&[field]);
        add(
            title,
            expect,
            &[Frame::new(HEADERS, END_HEADERS, 1, head(&fields)), Frame::new(DATA, END_STREAM, 1, hidden.as_bytes())],
        );
    }
    let lengths = with(&[(b"content-length", b"4"), (b"content-length", b"5")]);
    add(
        "two lengths, in HTTP/2",
        Refused,
        &[Frame::new(HEADERS, END_HEADERS, 1, head(&lengths)), Frame::new(DATA, END_STREAM, 1, *b"abcd")],
    );
    let ended = END_HEADERS | END_STREAM;
    let one = |fields: &[Field]| [Frame::new(HEADERS, ended, 1, head(fields))];
    add("two paths", Refused, &one(&with(&[(b":path", b"/hidden-")])));
    add("two authorities", Refused, &one(&with(&[(b":authority", b"b.example")])));
    add("no path", Refused, &one(&BEGIN));
    add("an empty path", Refused, &one(&[&BEGIN[..], &[(b":path", b"")]].concat()));
    add("a path with a blank, in HTTP/2", Refused, &one(&[&BEGIN[..], &[(b":path", b"/{shape} HTTP/1.1")]].concat()));
    let lines = format!("{PLACE} {injected}");
    add("CR LF within a path", Refused, &one(&[&BEGIN[..], &[(b":path", lines.as_bytes())]].concat()));
    add("CR LF within a method", Refused, &one(&[(b":method", injected.as_bytes()), BEGIN[1], BEGIN[2], PATH]));
    add("CR LF within an authority", Refused, &one(&[BEGIN[0], BEGIN[1], (b":authority", injected.as_bytes()), PATH]));
    add(
        "a path within a scheme",
        Either,
        &one(&[BEGIN[0], (b":scheme", b"http://b.example/hidden-?"), BEGIN[2], PATH]),
    );
    add("a user within an authority", Either, &one(&[BEGIN[0], BEGIN[1], (b":authority", b"u:p@a.example"), PATH]));
    add(
        "a path within an authority",
        Refused,
        &one(&[BEGIN[0], BEGIN[1], (b":authority", b"a.example/hidden-"), PATH]),
    );
    add("a host alone", One, &one(&[BEGIN[0], BEGIN[1], PATH, (b"host", b"a.example")]));
    add(
        "two hosts, in HTTP/2",
        Refused,
        &one(&[BEGIN[0], BEGIN[1], PATH, (b"host", b"a.example"), (b"host", b"b.example")]),
    );
    for field in ["content-length", "transfer-encoding", "authorization", "host", "cookie", "x-team-key", ":path"] {
        let title: &'static str = format!("trailers with {field}, in HTTP/2").leak();
        let fields = with(&[(b"te", b"trailers"), (b"trailer", field.as_bytes())]);
        add(
            title,
            Either,
            &[
                Frame::new(HEADERS, END_HEADERS, 1, head(&fields)),
                Frame::new(DATA, 0, 1, *b"abcd"),
                Frame::new(HEADERS, ended, 1, head(&[(field.as_bytes(), b"4")])),
            ],
        );
    }
    shapes
}

fn with<'a>(more: &[Field<'a>]) -> Vec<Field<'a>> {
    [&BEGIN[..], &[PATH], more].concat()
}
