//! What is asked wrongly, what cannot be reached, and what would be sent.

use std::net::TcpListener;

use super::{POLICY, probe};
use crate::kit::{command, run};

#[test]
fn what_cannot_be_reached_exits_2() {
    // A port that was free a moment ago refuses connections.
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let refused = probe(&format!("http://{gone}"), &[]);
    assert_eq!((refused.code, refused.out.as_str()), (Some(2), ""));
    let said = format!("cannot be reached: {gone}: Connection refused (os error 111)\n = help: start the service, ");
    assert!(refused.err.starts_with(&said), "{}", refused.err);
}

#[test]
fn a_server_without_tls_is_told_from_one_with_it() {
    let plain = super::servers::Answers::start("HTTP/1.1 404 Not Found\r\n");
    let refused = probe(&plain.url.replace("http:", "https:"), &[]);
    assert_eq!((refused.code, refused.out.as_str()), (Some(2), ""));
    assert!(refused.err.contains(": TLS: ") || refused.err.contains("certificates: "), "{}", refused.err);
}

#[test]
fn what_is_no_address_exits_2() {
    for (url, said) in [
        ("localhost:8080", "neither http nor https"),
        ("ftp://localhost", "neither http nor https"),
        ("/orders", "no URL with a scheme and a host"),
        ("http://", "no URL"),
        ("http://localhost/?a=1", "a URL with a query"),
    ] {
        let refused = probe(url, &[]);
        assert_eq!((refused.code, refused.out.as_str()), (Some(2), ""), "{url}");
        assert!(refused.err.contains("such as https://api.example.com"), "{url}: {}", refused.err);
        assert!(url.starts_with("localhost") || refused.err.contains(said), "{url}: {}", refused.err);
    }
    let secret = probe("http://me:s3cret@localhost", &[]);
    assert_eq!(secret.code, Some(2));
    assert!(secret.err.contains("--header-env") && !secret.err.contains("s3cret"), "{}", secret.err);
}

#[test]
fn wrong_usage_exits_2_and_repeats_no_secret() {
    for args in [
        &["--json-path", "/orders"][..],
        &["--protected", "GET:orders"],
        &["--rate", "0"],
        &["--rate", "NaN"],
        &["--timeout", "-1"],
        &["--header", "s3cret"],
        &["--header-env", "authorization=NO_SUCH_VARIABLE"],
        &["--ca", "no-such.pem"],
        &["--format", "xml"],
        &["--policy", "no-such.toml"],
    ] {
        let refused = probe("http://localhost", args);
        assert_eq!((refused.code, refused.out.as_str()), (Some(2), ""), "{args:?}: {}", refused.err);
    }
    let unknown = run(&["probe", "https://localhost", "--ca", POLICY]);
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.err.starts_with(&format!("{POLICY}: has no certificate\n = help: ")), "{}", unknown.err);
}

#[test]
fn a_dry_run_says_what_would_be_sent_and_sends_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut dry = command(&["probe", &url, "--dry-run", "--policy", POLICY, "--header-env", "x-probe=PROBE_SECRET"]);
    let dry = dry.env("PROBE_SECRET", "s3cret").output().unwrap();
    let told = String::from_utf8(dry.stdout).unwrap();
    assert_eq!(dry.status.code(), Some(0));
    assert_eq!(told.lines().filter(|line| line.starts_with("# ")).count(), 26, "{told}");
    assert!(told.contains("\n# too-large-said: says a length over the limit, and waits to be asked"), "{told}");
    assert!(told.contains("\ncontent-length: 65537\nexpect: 100-continue\n(no byte is sent)\n"), "{told}");
    assert!(told.contains("\nx-probe: (as given)\n") && !told.contains("s3cret"), "{told}");
    assert!(listener.accept().is_err(), "it has connected");
}
