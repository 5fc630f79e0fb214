//! Tests the places of the layer: around a router in each way that compiles, and together with layers of tower and
//! tower-http.

use std::convert::Infallible;
use std::future::{Ready, pending, ready};
use std::io::{Error, Read};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, Method, Response, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::buffer::Buffer;
use tower::limit::ConcurrencyLimit;
use tower::load_shed::LoadShed;
use tower::make::Shared;
use tower::timeout::{Timeout, TimeoutLayer};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_error_envelope::middleware::RequestBody;
use tower_error_envelope::policy::RequiredHeader;
use tower_error_envelope::{ErrorCode, ErrorEnvelopeLayer, Fault, Policy, RequestId, RouteRule};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::cors::{Any, CorsLayer};
use tower_http::map_response_body::MapResponseBodyLayer;
use tower_http::timeout::TimeoutLayer as HttpTimeoutLayer;

use super::{request, send};
use crate::kit::{SECRET, answer, logged, only};

type Inner = axum::http::Request<RequestBody<Body>>;

/// Makes a router without any layer.
fn bare() -> Router {
    Router::new()
        .route("/ok", get(|| async { "fine" }))
        .route("/id", get(|id: RequestId| async move { id.to_string() }))
        .route("/panic", get(panics))
        .route("/forever", get(pending::<()>))
        .route(
            "/long",
            get(|| async { (StatusCode::CONFLICT, "it is taken, and this text is long enough to compress") }),
        )
}

async fn panics() {
    panic!("{SECRET}")
}

fn get_of(path: &str) -> Request {
    request(Method::GET, path)
}

async fn fine(_: Inner) -> Result<Response<Body>, Infallible> {
    Ok(Response::new("fine".into()))
}

#[tokio::test]
async fn around_a_router_each_way_that_compiles_covers_everything() {
    let layer = ErrorEnvelopeLayer::new;
    let mapped = ServiceBuilder::new().layer(MapResponseBodyLayer::new(Body::new)).layer(layer()).service(bare());
    let outside_of_from_fn = bare().layer(layer()).layer(from_fn(|request: Request, next: Next| next.run(request)));
    for (app, how) in [
        (bare().layer(layer()), "Router::layer"),
        (Router::new().fallback_service(layer().layer(bare())), "fallback_service"),
        (Router::new().fallback_service(mapped), "mapped"),
        (Router::new().nest("/api", bare()).merge(bare()).layer(layer()), "nested and merged"),
        (outside_of_from_fn, "from_fn outside"),
        (bare().layer(from_fn(|request: Request, next: Next| next.run(request))).layer(layer()), "from_fn inside"),
    ] {
        println!("{how}"); // shown by a failing test alone
        send(app.clone(), get_of("/missing")).await.expect_envelope(404, "not_found");
        send(app.clone(), request(Method::PUT, "/ok")).await.expect_envelope(405, "method_not_allowed");
        send(app.clone(), get_of("/panic")).await.expect_envelope(500, "internal_error");
        let ok = send(app, get_of("/id")).await;
        assert_eq!(ok.body, ok.id());
    }
}

/// axum removes the prefix before the layer sees the path, and also keeps the original path.
#[tokio::test]
async fn inside_nest_a_policy_guards_by_whole_paths_and_by_stripped_ones() {
    for (pattern, status) in [("/inner/{*rest}", 400), ("/{*rest}", 400), ("/other/{*rest}", 200)] {
        let tenant = Policy::builder().header("tenant", RequiredHeader::new("x-tenant"));
        let policy = tenant.route(RouteRule::new(pattern).require_headers(["tenant"])).build().unwrap();
        let inner = bare().layer(ErrorEnvelopeLayer::new().policy(policy));
        let answer = send(Router::new().nest("/inner", inner), get_of("/inner/ok")).await;
        assert_eq!(answer.head.status, status, "{pattern}");
    }
}

/// `manual/library.md` warns of this mistake.
#[test]
fn a_route_that_is_added_after_the_layer_has_neither_body_nor_log() {
    let late = get(|| async { Err::<(), _>(Fault::new(ErrorCode::GONE)) });
    let app = bare().layer(ErrorEnvelopeLayer::new()).route("/late", late);
    let (answer, lines) = logged(send(app, get_of("/late")));
    assert_eq!((answer.head.status.as_u16(), answer.body.len(), lines.len()), (410, 0, 0));
}

