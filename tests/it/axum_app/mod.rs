//! Tests axum 0.8 under the layer alone: errors of its routers, extractors and handlers become the envelope, and
//! successes pass unchanged.

mod overflow;
mod placement;
mod rejections;

use std::convert::Infallible;

use axum::body::Body;
use axum::extract::{Extension, Request};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::routing::{get, get_service};
use axum::{Json, Router};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::{ServiceExt, service_fn};
use tower_error_envelope::middleware::KillSwitch;
use tower_error_envelope::policy::Dialect;
use tower_error_envelope::{ErrorCode, ErrorEnvelopeLayer, Fault, Mode, Policy, RequestId, RouteRule};

use crate::kit::{Answer, Breaking, SECRET, answer, logged, only};

fn app() -> Router {
    Router::new()
        .route("/ok", get(|| async { "fine" }).post(|| async { "fine" }))
        .route("/ids", get(ids))
        .route("/fault", get(fault))
        .route("/fault-of-ones-own", get(|| async { Fault::new(const { ErrorCode::custom("seat_taken", 409) }) }))
        .route("/fault-from-question-mark", get(question_mark))
        .route("/panic", get(panics_later))
        .route("/panic-at-once", get(|| async { panics() }))
        .route("/panic-in-call", get_service(service_fn(panics_in_call)))
        .route("/panic-in-body", get(|| async { breaking(true) }))
        .route("/error-in-body", get(|| async { breaking(false) }))
        .nest("/nested", Router::new().route("/ok", get(|| async { "fine" })))
        .nest("/own-fallback", Router::new().route("/ok", get(|| async {})).fallback(|| async { StatusCode::GONE }))
        .layer(ErrorEnvelopeLayer::new())
}

async fn ids(id: RequestId, Extension(extension): Extension<RequestId>, headers: HeaderMap) -> Json<Value> {
    let header = headers["x-request-id"].to_str().unwrap().to_owned();
    Json(json!([id.to_string(), extension.to_string(), header]))
}

async fn fault() -> Result<(), Fault> {
    let fault = Fault::new(ErrorCode::RATE_LIMITED)
        .with_message("Three a minute.")
        .with_details(json!({"per_minute": 3}))
        .with_header(header::RETRY_AFTER, HeaderValue::from_static("20"));
    Err(fault.with_source(SECRET))
}

async fn question_mark() -> Result<(), Fault> {
    let taken: Result<(), ErrorCode> = Err(ErrorCode::CONFLICT);
    Ok(taken?)
}

fn panics() {
    panic!("{SECRET}")
}

async fn panics_later() {
    tokio::task::yield_now().await;
    panics()
}

fn panics_in_call(_: Request) -> std::future::Ready<Result<axum::response::Response, Infallible>> {
    panic!("{SECRET}")
}

fn breaking(panics: bool) -> Body {
    Body::new(Breaking::new(panics))
}

/// Sends one request to an app, and returns its response.
async fn send(app: Router, request: Request) -> Answer {
    answer(app.oneshot(request).await.unwrap()).await
}

fn request(method: Method, path: &str) -> Request {
    Request::builder().method(method).uri(path).body(Body::empty()).unwrap()
}

#[test]
fn l1_a_faults_text_and_the_paths_of_its_issues_are_its_cause_and_the_trace_and_the_span_are_there() {
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let fails = || async {
        let issue = json!({"path": ["items", 0, "qty"], "message": "not 7"});
        Fault::new(ErrorCode::INVALID_REQUEST)
            .with_message("Look at the cart.")
            .with_details(json!({"issues": [issue]}))
    };
    let policy = Policy::builder().body_limit(3).build().unwrap();
    let app =
        Router::new().route("/cart/{id}", get(fails).post(|| async {})).layer(ErrorEnvelopeLayer::new().policy(policy));
    let ask = async |method: &str, traceparent: String, body: &'static str| {
        let request = Request::builder().method(method).uri("/cart/7").header("traceparent", traceparent);
        let request = request.header("content-length", body.len()).body(Body::from(body)).unwrap();
        app.clone().oneshot(request).await.unwrap()
    };
    let ((), lines) = logged(async {
        ask("GET", format!("00-{trace}-00f067aa0ba902b7-01"), "").await;
        ask("GET", format!("00-{trace}-0000000000000000-01"), "").await;
        ask("POST", String::new(), "12345").await;
    });
    let lines: Vec<_> = lines.iter().filter(|line| line.text.contains("origin=")).collect();
    let [traced, untraced, refused] = &lines[..] else { panic!("{lines:?}") };
    assert!(traced.text.contains("cause=\"Look at the cart. (items[0].qty)\""), "{traced:?}");
    assert!(traced.text.contains(&format!("trace_id=\"{trace}\"")) && !untraced.text.contains("trace_id"), "{lines:?}");
    assert!(refused.text.contains("cause=\"body limit: more than 3 bytes\""), "{refused:?}");
}

