//! The files that the operator names: the token that requests need, and the journal of the kill switch.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use error_envelope_runtime::files::{MAX_ANY_FILE_BYTES, read_regular};
use error_envelope_runtime::{KillSwitch, SwitchNote};
use serde_json::{Value, json};
use subtle::ConstantTimeEq;

use crate::error_store::error_record::time;

/// The smallest allowed length of a token, in bytes. A shorter token could be guessed.
const SHORTEST: usize = 32;
/// The size of the largest token file, in bytes. If a file is larger, the operator has probably named the wrong file.
const LONGEST: u64 = 4096;
/// The time limit for reading the token file. If the file system does not respond, the request fails, but other
/// requests do not wait.
const READ_WITHIN: Duration = Duration::from_secs(5);

/// A file that contains one token. It is read again for each request, so that a new token applies at once.
#[derive(Clone, Debug)]
pub(crate) struct TokenFile(Arc<Path>);

impl TokenFile {
    /// Reads the file once, so that a mistake is found at the start.
    pub(crate) fn new(path: PathBuf) -> io::Result<Self> {
        read(&path)?;
        Ok(Self(path.into()))
    }

    /// Returns true if `sent` is the token. The comparison takes constant time, so an attacker can learn only the
    /// token's length.
    ///
    /// # Errors
    /// Returns an error if the file can no longer be read, or if its token is too short.
    #[allow(clippy::disallowed_methods, reason = "a server may spawn tasks; the ban is for the library")]
    pub(crate) async fn accepts(&self, sent: &[u8]) -> io::Result<bool> {
        let path = self.0.clone();
        let reading = tokio::time::timeout(READ_WITHIN, tokio::task::spawn_blocking(move || read(&path))).await;
        let token = reading.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?.map_err(io::Error::other)??;
        Ok(token.ct_eq(sent).into())
    }
}

/// Returns the token without white space around it, such as an editor's line end.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let named = |kind, why: &dyn std::fmt::Display| io::Error::new(kind, format!("{}: {why}", path.display()));
    let text = read_regular(path, LONGEST).map_err(|error| named(error.kind(), &error))?;
    let token = text.trim_ascii();
    match token.len() {
        SHORTEST.. => Ok(token.to_vec()),
        length => {
            let why = format!("the token has {length} bytes; write at least {SHORTEST}: openssl rand -hex 32");
            Err(named(io::ErrorKind::InvalidData, &why))
        }
    }
}

/// The journal of the kill switch, open for appending.
///
/// It stores the changes of the kill switch, so that the switch survives a restart. Each line is a JSON object. The
/// last line is the last change.
#[derive(Clone, Debug)]
pub(crate) struct Journal(Arc<File>);

impl Journal {
    /// Opens the file, and sets the switch to the state of the last change in it.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read or written, or if its last line is not a valid change.
    pub(crate) fn open(path: &PathBuf, switch: &KillSwitch) -> io::Result<Self> {
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        let text = match read_regular(path, MAX_ANY_FILE_BYTES) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            read => read.map_err(named)?,
        };
        // The file is also opened for reading, because opening a pipe only for writing would wait until a process reads
        // the pipe.
        let file = OpenOptions::new().create(true).read(true).append(true).open(path).map_err(named)?;
        if let Some(line) = String::from_utf8_lossy(&text).lines().last() {
            let wrong = || io::Error::new(io::ErrorKind::InvalidData, "the last line is not a valid change; remove it");
            let (at, on, note) = change_in(line).ok_or_else(wrong).map_err(named)?;
            switch.restore(at, on, note);
        }
        Ok(Self(Arc::new(file)))
    }

    /// Appends the last change of the switch.
    pub(crate) fn append(&self, switch: &KillSwitch) {
        let Some(change) = switch.last_change() else { return };
        let line = json!({
            "at": time(change.at),
            "on": change.on,
            "by": change.by.as_deref(),
            "reason": change.reason.as_deref(),
            "client_address": change.peer,
        });
        // Each line is written in one call, so that two processes do not mix their lines.
        if let Err(error) = (&*self.0).write_all(format!("{line}\n").as_bytes()) {
            tracing::error!(%error, "cannot write the change of the kill switch to the journal");
        }
    }
}

fn change_in(line: &str) -> Option<(std::time::SystemTime, bool, SwitchNote)> {
    let change: Value = serde_json::from_str(line).ok()?;
    let text = |name: &str| change[name].as_str();
    let note = SwitchNote::new().by(text("by").unwrap_or_default()).reason(text("reason").unwrap_or_default());
    let peer = text("client_address").and_then(|address| address.parse().ok());
    let at = humantime::parse_rfc3339(text("at")?).ok()?;
    Some((at, change["on"].as_bool()?, peer.into_iter().fold(note, SwitchNote::peer)))
}