#[tokio::test]
async fn a_mapped_response_body_fits_axum_serve() {
    let service = ServiceBuilder::new()
        .layer(MapResponseBodyLayer::new(Body::new))
        .layer(ErrorEnvelopeLayer::new())
        .service(bare());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async { axum::serve(listener, Shared::new(service)).await });
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(b"GET /missing HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut log_text = String::new();
    client.read_to_string(&mut log_text).await.unwrap();
    assert!(
        log_text.starts_with("HTTP/1.1 404 ") && log_text.contains(r#"{"error":{"code":"not_found""#),
        "{log_text}"
    );
}

#[tokio::test]
async fn routes_added_after_the_layer_or_next_to_a_route_layer_are_not_covered() {
    let later = bare().layer(ErrorEnvelopeLayer::new()).fallback(|| async { StatusCode::NOT_FOUND });
    let route_layer = bare().route_layer(ErrorEnvelopeLayer::new());
    for app in [later, route_layer.clone()] {
        let answer = send(app, get_of("/missing")).await;
        assert_eq!((answer.head.status.as_u16(), answer.header("x-request-id")), (404, None));
    }
    send(route_layer, request(Method::PUT, "/ok")).await.expect_envelope(405, "method_not_allowed");
}

#[tokio::test]
async fn e7_twice_changes_nothing_and_the_outermost_id_wins() {
    let app = bare().layer(ErrorEnvelopeLayer::new()).layer(ErrorEnvelopeLayer::new());
    let ok = send(app.clone(), get_of("/id")).await;
    assert_eq!(ok.body, ok.id());
    let once = send(bare().layer(ErrorEnvelopeLayer::new()), get_of("/long")).await;
    let twice = send(app, get_of("/long")).await;
    assert_eq!(once.expect_envelope(409, "conflict"), twice.expect_envelope(409, "conflict"));
}

#[test]
fn f1_towers_timeout_inside_is_504() {
    let around = |inner: Router| {
        inner.layer(
            ServiceBuilder::new().layer(ErrorEnvelopeLayer::new()).layer(TimeoutLayer::new(Duration::from_secs(30))),
        )
    };
    let forever = service_fn(|_: Inner| pending::<Result<Response<Body>, Infallible>>());
    let plain = ErrorEnvelopeLayer::new().layer(Timeout::new(forever, Duration::from_secs(30)));
    let ((by_router, by_service), lines) = logged(async {
        let by_router = send(around(bare()), get_of("/forever")).await;
        (by_router, answer(plain.oneshot(get_of("/")).await.unwrap()).await)
    });
    for answer in [by_router, by_service] {
        answer.expect_envelope(504, "gateway_timeout");
    }
    assert_eq!(lines.iter().map(|line| &*line.level).collect::<Vec<_>>(), ["ERROR", "ERROR"]);
}

#[tokio::test(start_paused = true)]
async fn r1_tower_https_timeout_inside_keeps_its_status() {
    let timeout = HttpTimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, Duration::from_secs(30));
    let app = bare().layer(timeout).layer(ErrorEnvelopeLayer::new());
    send(app, get_of("/forever")).await.expect_envelope(408, "request_timeout");
}

#[test]
fn f1_load_shed_inside_is_503() {
    let limited = LoadShed::new(ConcurrencyLimit::new(service_fn(fine), 1));
    let service = ErrorEnvelopeLayer::new().layer(limited);
    let ((full, free), lines) = logged(async {
        let mut first = service.clone();
        let first_call = first.ready().await.unwrap().call(get_of("/"));
        let full = answer(service.clone().oneshot(get_of("/")).await.unwrap()).await;
        assert_eq!(answer(first_call.await.unwrap()).await.head.status, 200);
        (full, answer(service.oneshot(get_of("/")).await.unwrap()).await)
    });
    full.expect_envelope(503, "worker_at_capacity");
    assert_eq!(free.body, "fine");
    assert_eq!(only(&lines).level, "WARN");
}

#[tokio::test(start_paused = true)]
async fn a_concurrency_limit_inside_makes_the_next_request_wait() {
    let service = ErrorEnvelopeLayer::new().layer(ConcurrencyLimit::new(service_fn(fine), 1));
    let mut first = service.clone();
    let first_call = first.ready().await.unwrap().call(get_of("/"));
    let waits = tokio::time::timeout(Duration::from_secs(5), service.clone().oneshot(get_of("/"))).await;
    assert!(waits.is_err(), "the only permit is taken");
    drop(first_call);
    assert_eq!(service.oneshot(get_of("/")).await.unwrap().status(), 200);
}

