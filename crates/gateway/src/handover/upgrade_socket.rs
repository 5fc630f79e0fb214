//! The serving gateway's side of the hand-over.

use std::convert::Infallible;
use std::fs::{self, Permissions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixListener as BlockingListener;
use std::path::Path;
use std::time::Duration;

use rustix::net::listen;
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::time::{sleep, timeout};

use super::message::{self, READY, SERVING, SOCKETS, YOURS};
use super::predecessor::Predecessor;
use super::sockets::SocketPurpose;

const LOG: &str = "error_envelope::gateway::handover";

/// The name of the upgrade socket among the sockets that are handed over.
pub(super) const OWN_NAME: &str = "upgrade";

/// How long a successor may take to read its policy and certificates: as long as an operator would watch, and not so
/// long that a stuck successor blocks the next one.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How long a successor may take until it accepts clients, once it is allowed to. This is many times the usual time,
/// and short enough for a client in the queue. Another process waits longer for its reply than for this and the pause
/// before it.
const SERVING_WITHIN: Duration = Duration::from_secs(5);
/// How long a gateway stays ready to serve again in place of its successor: faults of a new binary or its configuration
/// show at the first requests.
const STANDS_BY: Duration = Duration::from_secs(2);
/// How many successors may wait to be accepted.
const QUEUE: i32 = 128;
/// The wait after a failed accept: long enough for a descriptor to come free.
const ACCEPT_AGAIN: Duration = Duration::from_secs(1);

/// The socket on which a gateway waits for the process that replaces it.
#[must_use]
pub struct UpgradeSocket {
    pub(super) listener: UnixListener,
    pub(super) predecessor: Option<Predecessor>,
}

impl UpgradeSocket {
    pub(super) fn new(listener: BlockingListener, predecessor: Option<Predecessor>) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let listener = UnixListener::from_std(listener)?;
        Ok(Self { listener, predecessor })
    }

    /// Binds a new socket. It replaces a socket that an ended process left.
    pub(super) fn bind(path: &Path) -> io::Result<Self> {
        match fs::symlink_metadata(path) {
            Ok(metadata) if metadata.file_type().is_socket() => fs::remove_file(path)?,
            Ok(_) => {
                return Err(io::Error::new(
                    io::ErrorKind::AlreadyExists,
                    "the file at this path is not a socket; remove it, or choose another path",
                ));
            }
            Err(_) => {}
        }
        let listener = BlockingListener::bind(path)?;
        fs::set_permissions(path, Permissions::from_mode(0o600))?;
        Self::new(listener, None)
    }
}

/// The sockets that a gateway hands over, with the upgrade socket if it has one.
pub(super) struct Offer {
    listener: UnixListener,
    sockets: Vec<(&'static str, OwnedFd)>,
}

impl Offer {
    pub(super) fn new(listener: UnixListener, clients: &TcpListener, admin: Option<&TcpListener>) -> io::Result<Self> {
        let mut sockets = vec![(SocketPurpose::Clients.name(), clients.as_fd().try_clone_to_owned()?)];
        if let Some(admin) = admin {
            sockets.push((SocketPurpose::Admin.name(), admin.as_fd().try_clone_to_owned()?));
        }
        Ok(Self { listener, sockets })
    }

    /// Opens and closes this many descriptors, to check that the process has them.
    ///
    /// # Errors
    /// The process has fewer descriptors left.
    pub(super) fn reserve_descriptors(&self, count: usize) -> io::Result<()> {
        let open = |_| self.listener.as_fd().try_clone_to_owned();
        (0..count).map(open).collect::<io::Result<Vec<_>>>().map(drop)
    }

