//! Accepts connections until it is told to stop, and waits for what is in flight then.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body::Body;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tower::Service;

use super::BoxError;
use super::connection::{Connection, Inbound};
use super::limits::Limits;
use super::tls::Tls;

/// Where clients come in.
pub(crate) struct Door {
    pub(crate) listener: TcpListener,
    pub(crate) address: SocketAddr,
    pub(crate) tls: Option<Arc<Tls>>,
}

/// Serves until `stop`, then stops accepting and lets what is in flight finish.
pub(crate) async fn serve<S, B>(door: Door, service: S, limits: Limits, stop: impl Future<Output = ()>)
where
    S: Service<Inbound, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError> + Send,
{
    let room = Arc::new(Semaphore::new(limits.max_connections as usize));
    let (stopping, stopped) = watch::channel(());
    let connection = Connection::new(service, limits, stopped);
    let mut stop = pin!(stop);
    loop {
        let (accepted, place) = tokio::select! {
            accepted = accept(&door.listener, &room) => accepted,
            () = &mut stop => break,
        };
        match accepted {
            Ok((stream, _)) => {
                // Handshakes take their time on the task of their connection.
                tokio::spawn(connection.clone().answer(stream, place, door.tls.clone()));
            }
            Err(error) => accept_failed(&error, *limits.accept_retry).await,
        }
    }
    drop((door, connection));
    tracing::info!("stopping: waiting for requests in flight");
    stopping.send_replace(());
    if tokio::time::timeout(*limits.stop_timeout, stopping.closed()).await.is_err() {
        tracing::warn!("stopped with requests in flight: they took longer than {}", limits.stop_timeout);
    }
}

type Accepted = (io::Result<(TcpStream, SocketAddr)>, Option<OwnedSemaphorePermit>);

/// A client that finds no room waits in the kernel's queue.
async fn accept(listener: &TcpListener, room: &Arc<Semaphore>) -> Accepted {
    let place = Arc::clone(room).acquire_owned().await.ok();
    (listener.accept().await, place)
}

/// A client that left before it was accepted is no failure; no free descriptor is one that passes.
async fn accept_failed(error: &io::Error, again_in: Duration) {
    if !matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
        tracing::warn!(%error, "cannot accept a connection; trying again");
        tokio::time::sleep(again_in).await;
    }
}
