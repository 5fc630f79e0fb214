//! The new process's side of the hand-over.

use std::io;
use std::os::unix::net::UnixListener as BlockingListener;
use std::path::{Path, PathBuf};

use tokio::net::UnixStream;
use tower_error_envelope::ErrorEnvelopeLayer;
use tower_error_envelope::auth::KeyFetcher;

use super::message::{self, SOCKETS};
use super::predecessor::{Predecessor, is_unused, takeover_error};
use super::sockets::ListeningSockets;
use super::upgrade_socket::{OWN_NAME, UpgradeSocket};
use crate::error::Error;

/// How often a gateway may end before it has handed anything over. If one is killed, this happens once, and then no
/// process listens.
const MOST_ENDS: usize = 3;

/// A take-over that has begun; the upgrade socket may have no gateway yet.
#[must_use]
pub struct Takeover {
    path: PathBuf,
    /// The gateway that serves now, and its upgrade socket.
    predecessor: Option<(Predecessor, BlockingListener)>,
}

impl Takeover {
    /// Requests the sockets of the gateway that listens at `path`. If no gateway listens there, or if it ends before it
    /// has handed them over, `sockets` are used.
    ///
    /// # Errors
    /// If the process that listens there belongs to another user or refuses to hand over, or if its sockets cannot be
    /// used.
    pub async fn begin(path: &Path, sockets: ListeningSockets) -> Result<(Self, ListeningSockets), Error> {
        let mut ends = 0;
        loop {
            let stream = match UnixStream::connect(path).await {
                Ok(stream) => stream,
                Err(error) if is_unused(&error) => {
                    let is_left = error.kind() == io::ErrorKind::ConnectionRefused;
                    let sockets = if is_left || ends > 0 { sockets.after_death() } else { sockets };
                    return Ok((Self { path: path.to_owned(), predecessor: None }, sockets));
                }
                Err(error) => return Err(takeover_error(path, error)),
            };
            let predecessor = Predecessor::new(stream, path.to_owned());
            match Self::receive(path, predecessor).await? {
                Some(received) => return Ok(received),
                None if ends < MOST_ENDS => ends += 1,
                None => return Err(takeover_error(path, "the process that listens there closes each connection")),
            }
        }
    }

    /// Returns the sockets that the gateway hands over; `None` if it ends first.
    async fn receive(path: &Path, predecessor: Predecessor) -> Result<Option<(Self, ListeningSockets)>, Error> {
        if !message::is_trusted(predecessor.stream()).map_err(|error| takeover_error(path, error))? {
            return Err(takeover_error(path, "the process that listens there belongs to another user"));
        }
        let (line, descriptors) = match message::receive_soon(predecessor.stream()).await {
            Ok(received) => received,
            Err(error) if message::is_end(&error) => return Ok(None),
            Err(error) => return Err(takeover_error(path, error)),
        };
        let Some(names) = line.strip_prefix(SOCKETS) else {
            return Err(takeover_error(path, format_args!("the gateway on that socket does not hand over: {line}")));
        };
        let names: Vec<_> = names.split_whitespace().map(str::to_owned).collect();
        // If this process has too few descriptors left, the kernel drops the others.
        if descriptors.len() < names.len() {
            let problem = "this process has too few file descriptors left for the other gateway's sockets";
            return Err(
                takeover_error(path, problem).with_advice("raise the limit of open files (ulimit -n, LimitNOFILE)")
            );
        }
        let mut named: Vec<_> = names.into_iter().zip(descriptors).collect();
        let upgrade_socket =
            named.iter().position(|(name, _)| name == OWN_NAME).map(|place| named.swap_remove(place).1);
        let upgrade_socket =
            upgrade_socket.ok_or_else(|| takeover_error(path, "the other gateway did not pass its upgrade socket"))?;
        let sockets = ListeningSockets::from_descriptors(named.into_iter())?;
        Ok(Some((Self { path: path.to_owned(), predecessor: Some((predecessor, upgrade_socket.into())) }, sockets)))
    }

    /// Whether this gateway replaces a running one.
    #[must_use]
    pub const fn has_predecessor(&self) -> bool {
        self.predecessor.is_some()
    }

    /// Makes the upgrade socket of the new gateway. The other gateway keeps serving until
    /// [`Gateway::take_over`](crate::Gateway::take_over) replaces it.
    ///
    /// It waits for the key sets that `layer`'s policy fetches, because the other gateway has them already.
    ///
    /// # Errors
    /// If a key set cannot be fetched, or the upgrade socket cannot be made.
    pub async fn prepare(self, layer: &ErrorEnvelopeLayer) -> Result<UpgradeSocket, Error> {
        let Self { path, predecessor } = self;
        let Some((predecessor, upgrade_socket)) = predecessor else {
            return UpgradeSocket::bind(&path).map_err(|error| takeover_error(&path, error));
        };
        await_keys(layer).await.map_err(|error| takeover_error(&path, error))?;
        UpgradeSocket::new(upgrade_socket, Some(predecessor)).map_err(|error| takeover_error(&path, error))
    }
}

/// Waits for the first fetch of each key set. Each fetch has its own time limit.
async fn await_keys(layer: &ErrorEnvelopeLayer) -> Result<(), String> {
    for keys in layer.policy_status().policy().remote_keys() {
        if !keys.has_set() {
            KeyFetcher::fetched(keys).await;
        }
        if !keys.has_set() {
            return Err(format!(
                "the key set at {} cannot be fetched; the other gateway keeps serving",
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
