//! Tests the line at the start, which states what is in force, once for each layer.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::routing::get;
use tower::{Layer, ServiceExt, service_fn};
use tower_error_envelope::policy::MapRule;
use tower_error_envelope::{ErrorCode, ErrorEnvelopeLayer, Fault, Mode, Policy, RouteRule};

use crate::cases::logs::captured;
use crate::kit::STARTED;

/// Returns the lines at the start that wrapping a service logs.
fn started(work: impl FnOnce()) -> Vec<String> {
    let ((), log) = captured(work);
    log.lines().filter(|line| line.contains(STARTED)).map(str::to_owned).collect()
}

fn wrap(layer: &ErrorEnvelopeLayer) {
    let _ = layer.layer(());
}

#[test]
fn a_layer_and_its_clones_say_it_once() {
    let lines = started(|| {
        let layer = ErrorEnvelopeLayer::new();
        for _ in 0..3 {
            wrap(&layer);
            wrap(&layer.clone());
        }
        let classifies = layer.clone().classify(|_| None);
        wrap(&classifies);
    });
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(
        lines[0].contains(" INFO ") && lines[0].contains(&format!("tower_error_envelope: {STARTED} ")),
        "{lines:?}"
    );
}

#[test]
fn it_is_logged_once_for_all_clones_of_the_service_and_all_requests() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let lines = started(|| {
        let app = Router::new()
            .route("/a", get(|| async {}).post(|| async {}))
            .nest("/b", Router::new().route("/c", get(|| async {})))
            .fallback(|| async {})
            .layer(ErrorEnvelopeLayer::new());
        for path in ["/a", "/b/c", "/d"] {
            let request = Request::get(path).body(Body::empty()).unwrap();
            assert_eq!(runtime.block_on(app.clone().oneshot(request)).unwrap().status(), 200);
        }
    });
    assert_eq!(lines.len(), 1, "{lines:?}");
}

#[test]
fn layers_with_policies_of_their_own_say_it_each() {
    let lines = started(|| {
        let first = ErrorEnvelopeLayer::new();
        wrap(&first);
        wrap(&first.clone().policy(Policy::builder().mode(Mode::Off).build().unwrap()));
        wrap(&ErrorEnvelopeLayer::new());
    });
    assert_eq!(lines.len(), 3, "{lines:?}");
}

#[test]
fn it_says_what_is_in_force() {
    let says = |policy: Policy| {
        let mut lines = started(|| wrap(&ErrorEnvelopeLayer::new().policy(policy)));
        assert_eq!(lines.len(), 1);
        lines.remove(0).split_once(STARTED).unwrap().1.to_owned()
    };
    assert_eq!(
        says(Policy::default()),
        r#" policy="defaults" scopes=0 routes=0 map_rules=0 own_codes=0 mode="enforce" body_limit=1048576 classifier=false"#
    );
    const SEAT_TAKEN: ErrorCode = ErrorCode::custom("seat_taken", 409);
    let built = Policy::builder()
        .route(RouteRule::new("/a"))
        .route(RouteRule::new("/b"))
        .code(SEAT_TAKEN)
        .map(MapRule::to(SEAT_TAKEN).status(409))
        .mode(Mode::Off)
        .no_body_limit();
    assert_eq!(
        says(built.build().unwrap()),
        r#" policy="built in Rust" scopes=0 routes=2 map_rules=1 own_codes=1 mode="off" body_limit=none classifier=false"#
    );
    let text = "version = 1\n[defaults]\nbody_limit = \"64 KiB\"\n[[route]]\nmatch = \"/a\"\n";
    assert_eq!(
        says(Policy::from_toml("shop/policy.toml", text).unwrap()),
        r#" policy="shop/policy.toml" hash="3f858e5f2439e9c8" scopes=0 routes=1 map_rules=0 own_codes=0 mode="enforce" body_limit=65536 classifier=false"#
    );
}

#[test]
fn it_says_whether_there_is_a_classifier() {
    let layer = ErrorEnvelopeLayer::new().classify(|_| Some(Fault::new(ErrorCode::GONE)));
    let lines = started(|| drop(layer.layer(service_fn(|_: ()| async { Ok::<_, ()>(()) }))));
    assert!(lines[0].ends_with(" classifier=true"), "{lines:?}");
}
