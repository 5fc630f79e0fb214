//! Tests M1: `auth_observe` checks and logs, and every request passes. No mode alone opens a route.

use tower_error_envelope::auth::{CredentialRequest, Verified};
use tower_error_envelope::{Mode, RouteRule};

use super::*;
use crate::kit::{logged, only};

fn watching(mode: Mode) -> PolicyBuilder {
    Policy::builder().scheme("api", bearer().forward_id("x-consumer-id")).auth(["api"]).auth_observe(true).mode(mode)
}

const MODES: [Mode; 5] = [Mode::Off, Mode::Observe, Mode::Own, Mode::Fill, Mode::Enforce];

#[test]
fn m1_no_mode_skips_authentication() {
    for mode in MODES {
        let layer = policy(watching(mode).auth_observe(false));
        let ((answer, seen), lines) = logged(once(&layer, get("/x").body(empty()).unwrap()));
        answer.expect_envelope(401, "auth_missing");
        assert!(seen.is_empty(), "{mode:?}");
        assert_eq!(only(&lines).field("status"), Some("401"));
        assert_eq!(only(&lines).field("would_be_status"), None);
    }
}

#[test]
fn m1_auth_observe_lets_in_and_tells_the_log() {
    for mode in MODES {
        let layer = policy(watching(mode));
        let ((answer, seen), lines) = logged(once(&layer, get("/x").body(empty()).unwrap()));
        assert_eq!((answer.head.status.as_u16(), seen.len()), (200, 1), "{mode:?}");
        assert!(seen[0].extensions.get::<Identity>().is_none());
        let line = only(&lines);
        assert_eq!((&*line.level, line.field("would_be_code")), ("INFO", Some("auth_missing")), "{mode:?}");
        assert_eq!((line.field("would_be_status"), line.field("origin")), (Some("401"), Some("guard")), "{mode:?}");
    }
}

#[test]
fn m1_auth_observe_names_who_would_be_let_in() {
    for mode in MODES {
        let layer = policy(watching(mode));
        let request = get("/x").header("authorization", "Bearer key-live-1").header("x-consumer-id", "root");
        let ((_, seen), lines) = logged(once(&layer, request.body(empty()).unwrap()));
        assert_eq!(identity(&seen[0]), ("api", Some("live")), "{mode:?}");
        assert_eq!(seen[0].headers["x-consumer-id"], "live");
        assert!(lines.is_empty(), "{lines:?}");
    }
}

/// A check that is not enforced is a field in the line of the response (L1).
#[test]
fn m1_a_later_guard_still_refuses() {
    let layer = policy(watching(Mode::Enforce).route(RouteRule::new("/json").json(true)));
    for (body, status, code, also) in
        [(chunks(&["{}"]), 415, Some("unsupported_media_type"), Some("auth_missing")), (chunks(&[]), 200, None, None)]
    {
        let request = Request::post("/json").body(body).unwrap();
        let ((answer, _), lines) = logged(once(&layer, request));
        assert_eq!(answer.head.status, status);
        let line = only(&lines);
        assert_eq!((line.field("code"), line.field("also")), (code, also));
        assert_eq!(line.field("would_be_code"), if code.is_none() { Some("auth_missing") } else { None });
    }
    let request = Request::post("/x").header("content-length", "2000000").body(chunks(&[])).unwrap();
    let ((answer, _), lines) = logged(once(&layer, request));
    answer.expect_envelope(413, "payload_too_large");
    assert_eq!(only(&lines).field("also"), Some("auth_missing"));
}

#[test]
fn m1_a_verifier_that_fails_is_observed_too() {
    let layer = policy(custom(AuthScheme::custom()).auth_observe(true))
        .verifier("partner", |_: CredentialRequest| async {
            Err::<Verified, BoxError>("the directory is down".into())
        });
    let ((answer, seen), lines) = logged(once(&layer, get("/x").body(empty()).unwrap()));
    assert_eq!((answer.head.status.as_u16(), seen.len()), (200, 1));
    let line = only(&lines);
    assert_eq!((&*line.level, line.field("would_be_status")), ("WARN", Some("503")));
    assert!(line.text.contains("the directory is down"), "{}", line.text);
}
