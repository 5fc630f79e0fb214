//! The log on standard error, and the access log: one line per event.
//!
//! A separate thread writes each of the two logs. So no request waits if a disk is full, or if nothing reads a pipe. If
//! the queue is full, lines are dropped and counted. Their number is logged once the queue has room again.

use std::ffi::OsStr;
use std::fmt::{Debug, Display};
use std::fs::OpenOptions;
use std::io::{self, IsTerminal, Write, stderr, stdout};
use std::mem;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::ValueEnum;
use error_envelope_runtime::log_panic_places;
use metrics::{counter, describe_counter};
use tracing::Span;
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::{Directive, FilterExt, LevelFilter, filter_fn};
use tracing_subscriber::prelude::*;
use tracing_subscriber::{EnvFilter, Registry, fmt};

use crate::exports::Exports;
use crate::failure::CommandError;
use crate::output;

/// The environment variable that sets the filter of the log. [`DEFAULT`] applies if the variable is empty or missing.
/// The default silences `notify`, which logs a line at INFO for each folder that is replaced.
const FILTER: &str = "RUST_LOG";
const DEFAULT: &str = "info,notify=warn,tower_error_envelope::request=warn";
const FILTER_HELP: &str = "write off, error, warn, info, debug or trace, alone or for a target, as in \
                           warn,tower_error_envelope=info; or unset the variable";

/// The log targets of the libraries with which exports run.
const EXPORTING: [&str; 5] = ["opentelemetry", "reqwest", "hyper", "h2", "rustls"];

/// The target of the access log's events.
const ACCESS: &str = "access";
const ACCESS_DROPPED: &str = "error_envelope_access_log_dropped_total";

/// The most log lines that may wait to be written. A busy gateway logs this many lines within a few seconds. They use
/// less than 16 MiB.
const LINES: usize = 16 * 1024;
/// The most lines of the access log that may wait to be written. A line has at most 5 KiB.
const ACCESS_LINES: usize = 4 * 1024;
/// The interval between checks for dropped lines.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The format of a log line.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Log {
    /// Write a line for each event.
    Full,
    /// Write several lines for each event.
    Pretty,
    /// Write one JSON object per line.
    Json,
}

/// The destination of the access log.
#[derive(Clone, Debug)]
pub(crate) enum AccessSink {
    Stdout,
    File(PathBuf),
}

impl AccessSink {
    pub(crate) fn parse(place: &str) -> Result<Self, String> {
        match place {
            "" => Err("write a path or stdout".to_owned()),
            // `/dev/stdout` cannot be opened if standard output is a socket, as under systemd. So this name means
            // standard output itself.
            "stdout" | "/dev/stdout" => Ok(Self::Stdout),
            path => Ok(Self::File(path.into())),
        }
    }

    fn open(&self) -> Result<Box<dyn Write + Send>, CommandError> {
        let Self::File(path) = self else { return Ok(Box::new(stdout())) };
        // With append mode, writing continues at the new end of the file after logrotate's `copytruncate`.
        let file = output::open(path, OpenOptions::new().append(true).create(true));
        let file = file.map_err(|error| CommandError::Io(format!("--access-log: {}: {error}", path.display())))?;
        Ok(Box::new(file))
    }
}

impl Log {
    /// Starts to write the log. Dropping the returned [`Writing`] ends the writing. `RUST_LOG` sets the filter of the
    /// log. The format and the filter do not affect the access log, in which each request is a JSON object.
    /// `makes_spans` is true if the program makes a span for each request.
    pub(crate) fn init(self, access: Option<&AccessSink>, makes_spans: bool) -> Result<Writing, CommandError> {
        let directives = filter(std::env::var_os(FILTER).as_deref()).map_err(CommandError::Io)?.to_string();
        // The filters get level hints, so that a line below the level of `RUST_LOG` is not even created.
        let is_line = filter_fn(|event| event.target() != ACCESS).with_max_level_hint(LevelFilter::TRACE);
        let lines_filter = || EnvFilter::new(&directives).and(is_line.clone());
        // The log lines of the exporting libraries are not exported, because each export would cause more lines.
        let is_own = filter_fn(|event| !EXPORTING.iter().any(|target| event.target().starts_with(target)));
        let is_own = is_own.with_max_level_hint(LevelFilter::TRACE);
        let access = access.map(AccessSink::open).transpose()?.map(|sink| Queue::start(sink, ACCESS_LINES));
        let (writer, log) = Queue::start(Box::new(stderr()), LINES);
        let is_coloured = stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        let lines = fmt::layer::<Registry>().with_writer(writer).with_ansi(is_coloured);
        let lines = match self {
            Self::Full => lines.boxed(),
            Self::Pretty => lines.pretty().boxed(),
            Self::Json => lines.json().boxed(),
        };
        let mut layers = vec![lines.with_filter(lines_filter()).boxed()];
        let access = access.map(|(writer, queue)| {
            let requests = fmt::layer().with_writer(writer).json().flatten_event(true);
            let requests = requests.with_level(false).with_target(false);
            let requests = requests.with_current_span(false).with_span_list(false);
            let is_request = filter_fn(|event| event.target() == ACCESS).with_max_level_hint(LevelFilter::INFO);
            layers.push(requests.with_filter(is_request).boxed());
            queue
        });
        let mut exports = Exports::start(makes_spans)?;
        layers.extend(exports.lines.take().map(|lines| lines.with_filter(lines_filter().and(is_own)).boxed()));
        tracing_subscriber::registry().with(layers).init();
        std::panic::set_hook(Box::new(log_panic));
        log_panic_places();
        exports.log();
        Ok(Writing { exports, log, access })
    }
}

