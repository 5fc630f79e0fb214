//! The thread that writes lines.

use std::fs::{File, OpenOptions};
use std::io::{self, Write, stdout};
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use metrics::{Counter, counter};

use crate::count::ACCESS_LOG_DROPPED;
use crate::error::Error;

const LOG: &str = "error_envelope::gateway::access";

/// The most lines in the queue: as many as a busy gateway writes within some seconds.
const MAX_LINES: usize = 16 * 1024;
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// How many bytes are collected before they are written.
const BATCH: usize = 64 * 1024;

/// The shortest time between two warnings about dropped lines.
const WARN_EVERY: Duration = Duration::from_secs(60);

/// How often a flush looks for room in the queue.
const CHECK_EVERY: Duration = Duration::from_millis(5);

/// Where lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AccessSink {
    /// Append lines to this file.
    File(PathBuf),
    /// Standard output.
    Stdout,
    /// The log: an event at INFO for each line, with the target `error_envelope::gateway::access`.
    Log,
}

/// The sending end of the queue.
pub(super) struct Writer {
    queue: SyncSender<Message>,
    state: Arc<State>,
}

enum Message {
    Line(String),
    Reopen,
    Flush(SyncSender<()>),
}

/// What both sides of the queue share.
struct State {
    queued_bytes: AtomicUsize,
    dropped: AtomicU64,
    counter: Counter,
}

impl Writer {
    pub(super) fn start(sink: &AccessSink) -> Result<Self, Error> {
        let sink = Sink::open(sink)?;
        let (queue, messages) = sync_channel(MAX_LINES);
        let counter = counter!(ACCESS_LOG_DROPPED);
        // This exports the counter before the first line is lost.
        counter.increment(0);
        let state = Arc::new(State { queued_bytes: AtomicUsize::new(0), dropped: AtomicU64::new(0), counter });
        let thread =
            Thread { sink, state: Arc::clone(&state), batch: Vec::new(), torn: false, failed: false, reported: None };
        let started = thread::Builder::new().name("access-log".to_owned()).spawn(move || thread.run(&messages));
        started.map_err(|error| Error::unreadable(format!("cannot start the thread of the access log: {error}")))?;
        Ok(Self { queue, state })
    }

    /// Queues the line if there is room now; never waits.
    pub(super) fn write(&self, line: String) {
        let length = line.len();
        let fits = self.state.queued_bytes.fetch_add(length, Ordering::Relaxed) + length <= MAX_BYTES;
        if !fits || self.queue.try_send(Message::Line(line)).is_err() {
            self.state.queued_bytes.fetch_sub(length, Ordering::Relaxed);
            self.state.drop_lines(1);
        }
    }

    pub(super) fn reopen(&self) {
        // If the queue is full, the old file stays in use: the operator who renamed it has to repeat the request.
        if self.queue.try_send(Message::Reopen).is_err() {
            tracing::warn!(target: LOG, "cannot reopen the access log now: it does not accept lines");
        }
    }

    pub(super) fn flush(&self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        let (done, written) = sync_channel(1);
        let mut message = Message::Flush(done);
        loop {
            match self.queue.try_send(message) {
                Ok(()) => break,
                Err(TrySendError::Full(unsent)) if Instant::now() < deadline => message = unsent,
                Err(_) => return false,
            }
            thread::sleep(CHECK_EVERY);
        }
        written.recv_timeout(deadline.saturating_duration_since(Instant::now())).is_ok()
    }
}

impl State {
    fn drop_lines(&self, lines: u64) {
        self.dropped.fetch_add(lines, Ordering::Relaxed);
        self.counter.increment(lines);
    }
}

struct Thread {
    sink: Sink,
    state: Arc<State>,
    batch: Vec<u8>,
    /// Whether the last write ended within a line.
    torn: bool,
    /// Whether the last write failed.
    failed: bool,
    /// How many lost lines the last warning reported, and when.
    reported: Option<(u64, Instant)>,
}

