//! Tests F2: a head holds the user's own extensions, which may panic when they are dropped. No response depends on
//! them.

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};

use http::{Request, Response};
use http_body_util::BodyExt;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_error_envelope::middleware::RequestBody;

use super::super::scripted::{At, Scene, Script, TEXT};
use super::super::{ask, data, get, is_served, layer, post, service};
use super::heads::{FULL, names, responds, says};
use super::over_limit;
use crate::kit::{answer, logged, only};

/// An extension of the user.
#[derive(Clone)]
struct PanicsAsItIsDropped;

impl Drop for PanicsAsItIsDropped {
    fn drop(&mut self) {
        // Two panics at once abort the process, and then no test reports its failure.
        assert!(std::thread::panicking(), "{TEXT}");
    }
}

fn tricky<B>(mut request: Request<B>) -> Request<B> {
    request.extensions_mut().insert(PanicsAsItIsDropped);
    request
}

fn tricky_response(status: u16) -> Response<Scene> {
    let mut response = says(status);
    response.extensions_mut().insert(PanicsAsItIsDropped);
    response
}

#[test]
fn f2_a_request_head_that_panics_as_it_is_dropped_does_not_take_its_answer_along() {
    let not_ready = Script { not_ready: Some(|| "not ready".into()), ..Script::fine() };
    let empty = || Scene::new([Ok("".into())]);
    for (what, script, request, status, code) in [
        ("refused", Script::fine(), over_limit("x-more", "comes"), 413, "payload_too_large"),
        ("not ready", not_ready, get(), 503, "service_unavailable"),
        ("no clone to peek with", Script::panics(At::Clone), post("/json", data("{}")), 500, "internal_error"),
        ("refused after a peek", Script::fine(), post("/json", data("{}")), 415, "unsupported_media_type"),
        ("too slow a peek", Script::fine(), post("/json", Scene::hanging()), 408, "request_timeout"),
        ("not ready after a peek", not_ready, post("/json", empty()), 503, "service_unavailable"),
    ] {
        let (answer, lines) = logged(async {
            let mut service = service(script);
            let answer = ask(&mut service, tricky(request)).await;
            is_served(&mut service).await;
            answer
        });
        answer.expect_envelope(status, code);
        assert_eq!(only(&lines).field("code"), Some(code), "{what}");
    }
}

#[test]
fn f2_a_full_response_head_may_panic_as_it_is_dropped_too() {
    let (answer, lines) = responds(get(), || {
        let mut response = tricky_response(200);
        response.headers_mut().extend(names(FULL));
        response
    });
    answer.expect_envelope(500, "internal_error");
    only(&lines);
}

#[test]
fn f2_a_response_head_that_an_overflow_replaces_may_panic_as_it_is_dropped() {
    let (answer, lines) = logged(async {
        let swallows = service_fn(|request: Request<RequestBody<Scene>>| async {
            let _ = request.into_body().collect().await;
            Ok::<_, Infallible>(tricky_response(200))
        });
        let Ok(response) = layer().layer(swallows).oneshot(post("/any", data("123456789"))).await;
        answer(response).await
    });
    answer.expect_envelope(413, "payload_too_large");
    only(&lines);
}

/// The error's body is the upload.
#[test]
fn f2_so_may_one_that_an_overflow_replaces_while_its_body_is_read() {
    let (answer, lines) = logged(async {
        let echoes = service_fn(|request: Request<RequestBody<Scene>>| async {
            let (head, _) = tricky_response(409).into_parts();
            Ok::<_, Infallible>(Response::from_parts(head, request.into_body()))
        });
        let Ok(response) = layer().layer(echoes).oneshot(post("/any", data("123456789"))).await;
        answer(response).await
    });
    answer.expect_envelope(413, "payload_too_large");
    only(&lines);
}

#[test]
fn f2_a_head_that_panics_as_its_client_goes_away_goes_no_further() {
    let ((), lines) = logged(async {
        let mut service = service(Script::fine());
        is_pending_and_dropped(service.ready().await.unwrap().call(tricky(post("/json", Scene::hanging()))));
        is_served(&mut service).await;
    });
    assert_eq!(only(&lines).field("origin"), Some("abandoned"));
    let ((), lines) = logged(async {
        let hangs = service_fn(|_: Request<RequestBody<Scene>>| async {
            Ok::<_, Infallible>(tricky_response(404).map(|_| Scene::hanging()))
        });
        is_pending_and_dropped(layer().layer(hangs).ready().await.unwrap().call(get()));
    });
    assert_eq!(only(&lines).field("origin"), Some("abandoned"));
}

fn is_pending_and_dropped(call: impl Future) {
    let mut call = pin!(call);
    assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
}
