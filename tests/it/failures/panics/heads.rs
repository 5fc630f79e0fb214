//! F2: a head may be full, so that nothing more goes in, and may panic as it is dropped; an answer does not depend on it.

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Waker};

use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body_util::BodyExt;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_error_envelope::exchange::BoxError;
use tower_error_envelope::middleware::RequestBody;
use tower_error_envelope::{ErrorCode, Fault};

use super::super::scripted::{At, Scene, Script, Scripted, TEXT};
use super::super::{ask, data, get, is_served, layer, post, service};
use super::over_limit;
use crate::kit::{Answer, Line, answer, logged, only};

/// `http`'s most names: its maps panic at the next one.
const FULL: usize = 24_576;

fn names(count: usize) -> HeaderMap {
    let name = |index| HeaderName::try_from(format!("x-{index}")).unwrap();
    (0..count).map(|index| (name(index), HeaderValue::from_static("1"))).collect()
}

fn lines_of_one_name(count: usize) -> HeaderMap {
    std::iter::repeat_n((HeaderName::from_static("x-a"), HeaderValue::from_static("1")), count).collect()
}

#[test]
fn what_is_called_full_is_full() {
    assert!(names(FULL).try_append("one-more", HeaderValue::from_static("1")).is_err());
}

#[test]
fn f2_a_request_with_very_many_headers_is_refused() {
    for (what, headers) in [("a full map", names(FULL)), ("lines of one name", lines_of_one_name(20_000))] {
        let scripted = Scripted::new(Script::fine());
        let calls = scripted.calls();
        let (answer, lines) = logged(async {
            let mut service = layer().layer(scripted);
            let mut request = get();
            *request.headers_mut() = headers;
            let answer = ask(&mut service, request).await;
            assert_eq!(calls.load(Ordering::SeqCst), 0, "{what}: the service is not called");
            is_served(&mut service).await;
            answer
        });
        answer.expect_envelope(431, "headers_too_large");
        let line = only(&lines);
        assert_eq!((&*line.level, line.field("origin")), ("INFO", Some("guard")), "{what}");
        assert_eq!(line.field("request_id"), Some(&*answer.id()), "{what}");
    }
}

#[test]
fn f2_a_response_with_very_many_headers_is_a_500() {
    for status in [200, 304, 404, 503] {
        for (what, headers) in [("a full map", names(FULL)), ("lines of one name", lines_of_one_name(20_000))] {
            let (answer, lines) = responds(get(), move || {
                let mut response = says(status);
                response.headers_mut().clone_from(&headers);
                response
            });
            answer.expect_envelope(500, "internal_error");
            let line = only(&lines);
            assert_eq!((&*line.level, line.field("origin")), ("ERROR", Some("inner")), "{status}, {what}");
            assert_eq!(line.field("request_id"), Some(&*answer.id()), "{status}, {what}");
        }
    }
}

/// Those of a fault go where there is room for them, or not at all.
#[test]
fn f2_a_fault_with_very_many_headers_is_answered_without_them() {
    let fault = || {
        let named = |fault: Fault, (name, value): (Option<HeaderName>, HeaderValue)| fault.header(name.unwrap(), value);
        names(FULL).into_iter().fold(Fault::new(ErrorCode::GONE), named)
    };
    let failed = move || Err::<Response<Scene>, BoxError>(fault().into());
    let said = move || {
        let mut response = says(404);
        response.extensions_mut().insert(fault());
        Ok(response)
    };
    for (what, outcome) in [("failed", &failed as &dyn Fn() -> Result<_, _>), ("said", &said)] {
        let (answer, lines) = logged(async {
            let service = service_fn(|_: Request<RequestBody<Scene>>| std::future::ready(outcome()));
            let Ok(response) = layer().layer(service).oneshot(get()).await;
            answer(response).await
        });
        assert_eq!(answer.header("x-error-code"), Some("gone"), "{what}: {lines:?}");
        answer.expect_envelope(answer.head.status.as_u16(), "gone");
        only(&lines);
    }
}

#[test]
fn heads_with_many_headers_pass() {
    let mut request = get();
    *request.headers_mut() = names(10_000);
    let (answer, lines) = responds(request, || {
        let mut response = says(200);
        *response.headers_mut() = names(10_000);
        response
    });
    assert_eq!((answer.head.status.as_u16(), answer.header("x-9999")), (200, Some("1")));
    answer.id();
    assert!(lines.is_empty(), "{lines:?}");
}

/// RFC 9110 §7.6.1: what `connection` names is for the next hop alone, and these are not.
#[test]
fn r8_a_connection_line_takes_nothing_away_that_is_for_every_recipient() {
    let (answer, lines) = responds(get(), || {
        let lines = [("retry-after", "5"), ("set-cookie", "a=1"), ("www-authenticate", "Basic"), ("x-hop", "1")];
        let mut response = says(429);
        response
            .headers_mut()
            .extend(lines.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))));
        let named = HeaderValue::from_static("Retry-After, set-cookie, www-authenticate, x-hop");
        response.headers_mut().insert("connection", named);
        response
    });
    answer.expect_envelope(429, "rate_limited");
    let kept = ["retry-after", "set-cookie", "www-authenticate", "x-hop", "connection"].map(|name| answer.header(name));
    assert_eq!(kept, [Some("5"), Some("a=1"), Some("Basic"), None, None]);
    only(&lines);
}

/// An extension of the user's.
#[derive(Clone)]
struct PanicsAsItIsDropped;

impl Drop for PanicsAsItIsDropped {
    fn drop(&mut self) {
        // Two panics at once abort, and then no test says what failed.
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
    let empty = || Scene::of([Ok("".into())]);
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

fn says(status: u16) -> Response<Scene> {
    Response::builder().status(status).body(data("said")).unwrap()
}

/// One request to a service that answers with this.
fn responds(request: Request<Scene>, response: impl Fn() -> Response<Scene> + Clone) -> (Answer, Vec<Line>) {
    logged(async {
        let service = service_fn(move |_: Request<RequestBody<Scene>>| {
            let response = response();
            async { Ok::<_, Infallible>(response) }
        });
        let Ok(response) = layer().layer(service).oneshot(request).await;
        answer(response).await
    })
}
