//! Accepts clients on each worker, or in the caller's runtime where there are none, until it is told to pause or to end.

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

/// For each worker to hear that it accepts no more. A process that takes over waits ten times as long for the last of them.
const LAST_ACCEPTED: Duration = Duration::from_secs(1);

/// Where clients come in. Dropped after all connections have ended, it ends its threads; before that, these with them.
pub(super) struct Doors {
    /// One for each worker, or for the caller's runtime.
    pub(super) listeners: Vec<std::net::TcpListener>,
    pub(super) workers: Workers,
    /// For connections, of all workers.
    pub(super) room: Arc<Semaphore>,
}

/// The tasks that accept, of all workers. They end when it is dropped.
pub(super) struct Acceptors {
    state: watch::Sender<State>,
    /// By the number of the pause, once for each that has paused. Ends with the last of them.
    paused: UnboundedReceiver<usize>,
    count: usize,
    pauses: usize,
}

#[derive(Clone, Copy)]
enum State {
    Open,
    Paused(usize),
}

/// One of them.
struct Acceptor<F> {
    state: watch::Receiver<State>,
    paused: UnboundedSender<usize>,
    room: Arc<Semaphore>,
    again_in: Duration,
    serve: F,
}

impl Acceptors {
    /// Gives each client to `serve`, in the runtime that accepts it. `again_in` is the pause after an attempt that failed.
    pub(super) fn start<F>(doors: &mut Doors, again_in: Duration, serve: F) -> Self
    where
        F: Fn(TcpStream, SocketAddr, Option<ConnectionSlot>) + Clone + Send + 'static,
    {
        let ((state, watched), (tell, paused)) = (watch::channel(State::Open), mpsc::unbounded_channel());
        let Doors { listeners, workers, room } = doors;
        let count = listeners.len();
        let tasks = listeners.drain(..).map(|listener| {
            let (state, paused, room, serve) = (watched.clone(), tell.clone(), Arc::clone(room), serve.clone());
            let acceptor = Acceptor { state, paused, room, again_in, serve };
            move || drop(tokio::spawn(acceptor.run(listener)))
        });
        if workers.count() == 0 {
            tasks.for_each(|task| task());
        } else {
            workers.run(tasks);
        }
        Self { state, paused, count, pauses: 0 }
    }

    /// Has none accept until [`resume`](Self::resume). One whose thread is blocked is not waited for beyond a second: it accepts
    /// nobody when it comes back either.
    pub(super) async fn pause(&mut self) {
        self.pauses += 1;
        self.state.send_replace(State::Paused(self.pauses));
        let mut left = self.count;
        let all = async {
            while left > 0
                && let Some(pause) = self.paused.recv().await
            {
                left -= usize::from(pause == self.pauses);
            }
        };
        if timeout(LAST_ACCEPTED, all).await.is_err() {
            tracing::warn!(target: LOG, threads = left, "accepting no more clients while threads are blocked");
        }
    }

    pub(super) fn resume(&self) {
        self.state.send_replace(State::Open);
    }

    /// Ends them: nobody listens here afterwards. One whose thread is blocked closes its listener when it comes back.
    pub(super) async fn end(self) {
        let Self { state, mut paused, .. } = self;
        drop(state);
        let _ = timeout(LAST_ACCEPTED, async { while paused.recv().await.is_some() {} }).await;
    }

    /// Waits until the last one has ended by itself.
    pub(super) async fn ended(&mut self) {
        while self.paused.recv().await.is_some() {}
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
            let is_paused = match state {
                State::Open => false,
                State::Paused(pause) => self.paused.send(pause).is_ok(),
            };
            tokio::select! {
                // A thread that was busy when it was told accepts nobody afterwards.
                biased;
                changed = self.state.changed() => if changed.is_err() { return },
                (stream, peer, place) = accept(&listener, &self.room, self.again_in), if !is_paused => {
                    (self.serve)(stream, peer, place);
                }
            }
        }
    }
}

/// The next client. One that finds no room waits in the kernel's queue.
async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
    again_in: Duration,
) -> (TcpStream, SocketAddr, Option<ConnectionSlot>) {
    let place = Arc::clone(room).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer, place),
            Err(error) => accept_failed(&error, again_in).await,
        }
    }
}

/// A client that left before it was accepted is no failure; no free descriptor is one that passes.
async fn accept_failed(error: &io::Error, again_in: Duration) {
    if !matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
        tracing::warn!(target: LOG, %error, "cannot accept a connection; retrying");
        tokio::time::sleep(again_in).await;
    }
}
