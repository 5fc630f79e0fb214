//! Tests what handlers get of the caller: a token's claims, a verifier's data, or nothing if credentials are optional.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::routing::{any, get};
use tower_error_envelope::auth::{CredentialRequest, JwtKeys, Verified};
use tower_error_envelope::extract::{CallerData, Claims};
use tower_error_envelope::{Fault, Mode, RouteRule};

use super::*;
use crate::kit::{Line, logged, only};

/// A token with HS256 by 32 bytes of 7, for the audience "orders", until 2100.
const GOOD: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEiLCJleHAiOjQxMDI0NDQ4MDAsImF1ZCI6Im9yZGVycyIsInJvbGVzIjpbImVkaXRvciJdfQ.zpazvxG8WlOVFnHb8Ih3bbMSpcpbjNcck-VhRM19F9k";
/// The same token with a text as `roles`.
const ODD: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEiLCJleHAiOjQxMDI0NDQ4MDAsImF1ZCI6Im9yZGVycyIsInJvbGVzIjoiczNjcjN0In0.liaz2ZWngLprzymi_24529iv7VkpLbj6yjovdkGLdcg";
/// A token that expired in 1970.
const OLD: &str =
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEiLCJleHAiOjEsImF1ZCI6Im9yZGVycyJ9.G5BJyjTlyQ-rrkvpKEPzTmRSZstU1q_lNtrjcl9Dn8o";

#[derive(serde::Deserialize)]
struct Session {
    sub: String,
    roles: Vec<String>,
}

struct User {
    name: &'static str,
}

async fn roles(Claims(session): Claims<Session>) -> String {
    format!("{}: {}", session.sub, session.roles.join(" "))
}

async fn perhaps(session: Option<Claims<Session>>, user: Option<CallerData<Arc<User>>>) -> String {
    format!("{:?} {:?}", session.map(|it| it.0.sub), user.map(|it| it.0.name))
}

async fn who(caller: Option<Identity>) -> String {
    caller.map_or("nobody".to_owned(), |caller| caller.id().unwrap_or("-").to_owned())
}

async fn data(caller: Identity, CallerData(user): CallerData<Arc<User>>) -> Result<String, Fault> {
    assert!(caller.data::<Arc<User>>().is_some() && caller.data::<User>().is_none());
    Ok(user.name.to_owned())
}

async fn verify(request: CredentialRequest) -> Result<Verified, BoxError> {
    Ok(match request.headers().get("x-session") {
        None => Verified::Missing,
        Some(session) if session == "s-1" => Verified::granted("7").with(Arc::new(User { name: "Ada" })),
        Some(session) if session == "down" => return Err("the store is down".into()),
        Some(_) => Verified::Invalid,
    })
}

fn app(policy: PolicyBuilder) -> Router {
    let policy = policy
        .scheme("web", AuthScheme::jwt(JwtKeys::secret([7; 32])).algorithms(["HS256"]).audience("orders"))
        .scheme("session", AuthScheme::custom())
        .auth(["web", "session"])
        .route(RouteRule::new("/open").open())
        .route(RouteRule::new("/forgotten/{*rest}").open())
        .route(RouteRule::new("/watched").auth_observe(true))
        .route(RouteRule::new("/perhaps/{*rest}").auth_optional(true))
        .build()
        .unwrap();
    Router::new()
        .route("/roles", get(roles))
        .route("/data", get(data))
        .route("/open", get(who))
        .route("/forgotten/roles", get(roles))
        .route("/forgotten/data", get(data))
        .route("/watched", any(data))
        .route("/perhaps/roles", any(roles))
        .route("/perhaps/who", get(who))
        .route("/perhaps/both", get(perhaps))
        .layer(ErrorEnvelopeLayer::new().verifier("session", verify).policy(policy))
}

fn send(app: &Router, path: &str, header: Option<(&str, &str)>) -> Answer {
    sent(app, path, header).0
}

/// Returns the response and the logged lines.
fn sent(app: &Router, path: &str, header: Option<(&str, &str)>) -> (Answer, Vec<Line>) {
    let request = Request::get(path);
    let request = header.into_iter().fold(request, |request, (name, value)| request.header(name, value));
    let request = request.body(Body::empty()).unwrap();
    logged(async { answer(app.clone().oneshot(request).await.unwrap()).await })
}

