//! Accepts clients until the gateway stops.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::linger::ConnectionSlot;
use super::listening_sockets::QUEUE;

const LOG: &str = "error_envelope::gateway::accept";

/// The gateway's listener, which is closed when this is dropped.
pub(super) struct Acceptor<F> {
    pub(super) listener: TcpListener,
    /// The places for connections.
    pub(super) slots: Arc<Semaphore>,
    /// The pause after an attempt that failed.
    pub(super) retry: Duration,
    pub(super) serve: F,
}

impl<F: Fn(TcpStream, SocketAddr, Option<ConnectionSlot>)> Acceptor<F> {
    /// Calls `serve` for each client until `stop`, and then for those that already wait.
    pub(super) async fn run_until(self, stop: impl Future<Output = ()>) {
        tokio::select! {
            biased;
            () = stop => {}
            never = self.accept_all() => match never {},
        }
        self.empty_queue();
    }

    /// Accepts one client after the other. If there is no free place, clients wait in the kernel's queue.
    async fn accept_all(&self) -> Infallible {
        loop {
            let slot = Arc::clone(&self.slots).acquire_owned().await.ok();
            match self.listener.accept().await {
                Ok((stream, peer)) => (self.serve)(stream, peer, slot),
                Err(error) => accept_failed(&error, self.retry).await,
            }
        }
    }

    /// Serves the clients in the kernel's queue: with the listener, the kernel closes their connections. They need no
    /// free place. If they waited for one, the listener would stay open, and clients would keep coming.
    fn empty_queue(self) {
        // tokio would report an empty queue until it has polled the socket.
        let Ok(listener) = self.listener.into_std() else { return };
        // More clients connect meanwhile, so the number has a limit.
        for _ in 0..QUEUE {
            match listener.accept() {
                Ok((stream, peer)) => {
                    let stream = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
                    if let Ok(stream) = stream {
                        (self.serve)(stream, peer, Arc::clone(&self.slots).try_acquire_owned().ok());
                    }
                }
                Err(error) if has_left(&error) => {}
                Err(_) => return,
            }
        }
    }
}

/// Waits after some errors. If a client left before it was accepted, nothing failed; if descriptors are lacking, some
/// become free later.
async fn accept_failed(error: &io::Error, retry: Duration) {
    if !has_left(error) {
        tracing::warn!(target: LOG, %error, "cannot accept a connection; retrying");
        tokio::time::sleep(retry).await;
    }
}

/// Whether the client left before it was accepted.
fn has_left(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset)
}
