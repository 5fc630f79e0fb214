//! Tests failures in process at each place where the layer runs somebody's code (rules F2, F3, F4), and their lines in
//! the log (L1). Each failure has one line, with the panic's text, which is never in the response.

mod abandoned;
mod calls;
mod clockless;
mod endless;
mod followed;
mod lines;
mod panics;
mod readiness;
mod scripted;
mod spans;

use bytes::Bytes;
use http::Request;
use tower::{Layer, Service, ServiceExt};
use tower_error_envelope::{ErrorEnvelopeLayer, ErrorEnvelopeService, Policy, RouteRule};

use crate::kit::{Answer, answer};
use scripted::{Scene, Script, Scripted};

/// Makes a service that follows a script, under the layer. `/json` decodes JSON, and therefore peeks.
fn service(script: Script) -> ErrorEnvelopeService<Scripted> {
    layer().layer(Scripted::new(script))
}

fn layer() -> ErrorEnvelopeLayer {
    let policy = Policy::builder().body_limit(8).route(RouteRule::new("/json").json(true)).build().unwrap();
    ErrorEnvelopeLayer::new().policy(policy)
}

fn get() -> Request<Scene> {
    Request::new(Scene::empty())
}

fn post(path: &str, body: Scene) -> Request<Scene> {
    Request::post(path).body(body).unwrap()
}

fn data(text: &'static str) -> Scene {
    Scene::new([Ok(Bytes::from_static(text.as_bytes()))])
}

/// Sends one request to the service itself, not to a clone of it.
async fn ask(service: &mut ErrorEnvelopeService<Scripted>, request: Request<Scene>) -> Answer {
    let Ok(response) = service.ready().await.unwrap().call(request).await;
    answer(response).await
}

/// Asserts that the next request is served.
async fn is_served(service: &mut ErrorEnvelopeService<Scripted>) {
    let next = ask(service, get()).await;
    assert_eq!((next.head.status.as_u16(), &*next.body), (200, &b"begun"[..]), "the next request is served");
}
