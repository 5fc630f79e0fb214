//! Tests F3: an error of `poll_ready` is kept for the request that would have been forwarded. Guards come first.

use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use http::Request;
use tower::{Layer, Service, ServiceExt};
use tower_error_envelope::middleware::RequestBody;
use tower_error_envelope::session::BoxError;
use tower_error_envelope::{ErrorCode, Fault};

use super::scripted::{Played, Scene, Script, Scripted, TEXT, Tricky};
use super::{ask, data, get, is_served, layer, post, service};
use crate::kit::{answer, logged, only};

const fn not_ready(error: fn() -> BoxError) -> Script {
    Script { not_ready: Some(error), ..Script::fine() }
}

#[test]
fn f3_an_error_is_kept_for_the_next_request_and_then_dropped() {
    let scripted = Scripted::new(not_ready(|| TEXT.into()));
    let calls = scripted.calls();
    let (answer, lines) = logged(async {
        let mut service = layer().layer(scripted);
        let answer = ask(&mut service, get()).await;
        assert_eq!(calls.load(Ordering::SeqCst), 0, "a service that is not ready is not called");
        is_served(&mut service).await;
        answer
    });
    let error = answer.expect_envelope(503, "service_unavailable");
    assert!(!error.to_string().contains(TEXT));
    assert_eq!(only(&lines).level, "WARN");
}

#[test]
fn f3_guards_come_first_and_the_service_is_polled_anew() {
    for error in [(|| TEXT.into()) as fn() -> BoxError, || Tricky::Drop.into()] {
        for (path, status, code) in [("/", 413, "payload_too_large"), ("/json", 415, "unsupported_media_type")] {
            let (refused, lines) = logged(async {
                let mut service = service(not_ready(error));
                let over_limit = Request::post(path).header("content-length", "9").body(data("123456789")).unwrap();
                let refused = ask(&mut service, over_limit).await;
                is_served(&mut service).await;
                refused
            });
            refused.expect_envelope(status, code);
            only(&lines);
        }
    }
}

/// A peek keeps the service that was polled, and its error. The clone is polled separately.
#[test]
fn f3_a_peek_that_refuses_comes_before_the_error_too() {
    for error in [(|| TEXT.into()) as fn() -> BoxError, || Tricky::Drop.into()] {
        let (answer, lines) = logged(async {
            let mut service = service(not_ready(error));
            let answer = ask(&mut service, post("/json", data("{}"))).await;
            is_served(&mut service).await;
            answer
        });
        answer.expect_envelope(415, "unsupported_media_type");
        only(&lines);
    }
}

#[test]
fn f3_the_error_outlasts_a_peek_that_forwards() {
    let (answer, lines) = logged(async {
        let mut service = service(not_ready(|| TEXT.into()));
        let answer = ask(&mut service, post("/json", Scene::new([Ok("".into())]))).await;
        is_served(&mut service).await;
        answer
    });
    answer.expect_envelope(503, "service_unavailable");
    only(&lines);
}

#[test]
fn f3_a_better_reason_is_reported() {
    for (error, status, code) in [
        ((|| Fault::new(ErrorCode::RATE_LIMITED).into()) as fn() -> BoxError, 429, "rate_limited"),
        (|| tower::load_shed::error::Overloaded::new().into(), 503, "worker_at_capacity"),
        (|| tower::timeout::error::Elapsed::new().into(), 504, "gateway_timeout"),
        (|| Tricky::Display.into(), 503, "service_unavailable"),
        (|| Tricky::Drop.into(), 503, "service_unavailable"),
        (|| Tricky::Source.into(), 500, "internal_error"),
        (|| Tricky::SourceAndDrop.into(), 500, "internal_error"),
    ] {
        let (answer, lines) = logged(async {
            let mut service = service(not_ready(error));
            let answer = ask(&mut service, get()).await;
            is_served(&mut service).await;
            answer
        });
        answer.expect_envelope(status, code);
        only(&lines);
    }
}

/// An error of one service is no error of its clones, which are polled separately.
#[test]
fn f3_a_clone_holds_nothing() {
    let (statuses, _) = logged(async {
        let mut service = service(not_ready(|| TEXT.into()));
        service.ready().await.unwrap();
        let mut clone = service.clone();
        let of_clone = ask(&mut clone, get()).await.head.status;
        (of_clone, answer(service.call(get()).await.unwrap()).await.head.status)
    });
    assert_eq!((statuses.0.as_u16(), statuses.1.as_u16()), (200, 503));
}

/// A service that is ready at the second poll.
#[derive(Clone)]
struct Later {
    is_ready: bool,
    inner: Scripted,
}

impl Service<Request<RequestBody<Scene>>> for Later {
    type Response = http::Response<Scene>;
    type Error = BoxError;
    type Future = Played;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        if !std::mem::replace(&mut self.is_ready, true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<RequestBody<Scene>>) -> Self::Future {
        assert!(self.is_ready, "called without being ready");
        self.inner.call(request)
    }
}

/// A peek keeps the ready service, and the fresh clone is polled separately.
#[test]
fn the_service_that_was_ready_is_the_one_that_is_called() {
    let ((), lines) = logged(async {
        let mut service = layer().layer(Later { is_ready: false, inner: Scripted::new(Script::fine()) });
        for path in ["/json", "/any", "/json"] {
            let response = service.ready().await.unwrap().call(post(path, Scene::new([Ok("".into())]))).await.unwrap();
            assert_eq!(answer(response).await.head.status, 200, "{path}");
        }
    });
    assert!(lines.is_empty(), "{lines:?}");
}
