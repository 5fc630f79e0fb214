//! Uses poem 3. The layer is around the adapter of `examples/poem.rs`, on hyper-util or, through `compat`, on poem's
//! own server.

use std::net::SocketAddr;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt, stream};
use http_body_util::BodyExt;
use http_body_util::combinators::BoxBody;
use poem::endpoint::TowerCompatExt;
use poem::listener::TcpAcceptor;
use poem::web::sse::{Event, SSE};
use poem::web::websocket::WebSocket;
use poem::web::{Data, Json};
use poem::{Body, IntoResponse, Response, Route, get, handler, post};
use tower::Layer;
use tower_error_envelope::{ErrorEnvelopeLayer, RequestId};

use self::example::EndpointService;
use crate::client::{Client, Protocol, Upload};
use crate::kit::{Breaking, SECRET, answer};
use crate::serve::{listen, serve};

#[allow(dead_code, reason = "its routes and its main are the example's own")]
#[path = "../../../examples/poem.rs"]
mod example;

pub(super) async fn on_hyper() -> SocketAddr {
    serve(ErrorEnvelopeLayer::new().layer(EndpointService::new(routes()))).await
}

pub(super) async fn on_its_own() -> SocketAddr {
    let (listener, address) = listen().await;
    let acceptor = TcpAcceptor::from_tokio(listener).unwrap();
    tokio::spawn(async {
        let service = ErrorEnvelopeLayer::new().layer(EndpointService::new(routes()));
        poem::Server::new_with_acceptor(acceptor).run(service.compat()).await
    });
    address
}

fn routes() -> Route {
    Route::new()
        .at("/ok", get(ok))
        .at("/json", post(json))
        .at("/panic", get(panics))
        .at("/panic-in-body", get(breaking))
        .at("/upload", post(upload))
        .at("/id", get(id))
        .at("/trailers", post(trailers))
        .at("/events", get(events))
        .at("/ws", get(echo))
}

#[handler]
fn ok() -> &'static str {
    "fine"
}

#[handler]
fn json(Json(number): Json<u32>) -> String {
    number.to_string()
}

#[handler]
fn panics() -> &'static str {
    panic!("{SECRET}")
}

#[handler]
fn breaking() -> Response {
    Response::builder().body(BoxBody::new(Breaking::new(true)))
}

#[handler]
fn upload(body: Vec<u8>) -> String {
    body.len().to_string()
}

#[handler]
fn id(Data(id): Data<&RequestId>) -> String {
    id.to_string()
}

#[handler]
async fn trailers(body: Body) -> Response {
    let body: BoxBody<Bytes, std::io::Error> = body.into();
    let body = BodyExt::collect(body).await.unwrap();
    let summed = super::summed(body.trailers()).map_err(|never| match never {});
    Response::builder().header("trailer", "content-digest").body(BoxBody::new(summed))
}

#[handler]
fn events() -> SSE {
    SSE::new(stream::iter([Event::message("one")]).chain(stream::pending()))
}

#[handler]
fn echo(socket: WebSocket) -> impl IntoResponse {
    socket.on_upgrade(|mut socket| async move {
        while let Some(Ok(message)) = socket.next().await {
            let _ = socket.send(message).await;
        }
    })
}

/// With and without the layer, the connection continues after an error, and the server writes the last chunk.
#[tokio::test]
async fn poems_server_by_itself_ends_a_failed_body_as_if_it_were_whole() {
    let (listener, address) = listen().await;
    let server = poem::Server::new_with_acceptor(TcpAcceptor::from_tokio(listener).unwrap());
    tokio::spawn(server.run(Route::new().at("/failing", get(failing))));
    let mut client = Client::connect(address, Protocol::Http1).await;
    let request = http::Request::get("/failing").body(Upload::default()).unwrap();
    assert_eq!(answer(client.send(request).await.unwrap()).await.body, "begun");
}

#[handler]
fn failing() -> Response {
    Response::builder().body(BoxBody::new(Breaking::new(false)))
}