#[test]
fn g2_claims_and_data_of_the_caller_reach_handlers() {
    let app = app(Policy::builder());
    let token = format!("Bearer {GOOD}");
    for (path, header, body) in [
        ("/roles", Some(("authorization", &*token)), "ada: editor"),
        ("/data", Some(("x-session", "s-1")), "Ada"),
        ("/open", Some(("authorization", &*token)), "nobody"),
        ("/open", Some(("authorization", "Bearer rubbish")), "nobody"),
        ("/perhaps/both", Some(("authorization", &*token)), "Some(\"ada\") None"),
        ("/perhaps/both", Some(("x-session", "s-1")), "None Some(\"Ada\")"),
        ("/perhaps/both", None, "None None"),
    ] {
        let answer = send(&app, path, header);
        assert_eq!((answer.head.status.as_u16(), &*answer.body), (200, body.as_bytes()), "{path} {header:?}");
    }
}

#[test]
fn g2_claims_that_do_not_fit_are_the_service_s_mistake_and_named_in_the_log() {
    let token = format!("Bearer {ODD}");
    for (path, header, cause) in [
        ("/roles", ("authorization", &*token), "do not fit it::credentials::callers::Session: roles: invalid type"),
        ("/roles", ("x-session", "s-1"), "the scheme session has no claims"),
        ("/data", ("authorization", &*token), "the scheme web attached no alloc::sync::Arc"),
    ] {
        let (answer, lines) = sent(&app(Policy::builder()), path, Some(header));
        answer.expect_envelope(500, "internal_error");
        let line = only(&lines).field("cause").unwrap_or_default();
        assert!(line.contains(cause) && !line.contains("s3cr3t"), "{line}");
    }
}

#[test]
fn g2_optional_credentials_may_be_missing_and_are_never_bad_in_any_mode() {
    let expired = format!("Bearer {OLD}");
    for mode in [Mode::Off, Mode::Observe, Mode::Own, Mode::Fill, Mode::Enforce] {
        let app = app(Policy::builder().mode(mode));
        let passed = send(&app, "/perhaps/who", None);
        assert_eq!((passed.head.status.as_u16(), &*passed.body), (200, &b"nobody"[..]), "{mode:?}");
        for (header, status, code) in [
            (("authorization", "Basic YTpi"), 401, "auth_malformed"),
            (("authorization", "Bearer rubbish"), 401, "auth_malformed"),
            (("authorization", &*expired), 401, "auth_expired"),
            (("x-session", "s-2"), 401, "auth_invalid"),
            (("x-session", "down"), 503, "service_unavailable"),
        ] {
            send(&app, "/perhaps/who", Some(header)).expect_envelope(status, code);
        }
        send(&app, "/data", None).expect_envelope(401, "auth_missing");
        // Another reading of the path leads to a route that requires credentials (G0).
        send(&app, "/perhaps/..%2fdata", None).expect_envelope(401, "auth_missing");
    }
}

#[test]
fn g2_a_handler_that_wants_a_caller_on_a_route_without_a_scheme_is_the_service_s_mistake() {
    let (app, token) = (app(Policy::builder()), format!("Bearer {GOOD}"));
    for (path, header) in [
        ("/forgotten/roles", None),
        ("/forgotten/roles", Some(("authorization", &*token))),
        ("/forgotten/data", Some(("x-session", "s-1"))),
    ] {
        let (answer, lines) = sent(&app, path, header);
        answer.expect_envelope(500, "internal_error");
        let line = only(&lines);
        assert_eq!(line.level, "ERROR");
        let cause = line.field("cause").unwrap_or_default();
        assert!(cause.starts_with("this route checks no credentials: add `.auth([…])`"), "{cause}");
    }
    // Missing credentials are the client's fault if they are optional, only observed, or not required of a preflight.
    for path in ["/perhaps/roles", "/watched"] {
        let answer = send(&app, path, None);
        answer.expect_envelope(401, "auth_missing");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    }
    let preflight = Request::options("/perhaps/roles").header("origin", "https://app.example.com");
    let preflight = preflight.header("access-control-request-method", "GET").body(Body::empty()).unwrap();
    let (answer, _) = logged(async { answer(app.clone().oneshot(preflight).await.unwrap()).await });
    answer.expect_envelope(401, "auth_missing");
}
