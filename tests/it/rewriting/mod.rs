//! Tests that the client gets the envelope, whatever an inner service sends (E1, E2, E7, E8).

mod header_order;
mod protocols;

use std::sync::Arc;

use bytes::Bytes;
use error_envelope_core::session::{BodyFacts, RequestStep, ResponseStep, Session, SessionConfig};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use proptest::prelude::*;
use serde_json::Value;
use tower_error_envelope::{Policy, RequestId};

pub(crate) const ID: &str = "req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D";

/// Returns the response of one session around an inner one.
fn rewritten(policy: &Arc<Policy>, inner: &Response<Bytes>) -> Response<Bytes> {
    rewritten_for(policy, Request::new(()), inner)
}

/// Returns the response that this request gets.
pub(crate) fn rewritten_for(policy: &Arc<Policy>, request: Request<()>, inner: &Response<Bytes>) -> Response<Bytes> {
    let (mut request, ()) = request.into_parts();
    let ended = BodyFacts { ended: request.method == Method::GET, ..BodyFacts::default() };
    let config = SessionConfig::new(policy.clone(), || std::time::UNIX_EPOCH);
    let id = || ID.parse::<RequestId>().unwrap();
    let (mut session, step) = Session::begin(config.into(), &mut request, ended, id);
    assert!(matches!(step, RequestStep::Forward(..)), "nothing guards the request");
    let (mut head, body) = inner.clone().into_parts();
    let sent = match session.respond_whole(&mut head, &body) {
        ResponseStep::Write(written) => written.body,
        ResponseStep::Pass(..) | ResponseStep::Resume(..) => body,
        step => panic!("{step:?}"),
    };
    Response::from_parts(head, sent)
}

pub(crate) fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,12}|not_found|NO_OP|2\\.0|false|req_x|<b>x</b>|a\nb".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let name = "error|code|message|details|issues|errors|detail|success|title|status|request_id|type|jsonrpc|path|loc|msg|timestamp|meta|[a-z.0-9]{1,4}";
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((name, inner), 0..6).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn body() -> impl Strategy<Value = Bytes> {
    prop_oneof![
        4 => json_value().prop_map(|value| Bytes::from(value.to_string())),
        1 => (json_value(), any::<prop::sample::Index>()).prop_map(|(value, at)| {
            let text = value.to_string().into_bytes();
            let end = at.index(text.len());
            Bytes::from(text).slice(..end)
        }).prop_filter("not empty", |body| !body.is_empty()),
        1 => prop::collection::vec(any::<u8>(), 0..200).prop_map(Bytes::from),
        1 => "\\PC{0,300}".prop_map(Bytes::from),
    ]
}

pub(crate) fn inner() -> impl Strategy<Value = Response<Bytes>> {
    let media_type =
        prop::sample::select(vec!["application/json", "text/plain", "text/html", "application/problem+json", "x", ""]);
    let header = prop::sample::select(vec![
        ("x-error-code", "no_op"),
        ("x-error-code", "Not A Code"),
        ("etag", "\"x\""),
        ("content-length", "999999"),
        ("content-encoding", "identity"),
        ("connection", "x-hop, close"),
        ("x-hop", "1"),
        ("set-cookie", "a=1"),
        ("access-control-allow-origin", "*"),
    ]);
    (400_u16..600, media_type, prop::collection::vec(header, 0..5), body()).prop_map(
        |(status, media_type, lines, body)| {
            let mut response = Response::new(body);
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            response.headers_mut().insert("content-type", HeaderValue::from_static(media_type));
            for (name, value) in lines {
                response.headers_mut().append(name, HeaderValue::from_static(value));
            }
            response
        },
    )
}

/// Checks the envelope's members against E1, E2 and E8.
fn envelope(headers: &HeaderMap, body: &[u8]) -> Result<(), TestCaseError> {
    let text = std::str::from_utf8(body).unwrap();
    let value: Value = serde_json::from_str(text).unwrap();
    let error = value["error"].as_object().unwrap();
    prop_assert_eq!(value.as_object().unwrap().len(), 2);
    prop_assert!(error.keys().all(|key| matches!(&**key, "code" | "message" | "details")), "{}", text);
    prop_assert_eq!(value["request_id"].as_str(), Some(ID));
    let (code, message) = (error["code"].as_str().unwrap(), error["message"].as_str().unwrap());
    let prefix = format!("{{\"error\":{{\"code\":\"{code}\",\"message\":");
    prop_assert!(text.starts_with(&prefix), "{}", text);
    prop_assert!(!message.trim().is_empty() && message.len() <= 1024 && !message.contains(char::is_control));
    prop_assert_eq!(&headers["x-error-code"], code);
    prop_assert!(headers["content-length"] == body.len().to_string());
    if code == "invalid_request" {
        let issues = error["details"]["issues"].as_array();
        prop_assert!(
            issues.is_some_and(|issues| !issues.is_empty()
                && issues.iter().all(|it| it["path"].is_array() && it["message"].is_string())),
            "{}",
            text
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn e1_every_inner_error_becomes_the_envelope_and_e7_once(inner in inner(), known in any::<bool>()) {
        let policy = if known { Policy::builder().unknown_codes(tower_error_envelope::policy::UnknownCodes::ByStatus) } else { Policy::builder() };
        let policy = Arc::new(policy.protocols(tower_error_envelope::policy::Protocols::Rewrite).build().unwrap());
        let once = rewritten(&policy, &inner);
        // A canonical `invalid_request` keeps its details (E8).
        let canonical = inner.body().windows(12).any(|window| window == b"\"request_id\"");
        if !canonical {
            envelope(once.headers(), once.body())?;
        }
        prop_assert_eq!(once.status(), inner.status());
        prop_assert!(!once.headers().contains_key("x-hop") || !inner.headers().contains_key("connection"));

        let twice = rewritten(&policy, &once);
        prop_assert_eq!(twice.body(), once.body());
        prop_assert_eq!(twice.status(), once.status());
        let cookies = |response: &Response<Bytes>| response.headers().get_all("set-cookie").iter().count();
        prop_assert_eq!(cookies(&twice), cookies(&inner));
    }
}
