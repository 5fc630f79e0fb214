//! Measures what observing a request costs the thread that serves the request, while no admin page is open.
//!
//! `cargo bench -p error-envelope-admin --bench observer` runs it. With `-- --check`, it fails above 2 µs.
#![allow(clippy::disallowed_methods, reason = "a benchmark measures time")]

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use error_envelope_admin::Admin;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceExt, service_fn};
use tower_error_envelope::session::{ClosedRecord, Observer};
use tower_error_envelope::{ErrorEnvelopeLayer, Policy};

/// The rounds are short, and only the fastest tenth is evaluated, because other programs also use the machine.
const TIMES: u32 = 1_000;
const ROUNDS: usize = 500;
const MOST: Duration = Duration::from_micros(2);

const POLICY: &str = "version = 1\n[[route]]\nmatch = \"/seats/{id}\"\n";

/// An observer that passes each record to the measured observer many times.
struct Again {
    observer: Arc<dyn Observer>,
    took: Mutex<Vec<Duration>>,
}

impl Observer for Again {
    fn on_record(&self, record: &ClosedRecord) {
        let began = Instant::now();
        for _ in 0..TIMES {
            self.observer.on_record(record);
        }
        self.took.lock().unwrap().push(began.elapsed() / TIMES);
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let unknown = r#"{"error":{"code":"SEAT_TAKEN","message":"Seat 7 is taken."}}"#;
    let mut slowest = Duration::ZERO;
    for (name, status, body) in [
        ("a success", 200, "{}"),
        ("a code of the catalogue", 404, r#"{"error":{"code":"NOT_FOUND","message":"No seat."}}"#),
        ("a code that nobody knows", 409, unknown),
        ("no shape", 502, "<html>"),
    ] {
        let admin = Admin::new();
        let again = Arc::new(Again { observer: admin.observer(), took: Mutex::default() });
        let policy = Policy::from_toml("bench.toml", POLICY).unwrap();
        let layer = ErrorEnvelopeLayer::new().policy(policy).observer(again.clone());
        runtime.block_on(async {
            for _ in 0..ROUNDS {
                let service = layer.layer(service_fn(move |_| async move {
                    let response = Response::builder().status(status).header("content-type", "application/json");
                    Ok::<_, Infallible>(response.body(Full::new(Bytes::from_static(body.as_bytes()))).unwrap())
                }));
                let request = Request::get("/seats/7").body(Full::<Bytes>::default()).unwrap();
                service.oneshot(request).await.unwrap().into_body().collect().await.unwrap();
            }
        });
        let mut took = again.took.lock().unwrap().clone();
        took.sort_unstable();
        let (fast, median) = (took[ROUNDS / 10], took[ROUNDS / 2]);
        println!("{name}: {fast:?} (median {median:?}; {ROUNDS} rounds of {TIMES})");
        slowest = slowest.max(fast);
    }
    if std::env::args().any(|it| it == "--check") {
        assert!(slowest < MOST, "seeing an error takes {slowest:?}, and may take {MOST:?}");
    }
}
