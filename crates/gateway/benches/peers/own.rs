//! The gateway in this binary, whose lines callgrind can tell apart: what is shipped has no table of them.

use std::net::SocketAddr;
use std::path::PathBuf;

use error_envelope_gateway::{AccessField, AccessFormat, AccessLog, AccessSink, Gateway, GatewayConfig, Upstream};
use tower_error_envelope::ErrorEnvelopeLayer;

/// Serves until it is killed; with an access log in that file.
pub(crate) fn run(service: SocketAddr, log: Option<PathBuf>) {
    tokio::runtime::Runtime::new().expect("a runtime").block_on(serve(service, log));
}

async fn serve(service: SocketAddr, log: Option<PathBuf>) {
    let mut config = GatewayConfig::new(ErrorEnvelopeLayer::new());
    if let Some(file) = log {
        let format = AccessFormat::Json(AccessField::ALL.to_vec());
        config = config.access_log(AccessLog::open(&AccessSink::File(file), format).expect("a file"));
    }
    let upstream: Upstream = format!("http://{service}").parse().expect("a URL");
    let gateway = Gateway::bind("127.0.0.1:0", config).await.expect("a port");
    println!("{}", gateway.local_addr());
    gateway.serve(upstream.service().expect("a service"), std::future::pending()).await;
}
