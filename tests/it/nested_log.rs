//! Tests layers around layers of one process: a request has one error event (L1).

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::routing::{get, post};
use futures_util::{StreamExt, stream};
use http::StatusCode;
use tower::ServiceExt;
use tower_error_envelope::session::{ClosedRecord, Observer};
use tower_error_envelope::{ErrorCode, ErrorEnvelopeLayer, Fault, Policy};
use tower_http::limit::RequestBodyLimitLayer;

use crate::cases::logs::captured;

#[derive(Default)]
struct Count(AtomicU64);

impl Observer for Count {
    fn on_record(&self, record: &ClosedRecord) {
        self.0.fetch_add(u64::from(record.origin().is_some()), Ordering::Relaxed);
    }
}

fn explodes() {
    assert!(std::hint::black_box(false), "boom");
}

/// Makes a body that panics after its first chunk.
fn panicking_body() -> Body {
    let chunks = [0, 1].map(|at| {
        move || {
            if at == 1 {
                explodes()
            }
        }
    });
    Body::from_stream(stream::iter(chunks).map(|chunk| {
        chunk();
        Ok::<_, Infallible>(Bytes::from_static(b"a"))
    }))
}

fn routes() -> Router {
    Router::new()
        .route("/panic", get(|| async { explodes() }))
        .route("/fault", get(|| async { Err::<(), _>(Fault::new(ErrorCode::INTERNAL_ERROR).with_source("why")) }))
        .route("/text", get(|| async { (StatusCode::INTERNAL_SERVER_ERROR, "secret") }))
        .route("/conflict", get(|| async { StatusCode::CONFLICT }))
        .route("/body", get(|| async { panicking_body() }))
}

/// Sends GET, reads the response, and returns the lines about errors.
fn lines(app: Router, path: &str) -> Vec<String> {
    lines_of(app, Request::builder().uri(path).body(Body::empty()).unwrap())
}

fn lines_of(app: Router, request: Request) -> Vec<String> {
    let (_, log) = captured(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let response = app.oneshot(request).await.unwrap();
            let _ = axum::body::to_bytes(response.into_body(), 4096).await;
        });
    });
    let is_error = |line: &&str| line.contains("origin=");
    log.lines().filter(is_error).map(str::to_owned).collect()
}

#[test]
fn l1_an_error_behind_several_layers_is_logged_once_by_the_innermost() {
    for (path, origin) in [
        ("/panic", "panic"),
        ("/fault", "fault"),
        ("/text", "inner"),
        ("/conflict", "inner"),
        ("/none", "inner"),
        ("/body", "panic"),
    ] {
        for layers in [1, 2, 3] {
            let counts: Vec<Arc<Count>> = (0..layers).map(|_| Arc::default()).collect();
            let wrap = |router: Router, count: &Arc<Count>| {
                router.layer(ErrorEnvelopeLayer::new().observer(Arc::clone(count)))
            };
            let lines = lines(counts.iter().fold(routes(), wrap), path);
            assert!(
                lines.len() == 1 && lines[0].contains(&format!("origin=\"{origin}\"")),
                "{path} {layers}: {lines:#?}"
            );
            let seen: u64 = counts.iter().map(|count| count.0.load(Ordering::Relaxed)).sum();
            assert_eq!(seen, 1, "{path} {layers}");
        }
    }
}

#[test]
fn l1_an_observer_of_the_outer_layer_alone_gets_the_error() {
    let count = Arc::<Count>::default();
    let app = routes().layer(ErrorEnvelopeLayer::new()).layer(ErrorEnvelopeLayer::new().observer(Arc::clone(&count)));
    assert_eq!(lines(app, "/panic").len(), 1);
    assert_eq!(count.0.load(Ordering::Relaxed), 1);
}

#[test]
fn l1_an_error_that_an_inner_layer_only_observed_is_logged_by_the_layer_that_rewrites_it() {
    let observe = Policy::from_toml("p.toml", "version = 1\ndefaults.mode = \"observe\"\n").unwrap();
    let app = routes().layer(ErrorEnvelopeLayer::new().policy(observe)).layer(ErrorEnvelopeLayer::new());
    let lines = lines(app, "/conflict");
    assert!(lines.iter().any(|line| line.contains("mode=\"enforce\"")), "{lines:#?}");
}

#[test]
fn l1_a_refusal_of_an_inner_layer_is_logged_once() {
    let guarded = "version = 1\n[defaults]\nrequire_headers = [\"h\"]\n[header.h]\nname = \"x-h\"\n";
    let guarded = ErrorEnvelopeLayer::new().policy(Policy::from_toml("p.toml", guarded).unwrap());
    let lines = lines(routes().layer(guarded).layer(ErrorEnvelopeLayer::new()), "/conflict");
    assert!(lines.len() == 1 && lines[0].contains("origin=\"guard\""), "{lines:#?}");
}

/// The outer layer writes a fault anew, and drops the body that the inner layer wrote.
#[test]
fn l5_a_client_that_read_the_whole_error_has_not_left_the_inner_layer() {
    for path in ["/fault", "/text", "/conflict", "/panic"] {
        let lines = lines(routes().layer(ErrorEnvelopeLayer::new()).layer(ErrorEnvelopeLayer::new()), path);
        let level = if path == "/conflict" { "INFO" } else { "ERROR" };
        assert!(lines.len() == 1 && lines[0].contains(level), "{path}: {lines:#?}");
        assert!(!lines[0].contains("client_left"), "{path}: {lines:#?}");
    }
}

#[test]
fn l1_a_body_over_the_limits_of_two_layers_is_logged_once() {
    let read = |body: Body| async {
        axum::body::to_bytes(body, usize::MAX).await.map(|_| ()).map_err(|_| StatusCode::BAD_REQUEST)
    };
    let small = || ErrorEnvelopeLayer::new().policy(Policy::builder().body_limit(8).build().unwrap());
    let request = || {
        let chunks = stream::iter(["moored ", "at quay 7"]).map(|chunk| Ok::<_, Infallible>(Bytes::from(chunk)));
        Request::post("/quays").body(Body::from_stream(chunks)).unwrap()
    };
    let app = || Router::new().route("/quays", post(read));
    let both = lines_of(app().layer(small()).layer(small()), request());
    assert!(both.len() == 1 && both[0].contains("payload_too_large"), "{both:#?}");
    // A limit between the layers is no limit of the outer layer, which then logs the error of the service.
    let between = app().layer(ErrorEnvelopeLayer::new()).layer(RequestBodyLimitLayer::new(8));
    let between = lines_of(between.layer(ErrorEnvelopeLayer::new()), request());
    assert!(between.len() == 1 && between[0].contains("bad_request"), "{between:#?}");
}
