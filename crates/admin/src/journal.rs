//! The file that keeps the changes of the kill switch over a restart: one JSON object for each, the last one at the end.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use error_envelope_runtime::{KillSwitch, SwitchNote};
use serde_json::{Value, json};

use crate::error_store::clock::time;

/// The file, open for appending.
#[derive(Clone, Debug)]
pub(crate) struct Journal(Arc<File>);

impl Journal {
    /// Opens the file, and turns the switch as the last change in it did.
    ///
    /// # Errors
    /// The file cannot be read or written, or its last line is no change.
    pub(crate) fn open(path: &PathBuf, switch: &KillSwitch) -> io::Result<Self> {
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        let file = OpenOptions::new().create(true).append(true).open(path).map_err(named)?;
        let text = fs::read_to_string(path).map_err(named)?;
        if let Some(line) = text.lines().last() {
            let wrong = || io::Error::new(io::ErrorKind::InvalidData, "the last line is no change; remove it");
            let (at, on, note) = change_in(line).ok_or_else(wrong).map_err(named)?;
            switch.restore(at, on, note);
        }
        Ok(Self(Arc::new(file)))
    }

    /// Appends the last change of the switch.
    pub(crate) fn append(&self, switch: &KillSwitch) {
        let Some(change) = switch.last_change() else { return };
        let line = json!({
            "at": time(change.changed_at()),
            "on": change.is_on(),
            "by": change.by(),
            "reason": change.reason(),
            "client_address": change.peer(),
        });
        // One write, so that two processes do not mix their lines.
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