/// A service that is never ready.
#[derive(Clone)]
struct NeverReady;

impl Service<Inner> for NeverReady {
    type Response = Response<Body>;
    type Error = Error;
    type Future = Ready<Result<Response<Body>, Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Err(Error::other(SECRET)))
    }

    fn call(&mut self, _: Inner) -> Self::Future {
        ready(Err(Error::other("called without being ready")))
    }
}

#[tokio::test]
async fn f1_a_buffer_inside_works_and_a_failed_one_is_503() {
    let works = ErrorEnvelopeLayer::new().layer(Buffer::new(service_fn(fine), 1));
    assert_eq!(works.oneshot(get_of("/")).await.unwrap().status(), 200);
    let failed = ErrorEnvelopeLayer::new().layer(Buffer::new(NeverReady, 1));
    for _ in 0..3 {
        let answer = answer(failed.clone().oneshot(get_of("/")).await.unwrap()).await;
        let error = answer.expect_envelope(503, "service_unavailable");
        assert!(!error.to_string().contains(SECRET));
    }
}

fn cors() -> CorsLayer {
    CorsLayer::new().allow_origin(Any).allow_methods(Any)
}

#[tokio::test]
async fn e4_cors_inside_lets_a_browser_read_the_id_and_the_code() {
    let app = bare().layer(cors()).layer(ErrorEnvelopeLayer::new());
    for (path, status) in [("/ok", 200), ("/missing", 404)] {
        let answer = send(app.clone(), get_of(path)).await;
        assert_eq!(answer.head.status, status);
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        assert_eq!(answer.header("access-control-expose-headers"), Some("x-request-id, x-error-code, retry-after"));
    }
}

#[tokio::test]
async fn e4_cors_outside_covers_local_replies_and_exposes_the_configured_headers() {
    let exposing = cors().expose_headers(tower_error_envelope::middleware::exposed_headers());
    let app = bare().layer(ErrorEnvelopeLayer::new()).layer(exposing);
    let mut too_large = get_of("/ok");
    too_large.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from_static("99999999"));
    *too_large.body_mut() = Body::from("x");
    let answer = send(app, too_large).await;
    answer.expect_envelope(413, "payload_too_large");
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(
        answer.header("access-control-expose-headers"),
        Some("x-request-id,x-error-code,retry-after,x-upstream-error-code,x-upstream-request-id")
    );
    // Preflights of this layer need `ResponseBody: Default`, also around a plain service.
    let plain = cors().layer(ErrorEnvelopeLayer::new().layer(service_fn(fine)));
    let mut preflight = request(Method::OPTIONS, "/");
    preflight.headers_mut().insert("access-control-request-method", HeaderValue::from_static("GET"));
    assert_eq!(plain.oneshot(preflight).await.unwrap().headers()["access-control-allow-methods"], "*");
}

#[tokio::test]
async fn e1_compression_outside_compresses_the_envelope() {
    let app = bare().layer(ErrorEnvelopeLayer::new()).layer(CompressionLayer::new());
    let mut answer = send(app, accepting_gzip("/long")).await;
    assert_eq!(answer.header("content-encoding"), Some("gzip"));
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(&answer.body[..]).read_to_end(&mut plain).unwrap();
    answer.body = plain.into();
    answer.expect_envelope(409, "conflict");
}

#[tokio::test]
async fn r5_compression_inside_is_undone() {
    let app = bare().layer(CompressionLayer::new()).layer(ErrorEnvelopeLayer::new());
    let answer = send(app, accepting_gzip("/long")).await;
    let error = answer.expect_envelope(409, "conflict");
    assert_eq!(error["message"], "it is taken, and this text is long enough to compress");
    assert_eq!(answer.header("content-encoding"), None);
}

fn accepting_gzip(path: &str) -> Request {
    let mut request = get_of(path);
    request.headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    request
}

#[test]
fn r3_catch_panic_inside_is_one_more_inner_500() {
    let app = bare().layer(CatchPanicLayer::new()).layer(ErrorEnvelopeLayer::new());
    let (answer, lines) = logged(send(app, get_of("/panic")));
    let error = answer.expect_envelope(500, "internal_error");
    assert_eq!(error["message"], "An unexpected error occurred.");
    assert_eq!(only(&lines).field("origin"), Some("inner"));
}
