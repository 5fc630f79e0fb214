//! Reads files on separate threads, so that a file system that never responds blocks no caller.
//!
//! 1. If the system reports that a writer has a file open, reading waits for it ([`OpenWriters`]).
//! 2. The files are read twice, with a pause between, each time on a separate thread without a lock. The content is
//!    returned only if both reads agree, and the system reports no change in between.
//! 3. The caller waits no longer than [`Patience`] allows. A blocked thread is abandoned; after a few of them no
//!    more are started. Once one continues, the files are read again.
//! 4. The wait is longer for a thread that has read its files and computes: a policy may have 30,000 routes.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::folders::{self, Changes, Events, WatchedFolders};

/// Files, and how they are read.
pub struct FileReader<C>(Arc<Shared<C>>);

/// The result of reading the files once.
#[derive(Debug)]
pub struct Look<C> {
    /// The value made from the files.
    pub content: C,
    /// A hash of the files and their texts: equal for the same files with the same texts.
    pub texts: u64,
    /// Their names.
    pub files: Vec<PathBuf>,
    /// Whether their folders are watched.
    pub watched: Result<(), notify::Error>,
}

/// Limits of the wait for files.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// The pause between two readings of the files.
    pub apart: Duration,
    /// The time for a writer to close a file, and for two readings to agree. The files are read at least twice.
    pub settle: Duration,
    /// The time for the file system to return the files once, and for another caller's reading to end.
    pub answer: Duration,
    /// The time for the computation that follows after the files were read.
    pub compute: Duration,
    /// The most threads that may be reading.
    pub threads: usize,
}

/// Whether a thread has read the files, and now computes with them.
#[derive(Debug, Default)]
pub struct Progress(AtomicBool);

/// The reason why files were not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// Another caller is still reading the files.
    Busy,
    /// The file system does not respond.
    Silent,
    /// The files change faster than they are read.
    Unsettled,
    /// The code that reads the files panicked.
    Panicked,
}

struct Shared<C> {
    look: Box<LookFn<C>>,
    /// `None` while a thread reads the files, which then has the folders.
    folders: Mutex<Option<WatchedFolders>>,
    events: Events,
    /// Whether a caller is reading.
    taken: Mutex<bool>,
    free: Condvar,
    threads: AtomicUsize,
    /// The files that the last reading found, by the paths that appear in events.
    files: Mutex<Arc<BTreeSet<PathBuf>>>,
}

type LookFn<C> = dyn Fn(&mut WatchedFolders, &Progress) -> Look<C> + Send + Sync;

impl Patience {
    /// For the start of a process: short, because other processes may wait for this one.
    pub const START: Self = Self { settle: Duration::from_secs(1), ..Self::REQUESTED };

    /// For a requested reload. Two looks are 100 ms apart, to cover files that a person or script is saving. Copying a
    /// policy takes less than 5 s, a healthy file system answers within 10 s, and computing a policy takes less than a
    /// minute. Four threads allow a repeated signal while earlier reads hang.
    pub const REQUESTED: Self = Self {
        apart: Duration::from_millis(100),
        settle: Duration::from_secs(5),
        answer: Duration::from_secs(10),
        compute: Duration::from_secs(60),
        threads: 4,
    };

    /// For changed files: folders that change all the time must leave threads for requested reloads.
    pub const CHANGED: Self = Self { threads: 2, ..Self::REQUESTED };
}

impl<C: Send + 'static> FileReader<C> {
    /// Creates a reader, which reads nothing yet.
    ///
    /// `look` reads the files, and watches their folders. It is called again if it watches a new folder.
    ///
    /// # Errors
    ///
    /// The system cannot watch folders.
    pub fn new(
        look: impl Fn(&mut WatchedFolders, &Progress) -> Look<C> + Send + Sync + 'static,
    ) -> Result<(Self, Changes), notify::Error> {
        let (events, changes) = folders::events();
        let folders = Mutex::new(Some(WatchedFolders::new(&events)?));
        let (taken, free, threads) = (Mutex::default(), Condvar::new(), AtomicUsize::new(0));
        let shared = Shared { look: Box::new(look), folders, events, taken, free, threads, files: Mutex::default() };
        Ok((Self(Arc::new(shared)), changes))
    }

    /// Reads the files, and applies the result before another caller reads them. It blocks only its own thread.
    pub fn read<T>(&self, patience: &Patience, apply: impl FnOnce(Result<Look<C>, Unread>) -> T) -> T {
        match self.0.turn(patience.answer) {
            Some(_turn) => apply(self.0.read_until_equal(patience)),
            None => {
                // The other caller may have read the old files, so the files are read again.
                self.0.events.wake();
                apply(Err(Unread::Busy))
            }
        }
    }
}