/// Parses the filter of the log. A wrong filter is refused. If it were ignored, the log would lack the lines that the
/// operator wanted.
fn filter(directives: Option<&OsStr>) -> Result<EnvFilter, String> {
    let Some(directives) = directives.filter(|directives| !directives.is_empty()) else { return Ok(DEFAULT.into()) };
    let wrong = |what: &dyn Debug, why: &dyn Display| format!("{FILTER}: {what:?}: {why}\n = help: {FILTER_HELP}");
    let text = directives.to_str().ok_or_else(|| wrong(&directives, &"not UTF-8"))?;
    // Spaces are removed, because a space would become part of a target's name.
    let directives = || text.split(',').map(str::trim);
    EnvFilter::builder().parse(directives().collect::<Vec<_>>().join(",")).map_err(|error| {
        let one = directives().find(|it| !it.is_empty() && it.parse::<Directive>().is_err());
        wrong(&one.unwrap_or(text), &error)
    })
}

/// Owns the threads that write the logs. When this value is dropped, the waiting lines are written. Lines that cannot
/// be written within a second are lost.
pub(crate) struct Writing {
    /// The exports by OTLP. They are dropped first, so that their last errors are still logged.
    pub(crate) exports: Exports,
    log: Queue,
    access: Option<Queue>,
}

impl Writing {
    /// Spawns a task that logs the number of dropped lines, and counts the dropped lines of the access log in a metric.
    /// Install the metrics recorder before this call.
    pub(crate) fn count_drops(&self) {
        let (log, access) = (self.log.dropped.clone(), self.access.as_ref().map(|queue| queue.dropped.clone()));
        let counter = access.is_some().then(|| {
            describe_counter!(
                ACCESS_DROPPED,
                "Access log lines that were not written: the sink was slow, full or failed."
            );
            counter!(ACCESS_DROPPED)
        });
        tokio::spawn(async move {
            let (mut reported, mut counted) = (0, 0);
            loop {
                tokio::time::sleep(LOOK_EVERY).await;
                if let (Some(access), Some(counter)) = (&access, &counter)
                    && mem::replace(&mut counted, access.lines()) < access.lines()
                {
                    counter.absolute(access.lines());
                    tracing::warn!(lines = access.lines(), "dropped access log lines since the start");
                }
                let lines = log.lines();
                if lines > reported {
                    tracing::warn!(lines, "dropped log lines since the start: standard error did not accept them");
                    // If the line about dropped lines was itself dropped, the next check logs it again.
                    reported = if log.lines() == lines { lines } else { reported };
                }
            }
        });
    }
}

/// The lines that wait for a sink, and the thread that writes them.
struct Queue {
    dropped: Dropped,
    thread: Option<WorkerGuard>,
}

impl Queue {
    fn start(to: Box<dyn Write + Send>, lines: usize) -> (NonBlocking, Self) {
        let failed = Arc::<AtomicU64>::default();
        let sink = Sink { to, failed: Arc::clone(&failed) };
        let (writer, thread) = NonBlockingBuilder::default().buffered_lines_limit(lines).finish(sink);
        let dropped = Dropped { queue: writer.error_counter(), failed };
        (writer, Self { dropped, thread: Some(thread) })
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        let thread = self.thread.take();
        // If nothing reads the log, dropping the thread prints a message on standard output. If nothing reads standard
        // output either, printing panics. Without this catch, a normal stop would then exit with an error.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(thread)));
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

/// Counts the lines that could not be written, because the writing thread ignores write errors.
struct Sink<W> {
    to: W,
    failed: Arc<AtomicU64>,
}

impl<W: Write> Write for Sink<W> {
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

/// Logs a panic as one event. The standard panic hook writes several lines, which would break a log of JSON lines.
///
/// A panic inside a request is logged only at DEBUG, because the layer itself logs such a panic with its place in the
/// code.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let span = Span::current();
    if span.metadata().is_some_and(|span| span.name() == "envelope") {
        tracing::debug!(%panic);
    } else {
        tracing::error!(%panic);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn a_filter_that_is_wrong_is_named_and_one_that_is_empty_is_none() {
        let default = filter(None).unwrap().to_string();
        for right in ["", "warn", "info, tower_error_envelope=debug,", "[request]=trace", "no-such-target"] {
            let directives = filter(Some(OsStr::new(right))).unwrap().to_string();
            assert_eq!(directives == default, right.is_empty(), "{right:?}: {directives}");
        }
        assert!(
            filter(Some(OsStr::new("info, a=debug"))).unwrap().to_string().contains("a=debug"),
            "no space before it"
        );
        let cases: [(&[u8], &str); 4] = [
            (b"info,hyper=loud,x=debug", "RUST_LOG: \"hyper=loud\": "),
            (b"=", "RUST_LOG: \"=\": "),
            (b"info,a=b=c", "RUST_LOG: \"a=b=c\": "),
            (b"\xff", "RUST_LOG: \"\\xFF\": not UTF-8"),
        ];
        for (wrong, why) in cases {
            let error = filter(Some(OsStr::from_bytes(wrong))).unwrap_err();
            assert!(error.starts_with(why) && error.ends_with("; or unset the variable"), "{error}");
        }
    }

    #[test]
    fn a_line_that_a_full_disk_does_not_take_is_counted_and_one_that_is_written_is_not() {
        let count = |to: &mut dyn Write| {
            let failed = Arc::<AtomicU64>::default();
            let written = Sink { to, failed: Arc::clone(&failed) }.write(b"a line").is_ok();
            (written, failed.load(Ordering::Relaxed))
        };
        let mut full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        assert_eq!((count(&mut full), count(&mut Vec::new())), ((false, 1), (true, 0)));
    }
}