#[test]
fn m1_a_fault_that_a_handler_returns_is_written_in_every_mode_and_under_the_kill_switch() {
    let switch = KillSwitch::new();
    let policy = || {
        let route = |path: &str, mode| RouteRule::new(path).mode(mode);
        let modes = [("/off", Mode::Off), ("/observe", Mode::Observe), ("/own", Mode::Own), ("/fill", Mode::Fill)];
        let policy = modes.into_iter().fold(Policy::builder(), |policy, (path, mode)| policy.route(route(path, mode)));
        policy.route(route("/openai", Mode::Off).dialect(Dialect::OpenAi)).build().unwrap()
    };
    let layer = ErrorEnvelopeLayer::new().policy(policy()).kill_switch(switch.clone());
    let paths = ["/off", "/observe", "/own", "/fill", "/enforce", "/openai"];
    let app = paths.into_iter().fold(Router::new(), |app, path| app.route(path, get(fault))).layer(layer);
    let ((), lines) = logged(async {
        for is_on in [false, true] {
            assert!(!is_on || switch.turn_on());
            for path in paths {
                let request = Request::get(path).body(Body::empty()).unwrap();
                let answer = answer(app.clone().oneshot(request).await.unwrap()).await;
                let body: Value =
                    serde_json::from_slice(answer.body.as_ref()).unwrap_or_else(|_| panic!("{path}: {answer:?}"));
                assert_eq!((answer.head.status.as_u16(), &body["error"]["message"]), (429, &json!("Three a minute.")));
                assert_eq!(answer.head.headers["retry-after"], "20", "{path}");
                assert_eq!(answer.head.headers["x-error-code"], "rate_limited", "{path}");
                assert_eq!(body.get("request_id").is_some(), path != "/openai", "{body}");
            }
        }
    });
    let faults = lines.iter().filter(|line| line.text.contains("origin=\"fault\"")).count();
    assert_eq!(faults, 2 * paths.len(), "{lines:?}");
}

#[tokio::test]
async fn r1_what_no_route_has_is_not_found() {
    for path in ["/", "/missing", "/nested/missing", "/nested"] {
        send(app(), request(Method::GET, path)).await.expect_envelope(404, "not_found");
    }
    send(app(), request(Method::GET, "/own-fallback/x")).await.expect_envelope(410, "gone");
}

#[tokio::test]
async fn r6_a_method_that_a_route_has_not_is_405_and_keeps_allow() {
    let answer = send(app(), request(Method::DELETE, "/ok")).await;
    answer.expect_envelope(405, "method_not_allowed");
    assert_eq!(answer.header("allow"), Some("GET,HEAD,POST"));
    let nested = send(app(), request(Method::POST, "/nested/ok")).await;
    nested.expect_envelope(405, "method_not_allowed");
    assert_eq!(nested.header("allow"), Some("GET,HEAD"));
}

#[tokio::test]
async fn e5_a_success_passes_with_an_id_and_nothing_else() {
    for path in ["/ok", "/nested/ok"] {
        let answer = send(app(), request(Method::GET, path)).await;
        answer.id();
        assert_eq!((answer.head.status, &*answer.body), (StatusCode::OK, &b"fine"[..]));
        assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
        assert_eq!(answer.head.headers.len(), 3, "{:?}", answer.head.headers);
    }
}

