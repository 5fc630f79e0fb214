//! A subscriber of the user's that panics as the span around the inner call is left.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Empty;
use tower::{Layer, ServiceExt, service_fn};
use tower_error_envelope::ErrorEnvelopeLayer;
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
    // The interest of the callsites must not be settled by another test's subscriber.
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
