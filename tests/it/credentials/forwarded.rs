//! Tests what the inner service gets: the identity, and the id in a header that no client can send.

use tower_error_envelope::{Mode, RouteRule};

use super::*;
use crate::kit::logged;

fn forwarding() -> PolicyBuilder {
    let app = AuthScheme::header("x-api-key").key(Key::of_secret("app", "app-1"));
    Policy::builder()
        .scheme("api", bearer().forward_id("x-consumer-id"))
        .scheme("app", app)
        .auth(["api", "app"])
        .route(RouteRule::new("/open/{*rest}").auth::<&str>([]))
        .route(RouteRule::new("/off/{*rest}").mode(Mode::Off))
        .route(RouteRule::new("/off/open").mode(Mode::Off).auth::<&str>([]))
}

#[test]
fn g2_the_service_gets_the_caller_in_every_mode() {
    let layer = policy(forwarding());
    logged(async {
        for path in ["/x", "/off/x"] {
            let request = get(path).header("authorization", "Bearer key-live-1").header("X-Consumer-Id", "root");
            let (answer, seen) = once(&layer, request.body(empty()).unwrap()).await;
            assert_eq!((answer.head.status.as_u16(), identity(&seen[0])), (200, ("api", Some("live"))), "{path}");
            let consumers: Vec<_> = seen[0].headers.get_all("x-consumer-id").iter().collect();
            assert_eq!(consumers, ["live"], "{path}");
        }
    });
}

#[test]
fn g2_a_clients_own_word_for_it_is_removed_on_every_route() {
    let layer = policy(forwarding());
    logged(async {
        for path in ["/open/x", "/off/open", "/x"] {
            let request = get(path)
                .header("x-api-key", "app-1")
                .header("x-consumer-id", "root")
                .header("X_Consumer_Id", "root")
                .header("x-consumer_id", "root")
                .header("connection", "close, x-consumer-id");
            let (answer, seen) = once(&layer, request.body(empty()).unwrap()).await;
            assert_eq!(answer.head.status, 200);
            assert!(!format!("{:?}", seen[0].headers).contains("root"), "{path}: {:?}", seen[0].headers);
            assert_eq!(seen[0].headers["connection"], "close", "{path}");
        }
    });
}

#[test]
fn g2_no_caller_is_named_where_no_credentials_were_checked() {
    let layer = policy(forwarding());
    logged(async {
        let request = get("/open/x").header("authorization", "Bearer key-live-1").body(empty()).unwrap();
        let (_, seen) = once(&layer, request).await;
        assert!(seen[0].extensions.get::<Identity>().is_none());
    });
}

/// G0: a preflight has no credentials, and a route may still require them.
#[test]
fn g0_a_preflight_skips_credentials_unless_the_route_says_otherwise() {
    let guard = RouteRule::new("/closed").preflight(tower_error_envelope::policy::Preflight::Guard);
    let layer = policy(forwarding().route(guard));
    let preflight = |path: &str| {
        let request = Request::options(path).header("origin", "https://app.example");
        request.header("access-control-request-method", "POST").body(empty()).unwrap()
    };
    logged(async {
        assert_eq!(once(&layer, preflight("/x")).await.0.head.status, 200);
        once(&layer, preflight("/closed")).await.0.expect_envelope(401, "auth_missing");
        let plain = Request::options("/x").header("origin", "https://app.example").body(empty()).unwrap();
        once(&layer, plain).await.0.expect_envelope(401, "auth_missing");
    });
}

/// L3, and the "in the query string": a key there does not count, and no line contains it.
#[test]
fn l3_no_key_reaches_the_log_or_the_answer() {
    let layer = policy(forwarding());
    let (answers, lines) = logged(async {
        let mut answers = Vec::new();
        for (path, name, value) in [
            ("/x?access_token=key-live-1&api_key=app-1", "accept", "*/*"),
            ("/x", "authorization", "Bearer key-gone-1"),
            ("/x", "authorization", "Bearer key-nobody-1"),
            ("/x", "authorization", "key-live-1"),
            ("/x", "x-api-key", "app-1,key-nobody-1"),
        ] {
            let (answer, seen) = once(&layer, get(path).header(name, value).body(empty()).unwrap()).await;
            assert!(seen.is_empty(), "{path} {value}");
            assert_eq!(answer.header("cache-control"), Some("no-store"));
            answers.push(answer);
        }
        answers
    });
    answers[0].expect_envelope(401, "auth_missing");
    assert_eq!(lines.len(), 5);
    let shown = format!("{answers:?} {lines:?}");
    for secret in ["key-live", "key-gone", "key-nobody", "app-1"] {
        assert!(!shown.contains(secret), "{secret}: {shown}");
    }
}

#[test]
fn g2_an_extractor_gives_the_identity_or_names_the_service_s_mistake() {
    use axum::routing::get as on_get;

    async fn name(identity: Identity) -> String {
        format!("{}/{}", identity.scheme(), identity.id().unwrap_or("-"))
    }

    let (answers, _) = logged(async {
        let app =
            axum::Router::new().route("/x", on_get(name)).route("/open/x", on_get(name)).layer(policy(forwarding()));
        let mut answers = Vec::new();
        for path in ["/x", "/open/x"] {
            let request = get(path).header("x-api-key", "app-1").body(axum::body::Body::empty()).unwrap();
            let Ok(response) = app.clone().oneshot(request).await;
            answers.push(answer(response).await);
        }
        answers
    });
    assert_eq!((answers[0].head.status.as_u16(), &answers[0].body[..]), (200, &b"app/app"[..]));
    answers[1].expect_envelope(500, "internal_error");
}
