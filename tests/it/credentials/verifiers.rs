//! Tests verifiers that work, and what happens after them.

use std::time::Duration;

use tokio::time::Instant;
use tower_error_envelope::RouteRule;
use tower_error_envelope::auth::{CredentialRequest, Verified, Verifier};
use tower_error_envelope::policy::RequiredHeader;

use super::*;
use crate::kit::{logged, only};

/// A verifier that knows the header `x-session`, and takes some time.
struct Sessions(Duration);

impl Verifier for Sessions {
    async fn verify(&self, request: CredentialRequest) -> Result<Verified, BoxError> {
        tokio::time::sleep(self.0).await;
        let Some(session) = request.headers().get("x-session") else { return Ok(Verified::Missing) };
        Ok(match session.to_str()? {
            "good" => Verified::granted("anna"),
            "odd" => Verified::Malformed,
            "old" => Verified::Expired,
            "new" => Verified::NoEmail,
            _ => Verified::Invalid,
        })
    }
}

fn sessions(builder: PolicyBuilder) -> ErrorEnvelopeLayer {
    policy(builder).verifier("partner", Sessions(Duration::from_millis(1500)))
}

fn with(session: &str) -> Request<AnyBody> {
    get("/x").header("x-session", session).body(empty()).unwrap()
}

#[test]
fn g2_a_verifier_decides() {
    let layer = sessions(custom(AuthScheme::custom().forward_id("x-user")));
    logged(async {
        let before = Instant::now();
        let (answer, seen) = once(&layer, with("good")).await;
        assert_eq!((answer.head.status.as_u16(), identity(&seen[0])), (200, ("partner", Some("anna"))));
        assert_eq!(seen[0].headers["x-user"], "anna");
        assert_eq!(before.elapsed().as_millis(), 1500, "it was awaited, and no longer");
    });
    for (session, status, code) in [
        ("", 401, "auth_invalid"),
        ("odd", 401, "auth_malformed"),
        ("old", 401, "auth_expired"),
        ("new", 403, "auth_no_email"),
        ("bad", 401, "auth_invalid"),
    ] {
        let ((answer, seen), lines) = logged(once(&layer, with(session)));
        answer.expect_envelope(status, code);
        assert!(seen.is_empty(), "{session}");
        assert_eq!(answer.header("www-authenticate").is_some(), status == 401, "{session}");
        assert_eq!(only(&lines).field("origin"), Some("guard"));
    }
    let ((answer, _), _) = logged(once(&layer, with("odd")));
    assert_eq!(answer.expect_envelope(401, "auth_malformed")["message"], "The credentials are badly formed.");
    let ((answer, _), _) = logged(once(&layer, get("/x").body(empty()).unwrap()));
    answer.expect_envelope(401, "auth_missing");
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
}

#[test]
fn g2_a_verifier_sees_the_request_but_for_what_is_forwarded() {
    let layer = policy(custom(AuthScheme::custom().forward_id("x-user"))).verifier(
        "partner",
        |it: CredentialRequest| async move {
            assert_eq!((it.method().as_str(), it.uri().query()), ("POST", Some("q=1")));
            assert!(it.headers().get("x-user").is_none() && it.headers().contains_key("x-request-id"));
            assert_eq!(it.extensions().get::<u8>(), Some(&7));
            assert_eq!(format!("{it:?}"), "CredentialRequest { method: POST, path: \"/x\", .. }");
            Ok(Verified::granted("anna"))
        },
    );
    logged(async {
        let request = get("/x?q=1")
            .method("POST")
            .header("x-user", "root")
            .header("authorization", "Bearer s3cr3t")
            .extension(7_u8);
        let (_, seen) = once(&layer, request.body(empty()).unwrap()).await;
        assert_eq!(identity(&seen[0]), ("partner", Some("anna")));
    });
}

