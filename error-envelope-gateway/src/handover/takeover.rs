//! The side of the new process.

use std::io;
use std::os::unix::net::UnixListener as BlockingListener;
use std::path::{Path, PathBuf};

use tokio::net::UnixStream;
use tower_error_envelope::ErrorEnvelopeLayer;
use tower_error_envelope::auth::KeyFetcher;

use super::message::{self, READY, SOCKETS, YOURS};
use super::sockets::ListeningSockets;
use super::upgrade_socket::{OWN_NAME, UpgradeSocket};
use crate::error::Error;

const LOG: &str = "error_envelope::gateway::handover";

/// A process on its way to an upgrade socket: to that of the gateway whose place it takes, or to a new one.
#[must_use]
pub struct Takeover {
    path: PathBuf,
    /// The gateway that serves now, and its upgrade socket.
    predecessor: Option<(UnixStream, BlockingListener)>,
}

impl Takeover {
    /// Asks the gateway that listens at `path` for its sockets. Where none does, `sockets` are the ones that there are.
    ///
    /// # Errors
    /// Whoever listens there is of another user, or hands nothing over, or what it hands over cannot be used.
    pub async fn begin(path: &Path, sockets: ListeningSockets) -> Result<(Self, ListeningSockets), Error> {
        let predecessor = match UnixStream::connect(path).await {
            Ok(stream) => stream,
            Err(error) if is_unused(&error) => return Ok((Self { path: path.to_owned(), predecessor: None }, sockets)),
            Err(error) => return Err(takeover_error(path, error)),
        };
        if !message::is_trusted(&predecessor).map_err(|error| takeover_error(path, error))? {
            return Err(takeover_error(path, "a process of another user listens there"));
        }
        let (line, descriptors) =
            message::receive_soon(&predecessor).await.map_err(|error| takeover_error(path, error))?;
        let Some(names) = line.strip_prefix(SOCKETS).filter(|_| !descriptors.is_empty()) else {
            return Err(takeover_error(path, format_args!("the gateway there hands nothing over: {line}")));
        };
        let mut named: Vec<_> = names.split_whitespace().map(str::to_owned).zip(descriptors).collect();
        let own = named.iter().position(|(name, _)| name == OWN_NAME).map(|place| named.swap_remove(place).1);
        let own = own.ok_or_else(|| takeover_error(path, "its upgrade socket is missing"))?;
        let sockets = ListeningSockets::from_descriptors(named.into_iter())?;
        Ok((Self { path: path.to_owned(), predecessor: Some((predecessor, own.into())) }, sockets))
    }

    /// Whether another gateway runs, which this one replaces.
    #[must_use]
    pub const fn has_predecessor(&self) -> bool {
        self.predecessor.is_some()
    }

    /// Takes its place: that gateway has stopped accepting when this returns. Call it when nothing can fail any more.
    ///
    /// It waits for the key sets that `layer`'s policy fetches: the other gateway has them.
    ///
    /// # Errors
    /// The other gateway serves on, since a key set could not be fetched or this took too long; or the upgrade socket cannot be
    /// made.
    pub async fn finish(self, layer: &ErrorEnvelopeLayer) -> Result<UpgradeSocket, Error> {
        let Self { path, predecessor } = self;
        let Some((stream, own)) = predecessor else {
            return UpgradeSocket::bind(&path).map_err(|error| takeover_error(&path, error));
        };
        await_keys(layer).await.map_err(|error| takeover_error(&path, error))?;
        // One that does not wait any more has said why.
        let _ = message::send(&stream, READY, &[]).await;
        let answered = message::receive_soon(&stream).await;
        let process = stream.peer_cred().ok().and_then(|peer| peer.pid());
        match answered {
            Ok((line, _)) if line == YOURS => tracing::info!(target: LOG, process, "took over from another gateway"),
            Ok((line, _)) => return Err(takeover_error(&path, format_args!("the gateway there serves on: {line}"))),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => return Err(takeover_error(&path, error)),
            // Its sockets are here: who waits there is served.
            Err(_) => tracing::warn!(target: LOG, process, "the other gateway ended while this one took over"),
        }
        UpgradeSocket::new(own).map_err(|error| takeover_error(&path, error))
    }
}

/// Waits for the first fetch of each key set, which has a time limit of its own.
async fn await_keys(layer: &ErrorEnvelopeLayer) -> Result<(), String> {
    for keys in layer.policy_status().policy().remote_keys() {
        if !keys.has_set() {
            KeyFetcher::fetched(keys).await;
        }
        if !keys.has_set() {
            return Err(format!(
                "the key set at {} cannot be fetched; the gateway there serves on",
                without_query(keys.url())
            ));
        }
    }
    Ok(())
}

/// The URL without its query, which may hold a credential.
fn without_query(url: &str) -> &str {
    url.split_once('?').map_or(url, |(place, _)| place)
}

/// Whether no gateway listens there: there is no socket, or one that an ended process left.
fn is_unused(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}

fn takeover_error(path: &Path, why: impl std::fmt::Display) -> Error {
    Error::unreadable(format!("{}: {why}", path.display()))
}
