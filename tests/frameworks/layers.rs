//! Tests tower's and tower-http's layers inside and outside, in places that `tests/it/axum_app/placement.rs` does not
//! test.
//!
//! Inside, their errors become responses of the layer. Outside, their own responses stay unchanged.

use std::convert::Infallible;
use std::io::Write;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{Response, StatusCode};
use axum::routing::{get, post};
use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::time::Instant;
use tower::buffer::Buffer;
use tower::limit::{ConcurrencyLimit, RateLimit, rate::Rate};
use tower::load_shed::LoadShed;
use tower::timeout::Timeout;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_error_envelope::middleware::RequestBody;
use tower_error_envelope::{ErrorEnvelopeLayer, RequestId};
use tower_governor::GovernorLayer;
use tower_governor::governor::GovernorConfigBuilder;
use tower_governor::key_extractor::GlobalKeyExtractor;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::decompression::RequestDecompressionLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;

use crate::cases::logs::captured;
use crate::kit::{Answer, SECRET, answer, logged, only};

type Inner = axum::http::Request<RequestBody<Body>>;

async fn fine(_: Inner) -> Result<Response<Body>, Infallible> {
    Ok(Response::new("fine".into()))
}

fn layer() -> ErrorEnvelopeLayer {
    ErrorEnvelopeLayer::new()
}

fn to(path: &str) -> Request {
    Request::get(path).body(Body::empty()).unwrap()
}

async fn send(app: Router, request: Request) -> Answer {
    answer(app.oneshot(request).await.unwrap()).await
}

const SECOND: Duration = Duration::from_secs(1);

/// A rate limit is not `Clone`, so it needs a buffer, and waits.
#[tokio::test(start_paused = true)]
async fn a_rate_limit_inside_or_outside_makes_the_next_request_wait() {
    let rate = Rate::new(1, SECOND);
    waits(layer().layer(Buffer::new(RateLimit::new(service_fn(fine), rate), 8))).await;
    waits(Buffer::new(RateLimit::new(layer().layer(service_fn(fine)), rate), 8)).await;
}

async fn waits<S, B>(service: S)
where
    S: Service<Request, Response = Response<B>, Error: std::fmt::Debug> + Clone,
{
    let start = Instant::now();
    for waited in [Duration::ZERO, SECOND] {
        assert_eq!(service.clone().oneshot(to("/")).await.unwrap().status(), 200);
        assert!(start.elapsed() >= waited && start.elapsed() < waited + SECOND, "{:?}", start.elapsed());
    }
}

#[test]
fn f1_who_waits_too_long_for_a_rate_limit_gets_504() {
    let ((first, second), lines) = logged(async {
        let limited = Buffer::new(RateLimit::new(service_fn(fine), Rate::new(1, 60 * SECOND)), 8);
        let service = layer().layer(Timeout::new(limited, SECOND));
        let first = answer(service.clone().oneshot(to("/")).await.unwrap()).await;
        (first, answer(service.oneshot(to("/")).await.unwrap()).await)
    });
    assert_eq!(first.head.status, 200);
    second.expect_envelope(504, "gateway_timeout");
    let line = only(&lines);
    assert_eq!((&*line.level, line.field("request_id")), ("ERROR", Some(&*second.id())));
}

/// `load_shed` polls for readiness, and sheds a rate limit that is not ready.
#[tokio::test(start_paused = true)]
async fn f1_a_rate_limit_that_sheds_inside_is_503() {
    let limited = Buffer::new(LoadShed::new(RateLimit::new(service_fn(fine), Rate::new(1, 60 * SECOND))), 8);
    let service = layer().layer(limited);
    assert_eq!(service.clone().oneshot(to("/")).await.unwrap().status(), 200);
    answer(service.oneshot(to("/")).await.unwrap()).await.expect_envelope(503, "worker_at_capacity");
}

#[tokio::test]
async fn load_shed_outside_fails_where_the_layer_cannot_see_it() {
    let service = LoadShed::new(ConcurrencyLimit::new(layer().layer(service_fn(fine)), 1));
    let mut first = service.clone();
    let first_call = first.ready().await.unwrap().call(to("/"));
    let error = service.clone().oneshot(to("/")).await.unwrap_err();
    assert!(error.is::<tower::load_shed::error::Overloaded>(), "{error}");
    assert_eq!(first_call.await.unwrap().status(), 200);
}

#[tokio::test(start_paused = true)]
async fn towers_timeout_outside_fails_where_the_layer_cannot_see_it() {
    let forever = service_fn(|_: Inner| std::future::pending::<Result<Response<Body>, Infallible>>());
    let service = Timeout::new(layer().layer(forever), SECOND);
    let error = service.oneshot(to("/")).await.unwrap_err();
    assert!(error.is::<tower::timeout::error::Elapsed>(), "{error}");
}

#[tokio::test]
async fn a_buffer_and_a_concurrency_limit_outside_pass_envelopes_on() {
    let panics = service_fn(|_: Inner| async { panic!("{SECRET}") as Result<Response<Body>, Infallible> });
    let service = Buffer::new(ConcurrencyLimit::new(layer().layer(panics), 1), 8);
    for _ in 0..3 {
        let answer = answer(service.clone().oneshot(to("/")).await.unwrap()).await;
        answer.expect_envelope(500, "internal_error");
    }
}

