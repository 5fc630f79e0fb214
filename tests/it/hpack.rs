//! Ids in HPACK's tables: each connection learns the header's name, and ids do not drive out what comes again.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body_util::{Empty, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tower::ServiceExt;
use tower_error_envelope::ErrorEnvelopeLayer;
use tower_layer::Layer;

/// `x-request-id` in the code of RFC 7541, appendix B.
const NAME: [u8; 9] = [0xf2, 0xb5, 0x85, 0xed, 0x69, 0x50, 0x95, 0x8d, 0x27];

#[tokio::test]
async fn i1_each_connection_learns_the_name_of_the_header() {
    let service = ErrorEnvelopeLayer::new().layer(tower::service_fn(answer));
    for _ in 0..2 {
        let (client, server, sent) = tapped();
        let service = TowerToHyperService::new(service.clone());
        let http2 = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        tokio::spawn(http2.serve_connection(TokioIo::new(server), service));
        let (send, connection) = h2::client::handshake(client).await.unwrap();
        tokio::spawn(connection);
        for _ in 0..4 {
            let request = Request::get("http://in.process/").body(()).unwrap();
            let (response, _) = send.clone().ready().await.unwrap().send_request(request, true).unwrap();
            assert!(response.await.unwrap().headers().contains_key("x-request-id"));
        }
        let sent = sent.lock().unwrap();
        // With the first id, which is never indexed, and with the second, which is.
        assert_eq!(sent.windows(NAME.len()).filter(|bytes| *bytes == NAME).count(), 2, "{sent:x?}");
    }
}

#[tokio::test]
async fn i1_other_ids_are_never_indexed() {
    let connection = ErrorEnvelopeLayer::new().layer(tower::service_fn(answer)).clone();
    for (version, all) in [(Version::HTTP_2, [true, false, true, true]), (Version::HTTP_11, [false; 4])] {
        let connection = connection.clone();
        for never in all {
            let request = Request::builder().version(version).body(Empty::<Bytes>::new()).unwrap();
            let response = connection.clone().oneshot(request).await.unwrap();
            assert_eq!(response.headers()["x-request-id"].is_sensitive(), never, "{version:?}");
        }
    }
}

/// Each route has a service of its own there, and a busy connection would learn as many ids.
#[tokio::test]
async fn i1_routes_of_axum_let_no_id_in() {
    let mut app = axum::Router::new();
    for route in 0..4 {
        app = app.route(&format!("/{route}"), axum::routing::get(|| async {}));
    }
    let connection = app.layer(ErrorEnvelopeLayer::new()).with_state::<()>(());
    for at in 0..16 {
        let request = Request::builder().version(Version::HTTP_2).uri(format!("/{}", at % 4));
        let response = connection.clone().oneshot(request.body(axum::body::Body::empty()).unwrap()).await.unwrap();
        assert!(response.headers()["x-request-id"].is_sensitive());
    }
}

async fn answer<B>(_: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::default()))
}

/// The two ends of a connection, and what the second of them sends.
fn tapped() -> (DuplexStream, DuplexStream, Arc<Mutex<Vec<u8>>>) {
    let ((client, to_client), (to_server, server)) = (tokio::io::duplex(4096), tokio::io::duplex(4096));
    let (mut from_client, mut to_client) = tokio::io::split(to_client);
    let (mut from_server, mut to_server) = tokio::io::split(to_server);
    let sent = Arc::new(Mutex::new(Vec::new()));
    let tap = sent.clone();
    tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
    tokio::spawn(async move {
        let mut piece = [0; 1024];
        while let Ok(length @ 1..) = from_server.read(&mut piece).await {
            tap.lock().unwrap().extend_from_slice(&piece[..length]);
            if to_client.write_all(&piece[..length]).await.is_err() {
                break;
            }
        }
    });
    (client, server, sent)
}