#[tokio::test]
async fn e5_head_gets_the_headers_of_get_and_no_body() {
    for (path, status, code) in
        [("/missing", 404, "not_found"), ("/fault", 429, "rate_limited"), ("/panic", 500, "internal_error")]
    {
        let get = send(app(), request(Method::GET, path)).await;
        let head = send(app(), request(Method::HEAD, path)).await;
        assert_eq!((head.head.status.as_u16(), head.header("x-error-code")), (status, Some(code)));
        assert_eq!(head.body, "");
        let but_for_the_id = |answer: &Answer| {
            let mut headers = answer.head.headers.clone();
            headers.remove("x-request-id");
            headers
        };
        assert_eq!(but_for_the_id(&head), but_for_the_id(&get), "{path}");
        assert_eq!(get.header("content-length").unwrap(), get.body.len().to_string());
    }
}

#[tokio::test]
async fn e3_the_handlers_id_is_the_clients() {
    let mut request = request(Method::GET, "/ids");
    request.headers_mut().append("x-request-id", HeaderValue::from_static("a-guess"));
    request.headers_mut().append("x-request-id", HeaderValue::from_static("another"));
    let answer = send(app(), request).await;
    let seen: Vec<String> = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(seen, vec![answer.id(); 3]);
}

#[tokio::test]
async fn without_the_layer_the_id_extractor_is_a_500_without_a_word() {
    let bare = Router::new().route("/", get(|_: RequestId| async {}));
    let answer = send(bare, request(Method::GET, "/")).await;
    assert_eq!((answer.head.status, &*answer.body), (StatusCode::INTERNAL_SERVER_ERROR, &b""[..]));
}

#[test]
fn f1_a_fault_is_answered_whole_and_its_source_stays_in_the_log() {
    let (answer, lines) = logged(send(app(), request(Method::GET, "/fault")));
    let error = answer.expect_envelope(429, "rate_limited");
    assert_eq!(error["message"], "Three a minute.");
    assert_eq!(error["details"], json!({"per_minute": 3}));
    assert_eq!(answer.header("retry-after"), Some("20"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let line = only(&lines);
    assert_eq!((&*line.level, line.field("origin")), ("INFO", Some("fault")));
    assert!(line.text.contains(SECRET), "{line:?}");
}

#[tokio::test]
async fn e2_a_fault_may_have_a_code_of_ones_own_or_come_from_a_question_mark() {
    send(app(), request(Method::GET, "/fault-of-ones-own")).await.expect_envelope(409, "seat_taken");
    send(app(), request(Method::GET, "/fault-from-question-mark")).await.expect_envelope(409, "conflict");
}

#[test]
fn f2_a_panic_is_a_500_and_its_text_stays_in_the_log() {
    for path in ["/panic", "/panic-at-once", "/panic-in-call"] {
        let ((answer, next), lines) = logged(async {
            let app = app();
            let answer = send(app.clone(), request(Method::GET, path)).await;
            (answer, send(app, request(Method::GET, "/ok")).await)
        });
        let error = answer.expect_envelope(500, "internal_error");
        assert!(!error.to_string().contains(SECRET));
        assert_eq!(next.head.status, 200, "the next request is served");
        let line = only(&lines);
        assert_eq!((&*line.level, line.field("origin")), ("ERROR", Some("panic")), "{path}");
        assert!(line.text.contains(SECRET) && line.text.contains(&answer.id()), "{line:?}");
    }
}

#[test]
fn f4_a_response_body_that_breaks_ends_as_an_error_and_nothing_is_appended() {
    for (path, origin) in [("/panic-in-body", "panic"), ("/error-in-body", "error")] {
        let (id, lines) = logged(async {
            let response = app().oneshot(request(Method::GET, path)).await.unwrap();
            assert_eq!(response.status(), 200);
            let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
            let mut body = response.into_body();
            assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "begun");
            let error = body.frame().await.unwrap().unwrap_err().to_string();
            assert!(!error.contains(SECRET), "{error}");
            assert!(body.frame().await.is_none());
            id
        });
        let line = only(&lines);
        assert_eq!((line.field("origin"), line.field("request_id")), (Some(origin), Some(&*id)));
        assert!(line.text.contains(SECRET), "{line:?}");
    }
}