#[tokio::test(start_paused = true)]
async fn tower_https_timeout_outside_says_its_own_408() {
    let timeout = TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, SECOND);
    let app = Router::new().route("/", get(std::future::pending::<()>)).layer(layer()).layer(timeout);
    let answer = send(app, to("/")).await;
    assert_eq!((answer.head.status.as_u16(), &*answer.body), (408, &b""[..]));
    assert_eq!(answer.header("x-request-id"), None);
}

#[tokio::test]
async fn f2_catch_panic_outside_has_nothing_to_catch() {
    let app = Router::new().route("/", get(panics)).layer(layer()).layer(CatchPanicLayer::new());
    send(app, to("/")).await.expect_envelope(500, "internal_error");
}

async fn panics() {
    panic!("{SECRET}")
}

/// Returns routes for uploads, whose response is the number of bytes.
fn uploads() -> Router {
    Router::new()
        .route("/", post(|body: Bytes| async move { body.len().to_string() }))
        .layer(axum::extract::DefaultBodyLimit::disable())
}

const TWO_MIB: usize = 2 * 1024 * 1024;

fn gzipped(length: usize) -> Request {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(&vec![b'x'; length]).unwrap();
    let body = gzip.finish().unwrap();
    assert!(body.len() < 64 * 1024, "far below the limit: {}", body.len());
    Request::post("/").header("content-encoding", "gzip").body(Body::from(body)).unwrap()
}

#[tokio::test]
async fn g4_a_limit_outside_a_decompression_counts_compressed_bytes() {
    let app = uploads().layer(RequestDecompressionLayer::new()).layer(layer());
    assert_eq!(send(app, gzipped(TWO_MIB)).await.body, TWO_MIB.to_string());
}

#[tokio::test]
async fn g4_a_decompression_outside_or_a_second_limit_inside_counts_what_comes_of_it() {
    let outside = uploads().layer(layer()).layer(RequestDecompressionLayer::new());
    let limit_inside =
        uploads().layer(RequestBodyLimitLayer::new(1024 * 1024)).layer(RequestDecompressionLayer::new()).layer(layer());
    for app in [outside, limit_inside] {
        send(app.clone(), gzipped(TWO_MIB)).await.expect_envelope(413, "payload_too_large");
        assert_eq!(send(app, gzipped(1024)).await.body, "1024");
    }
}

#[tokio::test]
async fn a_smaller_limit_outside_says_its_own_413() {
    let app = uploads().layer(layer()).layer(RequestBodyLimitLayer::new(10));
    let answer = send(app, Request::post("/").header("content-length", "11").body(Body::from("x")).unwrap()).await;
    assert_eq!((answer.head.status.as_u16(), answer.header("x-request-id")), (413, None));
}

#[tokio::test]
async fn r1_an_encoding_that_a_decompression_inside_does_not_know_is_415() {
    let app = uploads().layer(RequestDecompressionLayer::new()).layer(layer());
    let odd = Request::post("/").header("content-encoding", "odd").body(Body::from("x")).unwrap();
    let answer = send(app, odd).await;
    answer.expect_envelope(415, "unsupported_media_type");
    assert_eq!(answer.header("accept-encoding"), Some("gzip"), "R6: what the client needs to know stays");
}

/// Outside the layer, a trace has no id yet. Inside, its lines are in the layer's span.
#[test]
fn a_trace_inside_has_the_id_on_its_lines() {
    let routes = || Router::new().route("/", get(|id: RequestId| async move { id.to_string() }));
    let inside = routes().layer(TraceLayer::new_for_http()).layer(layer());
    let outside = routes().layer(layer()).layer(TraceLayer::new_for_http());
    for (app, has_id) in [(inside, true), (outside, false)] {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (answer, log) = captured(|| runtime.block_on(send(app, to("/"))));
        assert_eq!(answer.body, answer.id());
        let lines = log.lines().filter(|line| line.contains("tower_http::trace::")).collect::<Vec<_>>();
        assert!(!lines.is_empty(), "{log}");
        assert!(lines.iter().all(|line| line.contains(&answer.id()) == has_id), "{has_id}: {lines:#?}");
    }
}

#[tokio::test]
async fn r8_a_governor_inside_is_429_and_keeps_retry_after() {
    let governor = || {
        let mut config = GovernorConfigBuilder::default().key_extractor(GlobalKeyExtractor);
        GovernorLayer::new(config.period(60 * SECOND).burst_size(1).finish().unwrap())
    };
    let inside = governed(|routes| routes.layer(governor()).layer(layer())).await;
    inside.expect_envelope(429, "rate_limited");
    assert_eq!(inside.header("cache-control"), Some("no-store"));
    let outside = governed(|routes| routes.layer(layer()).layer(governor())).await;
    assert_eq!((outside.head.status.as_u16(), outside.header("x-request-id")), (429, None));
    assert_eq!(inside.header("retry-after"), outside.header("retry-after"));
    assert!(inside.header("retry-after").is_some());
}

/// Returns the response to a second request, where one request a minute is allowed.
async fn governed(place: impl Fn(Router) -> Router) -> Answer {
    let app = place(Router::new().route("/", get(|| async { "fine" })));
    assert_eq!(send(app.clone(), to("/")).await.body, "fine");
    send(app, to("/")).await
}
