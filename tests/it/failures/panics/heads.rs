//! Tests F2: a head may have so many headers that no more fit in, and `http` then panics.

use std::convert::Infallible;
use std::sync::atomic::Ordering;

use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use tower::{Layer, ServiceExt, service_fn};
use tower_error_envelope::middleware::RequestBody;
use tower_error_envelope::session::BoxError;
use tower_error_envelope::{ErrorCode, Fault};

use super::super::scripted::{Scene, Script, Scripted};
use super::super::{ask, data, get, is_served, layer};
use crate::kit::{Answer, Line, answer, logged, only};

/// The most names in a map of `http`, which panics at the next one.
pub(super) const FULL: usize = 24_576;

pub(super) fn names(count: usize) -> HeaderMap {
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
fn f2_a_call_with_very_many_headers_is_refused_in_its_protocol() {
    let (answer, _) = logged(async {
        let mut service = layer().layer(Scripted::new(Script::fine()));
        let mut request = get();
        *request.method_mut() = http::Method::POST;
        *request.headers_mut() = names(FULL - 1);
        request.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
        ask(&mut service, request).await
    });
    assert_eq!((answer.head.status.as_u16(), answer.header("grpc-status")), (200, Some("8")));
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

/// The headers of a fault are added if there is room for them, or not at all.
#[test]
fn f2_a_fault_with_very_many_headers_is_answered_without_them() {
    let fault = || {
        let named =
            |fault: Fault, (name, value): (Option<HeaderName>, HeaderValue)| fault.with_header(name.unwrap(), value);
        names(FULL).into_iter().fold(Fault::new(ErrorCode::GONE), named)
    };
    let failed = move || Err::<Response<Scene>, BoxError>(fault().into());
    let make_service = move || {
        let mut response = says(404);
        response.extensions_mut().insert(fault());
        Ok(response)
    };
    for (what, outcome) in [("failed", &failed as &dyn Fn() -> Result<_, _>), ("said", &make_service)] {
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

/// RFC 9110 §7.6.1: headers that `connection` names are for the next hop alone, and these headers are not.
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

pub(super) fn says(status: u16) -> Response<Scene> {
    Response::builder().status(status).body(data("said")).unwrap()
}

/// Sends one request to a service that sends this response.
pub(super) fn responds(request: Request<Scene>, response: impl Fn() -> Response<Scene> + Clone) -> (Answer, Vec<Line>) {
    logged(async {
        let service = service_fn(move |_: Request<RequestBody<Scene>>| {
            let response = response();
            async { Ok::<_, Infallible>(response) }
        });
        let Ok(response) = layer().layer(service).oneshot(request).await;
        answer(response).await
    })
}
