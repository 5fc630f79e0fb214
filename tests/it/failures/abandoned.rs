//! Tests F2: a client that leaves before its head is logged once, and a panic when its request is dropped has no
//! further effect.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};

use http::Request;
use tower::{Service, ServiceExt};

use super::scripted::{At, Scene, Script};
use super::{data, get, is_served, post, service};
use crate::kit::{Line, answer, logged, only};

/// Calls, polls once, and leaves.
fn leaves(script: Script, request: Request<Scene>) -> Vec<Line> {
    let ((), lines) = logged(async {
        let mut service = service(script);
        {
            let mut call = pin!(service.ready().await.unwrap().call(request));
            assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
        is_served(&mut service).await;
    });
    lines
}

#[test]
fn f2_wherever_it_waits_one_line_says_so() {
    for (what, script, request) in [
        ("the service", Script { hangs: true, ..Script::fine() }, get()),
        ("the service, which panics as it is dropped", Script { hangs: true, ..Script::panics(At::FutureDrop) }, get()),
        ("an error's body", Script { body_hangs: true, ..Script::says(404) }, get()),
        (
            "an error's body, which panics",
            Script { body_hangs: true, panics: Some(At::BodyDrop), ..Script::says(404) },
            get(),
        ),
        ("the first byte", Script::fine(), post("/json", Scene::hanging())),
        (
            "a first byte that panics as it is dropped",
            Script::fine(),
            post("/json", Scene::hanging().panicking(At::BodyDrop)),
        ),
        ("the body's reader", Script { reads: true, ..Script::fine() }, post("/any", Scene::hanging())),
    ] {
        let lines = leaves(script, request);
        println!("{what}: {lines:?}"); // shown by a failing test alone
        let line = only(&lines);
        assert_eq!((&*line.level, line.field("origin"), line.field("status")), ("INFO", Some("abandoned"), None));
    }
}

/// `call` has been made, and nothing was polled.
#[test]
fn f2_a_call_that_was_never_polled_is_abandoned_too() {
    let ((), lines) = logged(async {
        let mut service = service(Script::fine());
        drop(service.ready().await.unwrap().call(get()));
        is_served(&mut service).await;
    });
    assert_eq!(only(&lines).field("origin"), Some("abandoned"));
}

/// The response was decided before the client left, and the client got none of it.
#[test]
fn l5_what_was_decided_and_not_taken_keeps_its_origin_and_has_no_status() {
    let ((), lines) = logged(async {
        let mut service = service(Script::fine());
        let over_limit = Request::post("/").header("content-length", "9").body(data("123456789")).unwrap();
        drop(service.ready().await.unwrap().call(over_limit));
    });
    let line = only(&lines);
    let fields = ["origin", "end", "status", "code"].map(|name| line.field(name));
    assert_eq!(fields, [Some("guard"), Some("client_left"), None, None]);
}

/// A server may keep the future until the whole response is sent.
#[test]
fn f2_an_answered_call_that_is_kept_and_dropped_later_is_not_abandoned() {
    for (script, request, logged_lines) in [
        (Script::fine(), get(), 0),
        (Script::says(404), get(), 1),
        (Script { body_hangs: true, ..Script::says(404) }, get(), 1),
        (Script::fails(|| "failed".into()), get(), 1),
        (Script::fine(), post("/json", data("{}")), 1),
        (Script::fine(), post("/json", Scene::hanging()), 1),
        (Script { reads: true, ..Script::fine() }, post("/any", data("123456789")), 1),
    ] {
        let ((), lines) = logged(async {
            let mut service = service(script);
            let mut call = Box::pin(service.ready().await.unwrap().call(request));
            let Ok(response) = call.as_mut().await;
            answer(response).await;
            drop(call);
        });
        assert_eq!(lines.len(), logged_lines, "{script:?}: {lines:?}");
        assert!(lines.iter().all(|line| line.field("origin") != Some("abandoned")), "{script:?}: {lines:?}");
    }
}

/// The head was sent, and the client left with a part of the body.
#[test]
fn l5_a_response_that_is_not_read_to_its_end_has_a_client_that_left() {
    let ((), lines) = logged(async {
        let Ok(response) = service(Script { body_hangs: true, ..Script::fine() }).oneshot(get()).await;
        drop(response);
    });
    let line = only(&lines);
    let fields = ["origin", "end", "status", "code"].map(|name| line.field(name));
    assert_eq!((&*line.level, fields), ("INFO", [Some("abandoned"), Some("client_left"), Some("200"), None]));
}
