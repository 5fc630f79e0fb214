//! The service behind the proxies.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

static DOWNLOAD: [u8; 10_000_000] = [b'x'; 10_000_000];

/// Serves until its standard input ends, on an address that it prints.
pub(crate) fn run() {
    on_one_thread(async {
        let listener = listen().await;
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let _ = stream.set_nodelay(true);
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)));
        }
    });
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, mut body) = request.into_parts();
    while let Some(Ok(_)) = body.frame().await {}
    let (status, media_type, body) = match parts.uri.path() {
        "/missing" => (404, "text/plain", &b"no such page"[..]),
        "/download" => (200, "application/octet-stream", &DOWNLOAD[..]),
        _ => (200, "application/json", &br#"{"hello":"world","items":[1,2,3]}"#[..]),
    };
    let response =
        Response::builder().status(status).header(CONTENT_TYPE, media_type).header("cache-control", "no-cache");
    Ok(response.body(Full::from(body)).expect("a response"))
}

/// Listens on a free port of this machine, and prints it for the process that has started this one.
pub(crate) async fn listen() -> TcpListener {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("a free port");
    println!("listening on http://{}", listener.local_addr().expect("bound"));
    listener
}

pub(crate) fn on_one_thread(main: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(main);
}
