//! Starts the complete service, and a client for it.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use error_envelope_gateway::{Upstream, UpstreamLimits};
use http_body::Body;
use tokio::net::TcpListener;
use tower::BoxError;

use super::backstage::{self, Backstage};
use super::stage;

/// Starts the service. Returns the Tower service that calls it, for the layer to wrap, and the address at which it can
/// be called without the layer.
pub(crate) async fn start<B>(timeout: Duration, limits: UpstreamLimits) -> Result<(Backstage<B>, SocketAddr), BoxError>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<BoxError>,
{
    let (listener, address) = bind().await?;
    let to = |address: SocketAddr| {
        let upstream: Upstream = format!("http://{address}").parse()?;
        Ok::<_, BoxError>(upstream.response_timeout(timeout).limits(limits).service()?)
    };
    let stage = to(address)?;
    tokio::spawn(stage::play(listener));
    // A port that was free a moment ago refuses connections.
    let (_, gone) = bind().await?;
    Ok((backstage::open(stage, to(gone)?), address))
}

async fn bind() -> std::io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}
