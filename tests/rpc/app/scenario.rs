//! Failures around a service: errors, panics, and the responses of an HTTP server without gRPC.

use std::error::Error;
use std::future::{Future, pending};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use http::{Request, Response, Version};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use serde_json::json;
use tower::load_shed::error::Overloaded;
use tower::timeout::error::Elapsed;
use tower::{BoxError, Layer, Service};
use tower_error_envelope::Fault;
use tower_error_envelope::codes::channel;

use super::{SCENARIO, SECRET};

#[derive(Clone, Copy)]
pub(crate) struct ScenarioLayer;

impl<S> Layer<S> for ScenarioLayer {
    type Service = Scenarios<S>;

    fn layer(&self, inner: S) -> Scenarios<S> {
        Scenarios(inner)
    }
}

#[derive(Clone)]
pub(crate) struct Scenarios<S>(S);

impl<S, B, R> Service<Request<B>> for Scenarios<S>
where
    S: Service<Request<B>, Response = Response<R>, Error: Into<BoxError>, Future: Send + 'static>,
    B: http_body::Body<Data: Send, Error: Send> + Send + 'static,
    R: http_body::Body<Data = Bytes, Error: Error + Send + Sync + 'static> + Send + 'static,
{
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let scenario = request.headers().get(SCENARIO).and_then(|scenario| scenario.to_str().ok()).unwrap_or_default();
        if AROUND.contains(&scenario) {
            let scenario = scenario.to_owned();
            return Box::pin(async move {
                // On HTTP/1, hyper would close the connection under the client after an earlier response.
                if request.version() <= Version::HTTP_11 {
                    let _ = request.into_body().collect().await;
                }
                play(&scenario).await
            });
        }
        let fails = scenario == "error_late";
        let calling = self.0.call(request);
        Box::pin(async move { Ok(ending(calling.await.map_err(Into::into)?, fails)) })
    }
}

/// The scenarios in which no service gets a request.
const AROUND: [&str; 9] =
    ["panic", "slow", "error", "elapsed", "overloaded", "fault", "not_found", "unavailable", "issues"];

async fn play(scenario: &str) -> Result<Response<Body>, BoxError> {
    match scenario {
        "panic" => panic!("{SECRET}"),
        "slow" => pending().await,
        "error" => Err(io::Error::other(SECRET).into()),
        "elapsed" => Err(Elapsed::new().into()),
        "overloaded" => Err(Overloaded::new().into()),
        "fault" => Err(fault().into()),
        "not_found" => Ok(page(404, &[])),
        "unavailable" => Ok(page(503, &[("retry-after", "7")])),
        "issues" => Ok(issues()),
        other => unreachable!("{other} is no scenario"),
    }
}

fn fault() -> Fault {
    Fault::new(channel::CHANNEL_UNAVAILABLE)
        .with_message("Re-pair to continue.")
        .with_details(json!({ "channel_id": "7" }))
}

/// Makes a page as a proxy or a web framework does.
fn page(status: u16, headers: &[(&str, &str)]) -> Response<Body> {
    let mut response = Response::builder().status(status).header("content-type", "text/html");
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(format!("<h1>{status}</h1><p>{SECRET}</p>").into()).expect("a response")
}

fn issues() -> Response<Body> {
    let body = json!({ "message": "The to field is required.", "errors": { "to": ["The to field is required."] } });
    let response = Response::builder().status(422).header("content-type", "application/json");
    response.body(body.to_string().into()).expect("a response")
}

/// Returns the response unchanged, or with an error in place of its trailers.
fn ending<R>(response: Response<R>, fails: bool) -> Response<Body>
where
    R: http_body::Body<Data = Bytes, Error: Error + Send + Sync + 'static> + Send + 'static,
{
    if !fails {
        return response.map(Body::new);
    }
    response.map(|body| Body::new(StreamBody::new(stream::unfold(Some(Box::pin(body)), next_or_failure))))
}

type Failing<R> = Option<(Result<Frame<Bytes>, BoxError>, Option<Pin<Box<R>>>)>;

async fn next_or_failure<R>(body: Option<Pin<Box<R>>>) -> Failing<R>
where
    R: http_body::Body<Data = Bytes, Error: Error + Send + Sync + 'static>,
{
    let mut body = body?;
    match body.frame().await {
        Some(Ok(frame)) if frame.data_ref().is_some_and(is_message) => Some((Ok(frame), Some(body))),
        _ => Some((Err(io::Error::other(SECRET).into()), None)),
    }
}

/// Returns true for a message. The flags of gRPC-Web's trailers are 0x80, which is `g` in base64.
fn is_message(data: &Bytes) -> bool {
    !matches!(data.first(), Some(0x80 | b'g'))
}
