//! Tests G2 through the layer: who is let in, what the service gets from them, and the failures of verifiers.

mod callers;
mod forwarded;
mod observed;
mod spellings;
mod verifiers;
mod verifiers_failing;

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response, request};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use tower::{Layer, Service, ServiceExt};
use tower_error_envelope::auth::{AuthScheme, Identity, Key};
use tower_error_envelope::middleware::RequestBody;
use tower_error_envelope::policy::PolicyBuilder;
use tower_error_envelope::session::BoxError;
use tower_error_envelope::{ErrorEnvelopeLayer, ErrorEnvelopeService, Policy};

use crate::kit::{Answer, answer};

type AnyBody = http_body_util::combinators::UnsyncBoxBody<Bytes, BoxError>;

/// A service that responds with 200, and stores its requests.
#[derive(Clone, Default)]
struct Inner {
    seen: Arc<Mutex<Vec<request::Parts>>>,
    not_ready: bool,
}

type Wrapped = ErrorEnvelopeService<Inner>;

impl Service<Request<RequestBody<AnyBody>>> for Inner {
    type Response = Response<Full<Bytes>>;
    type Error = BoxError;
    type Future = std::future::Ready<Result<Response<Full<Bytes>>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(if self.not_ready { Err("not ready".into()) } else { Ok(()) })
    }

    fn call(&mut self, request: Request<RequestBody<AnyBody>>) -> Self::Future {
        self.seen.lock().unwrap().push(request.into_parts().0);
        std::future::ready(Ok(Response::new(Full::from("in"))))
    }
}

impl Inner {
    /// Returns the requests since the last call.
    fn seen(&self) -> Vec<request::Parts> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

fn policy(builder: PolicyBuilder) -> ErrorEnvelopeLayer {
    ErrorEnvelopeLayer::new().policy(builder.build().unwrap())
}

fn bearer() -> AuthScheme {
    AuthScheme::bearer().key(Key::of_secret("live", "key-live-1")).key(Key::of_secret("gone", "key-gone-1").revoked())
}

/// Makes a policy that requires one custom scheme everywhere.
fn custom(scheme: AuthScheme) -> PolicyBuilder {
    Policy::builder().scheme("partner", scheme).auth(["partner"])
}

fn get(path: &str) -> request::Builder {
    Request::get(path)
}

fn empty() -> AnyBody {
    Full::default().map_err(|never: Infallible| match never {}).boxed_unsync()
}

/// Makes a body of unknown length.
fn chunks(chunks: &'static [&'static str]) -> AnyBody {
    let frames = chunks.iter().map(|chunk| Ok(Frame::data(Bytes::from_static(chunk.as_bytes()))));
    StreamBody::new(futures_util::stream::iter(frames)).boxed_unsync()
}

async fn ask(service: &mut Wrapped, request: Request<AnyBody>) -> Answer {
    let Ok(service) = service.ready().await;
    let Ok(response) = service.call(request).await;
    answer(response).await
}

/// Sends the request to a fresh service, and returns the response and the requests that the service got.
async fn once(layer: &ErrorEnvelopeLayer, request: Request<AnyBody>) -> (Answer, Vec<request::Parts>) {
    let inner = Inner::default();
    let answer = ask(&mut layer.layer(inner.clone()), request).await;
    (answer, inner.seen())
}

fn identity(head: &request::Parts) -> (&str, Option<&str>) {
    let identity = head.extensions.get::<Identity>().expect("an identity");
    (identity.scheme(), identity.id())
}
