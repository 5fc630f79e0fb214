//! Uses tonic 0.14. The layer is around gRPC services and HTTP routes, with `Server::builder().layer`.

use std::net::SocketAddr;

use axum::http::StatusCode;
use tonic::service::Routes;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Endpoint, Server};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tower_error_envelope::ErrorEnvelopeLayer;

use crate::serve::listen;

pub(super) async fn start() -> SocketAddr {
    let (listener, address) = listen().await;
    let (_, health) = tonic_health::server::health_reporter();
    let routes = super::axum::routes().fallback(|| async { StatusCode::NOT_FOUND });
    let server = Server::builder()
        .accept_http1(true)
        .layer(ErrorEnvelopeLayer::new())
        .add_routes(Routes::from(routes).add_service(health));
    tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
    address
}

#[tokio::test]
async fn r10_a_grpc_call_and_its_errors_pass() {
    let channel = Endpoint::from_shared(format!("http://{}", start().await)).unwrap().connect().await.unwrap();
    let mut client = HealthClient::new(channel);
    let served = client.check(HealthCheckRequest::default()).await.unwrap();
    assert!(served.metadata().contains_key("x-request-id"), "I1");
    assert_eq!(served.into_inner().status, 1);
    let unknown = client.check(HealthCheckRequest { service: "no.such".into() }).await.unwrap_err();
    assert_eq!((unknown.code(), unknown.message()), (tonic::Code::NotFound, "service not registered"));
}

#[tokio::test]
async fn p1_what_the_layer_refuses_itself_reaches_a_grpc_client_as_a_status() {
    let channel = Endpoint::from_shared(format!("http://{}", start().await)).unwrap().connect().await.unwrap();
    let mut client = HealthClient::new(channel);
    let too_large = client.check(HealthCheckRequest { service: "x".repeat(2 * 1024 * 1024) }).await.unwrap_err();
    assert_eq!(too_large.code(), tonic::Code::ResourceExhausted, "{too_large:?}");
    assert_eq!(too_large.metadata().get("x-error-code").unwrap(), "payload_too_large");
}
