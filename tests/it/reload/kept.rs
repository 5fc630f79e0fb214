//! Tests that a request ends under the policy that it began with (M3).

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::future::poll_immediate;
use futures_util::stream;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use tokio::sync::{mpsc, oneshot};
use tower::{Service, ServiceExt, service_fn};
use tower_error_envelope::ErrorEnvelopeLayer;
use tower_error_envelope::middleware::{RequestBody, ResponseBody};
use tower_layer::Layer;

use super::{Folder, saying};
use crate::kit::{Answer, Line, answer, logged};

type Body = UnsyncBoxBody<Bytes, Infallible>;
type Head = oneshot::Sender<Response<Body>>;

/// A policy in force, and its file.
struct Policy {
    folder: Folder,
    layer: ErrorEnvelopeLayer,
}

impl Policy {
    fn new(text: &str) -> Self {
        let folder = Folder::new();
        let layer = ErrorEnvelopeLayer::watch(folder.write("policy.toml", text)).unwrap();
        Self { folder, layer }
    }

    /// Replaces the policy from the next request on.
    fn becomes(&self, text: &str) {
        self.folder.replace("policy.toml", text);
        // The watching thread may have been faster.
        self.layer.reload().unwrap();
    }

    /// Makes a service whose first request waits for the head from the test. Each further request gets 404 at once.
    fn started(&self) -> (Head, impl Service<Request<Body>, Response = Answered, Error = Infallible> + Clone) {
        let (head, waits) = oneshot::channel::<Response<Body>>();
        let waits = Arc::new(Mutex::new(Some(waits)));
        let service = service_fn(move |request: Request<RequestBody<Body>>| {
            let waits = waits.lock().unwrap().take();
            async move {
                let Some(head) = waits else { return Ok(not_found("").map(|_| full(""))) };
                let read = request.into_body().collect().await?;
                let head = head.await.expect("the test sends one");
                Ok::<_, tower_error_envelope::session::BoxError>(match read.to_bytes() {
                    read if read.is_empty() => head,
                    read => head.map(|_| full(format!("{} bytes", read.len()))),
                })
            }
        });
        (head, self.layer.layer(service))
    }
}

type Answered = Response<ResponseBody<Body, Body>>;

fn not_found(media_type: &str) -> Response<()> {
    let response = Response::builder().status(404);
    let typed = |response: http::response::Builder| response.header("content-type", media_type);
    if media_type.is_empty() { response.body(()) } else { typed(response).body(()) }.unwrap()
}

fn full(text: impl Into<Bytes>) -> Body {
    Full::new(text.into()).boxed_unsync()
}

/// Makes a body that is sent piece by piece, and ends with its sender.
fn sent() -> (mpsc::UnboundedSender<&'static str>, Body) {
    let (send, mut receive) = mpsc::unbounded_channel();
    let pieces = stream::poll_fn(move |cx| {
        receive
            .poll_recv(cx)
            .map(|piece| piece.map(|piece: &str| Ok(Frame::data(Bytes::from_static(piece.as_bytes())))))
    });
    (send, StreamBody::new(pieces).boxed_unsync())
}

async fn ask(service: impl Service<Request<Body>, Response = Answered, Error = Infallible>) -> Answer {
    let Ok(response) = service.oneshot(Request::new(full(""))).await;
    answer(response).await
}

#[track_caller]
fn expect_message(answer: &Answer, message: &str) {
    assert_eq!(answer.expect_envelope(404, "not_found")["message"], message);
}

/// Asserts that the result is not there yet.
async fn expect_pending(work: impl Future + Unpin) {
    assert!(poll_immediate(work).await.is_none());
}

fn errors(lines: Vec<Line>) -> Vec<Line> {
    lines.into_iter().filter(|line| line.field("origin").is_some()).collect()
}

