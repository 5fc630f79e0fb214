//! Tests calls whose head states the length of their response (P2, F4, L1). A layer's end in place of the service's has
//! that length, and a call that was read completely has ended.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::stream;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tower::{ServiceBuilder, ServiceExt, service_fn};
use tower_error_envelope::middleware::RequestBody;
use tower_error_envelope::{ErrorEnvelopeLayer, Policy};

use crate::kit::{Answer, answer, logged};

const FINE: &[u8] = b"\x80\0\0\0\x10grpc-status: 0\r\n";

/// The service sends its head before it reads the request, and one message of the request is over the limit.
async fn cut_behind_the_head(declares: bool) -> Answer {
    let service = service_fn(move |request: Request<RequestBody<Full<Bytes>>>| async move {
        let end = stream::once(async {
            let read = request.into_body().collect().await;
            assert!(read.is_err(), "the body is cut");
            Ok::<_, Infallible>(Frame::data(Bytes::from_static(FINE)))
        });
        let mut response = Response::builder().header("content-type", "application/grpc-web");
        if declares {
            response = response.header("content-length", FINE.len());
        }
        Ok::<_, Infallible>(response.body(StreamBody::new(Box::pin(end))).unwrap())
    });
    let policy = Policy::builder().body_limit(4).build().unwrap();
    let service = ServiceBuilder::new().layer(ErrorEnvelopeLayer::new().policy(policy)).service(service);
    let body = Full::new(Bytes::from_static(b"\0\0\0\0\x05hello"));
    let request = Request::post("/pkg.Svc/Do").header("content-type", "application/grpc-web").body(body).unwrap();
    answer(service.oneshot(request).await.unwrap()).await
}

#[tokio::test]
async fn p2_an_end_that_says_what_was_cut_takes_the_place_of_the_services() {
    let answer = cut_behind_the_head(false).await;
    assert!(answer.body.starts_with(b"\x80") && answer.body.windows(14).any(|text| text == b"grpc-status: 8"));
}

#[tokio::test]
async fn p2_no_end_replaces_one_with_a_declared_length() {
    assert_eq!(&*cut_behind_the_head(true).await.body, FINE);
}

/// hyper stops at the last byte of a known length, and requests no trailers.
#[test]
fn l1_a_call_of_a_known_length_that_was_read_whole_over_http1_is_no_line() {
    const MESSAGE: &[u8] = b"\0\0\0\0\0";

    let ((), lines) = logged(async {
        let (client, server) = tokio::io::duplex(4096);
        let service = service_fn(|_| async {
            let response = Response::builder().header("content-type", "application/grpc");
            Ok::<_, Infallible>(response.body(Full::<Bytes>::from(MESSAGE)).unwrap())
        });
        let service = TowerToHyperService::new(ServiceBuilder::new().layer(ErrorEnvelopeLayer::new()).service(service));
        let http1 = hyper::server::conn::http1::Builder::new();
        let served = tokio::spawn(http1.serve_connection(TokioIo::new(server), service));
        let (mut send, connection) = hyper::client::conn::http1::handshake(TokioIo::new(client)).await.unwrap();
        tokio::spawn(connection);
        let request = Request::post("/pkg.Svc/Do").header("host", "in.process").header("te", "trailers");
        let request = request.header("content-type", "application/grpc").body(Full::<Bytes>::from(MESSAGE)).unwrap();
        let response = send.send_request(request).await.unwrap();
        assert!(response.headers().contains_key("content-length"));
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), MESSAGE);
        drop(send);
        served.await.unwrap().unwrap();
    });
    assert!(lines.is_empty(), "{lines:#?}");
}
