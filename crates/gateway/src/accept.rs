//! Accepts clients on each worker, or without workers in the caller's runtime, until the gateway pauses or ends.

use std::convert::Infallible;
use std::future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use super::linger::ConnectionSlot;
use super::workers::Workers;

const LOG: &str = "error_envelope::gateway::accept";

/// The longest wait for a thread that is blocked: the steps after the pause would be delayed, too.
const PAUSED_WITHIN: Duration = Duration::from_secs(1);

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

/// The accepting tasks of all workers. They end when this is dropped.
pub(super) struct Acceptors {
    state: watch::Sender<State>,
    /// Each acceptor sends the pause's number once it has paused. Closed when no acceptor is left.
    acknowledged: UnboundedReceiver<usize>,
    pauses: usize,
    has_blocked: bool,
}

#[derive(Clone, Copy)]
enum State {
    Open,
    Paused(usize),
}

/// One accepting task.
struct Acceptor<F> {
    state: watch::Receiver<State>,
    acknowledge: UnboundedSender<usize>,
    slots: Arc<Semaphore>,
    retry: Duration,
    serve: F,
}

impl Acceptors {
    /// Calls `serve` for each client, in the runtime that accepts it.
    ///
    /// Without workers, the returned future accepts the clients. It never ends, and must be polled all the time.
    pub(super) fn start<F>(listeners: &mut Listeners, serve: F) -> (Self, impl Future<Output = Infallible> + use<F>)
    where
        F: Fn(TcpStream, SocketAddr, Option<ConnectionSlot>) + Clone + Send + 'static,
    {
        let ((state, watched), (acknowledge, acknowledged)) = (watch::channel(State::Open), mpsc::unbounded_channel());
        let Listeners { sockets, workers, slots, retry } = listeners;
        let mut accepting = sockets.drain(..).map(|listener| {
            let (state, acknowledge, slots, serve) =
                (watched.clone(), acknowledge.clone(), Arc::clone(slots), serve.clone());
            Acceptor { state, acknowledge, slots, retry: *retry, serve }.run(listener)
        });
        let here = (workers.count() == 0).then(|| accepting.next()).flatten();
        workers.run(accepting.map(|accept| move || drop(tokio::spawn(accept))));
        let here = async {
            if let Some(accept) = here {
                accept.await;
            }
            future::pending().await
        };
        (Self { state, acknowledged, pauses: 0, has_blocked: false }, here)
    }

    /// Stops all accepting until [`resume`](Self::resume). It waits at most a second for a blocked thread, which
    /// accepts no client when it continues.
    pub(super) async fn pause(&mut self) {
        self.pauses += 1;
        let mut left = self.acknowledged.sender_strong_count();
        self.state.send_replace(State::Paused(self.pauses));
        let all = async {
            while left > 0
                && let Some(pause) = self.acknowledged.recv().await
            {
                left -= usize::from(pause == self.pauses);
            }
        };
        self.has_blocked = timeout(PAUSED_WITHIN, all).await.is_err();
        if self.has_blocked {
            tracing::warn!(target: LOG, threads = left, "stopped waiting for blocked threads: they accept no clients");
        }
    }

    pub(super) fn resume(&mut self) {
        self.has_blocked = false;
        self.state.send_replace(State::Open);
    }

    /// Ends all acceptors: each closes its listener. A blocked thread does so when it continues; it is waited for only
    /// once.
    pub(super) async fn end(self) {
        let Self { state, mut acknowledged, has_blocked, .. } = self;
        drop(state);
        if !has_blocked {
            let _ = timeout(PAUSED_WITHIN, async { while acknowledged.recv().await.is_some() {} }).await;
        }
    }

    /// Waits until the last acceptor has ended by itself.
    pub(super) async fn ended(&mut self) {
        while self.acknowledged.recv().await.is_some() {}
    }
}

impl<F: Fn(TcpStream, SocketAddr, Option<ConnectionSlot>)> Acceptor<F> {
    async fn run(mut self, listener: std::net::TcpListener) {
        let listener = match TcpListener::from_std(listener) {
            Ok(listener) => listener,
            Err(error) => return tracing::error!(target: LOG, %error, "cannot accept connections on this thread"),
        };
        loop {
            let state = *self.state.borrow_and_update();
            if let State::Paused(pause) = state {
                let _ = self.acknowledge.send(pause);
            }
            tokio::select! {
                // A thread that was busy when the pause began accepts no client afterwards.
                biased;
                changed = self.state.changed() => if changed.is_err() { return },
                (stream, peer, slot) = accept(&listener, &self.slots, self.retry), if matches!(state, State::Open) => {
                    (self.serve)(stream, peer, slot);
                }
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
    if !matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
        tracing::warn!(target: LOG, %error, "cannot accept a connection; retrying");
        tokio::time::sleep(retry).await;
    }
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
        let (acceptors, here) = Acceptors::start(&mut listeners, |_, _, _| {});
        tokio::select! {
            biased;
            never = here => match never {},
            () = future::ready(()) => drop(acceptors),
        }
        std::net::TcpListener::bind(address).unwrap();
    }
}
