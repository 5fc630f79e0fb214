//! Opens the listening sockets of a process, or takes them from systemd (`LISTEN_FDS`). Accepts clients on them.

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener as BlockingListener};
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use listenfd::ListenFd;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket, TcpStream, lookup_host};
use tokio::sync::Semaphore;

use crate::error::Error;
use crate::linger::ConnectionSlot;

/// The number of clients that may wait to be accepted. The system can set a lower limit (`net.core.somaxconn`, which is
/// also 4,096 since Linux 5.4).
///
/// If the queue is full, a client's system repeats its TCP handshake after one second, then after three, then after
/// seven. The usual queue length is 128. After a deployment, more clients connect at once.
pub(crate) const QUEUE: u32 = 4096;

/// The purpose of a listening socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SocketPurpose {
    /// The socket is for the gateway's clients.
    Clients,
    /// The socket is for the admin address.
    Admin,
}

impl SocketPurpose {
    /// Returns the socket's name in systemd's `FileDescriptorName=`.
    const fn name(self) -> &'static str {
        match self {
            Self::Clients => "clients",
            Self::Admin => "admin",
        }
    }
}

/// The listening sockets that systemd passed to this process. The default value contains no sockets.
#[derive(Debug, Default)]
#[must_use]
pub struct ListeningSockets {
    given: Vec<(SocketPurpose, BlockingListener)>,
    reuse_port: bool,
}

impl ListeningSockets {
    /// Takes the sockets of systemd's socket activation (`LISTEN_FDS`, `LISTEN_PID`). The socket with the name `admin`
    /// in `LISTEN_FDNAMES` is for the admin address. A socket with any other name is for clients. If systemd passed no
    /// sockets, the result is empty.
    ///
    /// Call this function before the process starts a second thread, because the function removes the variables from
    /// the environment.
    ///
    /// # Errors
    /// Returns an error if a socket does not listen for TCP connections, or if two sockets have the same purpose.
    pub fn from_systemd() -> Result<Self, Error> {
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':');
        let mut descriptors = ListenFd::from_env();
        let mut sockets = Self::default();
        for place in 0..descriptors.len() {
            let is_admin = names.next() == Some(SocketPurpose::Admin.name());
            let purpose = if is_admin { SocketPurpose::Admin } else { SocketPurpose::Clients };
            let listener = descriptors.take_tcp_listener(place).map_err(|error| unusable_sockets(&error))?;
            listener.map_or(Ok(()), |listener| sockets.add(purpose, listener))?;
        }
        Ok(sockets)
    }

    /// Makes [`listen`](Self::listen) bind clients' sockets with `SO_REUSEPORT`. Several processes of the same user can
    /// then listen at the same address. Each of them gets a share of the new connections.
    pub fn reuse_port(self, reuse_port: bool) -> Self {
        Self { reuse_port, ..self }
    }

    fn add(&mut self, purpose: SocketPurpose, listener: BlockingListener) -> Result<(), Error> {
        if self.given.iter().any(|(known, _)| *known == purpose) {
            let problem = format!("there are two sockets for {}, but only one can be used", purpose.name());
            return Err(unusable_sockets(&problem));
        }
        let listens = SockRef::from(&listener).is_listener().and_then(|listens| {
            listener.local_addr()?;
            listener.set_nonblocking(true)?;
            Ok(listens)
        });
        if !listens.map_err(|error| unusable_sockets(&error))? {
            return Err(unusable_sockets(&format_args!("the socket for {} does not listen", purpose.name())));
        }
        self.given.push((purpose, listener));
        Ok(())
    }

    /// Returns the socket that was passed for `purpose`. If none was passed, binds a new socket at `wanted`, or at
    /// `default` if `wanted` is `None`.
    ///
    /// # Errors
    /// Returns an error if the passed socket has a different address than `wanted` (port 0 matches any port), or if the
    /// address cannot be used.
    pub async fn listen(
        &mut self,
        purpose: SocketPurpose,
        wanted: Option<&str>,
        default: &str,
    ) -> Result<TcpListener, Error> {
        let unusable = |error: io::Error| Error::unreadable(error.to_string());
        let Some(place) = self.given.iter().position(|(known, _)| *known == purpose) else {
            let address = wanted.unwrap_or(default);
            let reuse_port = self.reuse_port && purpose == SocketPurpose::Clients;
            let bound = if reuse_port { bind_shared(address).await } else { TcpListener::bind(address).await };
            return bound.map_err(unusable);
        };
        let (_, listener) = self.given.swap_remove(place);
        let address = listener.local_addr().map_err(unusable)?;
        let fits = |wanted: SocketAddr| wanted.ip() == address.ip() && [0, address.port()].contains(&wanted.port());
        if let Some(wanted) = wanted
            && !lookup_host(wanted).await.map_err(unusable)?.any(fits)
        {
            let problem = format!("the socket passed to this process listens on {address}");
            return Err(Error::unreadable(problem).with_advice(
                "use that address, because a passed socket keeps its address; to use another one, first stop the process that serves there",
            ));
        }
        TcpListener::from_std(listener).map_err(unusable)
    }
}

