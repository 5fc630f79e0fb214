//! Runs the gateway inside this binary, in which callgrind can distinguish source lines. The shipped binary has no
//! table of lines.

use std::net::SocketAddr;

use error_envelope_gateway::{Gateway, GatewayConfig, Upstream};
use tower_error_envelope::ErrorEnvelopeLayer;

/// Serves until it is killed, with or without events of the access log.
pub(crate) fn run(service: SocketAddr, access_log: bool) {
    tokio::runtime::Runtime::new().expect("a runtime").block_on(serve(service, access_log));
}

async fn serve(service: SocketAddr, access_log: bool) {
    let config = GatewayConfig::new(ErrorEnvelopeLayer::new()).access_log(access_log);
    let upstream: Upstream = format!("http://{service}").parse().expect("a URL");
    let gateway = Gateway::bind("127.0.0.1:0", config).await.expect("a port");
    println!("{}", gateway.local_addr());
    gateway.serve(upstream.service().expect("a service"), std::future::pending()).await;
}
