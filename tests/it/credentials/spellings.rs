//! Tests G0: if two spellings of a path belong to two routes, the credentials of both are required, whatever their
//! modes.

use std::sync::atomic::{AtomicUsize, Ordering};

use tower_error_envelope::auth::{CredentialRequest, Verified};
use tower_error_envelope::{Mode, RouteRule};

use super::*;
use crate::kit::logged;

fn two_doors() -> PolicyBuilder {
    let app = AuthScheme::header("x-api-key").key(Key::of_secret("app", "app-1")).forward_id("x-app");
    Policy::builder()
        .scheme("api", bearer().forward_id("x-consumer-id"))
        .scheme("app", app)
        .route(RouteRule::new("/admin/{*rest}").auth(["api"]))
        .route(RouteRule::new("/public/{*rest}").auth(["app"]).mode(Mode::Off))
}

#[test]
fn g0_no_spelling_slips_past_a_closed_route() {
    let layer = policy(two_doors());
    for path in
        ["/admin/x", "/%61dmin/x", "/admin%2Fx", "//admin/x", "/x/../admin/x", "/./admin", "/\\admin", "/admin/"]
    {
        let ((answer, seen), _) = logged(once(&layer, get(path).body(empty()).unwrap()));
        answer.expect_envelope(401, "auth_missing");
        assert!(seen.is_empty(), "{path}");
    }
}

#[test]
fn g0_the_credentials_of_both_are_required() {
    let layer = policy(two_doors());
    for (headers, outcome) in [
        (&[][..], None),
        (&[("authorization", "Bearer key-live-1")], None),
        (&[("x-api-key", "app-1")], None),
        (&[("authorization", "Bearer key-gone-1"), ("x-api-key", "app-1")], None),
        (&[("authorization", "Bearer key-live-1"), ("x-api-key", "app-1")], Some(("api", "live"))),
    ] {
        let request =
            headers.iter().fold(get("/public/../admin/x"), |request, (name, value)| request.header(*name, *value));
        let ((answer, seen), _) = logged(once(&layer, request.body(empty()).unwrap()));
        match outcome {
            None => {
                assert!(seen.is_empty() && answer.head.status == 401, "{headers:?}");
            }
            Some((scheme, id)) => {
                assert_eq!(identity(&seen[0]), (scheme, Some(id)), "that of the normalised path");
                assert_eq!(seen[0].headers["x-consumer-id"], "live");
                assert_eq!(seen[0].headers["x-app"], "app");
            }
        }
    }
}

#[test]
fn g0_a_401_has_the_challenges_of_both() {
    let layer = policy(two_doors());
    for (headers, code, bearer) in [
        (&[][..], "auth_missing", "Bearer"),
        (&[("authorization", "Bearer key-live-1")], "auth_missing", "Bearer"),
        (&[("authorization", "Bearer no"), ("x-api-key", "no")], "auth_invalid", "Bearer error=\"invalid_token\""),
        (
            &[("authorization", "Bearer key-gone-1"), ("x-api-key", "no")],
            "auth_expired",
            "Bearer error=\"invalid_token\", error_description=\"The token has expired or was revoked\"",
        ),
    ] {
        let request =
            headers.iter().fold(get("/public/../admin/x"), |request, (name, value)| request.header(*name, *value));
        let ((answer, _), _) = logged(once(&layer, request.body(empty()).unwrap()));
        answer.expect_envelope(401, code);
        let lines: Vec<_> = answer.head.headers.get_all("www-authenticate").iter().collect();
        assert_eq!(lines, ["ApiKey header=\"x-api-key\"", bearer], "{headers:?}");
    }
}

/// The credentials of one spelling are only observed, and those of the other are still required.
#[test]
fn g0_a_scheme_that_is_observed_does_not_open_the_other() {
    let layer = policy(two_doors().route(RouteRule::new("/watched/{*rest}").auth(["app"]).auth_observe(true)));
    let request = get("/watched/../admin/x").header("x-api-key", "app-1").body(empty()).unwrap();
    let ((answer, seen), _) = logged(once(&layer, request));
    answer.expect_envelope(401, "auth_missing");
    assert!(seen.is_empty());
    let request = get("/watched/../admin/x").header("authorization", "Bearer key-live-1").body(empty()).unwrap();
    let ((answer, _), lines) = logged(once(&layer, request));
    assert_eq!((answer.head.status.as_u16(), lines[0].field("would_be_status")), (200, Some("401")));
}

#[test]
fn g0_a_verifier_that_both_need_is_called_once() {
    let calls = std::sync::Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let builder = Policy::builder()
        .scheme("partner", AuthScheme::custom())
        .scheme("api", bearer())
        .route(RouteRule::new("/admin/{*rest}").auth(["partner"]))
        .route(RouteRule::new("/public/{*rest}").auth(["api", "partner"]));
    let layer = policy(builder).verifier("partner", move |_: CredentialRequest| {
        counted.fetch_add(1, Ordering::SeqCst);
        async { Ok(Verified::granted("p1")) }
    });
    let ((_, seen), _) = logged(once(&layer, get("/public/../admin/x").body(empty()).unwrap()));
    assert_eq!((identity(&seen[0]), calls.load(Ordering::SeqCst)), (("partner", Some("p1")), 1));
}

/// A request that is refused anyway takes no time of a verifier.
#[test]
fn g0_a_scheme_that_refuses_calls_no_verifier_of_the_other() {
    let builder = Policy::builder()
        .scheme("partner", AuthScheme::custom().challenge("Partner"))
        .scheme("api", bearer())
        .route(RouteRule::new("/admin/{*rest}").auth(["api"]))
        .route(RouteRule::new("/public/{*rest}").auth(["partner"]));
    let layer = policy(builder).verifier("partner", |_: CredentialRequest| async { panic!("nobody asks") });
    let ((answer, _), lines) = logged(once(&layer, get("/public/../admin/x").body(empty()).unwrap()));
    answer.expect_envelope(401, "auth_missing");
    assert_eq!(lines.len(), 1);
    let challenges: Vec<_> = answer.head.headers.get_all("www-authenticate").iter().collect();
    assert_eq!(challenges, ["Bearer", "Partner"]);
}
