//! Tests facts that the compiler can check: what is `Send`, what needs no bound, and the sizes of types.
//!
//! A size is a speed bump: a commit that makes a future larger changes a number here, and states the reason.

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use error_envelope_core::session::{BodyMeter, BoxError, Follow, Reading, RequestStep, ResponseStep, Session};
use http::{Request, Response};
use http_body_util::{Empty, Full};
use tower_error_envelope::middleware::{RequestBody, ResponseBody, ResponseBodyError, ResponseFuture};
use tower_error_envelope::{ErrorCode, ErrorEnvelopeLayer, ErrorEnvelopeService, Fault, Policy, RequestId, RouteRule};
use tower_layer::Layer;
use tower_service::Service;

/// A body of a known size, like hyper's `Incoming`.
type Body = http_body_util::combinators::BoxBody<Bytes, BoxError>;
/// A body that is `Send` and not `Sync`, like axum's body.
type UnsyncBody = http_body_util::combinators::UnsyncBoxBody<Bytes, BoxError>;

/// An inner future of 144 bytes, the size in the measurements of the happy path.
struct Sized144([u64; 18]);

impl Future for Sized144 {
    type Output = Result<Response<Full<Bytes>>, Infallible>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(Ok(Response::new(Full::from(self.0[0].to_string()))))
    }
}

#[derive(Clone)]
struct Inner;

impl<B> Service<Request<RequestBody<B>>> for Inner {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Sized144;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<RequestBody<B>>) -> Sized144 {
        Sized144([0; 18])
    }
}

type Wrapped = ErrorEnvelopeService<Inner>;
type WrappedFuture = ResponseFuture<Inner, Sized144, Body, Full<Bytes>>;

fn is_send<T: Send>() {}
fn is_sync<T: Sync>() {}
fn is_send_and_sync<T: Send + Sync>() {}

/// A glob import of the library hides no crate that a service uses with it.
mod glob {
    use tower_error_envelope::*;

    pub(super) fn names(_: Fault) -> (axum::Router, tonic::Status, utoipa::openapi::Components) {
        (axum::Router::new(), tonic::Status::ok(""), utoipa::openapi::Components::new())
    }
}

#[test]
fn a_glob_import_hides_no_crate() {
    let (_, status, _) = glob::names(ErrorCode::GONE.into());
    assert_eq!(status.code(), tonic::Code::Ok);
}

#[test]
fn what_its_parts_allow_is_send_and_sync() {
    is_send_and_sync::<ErrorEnvelopeLayer>();
    is_send_and_sync::<Wrapped>();
    is_send_and_sync::<RequestBody<Body>>();
    is_send_and_sync::<ResponseBody<Body, Body>>();
    is_send_and_sync::<ResponseBodyError>();
    is_send_and_sync::<(Policy, RouteRule, Fault, ErrorCode, RequestId)>();
    is_send_and_sync::<(Session, BodyMeter, RequestStep, ResponseStep, Reading, Follow)>();
    is_sync::<WrappedFuture>();
    is_send::<WrappedFuture>();
    is_send::<ResponseFuture<Inner, Sized144, UnsyncBody, UnsyncBody>>();
    is_send::<RequestBody<UnsyncBody>>();
    is_send::<ResponseBody<UnsyncBody, UnsyncBody>>();
}

/// The service of a single-threaded executor need not be `Send`.
#[test]
fn what_is_not_send_can_be_wrapped() {
    let shared = Rc::new(());
    let local = tower::service_fn(move |_: Request<RequestBody<Empty<Bytes>>>| {
        let shared = shared.clone();
        async move { Ok::<_, Infallible>(Response::new(format!("{shared:?}"))) }
    });
    let call = ErrorEnvelopeLayer::new().layer(local).call(Request::new(Empty::new()));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(runtime.block_on(call).unwrap().status(), 200);
}

/// Outer layers for CORS, time-outs and authorisation make an empty body of any type (tower-http).
#[test]
fn a_response_body_has_a_default_without_a_bound() {
    struct NoBounds;
    fn default<R, B>() -> ResponseBody<R, B> {
        ResponseBody::default()
    }
    default::<NoBounds, NoBounds>();
    let empty = default::<Full<Bytes>, Full<Bytes>>();
    assert!(http_body::Body::is_end_stream(&empty));
    assert_eq!(http_body::Body::size_hint(&empty).exact(), Some(0));
}

/// poem and salvo require this, and a boxed error is no error type.
#[test]
fn a_response_bodys_error_is_an_error() {
    fn error_of<B: http_body::Body>()
    where
        B::Error: Error + Send + Sync + 'static,
    {
    }
    error_of::<ResponseBody<Full<Bytes>, Full<Bytes>>>();
}

#[test]
fn the_service_never_fails() {
    fn never_fails<S: Service<Request<Full<Bytes>>, Error = Infallible>>(_: &S) {}
    never_fails(&ErrorEnvelopeLayer::new().layer(Inner));
}

#[test]
fn sizes_are_what_they_were() {
    assert_eq!(size_of::<Sized144>(), 144);
    for (what, size, most) in [
        // The difference holds the framework's route and the request's target, which a session keeps, and the timer
        // with its counts.
        ("ResponseFuture around 144 bytes", size_of::<WrappedFuture>(), 144 + 192),
        ("RequestBody beyond its body", size_of::<RequestBody<Body>>() - size_of::<Body>(), 80),
        ("ResponseBody beyond its body", size_of::<ResponseBody<Body, Body>>() - size_of::<Body>(), 160),
        ("ErrorEnvelopeService beyond its service", size_of::<ErrorEnvelopeService<()>>(), 72),
        ("Fault", size_of::<Fault>(), size_of::<usize>()),
        ("RequestId", size_of::<RequestId>(), 16),
    ] {
        assert!(size <= most, "{what}: {size} bytes, {most} so far");
    }
}
