//! The log: standard error, one line an event.
//!
//! A thread of its own writes it. A disk that is full, or a pipe that nobody reads, costs lines and no request: those that
//! find no room are dropped, and their number is logged once there is room again.

use std::io::{self, IsTerminal, Write, stderr};
use std::panic::PanicHookInfo;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::ValueEnum;
use tracing::Span;
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

/// What waits to be written: some seconds of a busy gateway, and less than 16 MiB.
const LINES: usize = 16 * 1024;
/// How often it is looked whether lines were dropped.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The form of a log line.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Log {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Log {
    /// What is logged is written until the [`Writing`] is dropped.
    pub(crate) fn init(self) -> Writing {
        let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| "info,tower_error_envelope=debug".into());
        let failed = Arc::<AtomicU64>::default();
        let errors = Errors { to: stderr(), failed: Arc::clone(&failed) };
        let (writer, thread) = NonBlockingBuilder::default().buffered_lines_limit(LINES).finish(errors);
        let dropped = Dropped { queue: writer.error_counter(), failed };
        let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
        match self {
            Self::Text => log.with_ansi(stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none()).init(),
            Self::Json => log.json().init(),
        }
        std::panic::set_hook(Box::new(panicked));
        Writing { dropped, _thread: thread }
    }
}

/// The log, as long as it is written; what waits is written when this is dropped, in a second or not at all.
pub(crate) struct Writing {
    dropped: Dropped,
    _thread: WorkerGuard,
}

impl Writing {
    /// Says so when lines were dropped, on the runtime that this is called on.
    pub(crate) fn tell_drops(&self) {
        let dropped = self.dropped.clone();
        tokio::spawn(async move {
            let mut told = 0;
            loop {
                tokio::time::sleep(LOOK_EVERY).await;
                let lines = dropped.lines();
                if lines > told {
                    tracing::warn!(lines, "lines of the log were dropped so far: standard error did not take them");
                    // It may have been dropped itself: then it is said again.
                    if dropped.lines() == lines {
                        told = lines;
                    }
                }
            }
        });
    }
}

#[derive(Clone)]
struct Dropped {
    queue: ErrorCounter,
    failed: Arc<AtomicU64>,
}

impl Dropped {
    fn lines(&self) -> u64 {
        self.queue.dropped_lines() as u64 + self.failed.load(Ordering::Relaxed)
    }
}

/// Standard error, which counts the lines that it does not take.
struct Errors<W> {
    to: W,
    failed: Arc<AtomicU64>,
}

impl<W: Write> Write for Errors<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let written = self.to.write(line);
        if written.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::Interrupted) {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// The standard hook writes several lines at once with whatever else is being written, which no JSON survives.
///
/// Within a request the layer logs the panic itself; only the place is missing there.
fn panicked(panic: &PanicHookInfo<'_>) {
    if Span::current().is_none() {
        tracing::error!(%panic);
    } else {
        tracing::debug!(%panic);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_a_full_disk_does_not_take_is_counted_and_one_that_is_written_is_not() {
        let count = |to: &mut dyn Write| {
            let failed = Arc::<AtomicU64>::default();
            let written = Errors { to, failed: Arc::clone(&failed) }.write(b"a line").is_ok();
            (written, failed.load(Ordering::Relaxed))
        };
        let mut full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        assert_eq!((count(&mut full), count(&mut Vec::new())), ((false, 1), (true, 0)));
    }
}
