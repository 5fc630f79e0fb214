//! Notes which files change and which are open for writing, as far as the system reports it: Linux's inotify reports
//! when a writer closes a file; other systems do not.
//!
//! A write begins with the first change of a file's data. It ends when a writer closes the file, or when the file is
//! replaced, renamed or deleted. If a caller stops waiting for a file, the file counts as closed until it changes
//! again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{Event, EventKind};

/// The most files: as many as a policy may have. Changes in further files are only detected because the files are read
/// twice.
const MOST_FILES: usize = 4096;

const REPORTS_CLOSE: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// The files that are being written.
#[derive(Debug, Default)]
pub(crate) struct OpenWriters {
    seen: Mutex<WriterState>,
    closed: Condvar,
}

#[derive(Debug, Default)]
struct WriterState {
    events: u64,
    /// The time of the last event of each file that changed.
    changed: BTreeMap<PathBuf, u64>,
    open: BTreeSet<PathBuf>,
}

impl OpenWriters {
    pub(crate) fn note(&self, event: &Event) {
        let mut seen = self.state();
        match event.kind {
            EventKind::Modify(ModifyKind::Data(_)) => {
                seen.change(&event.paths);
                if REPORTS_CLOSE {
                    seen.open(&event.paths);
                }
            }
            EventKind::Modify(ModifyKind::Name(_)) | EventKind::Create(_) | EventKind::Remove(_) => {
                seen.change(&event.paths);
                seen.close(&event.paths);
            }
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => seen.close(&event.paths),
            // The system lost some events.
            _ if event.need_rescan() => seen.open.clear(),
            _ => return,
        }
        self.closed.notify_all();
    }

    /// The current time, for [`OpenWriters::are_restless`].
    pub(crate) fn time(&self) -> u64 {
        self.state().events
    }

    /// Whether one of these files has changed since the time `since`, or is being written.
    pub(crate) fn are_restless(&self, files: &BTreeSet<PathBuf>, since: u64) -> bool {
        let seen = self.state();
        !seen.open.is_disjoint(files) || files.iter().any(|file| seen.changed.get(file).is_some_and(|it| *it > since))
    }

    /// Forgets which files have changed so far.
    pub(crate) fn forget(&self) {
        self.state().changed.clear();
    }

    /// Waits until none of these files is being written, at most `at_most`. Returns the first file that is still being
    /// written then. After that, all of them count as closed.
    pub(crate) fn wait_closed(&self, files: &BTreeSet<PathBuf>, at_most: Duration) -> Option<PathBuf> {
        let is_open = |seen: &mut WriterState| !seen.open.is_disjoint(files);
        let wait = self.closed.wait_timeout_while(self.state(), at_most, is_open);
        let (mut seen, _) = wait.unwrap_or_else(PoisonError::into_inner);
        let late = seen.open.intersection(files).next().cloned();
        seen.open.retain(|path| !files.contains(path));
        late
    }

    fn state(&self) -> MutexGuard<'_, WriterState> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WriterState {
    fn change(&mut self, paths: &[PathBuf]) {
        self.events += 1;
        for path in paths {
            if self.changed.len() < MOST_FILES || self.changed.contains_key(path) {
                self.changed.insert(path.clone(), self.events);
            }
        }
    }

    fn open(&mut self, paths: &[PathBuf]) {
        let room = MOST_FILES.saturating_sub(self.open.len());
        self.open.extend(paths.iter().take(room).cloned());
    }

    fn close(&mut self, paths: &[PathBuf]) {
        self.open.retain(|path| !paths.contains(path));
    }
}

#[cfg(test)]
mod tests {
    use notify::event::{CreateKind, DataChange, Flag, RenameMode};

    use super::*;

    const WRITE: EventKind = EventKind::Modify(ModifyKind::Data(DataChange::Any));
    const CLOSE: EventKind = EventKind::Access(AccessKind::Close(AccessMode::Write));
    const RENAME: EventKind = EventKind::Modify(ModifyKind::Name(RenameMode::To));

    fn event(kind: EventKind, path: &str) -> Event {
        Event::new(kind).add_path(path.into())
    }

    fn files(paths: &[&str]) -> BTreeSet<PathBuf> {
        paths.iter().map(PathBuf::from).collect()
    }

    #[test]
    fn a_file_is_open_from_its_first_change_to_its_close_or_to_another_file_of_its_name() {
        for end in [CLOSE, RENAME, EventKind::Create(CreateKind::File)] {
            let writers = OpenWriters::default();
            writers.note(&event(EventKind::Access(AccessKind::Close(AccessMode::Read)), "a"));
            assert!(!writers.are_restless(&files(&["a"]), 0));
            writers.note(&event(WRITE, "a"));
            writers.note(&event(CLOSE, "b"));
            let is_open = |file| writers.are_restless(&files(&[file]), u64::MAX);
            assert!(is_open("a") && !is_open("b"));
            writers.note(&event(end, "a"));
            assert!(!is_open("a"), "{end:?}");
        }
    }

    #[test]
    fn a_file_that_changed_since_is_restless_whatever_it_is_now() {
        let (writers, a) = (OpenWriters::default(), files(&["a"]));
        for change in [WRITE, RENAME, EventKind::Create(CreateKind::File)] {
            let before = writers.time();
            writers.note(&event(change, "a"));
            writers.note(&event(CLOSE, "a"));
            assert!(writers.are_restless(&a, before) && !writers.are_restless(&a, writers.time()), "{change:?}");
            assert!(!writers.are_restless(&files(&["b"]), before));
            writers.forget();
            assert!(!writers.are_restless(&a, before));
        }
    }

    #[test]
    fn what_is_given_up_on_counts_as_closed_until_it_changes_again() {
        let (writers, a) = (OpenWriters::default(), files(&["a"]));
        assert_eq!(writers.wait_closed(&a, Duration::MAX), None);
        writers.note(&event(WRITE, "a"));
        assert_eq!(writers.wait_closed(&a, Duration::ZERO), Some("a".into()));
        assert_eq!(writers.wait_closed(&a, Duration::MAX), None);
        writers.note(&event(WRITE, "a"));
        assert_eq!(writers.wait_closed(&a, Duration::ZERO), Some("a".into()));
    }

    #[test]
    fn a_close_ends_the_wait() {
        let (writers, a) = (OpenWriters::default(), files(&["a"]));
        writers.note(&event(WRITE, "a"));
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| writers.wait_closed(&a, Duration::from_secs(60)));
            writers.note(&event(CLOSE, "a"));
            assert_eq!(waits.join().unwrap(), None);
        });
    }

    #[test]
    fn files_are_bounded_and_lost_events_forget_them() {
        let writers = OpenWriters::default();
        (0..2 * MOST_FILES).for_each(|number| writers.note(&event(WRITE, &number.to_string())));
        assert_eq!(writers.state().open.len(), MOST_FILES);
        assert_eq!(writers.state().changed.len(), MOST_FILES);
        writers.note(&Event::new(EventKind::Other).set_flag(Flag::Rescan));
        assert_eq!(writers.state().open.len(), 0);
    }
}
