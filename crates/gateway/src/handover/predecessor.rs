//! The gateway that this one replaces, from this one's side.

use std::io;
use std::path::{Path, PathBuf};

use tokio::net::UnixStream;

use super::message::{self, READY, RELEASED, SERVING, YOURS};
use crate::error::Error;

const LOG: &str = "error_envelope::gateway::handover";

/// The gateway that this one replaces. It serves again if this is dropped without a [release](Self::release), as it is
/// when the process dies.
pub(super) struct Predecessor {
    stream: UnixStream,
    path: PathBuf,
    process: Option<i32>,
}

impl Predecessor {
    pub(super) fn new(stream: UnixStream, path: PathBuf) -> Self {
        let process = stream.peer_cred().ok().and_then(|peer| peer.pid());
        Self { stream, path, process }
    }

    pub(super) const fn stream(&self) -> &UnixStream {
        &self.stream
    }

    /// Requests that the predecessor stops accepting, and waits for that. Returns false if it has ended instead: this
    /// process has the sockets already.
    ///
    /// # Errors
    /// The predecessor continues to serve.
    pub(super) async fn replace(&self) -> Result<bool, Error> {
        // A predecessor that does not wait any more has sent the reason, or has ended.
        let _ = message::send(&self.stream, READY, &[]).await;
        match message::receive_soon(&self.stream).await {
            Ok((line, _)) if line == YOURS => Ok(true),
            Ok((line, _)) => Err(self.serves_on(&line)),
            Err(error) if message::is_end(&error) => {
                self.log_end();
                Ok(false)
            }
            Err(error) => Err(takeover_error(&self.path, error)),
        }
    }

    /// Reports that this gateway accepts clients.
    ///
    /// # Errors
    /// The other one waited too long for this, and serves on.
    pub(super) async fn report_serving(&self) -> Result<(), Error> {
        let sent = message::send(&self.stream, SERVING, &[]).await;
        let process = self.process;
        match message::receive_now(&self.stream) {
            Ok(line) => return Err(self.serves_on(&line)),
            Err(error) if sent.is_err() || message::is_end(&error) => self.log_end(),
            Err(_) => tracing::info!(target: LOG, process, "took over from another gateway"),
        }
        Ok(())
    }

    /// Lets it end: it does not serve again, though this process ends.
    pub(super) fn release(&self) {
        // A predecessor that has ended needs no release.
        let _ = message::send_now(&self.stream, RELEASED, &[]);
    }

    fn serves_on(&self, line: &str) -> Error {
        takeover_error(&self.path, format_args!("the gateway on that socket keeps serving: {line}"))
    }

    fn log_end(&self) {
        let process = self.process;
        tracing::warn!(target: LOG, process, "the other gateway ended while this one took over");
    }
}

pub(super) fn takeover_error(path: &Path, why: impl std::fmt::Display) -> Error {
    Error::unreadable(format!("{}: {why}", path.display()))
}

/// Whether no gateway listens there: there is no socket, or one that an ended process left.
pub(super) fn is_unused(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}
