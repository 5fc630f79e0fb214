//! Uses warp 0.4. The layer is around `warp::service`.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt, stream};
use http_body_util::BodyDataStream;
use tower::Layer;
use tower_error_envelope::{ErrorEnvelopeLayer, RequestId};
use warp::ws::Ws;
use warp::{Filter, Rejection, Reply, sse};

use crate::kit::{Breaking, SECRET};
use crate::serve::serve;

pub(super) async fn start() -> SocketAddr {
    serve(ErrorEnvelopeLayer::new().layer(warp::service(routes()))).await
}

fn routes() -> impl Filter<Extract = (impl Reply,), Error = Rejection> + Clone + Send {
    let ok = warp::path("ok").and(warp::get()).map(|| "fine");
    let json = warp::path("json").and(warp::post()).and(warp::body::json()).map(|number: u32| number.to_string());
    let panic = warp::path("panic").map(panics);
    let panic_in_body = warp::path("panic-in-body").map(breaking);
    let upload = warp::path("upload").and(warp::body::bytes()).map(|body: Bytes| body.len().to_string());
    let id = warp::path("id").and(warp::ext::get()).map(|id: RequestId| id.to_string());
    // warp's bodies return and accept only data, no trailers.
    let trailers = warp::path("trailers").and(warp::body::bytes()).map(|_| "summed");
    let events = warp::path("events").map(|| sse::reply(events()));
    let ws = warp::path("ws").and(warp::ws()).map(|ws: Ws| ws.on_upgrade(echo));
    ok.or(json).or(panic).or(panic_in_body).or(upload).or(id).or(trailers).or(events).or(ws)
}

fn panics() -> &'static str {
    panic!("{SECRET}")
}

fn breaking() -> impl Reply {
    warp::reply::stream(BodyDataStream::new(Breaking::new(true)))
}

fn events() -> impl futures_util::Stream<Item = Result<sse::Event, Infallible>> + Send {
    stream::iter([Ok(sse::Event::default().data("one"))]).chain(stream::pending())
}

async fn echo(mut socket: warp::ws::WebSocket) {
    while let Some(Ok(message)) = socket.next().await {
        let _ = socket.send(message).await;
    }
}
