//! The embedded service, which misbehaves, and the tour, which shows what becomes of it.
//!
//! [`acts`] lists each way to misbehave with what a client should get for it: one table for the service that plays them
//! ([`stage`]), for the handlers that fail inside this process ([`backstage`]), for the index at `/` and for the [`tour`],
//! which [`visit`]s each and lets [`judge`] have its say; a [`record`] of it, and a [`har`], are for other programs.

pub(crate) mod acts;
mod backstage;
mod har;
mod judge;
mod record;
mod stage;
mod table;
mod tour;
mod visit;

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::Version;
use http_body::Body;
use tokio::net::TcpListener;

use self::backstage::Backstage;
pub(crate) use self::tour::tour;
use super::BoxError;
use super::proxy;

/// Starts the service; what comes back is the way to it, to put the layer around, and where it is without.
pub(crate) async fn start<B>(timeout: Duration) -> Result<(Backstage<B>, SocketAddr), BoxError>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<BoxError>,
{
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let stage = proxy::to(address.to_string().parse()?, Version::HTTP_11, timeout);
    tokio::spawn(stage::play(listener));
    // A port that was free a moment ago refuses connections.
    let gone = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
    let gone = proxy::to(gone.to_string().parse()?, Version::HTTP_11, timeout);
    Ok((backstage::open(stage, gone), address))
}
