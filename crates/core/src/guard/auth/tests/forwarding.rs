//! Forwarded ids, and the client's headers that they replace.

use super::*;

#[test]
fn g2_an_id_that_cannot_be_forwarded_lets_nobody_in() {
    let schemes = compiled([("partner", AuthScheme::custom().forward_id("x-consumer-id"))]);
    for id in ["", " ", "a\nb", "a ", "Jürgen"] {
        assert_eq!(
            outcome(ask_verifiers(&schemes, &[], &[Ok(Verified::granted(id))])),
            "service_unavailable",
            "{id:?}"
        );
    }
    let SchemesOutcome::In(passed) = ask_verifiers(&schemes, &[], &[Ok(Verified::granted("a b"))]) else {
        panic!("a good id")
    };
    let mut head = http::Request::new(()).into_parts().0;
    passed.mark(&mut head);
    assert_eq!(head.headers["x-consumer-id"], "a b");
    assert_eq!(head.extensions.get::<Identity>().unwrap().id(), Some("a b"));
}

#[test]
fn g2_no_spelling_of_a_forwarded_header_stays() {
    let ids = [HeaderName::from_static("x-consumer-id"), HeaderName::from_static("x_other")];
    let mut sent = headers(&[
        ("x-consumer-id", "root"),
        ("x_consumer_id", "root"),
        ("x-consumer_id", "root"),
        ("x-consumer-id", "admin"),
        ("x-other", "root"),
        ("x-consumer-idx", "kept"),
        ("xconsumerid", "kept"),
    ]);
    remove_forwarded(&ids, &mut sent);
    assert_eq!(sent.len(), 2, "{sent:?}");
    assert!(sent.values().all(|value| value == "kept"));
}

#[test]
fn g2_no_connection_header_hides_a_forwarded_id() {
    let ids = [HeaderName::from_static("x-consumer-id")];
    for (lines, kept) in [
        (&["close"][..], Some("close")),
        (&["close, X-Consumer-Id"], Some("close")),
        (&["x_consumer_id ,te", "upgrade"], Some("te,upgrade")),
        (&["x-consumer-id"], None),
        (&[" , x-consumer-id"], None),
    ] {
        let lines: Vec<_> = lines.iter().map(|line| ("connection", *line)).collect();
        let mut sent = headers(&lines);
        remove_forwarded(&ids, &mut sent);
        let left = sent.get("connection").map(|it| it.to_str().unwrap().replace(' ', ""));
        assert_eq!((left.as_deref(), sent.len()), (kept, usize::from(kept.is_some())), "{lines:?}");
    }
}
