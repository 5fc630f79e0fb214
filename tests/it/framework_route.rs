//! Tests the route and the method of an error (L1): the framework's route, or else the policy's.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use error_envelope_runtime::{Exchange, OpenRecord, RequestSlot};
use http::{Request, StatusCode};
use tower::ServiceExt;
use tower_error_envelope::session::{ClosedRecord, Observer};
use tower_error_envelope::{ErrorEnvelopeLayer, Policy, RequestId, RouteRule};

type Seen = (Option<String>, &'static str);

#[derive(Clone, Default)]
struct Events(Arc<Mutex<Vec<Seen>>>);

impl Observer for Events {
    fn on_record(&self, record: &ClosedRecord) {
        self.0.lock().unwrap().push((record.route().map(str::to_owned), record.method().as_str()));
    }
}

/// The routes that the layer reports to an adapter around it.
#[derive(Default)]
struct Noted(Mutex<Vec<Option<Arc<str>>>>);

impl Exchange for Noted {
    fn begun(&self, _: RequestId, route: Option<&Arc<str>>) {
        self.0.lock().unwrap().push(route.cloned());
    }

    fn ended(&self, record: OpenRecord) {
        record.close(std::time::Instant::now, |_| ());
    }
}

#[tokio::test]
async fn l1_an_error_has_its_method_and_the_frameworks_route_whatever_the_policy_has() {
    let events = Events::default();
    let policy = Policy::builder().route(RouteRule::new("/ours/{*rest}")).build().unwrap();
    let layer = ErrorEnvelopeLayer::new().policy(policy).observer(events.clone());
    let fails = || get(|| async { StatusCode::NOT_FOUND });
    let app = Router::new()
        .route("/seats/{id}", fails())
        .route("/ours/{id}", fails())
        .nest("/halls/{hall}", Router::new().route("/rows/{row}", fails()))
        .layer(layer);
    let noted = Arc::new(Noted::default());
    for (method, path) in [("GET", "/seats/7"), ("POST", "/seats/7"), ("GET", "/ours/7"), ("GET", "/halls/1/rows/2")] {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .extension(RequestSlot::new(noted.clone()))
            .body(Body::empty())
            .unwrap();
        app.clone().oneshot(request).await.unwrap();
    }
    let seen = |route: &str, method| (Some(route.to_owned()), method);
    let expected = [
        seen("/seats/{id}", "GET"),
        seen("/seats/{id}", "POST"),
        seen("/ours/{id}", "GET"),
        seen("/halls/{hall}/rows/{row}", "GET"),
    ];
    assert_eq!(*events.0.lock().unwrap(), expected);
    assert_eq!(noted.0.lock().unwrap()[0].as_deref(), Some("/seats/{id}"));
}

#[test]
fn l2_requests_are_counted_by_the_layer_and_no_path_method_or_host_makes_a_series() {
    let recorder = metrics_util::debugging::DebuggingRecorder::new();
    let snapshots = recorder.snapshotter();
    let series = |snapshot: metrics_util::debugging::Snapshot| {
        let keys = snapshot.into_hashmap().into_keys().map(|key| key.key().clone());
        keys.filter(|key| key.name().starts_with("error_envelope_re")).count()
    };
    metrics::with_local_recorder(&recorder, || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let policy = Policy::builder().route(RouteRule::new("/seats/{id}")).build().unwrap();
            let inner = tower::service_fn(|_: Request<_>| async {
                Ok::<_, std::convert::Infallible>(http::Response::new(Body::empty()))
            });
            let service = tower::Layer::layer(&ErrorEnvelopeLayer::new().policy(policy), inner);
            let mut first = 0;
            for number in 0..100_000 {
                let request = Request::builder().method(&*format!("M{number}")).uri(format!("/x/{number}"));
                let request = request.header("host", format!("h{number}.example")).body(Body::empty()).unwrap();
                service.clone().oneshot(request).await.unwrap();
                if number == 0 {
                    first = series(snapshots.snapshot());
                }
            }
            // The series are the requests, two histograms, and the bytes in and out.
            assert_eq!((first, series(snapshots.snapshot())), (5, 5));
        });
    });
}
