//! Tests that nothing panics without a timer or without a runtime. Waits then end when bytes arrive.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::Request;

use super::scripted::{Scene, Script};
use super::{ask, data, get, post, service};
use crate::kit::Answer;

/// Returns a scene for each wait of the layer: for an error's body, for a first byte, for a drain after the head, and
/// for a drain in place.
fn waits() -> [(Script, Request<Scene>, u16); 4] {
    let over_limit = Request::post("/").header("content-length", "9").body(data("123456789")).unwrap();
    let chunks = || Scene::new(["12345678", "9", "more"].map(|text| Ok(Bytes::from_static(text.as_bytes()))));
    let reads = Script { reads: true, ..Script::fine() };
    [
        (Script::says(404), get(), 404),
        (Script::fine(), post("/json", data("x")), 415),
        (Script::fine(), over_limit, 413),
        (reads, post("/any", chunks()), 413),
    ]
}

#[test]
fn f2_a_runtime_without_a_timer_is_enough() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for (script, request, status) in waits() {
        let answer = runtime.block_on(async { ask(&mut service(script), request).await });
        assert_eq!(answer.head.status, status);
    }
}

#[test]
fn f2_no_runtime_is_enough() {
    for (script, request, status) in waits() {
        assert_eq!(polled(async { ask(&mut service(script), request).await }).head.status, status);
    }
}

/// Everything in these bodies is there at once.
fn polled(work: impl Future<Output = Answer>) -> Answer {
    let mut work = pin!(work);
    for _ in 0..10 {
        if let Poll::Ready(answer) = work.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return answer;
        }
    }
    panic!("it waits for something that does not come")
}
