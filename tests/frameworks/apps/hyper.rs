//! Uses hyper-util with any Tower service.

use std::net::SocketAddr;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt, stream};
use http::{Method, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;
use tower::{Layer, service_fn};
use tower_error_envelope::middleware::RequestBody;
use tower_error_envelope::session::BoxError;
use tower_error_envelope::{ErrorEnvelopeLayer, RequestId};

use crate::kit::{Breaking, SECRET};
use crate::serve::serve;

pub(super) async fn start() -> SocketAddr {
    serve(ErrorEnvelopeLayer::new().layer(service_fn(respond))).await
}

type Body = UnsyncBoxBody<Bytes, BoxError>;

async fn respond(request: Request<RequestBody<Incoming>>) -> Result<Response<Body>, BoxError> {
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/ok") => Ok(Response::new(text("fine"))),
        (_, "/ok") => {
            Ok(Response::builder().status(StatusCode::METHOD_NOT_ALLOWED).header("allow", "GET").body(text(""))?)
        }
        (_, "/json") => match serde_json::from_slice::<u32>(&request.into_body().collect().await?.to_bytes()) {
            Ok(number) => Ok(Response::new(text(number.to_string()))),
            Err(_) => Ok(Response::builder().status(StatusCode::BAD_REQUEST).body(text("no number"))?),
        },
        (_, "/panic") => panic!("{SECRET}"),
        (_, "/panic-in-body") => Ok(Response::new(Body::new(Breaking::new(true).map_err(Into::into)))),
        (_, "/upload") => {
            let length = request.into_body().collect().await?.to_bytes().len();
            Ok(Response::new(text(length.to_string())))
        }
        (_, "/id") => {
            let id = request.extensions().get::<RequestId>().ok_or("no id")?;
            Ok(Response::new(text(id.to_string())))
        }
        (_, "/trailers") => {
            let body = request.into_body().collect().await?;
            let summed = super::summed(body.trailers()).map_err(Into::into);
            Ok(Response::builder().header("trailer", "content-digest").body(Body::new(summed))?)
        }
        (_, "/events") => {
            let event = Ok(Frame::data(Bytes::from("data: one\n\n")));
            let events = Body::new(StreamBody::new(stream::iter([event]).chain(stream::pending())));
            Ok(Response::builder().header("content-type", "text/event-stream").body(events)?)
        }
        (_, "/ws") => upgrade(request),
        _ => Ok(Response::builder().status(StatusCode::NOT_FOUND).body(text(""))?),
    }
}

fn upgrade(mut request: Request<RequestBody<Incoming>>) -> Result<Response<Body>, BoxError> {
    let key = request.headers().get("sec-websocket-key").ok_or("no key")?;
    let accept = derive_accept_key(key.as_bytes());
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let io = TokioIo::new(upgraded.await.unwrap());
        let mut socket = WebSocketStream::from_raw_socket(io, Role::Server, None).await;
        while let Some(Ok(message)) = socket.next().await {
            let _ = socket.send(message).await;
        }
    });
    let switching = Response::builder().status(StatusCode::SWITCHING_PROTOCOLS);
    let switching = switching.header("connection", "upgrade").header("upgrade", "websocket");
    Ok(switching.header("sec-websocket-accept", accept).body(text(""))?)
}

fn text(text: impl Into<Bytes>) -> Body {
    Body::new(Full::new(text.into()).map_err(|never| match never {}))
}
