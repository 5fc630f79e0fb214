use std::collections::HashSet;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};

use super::super::answer::ProbeResponse;
use super::super::finding::Outcome;
use super::super::request::{ProbeRequest, SentRequest};
use super::super::table::{PROBES, Probe, Wire};
use super::{Case, judge};

const ID: &str = "req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D";
const BODY: &str =
    r#"{"error":{"code":"not_found","message":"Not found."},"request_id":"req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D"}"#;

/// The layer's 404, to the letter.
fn not_found() -> ProbeResponse {
    let lines = [
        ("x-request-id", ID),
        ("x-error-code", "not_found"),
        ("content-type", "application/json"),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
    ];
    let headers = lines.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
    ProbeResponse {
        status: StatusCode::NOT_FOUND,
        headers: HeaderMap::from_iter(headers),
        body: Bytes::from_static(BODY.as_bytes()),
        trailers: None,
        whole: true,
        requested_body: false,
    }
}

fn with(name: &'static str, value: &'static str, mut got: ProbeResponse) -> ProbeResponse {
    if value.is_empty() {
        got.headers.remove(name);
    } else {
        got.headers.insert(name, HeaderValue::from_static(value));
    }
    got
}

fn probe(name: &str) -> &'static Probe {
    PROBES.iter().find(|probe| probe.name == name).unwrap()
}

fn request(probe: &Probe) -> ProbeRequest {
    let lines = probe.headers.iter();
    let lines = lines.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(name, value);
    }
    ProbeRequest {
        method: if probe.name == "head" { Method::HEAD } else { Method::GET },
        path: "/a".parse().unwrap(),
        headers,
        body: SentRequest::Nothing,
        wire: Wire::Http1,
        secret: Vec::new(),
    }
}

struct Held<'a> {
    predicted: Option<&'a Response<Bytes>>,
    seen: &'a [&'a str],
    kept_id: Option<&'a str>,
    model: Option<&'a Response<Bytes>>,
    exposes: bool,
    by_policy: bool,
}

const NOTHING: Held<'static> =
    Held { predicted: None, seen: &[], kept_id: None, model: None, exposes: true, by_policy: false };

fn judged(name: &str, got: &ProbeResponse, context: &Held<'_>) -> (Outcome, Vec<String>) {
    let probe = probe(name);
    let seen: HashSet<String> = context.seen.iter().map(|id| (*id).to_owned()).collect();
    judge(&Case {
        probe,
        request: &request(probe),
        got,
        predicted: context.predicted,
        model: context.model,
        seen: &seen,
        kept_id: context.kept_id,
        exposes: context.exposes,
        by_policy: context.by_policy,
    })
}

/// The rules that are broken, each once; empty if all are kept.
fn broken(name: &str, got: &ProbeResponse, context: &Held<'_>) -> Vec<String> {
    match judged(name, got, context) {
        (Outcome::Passed, _) => Vec::new(),
        (Outcome::Failed(findings), kept) => {
            let mut rules: Vec<_> = findings.into_iter().map(|finding| finding.rule).collect();
            assert!(kept.iter().all(|rule| !rules.contains(rule)), "kept and broken: {kept:?}");
            rules.sort();
            rules.dedup();
            rules
        }
        (Outcome::Skipped(why), _) => vec![why],
    }
}

#[test]
fn the_envelope_to_the_letter_keeps_every_rule() {
    let (Outcome::Passed, rules) = judged("not-found", &not_found(), &NOTHING) else { panic!("broken") };
    assert_eq!(rules, ["E1", "E2", "E3", "E4", "I1", "R1", "R6", "R7"]);
}

#[test]
fn e4_a_star_exposes_all_headers_unless_credentials_make_it_a_name() {
    let got = with("access-control-expose-headers", "*", with("access-control-allow-origin", "*", not_found()));
    assert_eq!(broken("not-found", &got, &NOTHING), [""; 0]);
    assert_eq!(broken("not-found", &with("access-control-allow-credentials", "true", got), &NOTHING), ["E4"]);
}

#[test]
fn g0_cors_around_the_layer_may_answer_a_preflight_that_has_no_id_then() {
    let answered =
        ProbeResponse { status: StatusCode::OK, body: Bytes::new(), ..with("x-request-id", "", not_found()) };
    assert_eq!(broken("preflight", &answered, &NOTHING), ["I1"]);
    let of_cors = with("access-control-allow-methods", "*", answered);
    let (Outcome::Passed, rules) = judged("preflight", &of_cors, &NOTHING) else { panic!("broken") };
    assert_eq!(rules, ["G0"]);
}

