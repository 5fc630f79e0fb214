//! Tests each kind of body that passes while the layer follows it (F2, F4, L1, M1). In one, the error panics. In
//! another, the server stops at the declared length.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Empty};
use tower::{Layer, ServiceExt, service_fn};
use tower_error_envelope::middleware::RequestBody;
use tower_error_envelope::policy::EventStreams;
use tower_error_envelope::session::BoxError;
use tower_error_envelope::{ErrorEnvelopeLayer, Mode, Policy};

use super::scripted::Tricky;
use crate::kit::{Line, logged, only};

/// A body with or without a length, which reports its end only when polled.
struct Told {
    frames: VecDeque<Result<Bytes, BoxError>>,
    length: Option<u64>,
}

impl Told {
    fn new(frames: impl IntoIterator<Item = Result<&'static [u8], BoxError>>, has_length: bool) -> Self {
        let frames: VecDeque<_> = frames.into_iter().map(|frame| frame.map(Bytes::from_static)).collect();
        let length = frames.iter().flatten().map(|data| data.len() as u64).sum();
        Self { frames, length: has_length.then_some(length) }
    }
}

impl Body for Told {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Poll::Ready(self.frames.pop_front().map(|frame| frame.map(Frame::data)))
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map(SizeHint::with_exact).unwrap_or_default()
    }
}

/// Sends a request and a response of the same type under this policy. Reads this number of frames, and drops the body.
fn passes(mode: Mode, (status, media_type): (u16, &'static str), told: Told, frames: usize) -> Vec<Line> {
    let policy = Policy::builder().mode(mode).event_streams(EventStreams::AppendError).build().unwrap();
    let told = Arc::new(Mutex::new(Some(told)));
    let service = service_fn(move |_: Request<RequestBody<Empty<Bytes>>>| {
        let told = told.lock().unwrap().take().unwrap();
        let response = Response::builder().status(status).header("content-type", media_type).body(told).unwrap();
        async { Ok::<_, Infallible>(response) }
    });
    let request = Request::post("/pkg.Svc/Do").header("content-type", media_type).header("te", "trailers");
    let ((), lines) = logged(async {
        let service = ErrorEnvelopeLayer::new().policy(policy).layer(service);
        let mut body = service.oneshot(request.body(Empty::new()).unwrap()).await.unwrap().into_body();
        for _ in 0..frames {
            drop(body.frame().await);
        }
    });
    lines
}

#[test]
fn f2_whatever_body_it_breaks_an_error_may_panic_in_its_source_and_its_drop() {
    for (mode, response, first) in [
        (Mode::Enforce, (200, "text/plain"), &b"begun"[..]),
        (Mode::Enforce, (404, "text/plain"), b"begun"),
        (Mode::Fill, (404, "application/json"), b"{"),
        (Mode::Observe, (404, "text/plain"), b"begun"),
        (Mode::Enforce, (200, "application/grpc"), b"\0\0\0\0\0"),
        (Mode::Enforce, (200, "application/grpc-web"), b"\0\0\0\0\0"),
        (Mode::Enforce, (200, "application/connect+proto"), b"\0\0\0\0\0"),
        (Mode::Enforce, (200, "text/event-stream"), b"data: begun\n\n"),
    ] {
        let broken = Told::new([Ok(first), Err(Tricky::SourceAndDrop.into())], false);
        let lines = passes(mode, response, broken, 3);
        assert_eq!(lines.len(), 1, "{mode:?} {response:?}: {lines:#?}");
    }
}

#[test]
fn l1_a_server_that_stops_at_the_declared_length_has_seen_the_end() {
    const ENDED_WELL: &[u8] = b"\x80\0\0\0\x10grpc-status: 0\r\n";
    const ENDED_BADLY: &[u8] = b"\x80\0\0\0\x10grpc-status: 5\r\n";
    const STREAM_ENDED_BADLY: &[u8] = b"\x02\0\0\0\x1e{\"error\":{\"code\":\"not_found\"}}";

    for (mode, response, last, logged) in [
        (Mode::Observe, (404, "text/plain"), &b"no such order"[..], Some("not_found")),
        (Mode::Enforce, (200, "application/grpc-web"), ENDED_WELL, None),
        (Mode::Enforce, (200, "application/grpc-web"), ENDED_BADLY, Some("not_found")),
        (Mode::Observe, (200, "application/grpc-web"), ENDED_BADLY, Some("not_found")),
        (Mode::Enforce, (200, "application/connect+json"), STREAM_ENDED_BADLY, Some("not_found")),
        (Mode::Enforce, (200, "text/event-stream"), b"data: {}\n\n", None),
    ] {
        let lines = passes(mode, response, Told::new([Ok(&b"\0\0\0\0\0"[..]), Ok(last)], true), 2);
        match logged {
            None => assert!(lines.is_empty(), "{mode:?} {response:?}: {lines:#?}"),
            Some(code) => {
                let line = only(&lines);
                assert_eq!(
                    (line.field("code").or(line.field("would_be_code")), line.field("unread")),
                    (Some(code), None),
                    "{mode:?} {response:?}: {line:?}"
                );
            }
        }
    }
}

/// The client has left before the end.
#[test]
fn l1_a_server_that_stops_before_the_declared_length_has_not() {
    for (mode, response, field) in [
        (Mode::Observe, (404, "text/plain"), ("end", "client_left")),
        (Mode::Enforce, (200, "application/grpc"), ("origin", "abandoned")),
        (Mode::Enforce, (200, "application/grpc-web"), ("origin", "abandoned")),
        (Mode::Enforce, (200, "application/connect+json"), ("origin", "abandoned")),
    ] {
        let frames = [Ok(&b"\0\0\0\0\0"[..]), Ok(&b"\0\0\0\0\0"[..])];
        let lines = passes(mode, response, Told::new(frames, true), 1);
        assert_eq!(only(&lines).field(field.0), Some(field.1), "{mode:?} {response:?}: {lines:#?}");
    }
}
