//! Accepts clients on each worker, or without workers in the caller's runtime, until the gateway stops.

use std::convert::Infallible;
use std::future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::sync::{Semaphore, watch};

use super::in_flight::{Stage, stopping};
use super::linger::ConnectionSlot;
use super::listening_sockets::QUEUE;
use super::workers::Workers;

const LOG: &str = "error_envelope::gateway::accept";

/// The gateway's listeners. If they are dropped while connections are open, the threads and their connections end.
pub(super) struct Listeners {
    /// The listening sockets: one for each worker, or for the caller's runtime. Empty once the acceptors have them.
    pub(super) sockets: Vec<std::net::TcpListener>,
    pub(super) workers: Workers,
    /// The places for connections, shared by all workers.
    pub(super) slots: Arc<Semaphore>,
    /// The pause after an attempt that failed.
    pub(super) retry: Duration,
}

/// Closed when no task accepts clients any more.
pub(super) type Accepting = mpsc::Receiver<Infallible>;

/// One accepting task.
struct Acceptor<F> {
    stage: watch::Receiver<Stage>,
    slots: Arc<Semaphore>,
    retry: Duration,
    serve: F,
    _accepting: mpsc::Sender<Infallible>,
}

impl Listeners {
    /// Calls `serve` for each client, in the runtime that accepts it, until the stage is `Stopping`.
    ///
    /// Without workers, the returned future accepts the clients. It never ends, and must be polled all the time.
    pub(super) fn accept<F>(
        &mut self,
        stage: &watch::Receiver<Stage>,
        serve: F,
    ) -> (Accepting, impl Future<Output = Infallible> + use<F>)
    where
        F: Fn(TcpStream, SocketAddr, Option<ConnectionSlot>) + Clone + Send + 'static,
    {
        let (alive, accepting) = mpsc::channel(1);
        let Self { sockets, workers, slots, retry } = self;
        let mut acceptors = sockets.drain(..).map(|listener| {
            let (stage, slots, serve) = (stage.clone(), Arc::clone(slots), serve.clone());
            Acceptor { stage, slots, retry: *retry, serve, _accepting: alive.clone() }.run(listener)
        });
        let here = (workers.count() == 0).then(|| acceptors.next()).flatten();
        workers.run(acceptors.map(|accept| move || drop(tokio::spawn(accept))));
        let here = async {
            if let Some(accept) = here {
                accept.await;
            }
            future::pending().await
        };
        (accepting, here)
    }
}

impl<F: Fn(TcpStream, SocketAddr, Option<ConnectionSlot>)> Acceptor<F> {
    async fn run(mut self, listener: std::net::TcpListener) {
        let listener = match TcpListener::from_std(listener) {
            Ok(listener) => listener,
            Err(error) => return tracing::error!(target: LOG, %error, "cannot accept connections on this thread"),
        };
        loop {
            tokio::select! {
                biased;
                () = stopping(&mut self.stage) => break,
                (stream, peer, slot) = accept(&listener, &self.slots, self.retry) => (self.serve)(stream, peer, slot),
            }
        }
        self.empty_queue(listener);
    }

    /// Serves the clients in the kernel's queue: with the listener, the kernel closes their connections. They need no
    /// free place. If they waited for one, the listener would stay open, and clients would keep coming.
    fn empty_queue(self, listener: TcpListener) {
        // tokio would report an empty queue until it has polled the socket.
        let Ok(listener) = listener.into_std() else { return };
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

/// Accepts the next client. If there is no free place, clients wait in the kernel's queue.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
    retry: Duration,
) -> (TcpStream, SocketAddr, Option<ConnectionSlot>) {
    let slot = Arc::clone(slots).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer, slot),
            Err(error) => accept_failed(&error, retry).await,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn without_workers_nobody_listens_once_the_future_is_dropped() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (workers, slots) = (Workers::start(0).unwrap(), Arc::new(Semaphore::new(1)));
        let mut listeners = Listeners { sockets: vec![listener], workers, slots, retry: Duration::ZERO };
        let (_stages, stage) = watch::channel(Stage::Serving);
        let (_, here) = listeners.accept(&stage, |_, _, _| {});
        tokio::select! {
            biased;
            never = here => match never {},
            () = future::ready(()) => {}
        }
        std::net::TcpListener::bind(address).unwrap();
    }
}