    /// Waits for a process that is ready to take this one's place.
    pub(super) async fn wait_for_successor(&self) -> Successor {
        // For clients, the owner of the socket is the process that called `listen` last. After a take-over, that is
        // another process.
        if let Err(error) = listen(&self.listener, QUEUE) {
            tracing::warn!(target: LOG, %error, "the next gateway may log a wrong process id for this one");
        }
        loop {
            let stream = match self.listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(target: LOG, %error, "cannot accept a connection on the upgrade socket; retrying");
                    sleep(ACCEPT_AGAIN).await;
                    continue;
                }
            };
            let process = stream.peer_cred().ok().and_then(|peer| peer.pid());
            match self.hand_over(&stream).await {
                Ok(()) => return Successor { stream, process },
                Err(error) => log_failed_hand_over(process, &error),
            }
        }
    }

    async fn hand_over(&self, stream: &UnixStream) -> io::Result<()> {
        if !message::is_trusted(stream)? {
            return refuse(stream, "this process belongs to another user").await;
        }
        let names: Vec<_> = self.sockets.iter().map(|(name, _)| *name).chain([OWN_NAME]).collect();
        let own = self.listener.as_fd();
        let descriptors: Vec<BorrowedFd<'_>> =
            self.sockets.iter().map(|(_, socket)| socket.as_fd()).chain([own]).collect();
        message::send(stream, &format!("{SOCKETS} {}", names.join(" ")), &descriptors).await?;
        let answered = tokio::select! {
            // The end of this hand-over comes first: otherwise the next gateway would be refused because of it.
            biased;
            answered = timeout(READY_WITHIN, message::receive(stream)) => answered,
            never = self.refuse_others() => match never {},
        };
        match answered {
            Ok(Ok((line, _))) if line == READY => Ok(()),
            Ok(Ok(_)) => refuse(stream, "the new gateway did not report that it is ready").await,
            Ok(Err(error)) => Err(error),
            Err(_) => refuse(stream, "the new gateway was not ready within a minute").await,
        }
    }

    /// Refuses further processes while one is taking over. It never ends.
    async fn refuse_others(&self) -> Infallible {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => drop(refuse(&stream, "another process is taking over").await),
                Err(_) => sleep(ACCEPT_AGAIN).await,
            }
        }
    }
}

/// A process that has the sockets and all else that it needs, and waits until it may accept clients.
pub(crate) struct Successor {
    stream: UnixStream,
    process: Option<i32>,
}

impl Successor {
    /// Lets the successor accept clients, waits until it does, and then stands by for [`STANDS_BY`]. Call it once this
    /// gateway no longer accepts.
    ///
    /// # Errors
    /// The successor has ended, or does not begin to serve: this gateway must accept again.
    pub(crate) async fn let_serve(self) -> io::Result<()> {
        let Self { stream, process } = self;
        if let Err(error) = wait_until_serving(&stream).await {
            log_failed_hand_over(process, &error);
            return Err(error);
        }
        tracing::info!(target: LOG, process, "another gateway took over");
        match timeout(STANDS_BY, message::receive(&stream)).await {
            Ok(Err(error)) => {
                tracing::warn!(
                    target: LOG, process, %error,
                    "the gateway that took over has ended; this one accepts clients again"
                );
                Err(error)
            }
            // The successor sent `RELEASED`, or the time is over.
            Ok(Ok(_)) | Err(_) => Ok(()),
        }
    }
}

async fn wait_until_serving(stream: &UnixStream) -> io::Result<()> {
    message::send(stream, YOURS, &[]).await?;
    match timeout(SERVING_WITHIN, message::receive(stream)).await {
        Ok(Ok((line, _))) if line == SERVING => Ok(()),
        Ok(Ok(_)) => refuse(stream, "the new gateway did not report that it accepts clients").await,
        Ok(Err(error)) => Err(error),
        Err(_) => refuse(stream, "the new gateway did not accept clients within five seconds").await,
    }
}

fn log_failed_hand_over(process: Option<i32>, error: &io::Error) {
    tracing::warn!(target: LOG, process, %error, "the hand-over failed; this gateway keeps serving");
}

/// Sends the reason to the other process, for its operator, and returns it as an error for the log.
async fn refuse(stream: &UnixStream, why: &'static str) -> io::Result<()> {
    message::send(stream, why, &[]).await?;
    Err(io::Error::other(why))
}