#[test]
fn m3_a_request_whose_call_waits_ends_under_its_own_policy() {
    for next in [saying("two"), "version = 1\n[defaults]\nmode = \"off\"\n".to_owned()] {
        let ((), lines) = logged(async {
            let policy = Policy::new(&saying("one"));
            let (head, service) = policy.started();
            let mut waits = pin!(ask(service.clone()));
            expect_pending(waits.as_mut()).await;
            policy.becomes(&next);
            let fresh = ask(service).await;
            if next.contains("two") {
                expect_message(&fresh, "two")
            } else {
                assert!(fresh.body.is_empty())
            }
            head.send(not_found("").map(|()| full(""))).unwrap();
            expect_message(&waits.await, "one");
        });
        let lines = errors(lines);
        assert_eq!(lines.last().unwrap().field("mode"), Some("enforce"), "{lines:?}");
    }
}

#[test]
fn m3_a_request_whose_error_body_is_being_read_ends_under_its_own_policy() {
    logged(async {
        let policy = Policy::new(&saying("one"));
        let (head, service) = policy.started();
        let (send, body) = sent();
        head.send(not_found("text/plain").map(|()| body)).unwrap();
        let mut waits = pin!(ask(service.clone()));
        send.send("begun, ").unwrap();
        expect_pending(waits.as_mut()).await;
        policy.becomes(&saying("two").replace("[[map]]", "[defaults]\nmode = \"own\"\n[[map]]"));
        assert!(ask(service).await.body.is_empty());
        send.send("ended").unwrap();
        drop(send);
        expect_message(&waits.await, "one");
    });
}

#[test]
fn m3_a_body_that_passes_in_observe_is_logged_under_its_own_policy() {
    let observing = "version = 1\n[defaults]\nmode = \"observe\"\n[[map]]\nstatus = 404\nto = \"media_gone\"\n";
    let ((), lines) = logged(async {
        let policy = Policy::new(observing);
        let (head, service) = policy.started();
        let (send, body) = sent();
        head.send(not_found("text/plain").map(|()| body)).unwrap();
        let mut waits = pin!(ask(service.clone()));
        expect_pending(waits.as_mut()).await;
        policy.becomes(&saying("two"));
        expect_message(&ask(service).await, "two");
        send.send("as it was").unwrap();
        drop(send);
        let passed = waits.await;
        assert_eq!((passed.head.status.as_u16(), &*passed.body), (404, &b"as it was"[..]));
        assert_eq!(passed.header("x-error-code"), None);
    });
    let lines = errors(lines);
    let fields = lines
        .iter()
        .map(|line| (line.field("mode").unwrap(), line.field("code").or(line.field("would_be_code")).unwrap()));
    assert_eq!(fields.collect::<Vec<_>>(), [("enforce", "not_found"), ("observe", "media_gone")]);
    assert_eq!(lines[1].field("would_be_status"), Some("404"));
}

#[test]
fn m3_an_upload_keeps_the_limit_under_which_it_began() {
    let limited = |bytes| format!("version = 1\n[defaults]\nbody_limit = {bytes}\n");
    for (before, after, over) in [(10, 4, false), (4, 10, true)] {
        logged(async {
            let policy = Policy::new(&limited(before));
            let (head, service) = policy.started();
            let (send, body) = sent();
            let mut upload = pin!(service.clone().oneshot(Request::new(body)));
            send.send("abc").unwrap();
            expect_pending(upload.as_mut()).await;
            policy.becomes(&limited(after));
            send.send("defgh").unwrap();
            drop(send);
            // If the upload is over its limit, nobody waits for the head any more.
            let _ = head.send(Response::new(full("")));
            let Ok(response) = upload.await;
            let answer = answer(response).await;
            if over {
                let error = answer.expect_envelope(413, "payload_too_large");
                assert_eq!(error["details"]["limit_bytes"], before);
            } else {
                assert_eq!((answer.head.status.as_u16(), &*answer.body), (200, &b"8 bytes"[..]));
            }
        });
    }
}