impl Thread {
    fn run(mut self, messages: &Receiver<Message>) {
        while let Ok(first) = messages.recv() {
            let mut next = Some(first);
            while let Some(message) = next {
                match message {
                    Message::Line(line) => self.take(&line),
                    Message::Reopen => {
                        self.write();
                        self.sink.reopen();
                    }
                    Message::Flush(done) => {
                        self.write();
                        let _ = done.try_send(());
                    }
                }
                next = messages.try_recv().ok();
            }
            self.write();
            self.warn_of_dropped();
        }
    }

    fn take(&mut self, line: &str) {
        if let Sink::Log = self.sink {
            tracing::info!(target: LOG, "{}", line.trim_end());
        } else {
            self.batch.extend_from_slice(line.as_bytes());
        }
        self.state.queued_bytes.fetch_sub(line.len(), Ordering::Relaxed);
        if self.batch.len() >= BATCH {
            self.write();
        }
    }

    fn write(&mut self) {
        let batch = mem::take(&mut self.batch);
        let before: &[u8] = if self.torn { b"\n" } else { b"" };
        if batch.is_empty() {
            return;
        }
        let mut left = &*batch;
        if let Err(error) = self.sink.write(before, &mut left, &mut self.torn) {
            self.state.drop_lines(left.iter().filter(|byte| **byte == b'\n').count() as u64);
            if !mem::replace(&mut self.failed, true) {
                tracing::error!(target: LOG, %error, "cannot write the access log; lines are dropped and counted");
            }
        } else if mem::take(&mut self.failed) {
            tracing::info!(
                target: LOG, dropped = self.state.dropped.load(Ordering::Relaxed),
                "the access log accepts lines again"
            );
        }
        self.batch = batch;
        self.batch.clear();
    }

    /// Warns, at most once a minute, that the full queue dropped lines. A failed write has its own log entry.
    fn warn_of_dropped(&mut self) {
        let dropped = self.state.dropped.load(Ordering::Relaxed);
        let (reported, when) = self.reported.map_or((0, None), |(reported, when)| (reported, Some(when)));
        if self.failed || dropped == reported || when.is_some_and(|when| when.elapsed() < WARN_EVERY) {
            return;
        }
        tracing::warn!(target: LOG, dropped, "dropped access log lines since the start: they came faster than they \
                                              could be written");
        self.reported = Some((dropped, Instant::now()));
    }
}

/// The destination of the lines.
enum Sink {
    File { path: PathBuf, file: File },
    Stdout,
    Log,
}

impl Sink {
    fn open(sink: &AccessSink) -> Result<Self, Error> {
        Ok(match sink {
            AccessSink::File(path) => {
                let file = append(path).map_err(|error| Error::unreadable(format!("{}: {error}", path.display())))?;
                Self::File { path: path.clone(), file }
            }
            AccessSink::Stdout => Self::Stdout,
            AccessSink::Log => Self::Log,
        })
    }

    fn reopen(&mut self) {
        if let Self::File { path, file } = self {
            match append(path) {
                Ok(opened) => *file = opened,
                Err(error) => {
                    tracing::error!(
                        target: LOG, path = %path.display(), %error,
                        "cannot reopen the access log; the old file stays in use"
                    );
                }
            }
        }
    }

    /// Writes `before` and then the lines. Afterwards `lines` has the bytes that were not written, and `torn` is set if
    /// the written bytes end within a line.
    fn write(&mut self, before: &[u8], lines: &mut &[u8], torn: &mut bool) -> io::Result<()> {
        match self {
            Self::File { file, .. } => write_counted(file, before, lines, torn),
            Self::Stdout => write_counted(&mut stdout().lock(), before, lines, torn),
            Self::Log => Ok(()),
        }
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

fn write_counted(to: &mut impl Write, before: &[u8], lines: &mut &[u8], torn: &mut bool) -> io::Result<()> {
    to.write_all(before)?;
    while !lines.is_empty() {
        match to.write(lines) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                *torn = lines.get(written - 1) != Some(&b'\n');
                *lines = lines.get(written..).unwrap_or_default();
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    to.flush()
}
