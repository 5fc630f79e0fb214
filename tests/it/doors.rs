//! Tests that a value opens no closed route if a service may trim, unquote, split, fold or decode it (rule G0).
//! Whatever surrounds the value or is in it, the inner service is not called.
//!
//! `PROPTEST_CASES=100000 cargo test --test it doors` tries more values.

use std::fmt::Write as _;
use std::sync::LazyLock;

use bytes::Bytes;
use http::{HeaderValue, Request};
use http_body_util::Full;
use proptest::prelude::*;
use tower_error_envelope::{ErrorEnvelopeLayer, Policy};

use crate::kit::ask;

const POLICY: &str = r#"
version = 1
[auth.bearer]
scheme = "bearer"
keys = [{ id = "a", sha256 = "25a8ded17444b327103c0a2b5868cbe4b533c0285bce42f969bf51db99075dc0" }]
[auth.key]
scheme = "header"
header = "x-api-key"
keys = [{ id = "a", sha256 = "25a8ded17444b327103c0a2b5868cbe4b533c0285bce42f969bf51db99075dc0" }]
[header.tenant]
name = "x-tenant"
pattern = "[a-z]{1,16}"
[[route]]
match = "DELETE /items/{id}"
auth = ["bearer"]
[[route]]
match = "LINK /items/{id}"
auth = ["bearer"]
[[route]]
match = "SUBSCRIBE /items/{id}"
auth = ["bearer"]
[[route]]
match = "/admin/{*rest}"
auth = ["bearer", "key"]
[[route]]
match = "/tenants/{*rest}"
require_headers = ["tenant"]
[[route]]
match = "/json"
json = true
"#;

const KEY: &str = "doors-key-1";

static LAYER: LazyLock<ErrorEnvelopeLayer> = LazyLock::new(|| {
    let policy = Policy::from_toml("policy.toml", POLICY).expect("a policy");
    ErrorEnvelopeLayer::new().policy(policy)
});

fn is_called(request: Request<Full<Bytes>>) -> bool {
    ask(&LAYER, request).1
}

/// Text that some reader removes, splits at or decodes: white space of Latin-1 and Unicode, controls, quotes, brackets,
/// separators of lists and parameters, byte order marks and characters without a width.
const TAKEN_AWAY: [&[u8]; 59] = [
    b" ",
    b"\t",
    b"\x0b",
    b"\x0c",
    b"\x1c",
    b"\x1d",
    b"\x1e",
    b"\x1f",
    b"\x00",
    b"\x7f",
    b"\x85",
    b"\xa0",
    b"\xad",
    b"\xff",
    b"\r",
    b"\n",
    b"\xc2\x85",
    b"\xc2\xa0",
    b"\xe1\x9a\x80",
    b"\xe2\x80\x80",
    b"\xe2\x80\x89",
    b"\xe2\x80\x8a",
    b"\xe2\x80\x8b",
    b"\xe2\x80\xa8",
    b"\xe2\x80\xa9",
    b"\xe2\x80\xaf",
    b"\xe2\x81\x9f",
    b"\xe3\x80\x80",
    b"\xef\xbb\xbf",
    b"\xc2\xad",
    b"\xe2\x80\x8d",
    b"\xcc\x81",
    b"\"",
    b"'",
    b"`",
    b"(",
    b")",
    b"[",
    b"]",
    b"<",
    b">",
    b"{",
    b"}",
    b",",
    b";",
    b"&",
    b"|",
    b":",
    b"/",
    b"\\",
    b"=",
    b";q=1",
    b";a=b;c",
    b", POST",
    b"GET ,",
    b"%20",
    b"%00",
    b"%C2%A0",
    b"#",
];

/// Returns letters that a reader takes for this ASCII letter if it ignores letter case or width.
fn alike(letter: u8) -> Vec<u8> {
    let full_width = |letter: u8| char::from_u32(0xff00 + u32::from(letter) - 0x20).unwrap_or(' ').to_string();
    match letter {
        b'K' | b'k' => "\u{212a}".into(),
        b'I' => "\u{131}".into(),
        b'i' => "\u{130}".into(),
        b'S' | b's' => "\u{17f}".into(),
        b' '..=b'~' => full_width(letter).into(),
        other => vec![other],
    }
}

