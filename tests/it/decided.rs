//! Tests why an error has its code, by the log (rules R1, L1, L3), and the explanation of each step.

use std::sync::Arc;
use std::time::UNIX_EPOCH;

use axum::http::{HeaderValue, Request, Response, response};
use bytes::Bytes;
use error_envelope_core::session::{BodyFacts, DecidedBy, RequestRecord, ResponseStep, Session, SessionConfig};
use tower_error_envelope::policy::{Dialect, PolicyFile, PolicyLoader};
use tower_error_envelope::{ErrorCode, Fault, Mode, Policy, RequestId};

const POLICY: &str = "\
version = 1
[[route]]
match = \"/observed\"
mode = \"observe\"
[[code]]
code = \"gone_fishing\"
status = 404
[[map]]
status = 404
route = \"/other\"
to = \"gone_fishing\"
[[map]]
code = \"NO_SUCH\"
to = \"gone_fishing\"
[[route]]
match = \"/own\"
mode = \"own\"
[[route]]
match = \"/fill\"
mode = \"fill\"
";

#[test]
fn l1_an_event_says_what_decided_in_each_mode() {
    const ENVELOPE: &str =
        r#"{"error":{"code":"no_such_room","message":"m"},"request_id":"req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D"}"#;
    for (status, kind, body, by) in [
        (404, "application/json", ENVELOPE, DecidedBy::Layer),
        (404, "application/json", r#"{"error":{"code":"NO_SUCH","message":"m"}}"#, DecidedBy::Rule),
        (404, "application/json", r#"{"error":{"code":"RATE_LIMITED","message":"m"}}"#, DecidedBy::Dialect),
        (401, "text/plain", "no", DecidedBy::Credentials),
        (401, "text/plain", "", DecidedBy::Credentials),
        (422, "application/json", r#"{"message":"m","errors":{"to":["Required."]}}"#, DecidedBy::Issues),
        (404, "text/plain", "no", DecidedBy::Status),
        (404, "", "", DecidedBy::Status),
    ] {
        for path in ["/enforced", "/observed"] {
            let record = recorded(path, status, kind, body).expect("an error is told");
            assert_eq!(record.decided_by(), Some(by), "{path} {status} {body}");
            let line = record.map_rule().map(|rule| file().map_rule(rule).map(|(file, line)| (file.to_owned(), line)));
            let wanted = (by == DecidedBy::Rule).then(|| Some(("policy.toml".to_owned(), 12)));
            assert_eq!(line, wanted, "{path} {status} {body}");
        }
    }
    // The code of a body that stays is that of its head, or otherwise that of the status, whether the body was read or
    // not.
    for (code, named, by) in
        [(None, ErrorCode::NOT_FOUND, DecidedBy::Status), (Some("gone"), ErrorCode::GONE, DecidedBy::Layer)]
    {
        for (path, kind) in [("/own", "application/json"), ("/fill", "application/json"), ("/fill", "")] {
            let mut head = head(404, kind);
            code.map(|code| head.headers.insert("x-error-code", HeaderValue::from_static(code)));
            let record = record_of(session(path).respond_whole(&mut head, &ENVELOPE.into())).expect("an error is told");
            let would_be = record.would_be().and_then(|sent| sent.code.as_ref());
            assert_eq!((record.code(), would_be, record.decided_by()), (None, Some(&named), Some(by)), "{path} {kind}");
        }
    }
}

#[test]
fn l3_an_unknown_code_is_logged_where_it_is_a_name() {
    for (code, logged_as) in [
        ("SESSION_LOST", Some("SESSION_LOST")),
        ("E1001", Some("E1001")),
        ("NO_SUCH", None),
        ("RATE_LIMITED", None),
        ("sk_live_4eC39HqLyjWDarjtT1zdp7dc", None),
        ("4711", None),
        ("a code", None),
    ] {
        for (path, status) in [("/enforced", 404), ("/observed", 404), ("/enforced", 500)] {
            let body = format!(r#"{{"error":{{"code":"{code}","message":"m"}}}}"#);
            let record = recorded(path, status, "application/json", &body).expect("an error is told");
            assert_eq!(record.notes().unknown_code.as_deref(), logged_as, "{path} {status} {code}");
        }
    }
}

#[test]
fn r1_each_step_is_returned_on_request() {
    let body = r#"{"error":{"code":"NO_SUCH","message":"Gone."}}"#;
    let explained = |path, head, body| session(path).explain(&head, body).unwrap();
    let explanation = explained("/enforced", head(404, "application/json"), Some(body.as_bytes()));
    assert_eq!((explanation.codes, explanation.message.as_deref()), (vec!["NO_SUCH".to_owned()], Some("Gone.")));
    assert_eq!(explanation.rules, [Some("route"), None], "the first misses its route, the second fits");
    let explanation = explained("/enforced", head(410, "text/plain"), Some(b"Gone."));
    assert_eq!((explanation.codes, explanation.rules), (Vec::new(), vec![Some("status"), Some("code")]));
    let explanation = explained("/other", head(404, ""), None);
    assert_eq!((explanation.message, explanation.rules), (None, vec![None]));
}

#[test]
fn a_session_goes_on_as_if_its_route_had_another_mode_and_dialect() {
    let enforced = file().another_policy().unwrap().in_mode(Mode::Enforce);
    let mut session = session_under(enforced, "/observed").as_if(Some(Dialect::SuccessFlag));
    let step = session.respond_whole(&mut head(404, "text/plain"), &"no".into());
    let ResponseStep::Write(written) = step else { panic!("an error is rewritten") };
    assert_eq!(written.body, r#"{"success":false,"error":"no"}"#);
}

fn file() -> PolicyFile {
    PolicyLoader::new().parse("policy.toml", POLICY).unwrap()
}

fn session(path: &str) -> Session {
    session_under(file().into_policy(), path)
}

fn session_under(policy: Policy, path: &str) -> Session {
    let config = Arc::new(SessionConfig::new(policy, || UNIX_EPOCH));
    let mut head = Request::builder().uri(path).body(()).unwrap().into_parts().0;
    let body = BodyFacts { ended: true, ..BodyFacts::default() };
    Session::begin(config, &mut head, body, || RequestId::from_parts(0, 0)).0
}

fn head(status: u16, kind: &str) -> response::Parts {
    let mut response = Response::builder().status(status);
    if !kind.is_empty() {
        response = response.header("content-type", kind);
    }
    response.body(()).unwrap().into_parts().0
}

#[test]
fn l1_an_event_has_the_cause_of_a_fault_in_each_mode() {
    for path in ["/enforced", "/observed"] {
        let mut head = head(409, "");
        head.extensions.insert(Fault::new(ErrorCode::CONFLICT).with_source("4 wanted, 3 left"));
        let record = record_of(session(path).respond_whole(&mut head, &Bytes::new())).expect("an error is logged");
        let causes = record.cause().map(|cause| cause.source().map(ToString::to_string));
        assert_eq!(causes, Some(Some("4 wanted, 3 left".to_owned())), "{path}");
    }
}

#[test]
fn e6_the_event_has_the_status_that_was_replaced() {
    let record = recorded("/enforced", 999, "text/plain", "x").expect("an error is logged");
    let cause = record.cause().and_then(|cause| cause.source()).map(ToString::to_string);
    assert_eq!(
        (record.status().map(|it| it.as_u16()), cause.as_deref()),
        (Some(502), Some("the service's status is 999"))
    );
}

fn recorded(path: &str, status: u16, kind: &str, body: &str) -> Option<RequestRecord> {
    record_of(session(path).respond_whole(&mut head(status, kind), &Bytes::copy_from_slice(body.as_bytes())))
}

fn record_of(step: ResponseStep) -> Option<RequestRecord> {
    match step {
        ResponseStep::Write(written) => Some(written.record),
        ResponseStep::Pass(follow) | ResponseStep::Resume(_, _, follow) => follow.into_decided(),
        other => panic!("{other:?}"),
    }
}