/// Works like [`TcpListener::bind`], but sets `SO_REUSEPORT`.
async fn bind_shared(address: &str) -> io::Result<TcpListener> {
    let bind = |address: SocketAddr| {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        socket.set_reuseport(true)?;
        socket.bind(address)?;
        socket.listen(QUEUE)
    };
    let mut failed = io::ErrorKind::NotFound.into();
    for address in lookup_host(address).await? {
        match bind(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

fn unusable_sockets(why: &dyn fmt::Display) -> Error {
    Error::unreadable(format!("the listening sockets passed to this process cannot be used: {why}"))
}

const LOG: &str = "error_envelope::gateway::accept";

/// Accepts clients on the gateway's listener. The listener is closed when this value is dropped.
pub(super) struct Acceptor<F> {
    pub(super) listener: TcpListener,
    /// The permits for clients' connections.
    pub(super) slots: Arc<Semaphore>,
    /// The pause after a failed accept.
    pub(super) retry: Duration,
    pub(super) serve: F,
}

impl<F: Fn(TcpStream, SocketAddr, Option<ConnectionSlot>)> Acceptor<F> {
    /// Calls `serve` for each client until `stop` is ready, and then for the clients that already wait in the kernel's
    /// queue.
    pub(super) async fn run_until(self, stop: impl Future<Output = ()>) {
        tokio::select! {
            biased;
            () = stop => {}
            never = self.accept_all() => match never {},
        }
        self.empty_queue();
    }

    /// Accepts one client after the other. If no permit is free, clients wait in the kernel's queue.
    async fn accept_all(&self) -> Infallible {
        loop {
            let slot = Arc::clone(&self.slots).acquire_owned().await.ok();
            match self.listener.accept().await {
                Ok((stream, peer)) => (self.serve)(stream, peer, slot),
                Err(error) => accept_failed(&error, self.retry).await,
            }
        }
    }

    /// Serves the clients in the kernel's queue, because the kernel would close their connections together with the
    /// listener. These clients need no permit. If they waited for one, the listener would stay open, and further
    /// clients would connect.
    fn empty_queue(self) {
        // The socket is used without tokio, because tokio would report an empty queue until it has polled the socket.
        let Ok(listener) = self.listener.into_std() else { return };
        // Further clients may connect during this loop, so the loop has a limit.
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

/// Pauses after a failed accept, so that the system can free descriptors. If the client left before it was accepted,
/// nothing is wrong with the system, so the function returns at once.
async fn accept_failed(error: &io::Error, retry: Duration) {
    if !has_left(error) {
        tracing::warn!(target: LOG, %error, "cannot accept a connection; retrying");
        tokio::time::sleep(retry).await;
    }
}

/// Returns true if the client left before it was accepted.
fn has_left(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset)
}