/// A change to a value.
#[derive(Clone, Debug)]
enum Change {
    Put(prop::sample::Index, &'static [u8]),
    Encode(prop::sample::Index),
    Alike(prop::sample::Index),
    Case(prop::sample::Index),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let place = any::<prop::sample::Index>;
    let change = prop_oneof![
        6 => (place(), prop::sample::select(&TAKEN_AWAY[..])).prop_map(|(at, text)| Change::Put(at, text)),
        1 => place().prop_map(Change::Encode),
        1 => place().prop_map(Change::Alike),
        2 => place().prop_map(Change::Case),
    ];
    prop::collection::vec(change, 1..4)
}

fn changed(value: &str, changes: &[Change]) -> Vec<u8> {
    let mut value = value.as_bytes().to_vec();
    for change in changes {
        match change {
            // Half of the insertions are at an end, where readers trim.
            Change::Put(at, text) => {
                let at = match (at.index(2 * value.len() + 2), text.first(), text.last()) {
                    // A list keeps the whole name, because no reader joins its parts.
                    (_, _, Some(b',')) => 0,
                    (_, Some(b','), _) => value.len(),
                    (at, ..) if at <= value.len() => at,
                    (at, ..) => {
                        if at % 2 == 0 {
                            0
                        } else {
                            value.len()
                        }
                    }
                };
                value.splice(at..at, text.iter().copied());
            }
            Change::Encode(at) => {
                let at = at.index(value.len());
                let code = format!("%{:02x}", value[at]);
                value.splice(at..=at, code.bytes());
            }
            Change::Alike(at) => {
                let at = at.index(value.len());
                let letters = alike(value[at]);
                value.splice(at..=at, letters);
            }
            Change::Case(at) => {
                let at = at.index(value.len());
                value[at] ^= if value[at].is_ascii_alphabetic() { 0x20 } else { 0 };
            }
        }
    }
    value
}

fn encoded(value: &[u8]) -> String {
    value.iter().fold(String::new(), |mut text, byte| {
        let _ = if byte.is_ascii_alphanumeric() {
            write!(text, "{}", char::from(*byte))
        } else {
            write!(text, "%{byte:02X}")
        };
        text
    })
}

/// Makes a request with these headers, or returns `None` if HTTP has no such value, so that no server passes it on.
fn request(method: &str, target: &str, headers: &[(&str, &[u8])]) -> Option<Request<Full<Bytes>>> {
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in headers {
        let value = value.trim_ascii();
        request = request.header(*name, HeaderValue::from_bytes(value).ok()?);
    }
    // A preflight has no body.
    let body = if method == "OPTIONS" { Bytes::new() } else { Bytes::from_static(b"{}") };
    request.body(Full::new(body)).ok()
}

const PREFLIGHT: [(&str, &[u8]); 2] = [("origin", b"https://a.example"), ("access-control-request-method", b"POST")];

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(4000), ..ProptestConfig::default() })]

    #[test]
    fn g0_no_spelling_of_another_method_opens_a_route(
        named in prop::sample::select(&["DELETE", "LINK", "SUBSCRIBE"][..]),
        method in prop::sample::select(&["POST", "GET", "PUT", "HEAD", "PATCH", "OPTIONS", "post"][..]),
        name in prop::sample::select(&[
            "x-http-method-override", "x-http-method", "x-method-override", "x_http_method_override", "x.http-method",
        ][..]),
        is_in_query in any::<bool>(),
        changes in changes(),
    ) {
        let value = changed(named, &changes);
        let target = if is_in_query { format!("/items/7?a=1&_method={}", encoded(&value)) } else { "/items/7".to_owned() };
        let mut headers = if is_in_query { Vec::new() } else { vec![(name, &value[..])] };
        let sent = request(method, &target, &headers);
        prop_assert!(!sent.is_some_and(is_called), "{} {} {:?}", method, target, headers);
        // A preflight of an open path must not open the route either.
        headers.extend(PREFLIGHT);
        let target = target.replacen("items/7", "admin/7", 1);
        let sent = request("OPTIONS", &target, &headers);
        prop_assert!(!sent.is_some_and(is_called), "{} {:?}", target, headers);
    }

    #[test]
    fn g0_no_spelling_of_an_upgrade_is_a_preflight(changes in changes()) {
        let value = changed("h2c", &changes);
        let headers = [PREFLIGHT[0], PREFLIGHT[1], ("upgrade", &value[..])];
        prop_assert!(!request("OPTIONS", "/admin/x", &headers).is_some_and(is_called), "{:?}", value);
    }

    #[test]
    fn g1_g2_g3_a_value_that_is_not_exactly_right_is_refused(changes in changes()) {
        let differs = |changed: &[u8], right: &str| changed.trim_ascii() != right.as_bytes();
        let key = changed(KEY, &changes);
        if differs(&key, KEY) {
            let bearer = [b"Bearer ", &key[..]].concat();
            prop_assert!(!request("GET", "/admin/x", &[("authorization", &bearer)]).is_some_and(is_called), "{:?}", key);
            prop_assert!(!request("GET", "/admin/x", &[("x-api-key", &key)]).is_some_and(is_called), "{:?}", key);
        }
        let tenant = changed("root", &changes);
        let is_right = tenant.trim_ascii().iter().all(u8::is_ascii_lowercase);
        let sent = request("GET", "/tenants/x", &[("x-tenant", &tenant)]);
        prop_assert!(is_right || !sent.is_some_and(is_called), "{:?}", tenant);
        let media_type = changed("text/plain", &changes);
        prop_assert!(!request("POST", "/json", &[("content-type", &media_type)]).is_some_and(is_called), "{:?}", media_type);
    }
}

#[test]
fn g0_the_same_requests_reach_the_service_where_nothing_is_closed() {
    let reaches =
        |method, target, headers: &[(&str, &[u8])]| is_called(request(method, target, headers).expect("a request"));
    assert!(reaches("POST", "/open?_method=%A0DELETE", &[("x-http-method", b"\"DELETE\"")]));
    assert!(reaches("POST", "/items/7", &[("x-http-method-override", b"PATCH")]));
    assert!(reaches("OPTIONS", "/admin/x", &PREFLIGHT));
    assert!(reaches("GET", "/admin/x", &[("authorization", b"Bearer doors-key-1")]));
    assert!(reaches("GET", "/tenants/x", &[("x-tenant", b"root")]));
}