#[test]
fn each_slip_is_named_by_its_rule() {
    let text = |body: &'static str| ProbeResponse { body: Bytes::from_static(body.as_bytes()), ..not_found() };
    for (got, rules) in [
        (with("x-request-id", "", not_found()), &["E3", "I1"][..]),
        (with("x-request-id", "req_1", not_found()), &["E3", "I1"]),
        (with("x-request-id", "req_01jd2v5w8z3q4r6t8y0a1b2c3d", not_found()), &["E3", "I1"]),
        (with("x-error-code", "gone", not_found()), &["E4", "R1"]),
        (with("x-content-type-options", "", not_found()), &["E4"]),
        (with("content-type", "text/html", not_found()), &["E1"]),
        (with("cache-control", "", not_found()), &["R7"]),
        (with("content-encoding", "gzip", not_found()), &["R6"]),
        (with("access-control-allow-origin", "*", not_found()), &["E4"]),
        (text("Cannot GET /a"), &["E1"]),
        (ProbeResponse { whole: false, ..not_found() }, &["F4"]),
    ] {
        assert_eq!(broken("not-found", &got, &NOTHING), rules, "{:?}", got.headers);
    }
}

#[test]
fn e1_what_is_no_envelope_shows_nothing_of_what_would_be_in_it() {
    let got = ProbeResponse { body: Bytes::from_static(b"gone"), ..not_found() };
    let (Outcome::Failed(_), kept) = judged("bad-id", &got, &NOTHING) else { panic!("kept") };
    assert_eq!(kept, ["I1", "I2", "R7"]);
}

#[test]
fn i1_an_id_comes_once() {
    assert_eq!(broken("not-found", &not_found(), &Held { seen: &[ID], ..NOTHING }), ["I1"]);
}

#[test]
fn i2_the_senders_id_is_replaced_unless_the_policy_trusts_it() {
    assert_eq!(broken("own-id", &not_found(), &NOTHING), ["I2"]);
    assert_eq!(broken("own-id", &not_found(), &Held { kept_id: Some(ID), ..NOTHING }), [""; 0]);
    let other = Held { kept_id: Some("req_01JD2V5W8Z3Q4R6T8Y0A1B2C3E"), ..NOTHING };
    assert_eq!(broken("own-id", &not_found(), &other), ["I2"]);
}

#[test]
fn e5_head_has_a_code_and_no_body() {
    let head = ProbeResponse { body: Bytes::new(), ..not_found() };
    assert_eq!(broken("head", &head, &NOTHING), [""; 0]);
    assert_eq!(broken("head", &not_found(), &NOTHING), ["E5"]);
    assert_eq!(broken("head", &with("x-error-code", "", head), &NOTHING), ["E4"]);
}

#[test]
fn a_guard_that_lets_through_is_named() {
    let right =
        Response::builder().status(401).header("x-error-code", "auth_missing").header("www-authenticate", "Bearer");
    let right = right.body(Bytes::new()).unwrap();
    let context = Held { predicted: Some(&right), by_policy: true, ..NOTHING };
    let ok = ProbeResponse { status: StatusCode::OK, ..not_found() };
    assert_eq!(broken("no-credentials", &ok, &context), ["G2"]);
    assert_eq!(broken("no-credentials", &not_found(), &context), ["G2"]);
    let body = BODY.replace("not_found", "auth_missing");
    let refused = ProbeResponse {
        status: StatusCode::UNAUTHORIZED,
        body: body.into(),
        ..with("x-error-code", "auth_missing", not_found())
    };
    let challenged = with("www-authenticate", "Bearer", refused);
    assert_eq!(broken("no-credentials", &challenged, &context), [""; 0]);
    assert_eq!(broken("no-credentials", &with("www-authenticate", "Basic", challenged), &context), ["G2"]);
}

#[test]
fn what_answers_another_question_is_neither_kept_nor_broken() {
    let (Outcome::Skipped(why), _) = judged("other-method", &not_found(), &NOTHING) else { panic!("judged") };
    assert!(why.starts_with("GET /a got 404 not_found instead of 405 or 501; "), "{why}");
}

