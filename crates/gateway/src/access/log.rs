//! The access log: its destination and its format.

use std::sync::Arc;
use std::time::Duration;

use super::entry::Entry;
use super::fields::AccessField;
use super::line::{combined, json};
use super::writer::{AccessSink, Writer};
use crate::error::Error;

/// The format of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AccessFormat {
    /// A JSON object of these fields, in this order.
    Json(Vec<AccessField>),
    /// The combined log format of Apache and nginx, whose referrer and user are always `-`.
    Combined,
}

/// The access log of a gateway. Clones write to the same one.
#[derive(Clone)]
pub struct AccessLog(Arc<Shared>);

struct Shared {
    format: AccessFormat,
    writer: Writer,
}

impl AccessLog {
    /// Opens the log, and starts the thread that writes it. Install the metrics recorder before this call.
    ///
    /// # Errors
    /// If the file cannot be opened, or the thread cannot be started.
    pub fn open(sink: &AccessSink, format: AccessFormat) -> Result<Self, Error> {
        Ok(Self(Arc::new(Shared { format, writer: Writer::start(sink)? })))
    }

    /// Reopens the file after an operator has renamed it. If the new file cannot be opened, the old one stays in use.
    pub fn reopen(&self) {
        self.0.writer.reopen();
    }

    /// Waits at most `timeout` until all earlier lines are written; returns whether they are.
    pub fn flush(&self, timeout: Duration) -> bool {
        self.0.writer.flush(timeout)
    }

    /// Writes the line of a request that has ended.
    pub(super) fn write(&self, entry: &Entry) {
        let line = match &self.0.format {
            AccessFormat::Json(fields) => json(entry, fields),
            AccessFormat::Combined => combined(entry),
        };
        self.0.writer.write(line);
    }
}
