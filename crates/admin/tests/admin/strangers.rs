//! Tests that no page of another site reads or changes anything through an operator's browser.

use error_envelope_admin::Admin;

use crate::kit::ask_with;

#[tokio::test]
async fn it_is_asked_by_number_by_localhost_or_by_a_name_that_was_allowed() {
    let admin = Admin::new().allow_host("On-Call.internal");
    let cases = [
        ("127.0.0.1:9901", 200),
        ("10.1.2.3", 200),
        ("[::1]:9901", 200),
        ("localhost:9901", 200),
        ("LocalHost.", 200),
        ("on-call.internal:9901", 200),
        ("ON-CALL.INTERNAL.", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("evil.on-call.internal", 421),
        ("", 400),
        ("a b", 400),
        ("localhost/x", 400),
        ("localhost:9901@evil.example", 421),
    ];
    for (host, status) in cases {
        let answer = ask_with(&admin, "GET", "/kill-switch", &[("host", host)]).await;
        assert_eq!(answer.status, status, "{host:?}: {}", answer.body);
    }
    let twice = ask_with(&admin, "GET", "/kill-switch", &[("host", "localhost"), ("host", "evil.example")]).await;
    assert_eq!(twice.status, 400);
    let no_browser = ask_with(&admin, "GET", "/kill-switch", &[]).await;
    assert_eq!(no_browser.status, 200);
    for (target, status) in [("http://evil.example/kill-switch", 400), ("http://localhost/kill-switch", 200)] {
        let answer = ask_with(&admin, "GET", target, &[("host", "localhost")]).await;
        assert_eq!(answer.status, status, "{target}");
    }
}

#[tokio::test]
async fn what_changes_something_is_no_other_sites_to_ask() {
    let admin = Admin::new().allow_host("on-call.internal");
    let cases: [(&[(&str, &str)], u16); 19] = [
        (&[], 200),
        (&[("origin", "http://localhost:9901")], 200),
        (&[("origin", "http://localhost:9901"), ("sec-fetch-site", "same-origin")], 200),
        (&[("sec-fetch-site", "none")], 200),
        (&[("origin", "http://localhost")], 403),
        (&[("origin", "http://localhost:9902")], 403),
        (&[("origin", "http://evil.example")], 403),
        (&[("origin", "null")], 403),
        (&[("origin", "http://localhost:9901"), ("origin", "http://evil.example")], 403),
        (&[("sec-fetch-site", "cross-site")], 403),
        (&[("sec-fetch-site", "same-site")], 403),
        (&[("referer", "http://localhost:9901")], 200),
        (&[("referer", "https://LOCALHOST:9901/errors?code=other#top")], 200),
        (&[("referer", "http://localhost:9902/errors")], 403),
        (&[("referer", "http://evil.example/localhost:9901")], 403),
        (&[("referer", "http://localhost:9901@evil.example/")], 403),
        (&[("referer", "http://localhost:9901.evil.example/")], 403),
        (&[("referer", "localhost:9901")], 403),
        (&[("referer", "http://localhost:9901/"), ("referer", "http://evil.example/")], 403),
    ];
    for (headers, status) in cases {
        let headers = [&[("host", "localhost:9901")], headers].concat();
        for path in ["/kill-switch/on", "/kill-switch/off"] {
            let answer = ask_with(&admin, "POST", path, &headers).await;
            assert_eq!(answer.status, status, "{path} {headers:?}");
        }
        let read = ask_with(&admin, "GET", "/kill-switch", &headers).await;
        assert_eq!((read.status.as_u16(), read.header("access-control-allow-origin")), (200, None));
    }
    assert!(!admin.kill_switch().is_on());
}

#[tokio::test]
async fn nothing_is_kept_framed_sniffed_or_let_load_anything() {
    let admin = Admin::new();
    for (method, path) in [
        ("GET", "/healthz"),
        ("GET", "/kill-switch"),
        ("GET", "/nowhere"),
        ("PUT", "/kill-switch"),
        ("POST", "/kill-switch/on"),
    ] {
        let answer = ask_with(&admin, method, path, &[]).await;
        let expected = [
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-resource-policy", "same-origin"),
        ];
        for (name, value) in expected {
            assert_eq!(answer.header(name), Some(value), "{method} {path}");
        }
        assert!(answer.header("content-security-policy").unwrap().starts_with("default-src 'none'"));
    }
}
