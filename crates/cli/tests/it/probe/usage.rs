//! Tests wrong usage, services that cannot be reached, and methods that are not sent.

use std::net::TcpListener;

use super::{Gateway, POLICY, probe, report};
use crate::kit::run;

#[test]
fn what_cannot_be_reached_exits_3() {
    // The listener is dropped, so its port refuses connections.
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let refused = probe(&format!("http://{gone}"), &[]);
    assert_eq!((refused.code, refused.out.as_str()), (Some(3), ""));
    let said =
        format!("error: cannot reach http://{gone}: Connection refused (os error 111)\n = help: start the service, ");
    assert!(refused.err.starts_with(&said), "{}", refused.err);
}

#[test]
fn what_is_no_address_exits_2_and_no_secret_is_repeated() {
    let ok = "http://127.0.0.1:9";
    for (url, args, said) in [
        ("localhost:8080", &[][..], "the URL "),
        ("ftp://localhost", &[], "only http and https are supported"),
        ("/orders", &[], "not a URL with a scheme and a host"),
        ("http://", &[], "not a URL with a scheme and a host"),
        ("http://localhost/?a=1", &[], "a path, a query or a fragment"),
        ("http://localhost/api", &[], "a path, a query or a fragment"),
        ("http://127.0.0.1:99999", &[], "the port is not a number from 1 to 65535"),
        ("http://localhost", &["--ca", "no-such.pem"], "must begin with https for --ca"),
        ("http://me:s3cret@localhost", &[], "has credentials"),
        ("http://me:s3cret@local host", &[], "has credentials"),
        ("http://localhost?key=s3cret", &[], "a path, a query or a fragment"),
        (ok, &["--header", "authorization Bearer s3cret"], "--header: write NAME: VALUE"),
        (ok, &["--header", "authorization: s3cret\u{1}"], "--header: write NAME: VALUE"),
        (ok, &["--header", "authorization: $NO_SUCH_s3cret"], "--header: write NAME: VALUE"),
    ] {
        let refused = probe(url, args);
        assert_eq!((refused.code, refused.out.as_str()), (Some(2), ""), "{url} {args:?}");
        assert!(refused.err.contains(said) && !refused.err.contains("s3cret"), "{url} {args:?}: {}", refused.err);
    }
}

#[test]
fn a_guard_is_probed_by_a_safe_method_and_never_by_delete() {
    let gateway = Gateway::start(POLICY);
    let policy = std::env::temp_dir().join(format!("probe-methods-{}.toml", std::process::id()));
    let key =
        "keys = [{ id = \"nobody\", sha256 = \"951ec44a2fb078e2913164678ad4e5879116883c25aeda9486fe629875d1e2e7\" }]";
    let scheme = format!("version = 1\n[auth.app]\nscheme = \"header\"\nheader = \"x-api-key\"\n{key}\n");
    let sent = |routes: &[&str]| {
        let routes = routes.iter().map(|route| format!("[[route]]\nmatch = \"{route}\"\nauth = [\"app\"]\n"));
        std::fs::write(&policy, scheme.clone() + &routes.collect::<String>()).unwrap();
        let told = report(&probe(&gateway.url, &["--policy", policy.to_str().unwrap(), "--format", "json"]));
        let lines = told["lines"].as_array().unwrap().iter();
        lines.filter(|line| line["rule"] == "G2").map(|line| line["sent"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(sent(&["DELETE /cache", "PUT /cache", "GET /orders"]), ["GET /orders"; 4]);
    assert_eq!(sent(&["DELETE /cache"]), [const { serde_json::Value::Null }; 4]);
    std::fs::remove_file(&policy).unwrap();
}

#[test]
fn wrong_usage_exits_2() {
    for args in [
        &["--panic-path", "not a path"][..],
        &["--timeout", "1"],
        &["--ca", "no-such.pem"],
        &["--format", "xml"],
        &["--policy", "no-such.toml"],
    ] {
        let refused = probe("https://localhost", args);
        assert_eq!((refused.code, refused.out.as_str()), (Some(2), ""), "{args:?}: {}", refused.err);
    }
    let unknown = run(&["probe", "https://localhost", "--ca", POLICY]);
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.err.starts_with(&format!("error: {POLICY}: has no certificate\n = help: ")), "{}", unknown.err);
}
