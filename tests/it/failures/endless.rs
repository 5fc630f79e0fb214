//! Tests bodies of empty frames that are always ready. Each frame counts in its budget, and none blocks the thread (R4,
//! G3, G5).

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use http::Request;
use tokio::time::Instant;
use tower::{Layer, Service, ServiceExt};
use tower_error_envelope::{ErrorEnvelopeLayer, Policy};

use super::scripted::{Scene, Script, Scripted};
use super::{ask, post, service};
use crate::kit::{logged, only};

#[tokio::test(start_paused = true)]
async fn r4_an_error_body_of_empty_frames_is_given_up() {
    let start = Instant::now();
    let script = Script { body_says_nothing: true, ..Script::says(404) };
    let answer = ask(&mut service(script), Request::new(Scene::empty())).await;
    answer.expect_envelope(404, "not_found");
    assert_eq!(start.elapsed(), Duration::ZERO, "by its bytes, not by its time");
}

/// Only two timers wake the task: that of the reading, and that of the call.
#[test]
fn r4_p1_an_error_body_that_never_wakes_ends_at_the_first_of_its_time_limits() {
    for (call_time, ends, code) in [
        (None, 1000, "other"),
        (Some("400m"), 400, "gateway_timeout"),
        (Some("1000m"), 1000, "other"),
        (Some("3S"), 1000, "other"),
    ] {
        let ((status, elapsed), lines) = logged(async {
            let policy = Policy::builder().inspect(64, Duration::from_secs(1)).build().unwrap();
            let script = Script { body_hangs: true, ..Script::says(502) };
            let mut service = ErrorEnvelopeLayer::new().policy(policy).layer(Scripted::new(script));
            let mut request = post("/a.B/C", Scene::empty());
            request.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
            if let Some(time) = call_time {
                request.headers_mut().insert("grpc-timeout", time.parse().unwrap());
            }
            let start = Instant::now();
            let answer = ask(&mut service, request).await;
            (answer.header("x-error-code").unwrap().to_owned(), start.elapsed())
        });
        assert_eq!((status.as_str(), elapsed.as_millis()), (code, ends), "{call_time:?}");
        let line = only(&lines);
        assert_eq!(line.field("unread"), (code == "other").then_some("too_late"), "{call_time:?}: {line:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn g5_an_upload_of_empty_frames_is_drained_within_the_budget() {
    let policy = Policy::builder().body_limit(8).drain(1000, Duration::from_secs(2)).build().unwrap();
    let layer = ErrorEnvelopeLayer::new().policy(policy);
    let declared = Request::post("/").header("content-length", "9").body(Scene::saying_nothing("123")).unwrap();
    let undeclared = post("/", Scene::saying_nothing("123456789"));
    for (what, request) in [("after the head", declared), ("in place", undeclared)] {
        let start = Instant::now();
        let mut service = layer.layer(Scripted::new(Script { reads: true, ..Script::fine() }));
        ask(&mut service, request).await.expect_envelope(413, "payload_too_large");
        assert_eq!(start.elapsed(), Duration::ZERO, "{what}: by its bytes, not by its time");
    }
}

#[test]
fn g3_a_first_byte_is_awaited_without_holding_the_thread() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let mut service = service(Script::fine());
        let mut call = pin!(service.ready().await.unwrap().call(post("/json", Scene::saying_nothing(""))));
        for _ in 0..100 {
            assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
    });
}
