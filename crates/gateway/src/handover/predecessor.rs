//! The connection to the gateway that this one replaces.

use std::io;
use std::path::{Path, PathBuf};

use tokio::net::UnixStream;

use super::message::{self, READY, RELEASED, SERVING, YOURS};
use crate::error::Error;

const LOG: &str = "error_envelope::gateway::handover";

/// The gateway that this one replaces. If this is dropped without a [release](Self::release), as when this process
/// dies, that gateway serves again.
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

    /// Makes the predecessor stop accepting clients, and waits until it has. Returns false if it has ended instead:
    /// this process has the sockets already.
    ///
    /// # Errors
    /// The predecessor continues to serve.
    pub(super) async fn stop_accepting(&self) -> Result<bool, Error> {
        // If the predecessor no longer waits, it has sent the reason, or has ended.
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
    /// The predecessor has waited too long for this report, and continues to serve.
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

    /// Lets the predecessor end: it will not serve again, even if this process ends.
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

/// Whether the error means that no gateway listens there: there is no socket, or an ended process left it.
pub(super) fn is_unused(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}