#[test]
fn g2_schemes_that_need_no_wait_are_checked_first() {
    let builder = custom(AuthScheme::custom()).scheme("api", bearer()).auth(["partner", "api"]);
    let layer = policy(builder).verifier("partner", |_: CredentialRequest| async { panic!("nobody asks") });
    let request = get("/x").header("authorization", "Bearer key-live-1").body(empty()).unwrap();
    let ((_, seen), _) = logged(once(&layer, request));
    assert_eq!(identity(&seen[0]), ("api", Some("live")));
}

#[test]
fn g2_verifiers_are_called_in_turn_each_with_its_own_time() {
    let builder = Policy::builder()
        .scheme("slow", AuthScheme::custom().timeout(Duration::from_secs(1)))
        .scheme("partner", AuthScheme::custom())
        .auth(["slow", "partner"]);
    let layer = sessions(builder).verifier("slow", |_: CredentialRequest| std::future::pending());
    let ((), lines) = logged(async {
        let before = Instant::now();
        let (_, seen) = once(&layer, with("good")).await;
        assert_eq!(identity(&seen[0]), ("partner", Some("anna")));
        assert_eq!(before.elapsed().as_millis(), 2500);
        let (answer, _) = once(&layer, with("bad")).await;
        answer.expect_envelope(503, "service_unavailable");
    });
    assert!(only(&lines).text.contains("took longer than 1s"), "{lines:?}");
}

#[test]
fn g2_the_guards_after_it_go_on() {
    let layer = sessions(
        custom(AuthScheme::custom())
            .header("tenant", RequiredHeader::new("x-tenant"))
            .route(RouteRule::new("/json").json(true))
            .route(RouteRule::new("/tenant").require_headers(["tenant"])),
    );
    let post = |path: &str, session: &str| Request::post(path).header("x-session", session);
    logged(async {
        for (session, body, status, code) in [
            ("good", chunks(&["{}"]), 415, "unsupported_media_type"),
            ("bad", chunks(&["{}"]), 401, "auth_invalid"),
            ("bad", chunks(&[]), 401, "auth_invalid"),
        ] {
            let (answer, seen) = once(&layer, post("/json", session).body(body).unwrap()).await;
            answer.expect_envelope(status, code);
            assert!(seen.is_empty());
        }
        let (answer, seen) = once(&layer, post("/json", "good").body(chunks(&[])).unwrap()).await;
        assert_eq!(
            (answer.head.status.as_u16(), identity(&seen[0])),
            (200, ("partner", Some("anna"))),
            "after the peek"
        );
        for (session, status, code) in [("good", 413, "payload_too_large"), ("bad", 401, "auth_invalid")] {
            let request = post("/x", session).header("content-length", "2000000").body(chunks(&["x"])).unwrap();
            once(&layer, request).await.0.expect_envelope(status, code);
        }
        once(&layer, post("/tenant", "good").body(empty()).unwrap()).await.0.expect_envelope(400, "bad_request");
    });
}

/// F3: strangers learn nothing about a service that is not ready.
#[test]
fn f3_credentials_come_before_readiness() {
    let layer = sessions(custom(AuthScheme::custom()));
    for (session, status, code) in [("good", 503, "service_unavailable"), ("bad", 401, "auth_invalid")] {
        let inner = Inner { not_ready: true, ..Inner::default() };
        let (answer, lines) = logged(async { ask(&mut layer.layer(inner.clone()), with(session)).await });
        answer.expect_envelope(status, code);
        assert!(inner.seen().is_empty());
        only(&lines);
    }
}

/// The ready service goes with the request, and its clone serves the next request.
#[test]
fn g2_requests_do_not_wait_for_each_other() {
    let inner = Inner::default();
    let mut service = sessions(custom(AuthScheme::custom())).layer(inner.clone());
    logged(async {
        let before = Instant::now();
        let Ok(ready) = service.ready().await;
        let first = ready.call(with("good"));
        let Ok(ready) = service.ready().await;
        let second = ready.call(with("good"));
        let (Ok(first), Ok(second)) = tokio::join!(first, second);
        assert_eq!((first.status().as_u16(), second.status().as_u16(), inner.seen().len()), (200, 200, 2));
        assert_eq!(before.elapsed().as_millis(), 1500);
    });
}
