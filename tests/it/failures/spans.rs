//! Tests subscribers of the user: one panics when the span around the inner call is left, and one reads the span's
//! fields.

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{Empty, Full};
use tower::{Layer, ServiceExt, service_fn};
use tower_error_envelope::ErrorEnvelopeLayer;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

#[derive(Clone, Default)]
struct Leaves(Arc<(AtomicBool, AtomicUsize)>);

impl Subscriber for Leaves {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("tower_error_envelope")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        if *event.metadata().level() <= tracing::Level::WARN {
            self.0.1.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {
        assert!(self.0.0.swap(true, Ordering::Relaxed), "the subscriber panics");
    }
}

#[test]
fn f2_a_panic_behind_the_call_is_a_line() {
    let leaves = Leaves::default();
    // Another test's subscriber must not decide the interest of the callsites.
    let _ = crate::cases::logs::captured(|| ());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let status = tracing::subscriber::with_default(leaves.clone(), || {
        runtime.block_on(async {
            let served =
                service_fn(|_: Request<_>| async { Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new())) });
            let service = ErrorEnvelopeLayer::new().layer(served);
            service.oneshot(Request::new(Empty::<Bytes>::new())).await.unwrap().status()
        })
    });
    assert!(leaves.0.0.load(Ordering::Relaxed), "the span was left");
    assert_eq!((status.as_u16(), leaves.0.1.load(Ordering::Relaxed)), (500, 1));
}

/// Fields that were recorded in spans after their start.
#[derive(Clone, Default)]
struct Recorded(Arc<Mutex<Vec<String>>>);

impl Visit for Recorded {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.lock().unwrap().push(format!("{} {value:?}", field.name()));
    }
}

impl Subscriber for Recorded {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("tower_error_envelope")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut self.clone());
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[test]
fn l1_the_span_of_a_request_has_its_status_and_the_code_of_its_error() {
    let _ = crate::cases::logs::captured(|| ());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let recorded = |status: u16, length: usize| {
        let recorded = Recorded::default();
        tracing::subscriber::with_default(recorded.clone(), || {
            let served = service_fn(move |_: Request<_>| async move {
                Ok::<_, Infallible>(Response::builder().status(status).body(Empty::<Bytes>::new()).unwrap())
            });
            let request = Request::new(Full::new(Bytes::from(vec![0; length])));
            runtime.block_on(ErrorEnvelopeLayer::new().layer(served).oneshot(request)).unwrap();
        });
        std::mem::take(&mut *recorded.0.lock().unwrap())
    };
    let status = "http.response.status_code";
    assert_eq!(recorded(204, 0), [format!("{status} 204")]);
    assert_eq!(recorded(404, 0), [format!("{status} 404"), "error.type \"not_found\"".to_owned()]);
    let refused = [format!("{status} 413"), "error.type \"payload_too_large\"".to_owned()];
    assert_eq!(recorded(200, 2 << 20), refused, "a request that never reaches the service");
}
