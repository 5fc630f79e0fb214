//! The listening sockets that this process got at its start.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener as BlockingListener};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use listenfd::ListenFd;
use socket2::SockRef;
use tokio::net::{TcpListener, lookup_host};
use tokio::time::sleep;

use crate::error::Error;

/// How long to wait for an address to become free. A dying process closes its descriptors one after the other, perhaps
/// the connection to its successor first.
const FREE_WITHIN: Duration = Duration::from_secs(2);
const BIND_AGAIN: Duration = Duration::from_millis(10);

/// The purpose of a listening socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SocketPurpose {
    /// The gateway's clients.
    Clients,
    /// The admin address.
    Admin,
}

impl SocketPurpose {
    /// Its name between gateways, and in systemd's `FileDescriptorName=`.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Clients => "clients",
            Self::Admin => "admin",
        }
    }
}

/// Listening sockets that systemd, or the gateway that this one replaces, gave to this process. By default there are
/// none.
#[derive(Debug, Default)]
#[must_use]
pub struct ListeningSockets {
    given: Vec<(SocketPurpose, BlockingListener)>,
    /// Whether a gateway has just died here, so that the kernel may take a moment to close its sockets.
    after_death: bool,
}

impl ListeningSockets {
    /// Takes the sockets of systemd's socket activation (`LISTEN_FDS`, `LISTEN_PID`): the one with the name `admin` in
    /// `LISTEN_FDNAMES`, and another one for clients. There are none if systemd gave none.
    ///
    /// Call it before the process starts a second thread, because it removes the variables from the environment.
    ///
    /// # Errors
    /// If one of them does not listen for TCP connections, or if two have the same purpose.
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

    /// Keeps another gateway's sockets by their names; closes those with another name.
    pub(super) fn from_descriptors(named: impl Iterator<Item = (String, OwnedFd)>) -> Result<Self, Error> {
        let mut sockets = Self::default();
        for (name, descriptor) in named {
            let purpose = [SocketPurpose::Clients, SocketPurpose::Admin].into_iter().find(|it| it.name() == name);
            purpose.map_or(Ok(()), |purpose| sockets.add(purpose, descriptor.into()))?;
        }
        Ok(sockets)
    }

    /// Makes [`listen`](Self::listen) wait for an address that a dead gateway still holds for a moment.
    pub(super) fn after_death(self) -> Self {
        Self { after_death: true, ..self }
    }

    fn add(&mut self, purpose: SocketPurpose, listener: BlockingListener) -> Result<(), Error> {
        if self.given.iter().any(|(known, _)| *known == purpose) {
            return Err(unusable_sockets(&format_args!(
                "there are two sockets for {}, but only one can be used",
                purpose.name()
            )));
        }
        let listens = SockRef::from(&listener).is_listener().and_then(|listens| {
            listener.local_addr()?;
            listener.set_nonblocking(true)?;
            Ok(listens)
        });
        match listens {
            Ok(true) => self.given.push((purpose, listener)),
            Ok(false) => {
                return Err(unusable_sockets(&format_args!("the socket for {} does not listen", purpose.name())));
            }
            Err(error) => return Err(unusable_sockets(&error)),
        }
        Ok(())
    }

    /// Returns the socket that was given for `purpose`. Otherwise it binds a new one at `wanted`, or at `default` if
    /// `wanted` is `None`.
    ///
    /// # Errors
    /// If the given socket has another address than `wanted` (port 0 matches any port), or if the address cannot be
    /// used.
    pub async fn listen(
        &mut self,
        purpose: SocketPurpose,
        wanted: Option<&str>,
        default: &str,
    ) -> Result<TcpListener, Error> {
        let unusable = |error: io::Error| Error::unreadable(error.to_string());
        let Some(place) = self.given.iter().position(|(known, _)| *known == purpose) else {
            return self.bind(wanted.unwrap_or(default)).await.map_err(unusable);
        };
        let (_, listener) = self.given.swap_remove(place);
        let address = listener.local_addr().map_err(unusable)?;
        let fits = |wanted: SocketAddr| wanted.ip() == address.ip() && [0, address.port()].contains(&wanted.port());
        if let Some(wanted) = wanted
            && !lookup_host(wanted).await.map_err(unusable)?.any(fits)
        {
            let problem = format!("the socket passed to this process listens on {address}");
            return Err(Error::unreadable(problem).with_advice(
                "use that address, or stop the process that serves there first: a socket keeps its address",
            ));
        }
        TcpListener::from_std(listener).map_err(unusable)
    }

    async fn bind(&self, address: &str) -> io::Result<TcpListener> {
        let until = Instant::now() + if self.after_death { FREE_WITHIN } else { Duration::ZERO };
        loop {
            match TcpListener::bind(address).await {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse && Instant::now() < until => {
                    sleep(BIND_AGAIN).await;
                }
                bound => return bound,
            }
        }
    }
}

fn unusable_sockets(why: &dyn fmt::Display) -> Error {
    Error::unreadable(format!("the listening sockets passed to this process cannot be used: {why}"))
}
