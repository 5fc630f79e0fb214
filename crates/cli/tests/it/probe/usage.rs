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
    let said = format!(
        "the service cannot be reached: {gone}: Connection refused (os error 111)\n = help: start the service, "
    );
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
        ("localhost:8080", "the scheme is neither http nor https"),
        ("ftp://localhost", "the scheme is neither http nor https"),
        ("/orders", "not a URL with a scheme and a host"),
        ("http://", "not a valid URL"),
        ("http://localhost/?a=1", "the URL has a query"),
        ("http://localhost/api", "the URL has a path"),
        ("http://127.0.0.1:99999", "the port is not a number from 0 to 65535"),
    ] {
        let refused = probe(url, &[]);
        assert_eq!((refused.code, refused.out.as_str()), (Some(2), ""), "{url}");
        assert!(refused.err.contains("such as https://api.example.com"), "{url}: {}", refused.err);
        assert!(url.starts_with("localhost") || refused.err.contains(said), "{url}: {}", refused.err);
    }
}

#[test]
fn no_secret_of_the_command_line_is_repeated() {
    let ok = "http://127.0.0.1:9";
    for (url, args, said) in [
        ("http://me:s3cret@localhost", &[][..], "--header-env NAME=VARIABLE"),
        ("http://me:s3cret@local host", &[], "--header-env NAME=VARIABLE"),
        ("ftp://me:s3cret@localhost", &[], "--header-env NAME=VARIABLE"),
        ("http://localhost?key=s3cret", &[], "the URL has a query"),
        ("localhost?key=s3cret", &[], "\"localhost\": "),
        ("http://local host#s3cret", &[], "\"http://local host\": not a valid URL"),
        (ok, &["--header", "authorization Bearer s3cret"], "--header: write NAME: VALUE"),
        (ok, &["--header", "authorization: s3cret\u{1}"], "--header: write NAME: VALUE"),
        (ok, &["--header-env", "authorization=Bearer s3cret"], "the environment variable is not set"),
        (ok, &["--header-env", "s3cret"], "--header-env: write NAME=VARIABLE"),
    ] {
        let refused = probe(url, args);
        assert_eq!((refused.code, refused.out.as_str()), (Some(2), ""), "{url} {args:?}");
        assert!(refused.err.contains(said) && !refused.err.contains("s3cret"), "{url} {args:?}: {}", refused.err);
    }
}

/// What a line of a dry run would send first, or why nothing.
fn asked(dry: &str, name: &str) -> String {
    let mut lines = dry.lines().skip_while(|line| !line.starts_with(&format!("# {name}: ")));
    lines.nth(1).unwrap_or_default().to_owned()
}

#[test]
fn a_guard_is_asked_by_a_safe_method_and_by_delete_only_where_it_is_named() {
    let policy = std::env::temp_dir().join(format!("probe-methods-{}.toml", std::process::id()));
    let key =
        "keys = [{ id = \"nobody\", sha256 = \"951ec44a2fb078e2913164678ad4e5879116883c25aeda9486fe629875d1e2e7\" }]";
    let scheme = format!("version = 1\n[auth.app]\nscheme = \"header\"\nheader = \"x-api-key\"\n{key}\n");
    let dry = |routes: &[&str], args: &[&str]| {
        let routes = routes.iter().map(|route| format!("[[route]]\nmatch = \"{route}\"\nauth = [\"app\"]\n"));
        std::fs::write(&policy, scheme.clone() + &routes.collect::<String>()).unwrap();
        let run = probe("http://127.0.0.1:9", &[&["--dry-run", "--policy", policy.to_str().unwrap()], args].concat());
        assert_eq!(run.code, Some(0), "{}", run.err);
        run.out
    };
    let lines = ["no-credentials", "malformed-credentials", "wrong-credentials", "credentials-twice"];
    let all = dry(&["DELETE /cache", "PUT /cache", "GET /orders"], &[]);
    let alone = dry(&["DELETE /cache"], &[]);
    let named = dry(&["DELETE /cache"], &["--protected", "DELETE:/cache"]);
    std::fs::remove_file(&policy).unwrap();
    for name in lines {
        assert_eq!(asked(&all, name), "GET /orders HTTP/1.1");
        assert!(asked(&alone, name).starts_with("# not sent: there is no route"), "{alone}");
        assert_eq!(asked(&named, name), "DELETE /cache HTTP/1.1");
    }
    assert!(!all.contains("\nDELETE ") && !alone.contains("\nDELETE "), "{all}{alone}");
}

#[test]
fn wrong_usage_exits_2() {
    for args in [
        &["--json-path", "/orders"][..],
        &["--protected", "GET:orders"],
        &["--rate", "0"],
        &["--rate", "NaN"],
        &["--timeout", "1"],
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
    assert!(
        told.contains("\n# too-large-said: declares a length over the limit, and waits for 100 Continue"),
        "{told}"
    );
    assert!(told.contains("\ncontent-length: 65537\nexpect: 100-continue\n(no byte is sent)\n"), "{told}");
    assert!(told.contains("\nx-probe: (as given)\n") && !told.contains("s3cret"), "{told}");
    assert!(listener.accept().is_err(), "it has connected");
}