#[test]
fn e8_an_invalid_request_has_issues() {
    let invalid = |details: &str| {
        let code = r#""code":"invalid_request","message":"Bad.""#;
        let body = format!(r#"{{"error":{{{code}{details}}},"request_id":"{ID}"}}"#);
        let got = with("x-error-code", "invalid_request", not_found());
        ProbeResponse { status: StatusCode::BAD_REQUEST, body: body.into(), ..got }
    };
    let issues = r#","details":{"issues":[{"path":[],"message":"Bad."}]}"#;
    assert_eq!(broken("malformed-json", &invalid(issues), &NOTHING), [""; 0]);
    for details in ["", r#","details":{"issues":[]}"#, r#","details":{"issues":[{"path":"a","message":"b"}]}"#] {
        assert_eq!(broken("malformed-json", &invalid(details), &NOTHING), ["E8"], "{details}");
    }
}

#[test]
fn f5_what_the_server_below_says_has_neither_body_nor_id() {
    let below = ProbeResponse {
        status: StatusCode::from_u16(431).unwrap(),
        headers: HeaderMap::new(),
        body: Bytes::new(),
        ..not_found()
    };
    assert_eq!(judged("many-headers", &below, &NOTHING), (Outcome::Passed, vec!["F5".to_owned()]));
    let page = ProbeResponse { body: Bytes::from_static(b"<html>"), ..below };
    assert!(broken("many-headers", &page, &NOTHING).contains(&"E1".to_owned()));
}

#[test]
fn p1_p2_p3_each_protocol_has_its_own_errors() {
    let grpc = with(
        "content-type",
        "application/grpc",
        ProbeResponse { status: StatusCode::OK, body: Bytes::new(), ..not_found() },
    );
    let grpc = with("grpc-status-details-bin", "CA", with("grpc-status", "5", grpc));
    assert_eq!(broken("grpc", &grpc, &NOTHING), [""; 0]);
    assert_eq!(broken("grpc-web", &grpc, &NOTHING), ["P2"]);
    let web = with("content-type", "application/grpc-web+proto", grpc);
    assert_eq!(broken("grpc-web", &web, &NOTHING), [""; 0]);
    assert_eq!(broken("grpc-web", &with("grpc-status", "0", web), &NOTHING), ["P2"]);
    for name in ["grpc", "grpc-web", "connect"] {
        let rule = format!("P{}", ["grpc", "grpc-web", "connect"].iter().position(|it| *it == name).unwrap() + 1);
        assert!(broken(name, &not_found(), &NOTHING).contains(&rule), "{name}");
    }
    let connect =
        ProbeResponse { body: Bytes::from_static(br#"{"code":"not_found","message":"Not found."}"#), ..not_found() };
    assert_eq!(broken("connect", &connect, &NOTHING), [""; 0]);
}

#[test]
fn g4_an_early_answer_says_nothing_of_the_limit() {
    let chunked = |got: &ProbeResponse| {
        let probe = probe("too-large-chunked");
        let request = ProbeRequest { body: SentRequest::Chunked(2), ..request(probe) };
        let seen = HashSet::new();
        judge(&Case {
            probe,
            request: &request,
            got,
            predicted: None,
            model: None,
            seen: &seen,
            kept_id: None,
            exposes: true,
            by_policy: true,
        })
    };
    assert!(matches!(chunked(&not_found()), (Outcome::Skipped(_), _)));
    for status in [StatusCode::OK, StatusCode::INTERNAL_SERVER_ERROR] {
        let (Outcome::Failed(findings), _) = chunked(&ProbeResponse { status, ..not_found() }) else {
            panic!("{status}")
        };
        assert!(findings.iter().any(|finding| finding.rule == "G4"), "{findings:?}");
    }
}

#[test]
fn what_answers_another_question_shows_none_of_the_lines_own_rules() {
    let other = with("x-request-id", "", ProbeResponse { status: StatusCode::OK, ..not_found() });
    let (Outcome::Failed(findings), kept) = judged("malformed-json", &other, &NOTHING) else { panic!("kept") };
    assert_eq!((findings[0].rule.as_str(), kept.len()), ("I1", 0), "{kept:?}");
}

#[test]
fn e4_a_policy_may_keep_headers_from_browsers() {
    let got = with("access-control-allow-origin", "*", not_found());
    assert_eq!(broken("not-found", &got, &NOTHING), ["E4"]);
    assert_eq!(broken("not-found", &got, &Held { exposes: false, ..NOTHING }), [""; 0]);
}

#[test]
fn r1_a_code_that_a_policy_maps_keeps_the_services_status() {
    let body = BODY.replace("not_found", "conflict");
    let mapped = ProbeResponse { body: body.into(), ..with("x-error-code", "conflict", not_found()) };
    assert_eq!(broken("not-found", &mapped, &NOTHING), ["R1"]);
    let by_policy = Held { by_policy: true, ..NOTHING };
    let kept = |got| match judged("not-found", got, &by_policy) {
        (Outcome::Passed, rules) => rules,
        other => panic!("{other:?}"),
    };
    assert!(!kept(&mapped).contains(&"R1".to_owned()), "nothing shows that it is kept");
    assert!(kept(&not_found()).contains(&"R1".to_owned()));
    let guard = ProbeResponse { status: StatusCode::IM_A_TEAPOT, ..mapped };
    assert!(broken("many-headers", &guard, &Held { by_policy: true, ..NOTHING }).contains(&"R1".to_owned()));
}

#[test]
fn r12_a_status_in_the_error_has_a_form_for_fields() {
    let model = Bytes::from_static(br#"{"error":{"status":422,"message":"Bad.","request_id":"a"}}"#);
    let model = Response::builder().status(422).header("content-type", "application/json").body(model).unwrap();
    let context = Held { model: Some(&model), ..NOTHING };
    let got = |status: u16, body: &'static str| ProbeResponse {
        status: StatusCode::from_u16(status).unwrap(),
        body: Bytes::from_static(body.as_bytes()),
        ..with("x-error-code", "invalid_request", not_found())
    };
    let fields = r#"{"message":"Bad.","errors":{"name":["is empty"]}}"#;
    assert_eq!(broken("malformed-json", &got(422, fields), &context), [""; 0]);
    assert_eq!(broken("malformed-json", &got(400, fields), &context), ["R12"]);
    for body in [r#"{"message":"Bad.","errors":["name"]}"#, r#"{"errors":{}}"#, r#"{"message":"Bad."}"#] {
        assert_eq!(broken("malformed-json", &got(422, body), &context), ["R12"], "{body}");
    }
}