impl<C: Send + 'static> Shared<C> {
    fn read_until_equal(self: &Arc<Self>, patience: &Patience) -> Result<Look<C>, Unread> {
        let (until, writers) = (now() + patience.settle, &self.events.writers);
        writers.forget();
        let mut before = None;
        loop {
            if let Some(file) = writers.wait_closed(&self.files(), until.saturating_duration_since(now())) {
                log_not_closed(&file, patience.settle);
            }
            let time = writers.time();
            let look = self.look(patience)?;
            match before {
                Some((texts, since)) if texts == look.texts && !writers.are_restless(&self.files(), since) => {
                    return Ok(look);
                }
                Some(_) if now() >= until => return Err(Unread::Unsettled),
                _ => before = Some((look.texts, time)),
            }
            thread::sleep(patience.apart);
        }
    }

    /// Reads the files once, on a separate thread.
    fn look(self: &Arc<Self>, patience: &Patience) -> Result<Look<C>, Unread> {
        if self.threads.load(Ordering::SeqCst) >= patience.threads {
            return Err(Unread::Silent);
        }
        let thread = Thread::new(self);
        let (left, (found, wait)) = (Arc::<AtomicBool>::default(), sync_channel(1));
        let (is_left, events) = (Arc::clone(&left), self.events.clone());
        let progress = Arc::<Progress>::default();
        let its_progress = Arc::clone(&progress);
        let looking = move || {
            let look = thread.look(&its_progress);
            drop(thread);
            let _ = found.send(look);
            if is_left.load(Ordering::SeqCst) {
                events.wake();
            }
        };
        thread::Builder::new().name(NAME.to_owned()).spawn(looking).map_err(|_| Unread::Silent)?;
        let look = progress.wait(&wait, patience).or_else(|unread| {
            left.store(true, Ordering::SeqCst);
            // The thread may have finished in the meantime.
            wait.try_recv().map_err(|_| unread)
        });
        let (look, files) = look?;
        *lock(&self.files) = Arc::new(files);
        Ok(look)
    }

    fn files(&self) -> Arc<BTreeSet<PathBuf>> {
        lock(&self.files).clone()
    }
}

const NAME: &str = "error-envelope-reader";

/// A thread that reads the files, counted until this is dropped.
struct Thread<C>(Arc<Shared<C>>);

impl<C> Thread<C> {
    fn new(shared: &Arc<Shared<C>>) -> Self {
        shared.threads.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(shared))
    }

    /// Reads the files once. An abandoned thread keeps the watched folders, so the next thread watches them anew.
    fn look(&self, progress: &Progress) -> (Look<C>, BTreeSet<PathBuf>) {
        let folders = lock(&self.0.folders).take();
        let mut folders = folders.unwrap_or_else(|| WatchedFolders::new_lenient(&self.0.events));
        let look = folders.read(|folders| (self.0.look)(folders, progress));
        let files = look.files.iter().flat_map(|file| folders::paths_of(file)).collect();
        lock(&self.0.folders).get_or_insert(folders);
        (look, files)
    }
}

impl<C> Drop for Thread<C> {
    fn drop(&mut self) {
        self.0.threads.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Progress {
    /// Sets whether the thread now computes with the files that it has read, or reads files.
    pub fn computes(&self, computes: bool) {
        self.0.store(computes, Ordering::SeqCst);
    }

    fn wait<T>(&self, look: &Receiver<T>, patience: &Patience) -> Result<T, Unread> {
        let until = now() + patience.compute;
        loop {
            match look.recv_timeout(patience.answer) {
                Ok(look) => return Ok(look),
                Err(RecvTimeoutError::Timeout) if self.0.load(Ordering::SeqCst) && now() < until => {}
                Err(RecvTimeoutError::Timeout) => return Err(Unread::Silent),
                Err(RecvTimeoutError::Disconnected) => return Err(Unread::Panicked),
            }
        }
    }
}

/// Ensures that no other caller reads.
struct Turn<'a, C>(&'a Shared<C>);

impl<C> Shared<C> {
    fn turn(&self, at_most: Duration) -> Option<Turn<'_, C>> {
        let wait = self.free.wait_timeout_while(lock(&self.taken), at_most, |taken| *taken);
        let (mut taken, _) = wait.unwrap_or_else(PoisonError::into_inner);
        let is_free = !std::mem::replace(&mut *taken, true);
        is_free.then(|| Turn(self))
    }
}

impl<C> Drop for Turn<'_, C> {
    fn drop(&mut self) {
        *lock(&self.0.taken) = false;
        self.0.free.notify_one();
    }
}

impl Unread {
    /// The advice for the operator.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Busy => "wait until the current read has ended",
            Self::Silent => "check the file system of the files; the next change or reload reads them again",
            Self::Unsettled => "write a new file beside the old one, then rename it over the old one",
            Self::Panicked => "report a bug with the panic on standard error",
        }
    }
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Busy => "the files are being read already",
            Self::Silent => "the file system does not answer",
            Self::Unsettled => "the files kept changing while they were read",
            Self::Panicked => "reading the files panicked",
        })
    }
}

impl std::error::Error for Unread {}

impl<C> fmt::Debug for FileReader<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileReader").field("files", &lock(&self.0.files)).finish_non_exhaustive()
    }
}

fn log_not_closed(file: &std::path::Path, waited: Duration) {
    tracing::warn!(
        target: "tower_error_envelope",
        file = %file.display(),
        ?waited,
        "read a file that another process still has open for writing"
    );
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[allow(clippy::disallowed_methods, reason = "files are waited for on threads, which no runtime's clock reaches")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests;
