//! Tests that a closed record states what the client and the service saw (L1, L5).

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, TE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Version, response};

use super::*;
use crate::dialect::grpc::GRPC_STATUS;
use crate::policy::Policy;
use crate::request_id::RequestId;

/// A policy with a key that no request has.
const HARBOUR: &str = r#"
version = 1
[observe]
bodies = true
[auth.pilot]
scheme = "header"
header = "x-pilot"
keys = [{ id = "p", sha256 = "c48a01f49fd0f2cc404bc3cbbc80e91457a3d41bb429a695243de4c61794155c" }]
[defaults]
"#;

#[allow(clippy::disallowed_methods, reason = "these tests are the adapter")]
fn now() -> Instant {
    Instant::now()
}

struct Nobody;

impl Observer for Nobody {
    fn on_record(&self, _: &ClosedRecord) {}
}

/// Begins a request that is forwarded, under these defaults.
fn begun(defaults: &str, version: Version, headers: &[(HeaderName, &'static str)]) -> Session {
    let policy = Policy::from_toml("p.toml", &format!("{HARBOUR}{defaults}")).unwrap();
    let config =
        SessionConfig { observer: Some(Arc::new(Nobody)), ..SessionConfig::new(policy, || SystemTime::UNIX_EPOCH) };
    let mut head = Request::new(()).into_parts().0;
    (head.method, head.version) = (Method::POST, version);
    head.uri = "/harbour.v1.Quay/Moor".parse().unwrap();
    head.headers.extend(lines(headers));
    let body = BodyFacts { ended: false, lower: 0, upper: None };
    let (session, step) = Session::begin(Arc::new(config), &mut head, body, || RequestId::from_parts(1, 2));
    assert!(matches!(step, RequestStep::Forward(_)), "{step:?}");
    session
}

fn lines(headers: &[(HeaderName, &'static str)]) -> HeaderMap {
    headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
}

fn answer(status: u16, headers: &[(HeaderName, &'static str)]) -> response::Parts {
    let mut head = Response::builder().status(status).body(()).unwrap().into_parts().0;
    head.headers = lines(headers);
    head
}

fn delivery(head_sent: bool, end: End) -> Delivery {
    Delivery { head_sent, request_bytes: None, response_bytes: None, end }
}

fn close(mut follow: Follow, end: End) -> ClosedRecord {
    follow.close(delivery(true, end), now).unwrap()
}

const GRPC: (HeaderName, &str) = (CONTENT_TYPE, "application/grpc");
const JSON: (HeaderName, &str) = (CONTENT_TYPE, "application/json");

#[test]
fn l5_an_answer_that_no_client_got_is_in_no_view() {
    for (head_sent, end) in [(false, End::ClientLeft), (false, End::Malformed), (true, End::Complete)] {
        let mut session = begun("", Version::HTTP_11, &[]);
        let record = session.end(Ending::Panicked("the crane fell".into())).unwrap().record;
        let record = record.close(delivery(head_sent, end));
        let after = record.captured().and_then(|bodies| bodies.after.as_ref());
        assert_eq!((record.status().is_some(), after.is_some()), (head_sent, head_sent), "{end:?}");
    }
}

#[test]
fn v2_no_body_of_the_service_is_stored_for_a_proxy_s_error() {
    let mut session = begun("", Version::HTTP_11, &[]);
    let step = session.proxy_failed(&mut answer(409, &[]), "handed over by another gateway".into());
    let ResponseStep::Write(written) = step else { panic!() };
    let captured = written.record.captured().unwrap();
    assert_eq!((captured.before.is_some(), captured.after.is_some()), (false, true));
}

#[test]
fn l5_a_body_that_was_not_stored_is_not_whole() {
    let garbage = Bytes::from_static(b"not gzip at all");
    let stored = |record: &RequestRecord| record.captured().unwrap().before.as_ref().unwrap().is_whole;
    for (mode, status, headers) in [
        ("enforce", 404, &[JSON, (CONTENT_ENCODING, "gzip")][..]),
        ("observe", 404, &[JSON, (CONTENT_ENCODING, "gzip")]),
        ("enforce", 404, &[JSON, (CONTENT_ENCODING, "tar")]),
        ("observe", 404, &[JSON, (CONTENT_ENCODING, "tar")]),
        ("enforce", 600, &[]),
        ("own", 700, &[]),
    ] {
        let mut session = begun(&format!("mode = \"{mode}\""), Version::HTTP_11, &[]);
        let is_whole = match session.respond_whole(&mut answer(status, headers), &garbage) {
            ResponseStep::Write(written) => stored(&written.record),
            ResponseStep::Pass(follow) => stored(follow.record().unwrap()),
            step => unreachable!("{step:?}"),
        };
        assert!(!is_whole, "{mode} {status} {headers:?}");
    }
    let mut session = begun("mode = \"observe\"", Version::HTTP_11, &[]);
    let unsized_body = || BodyFacts { ended: false, lower: 0, upper: None };
    let ResponseStep::Pass(mut follow) = session.respond(&mut answer(500, &[JSON]), unsized_body) else { panic!() };
    follow.begin(|| None, now);
    follow.data(&mut Bytes::from_static(b"{\"message\":"), false, now);
    assert!(!stored(&close(follow, End::ClientLeft)), "the client left");
}

#[test]
fn l1_a_success_that_ends_early_is_no_refusal() {
    for end in [End::ClientLeft, End::Stalled, End::Stopped] {
        let mut session = begun("auth = [\"pilot\"]\nauth_observe = true", Version::HTTP_11, &[]);
        let ResponseStep::Pass(follow) = session.respond(&mut answer(200, &[]), BodyFacts::default) else { panic!() };
        let record = close(follow, end);
        assert_eq!(record.origin(), Some(Origin::Abandoned), "{end:?}");
        assert_eq!(record.would_be().unwrap().code.as_ref().unwrap().as_str(), "auth_missing");
        assert_eq!(record.notes().also.len(), 1);
    }
}

#[test]
fn l1_a_client_that_left_would_have_been_refused() {
    let mut session = begun("auth = [\"pilot\"]\nauth_observe = true", Version::HTTP_11, &[]);
    let record = session.abandon().unwrap().close(delivery(false, End::ClientLeft));
    assert_eq!(record.would_be().unwrap().code.as_ref().unwrap().as_str(), "auth_missing");
    assert_eq!((record.origin(), record.notes().also.len()), (Some(Origin::Abandoned), 1));
}

#[test]
fn l5_a_grpc_status_over_an_http_error_is_in_the_record_of_every_mode() {
    for (mode, status, would_be) in
        [("off", 404, None), ("observe", 404, Some(200)), ("own", 404, Some(200)), ("enforce", 200, None)]
    {
        let mut session = begun(&format!("mode = \"{mode}\""), Version::HTTP_2, &[GRPC, (TE, "trailers")]);
        let mut head = answer(404, &[GRPC, (GRPC_STATUS, "5")]);
        let record = match session.respond(&mut head, || BodyFacts { ended: true, ..BodyFacts::default() }) {
            ResponseStep::Pass(follow) => close(follow, End::Complete),
            ResponseStep::Write(written) => written.record.close(delivery(true, End::Complete)),
            step => unreachable!("{step:?}"),
        };
        assert_eq!((record.status().unwrap().as_u16(), record.grpc_status()), (status, Some(5)), "{mode}");
        assert_eq!(record.would_be().map(|sent| sent.status.as_u16()), would_be, "{mode}");
    }
}

/// Over HTTP/1, a server sends trailers only to a client that takes them.
#[test]
fn l5_a_grpc_status_that_the_client_cannot_get_is_not_sent() {
    for (version, te, got) in [
        (Version::HTTP_11, &[GRPC][..], false),
        (Version::HTTP_11, &[GRPC, (TE, "trailers")], true),
        (Version::HTTP_2, &[GRPC], true),
    ] {
        for number in ["0", "9"] {
            let mut session = begun("", version, te);
            let unsized_body = || BodyFacts { ended: false, lower: 0, upper: None };
            let step = session.respond(&mut answer(200, &[GRPC]), unsized_body);
            let ResponseStep::Pass(mut follow) = step else { unreachable!("{step:?}") };
            follow.begin(|| None, now);
            follow.trailers(&mut lines(&[(GRPC_STATUS, number)]), now);
            follow.end(now);
            let record = close(follow, End::Complete);
            let sent = got.then(|| number.parse().unwrap());
            assert_eq!(record.grpc_status(), sent, "{version:?} {te:?} {number}");
            assert_eq!(record.origin(), (number == "9").then_some(Origin::Inner), "{version:?} {te:?} {number}");
        }
    }
}

/// grpcio prefers the status of the trailers to that of the head, and reads a status behind any HTTP status.
#[test]
fn l5_the_grpc_status_that_a_client_reads_is_in_the_record() {
    for mode in ["observe", "own", "fill", "enforce"] {
        for (status, headers, trailers, (number, outcome)) in [
            (200, &[GRPC, (GRPC_STATUS, "5")][..], &[(GRPC_STATUS, "0")][..], (0, "ok")),
            (200, &[GRPC, (GRPC_STATUS, "5")], &[(GRPC_STATUS, "13")], (13, "server_error")),
            (200, &[GRPC, (GRPC_STATUS, "5")], &[], (5, "client_error")),
            (200, &[(GRPC_STATUS, "5")], &[], (5, "client_error")),
            (204, &[GRPC, (GRPC_STATUS, "5")], &[], (5, "client_error")),
            (302, &[(GRPC_STATUS, "5")], &[], (5, "client_error")),
        ] {
            let mut session = begun(&format!("mode = \"{mode}\""), Version::HTTP_2, &[GRPC, (TE, "trailers")]);
            let unsized_body = || BodyFacts { ended: false, lower: 0, upper: None };
            let step = session.respond(&mut answer(status, headers), unsized_body);
            let (ResponseStep::Pass(mut follow) | ResponseStep::Strip(mut follow)) = step else { panic!("{step:?}") };
            follow.begin(|| None, now);
            follow.trailers(&mut lines(trailers), now);
            follow.end(now);
            let record = close(follow, End::Complete);
            let got = (record.grpc_status(), record.outcome().as_str());
            assert_eq!(got, (Some(number), outcome), "{mode} {status} {headers:?} {trailers:?}");
        }
    }
}
