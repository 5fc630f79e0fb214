//! Which files are open for writing, as far as the system reports it: Linux's inotify does, other systems do not.
//!
//! A write begins with the first change of a file's data, and ends when a writer closes the file, or when the name becomes
//! another file or none. What was given up on counts as closed until it changes again.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{Event, EventKind};

/// As many files as a policy may have. Of those beyond it no close is waited for.
const MOST_OPEN: usize = 4096;

const REPORTS_CLOSE: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// Files that are being written.
#[derive(Debug, Default)]
pub(super) struct OpenWriters {
    open: Mutex<BTreeSet<PathBuf>>,
    closed: Condvar,
}

impl OpenWriters {
    pub(super) fn note(&self, event: &Event) {
        if !REPORTS_CLOSE {
            return;
        }
        let mut open = self.open();
        match event.kind {
            EventKind::Modify(ModifyKind::Data(_)) => {
                let room = MOST_OPEN - open.len().min(MOST_OPEN);
                open.extend(event.paths.iter().take(room).cloned());
            }
            EventKind::Modify(ModifyKind::Name(_))
            | EventKind::Create(_)
            | EventKind::Remove(_)
            | EventKind::Access(AccessKind::Close(AccessMode::Write)) => {
                open.retain(|path| !event.paths.contains(path));
                self.closed.notify_all();
            }
            // Events were lost.
            _ if event.need_rescan() => {
                open.clear();
                self.closed.notify_all();
            }
            _ => {}
        }
    }

    /// Whether one of these files is being written.
    pub(super) fn holds_any(&self, files: &BTreeSet<PathBuf>) -> bool {
        !self.open().is_disjoint(files)
    }

    /// Waits until none of these files is being written, at most so long. The first one that still is then is returned, and
    /// all of them count as closed.
    pub(super) fn wait_closed(&self, files: &BTreeSet<PathBuf>, at_most: Duration) -> Option<PathBuf> {
        let (mut open, _) = self
            .closed
            .wait_timeout_while(self.open(), at_most, |open| !open.is_disjoint(files))
            .unwrap_or_else(PoisonError::into_inner);
        let late = open.intersection(files).next().cloned();
        open.retain(|path| !files.contains(path));
        late
    }

    fn open(&self) -> MutexGuard<'_, BTreeSet<PathBuf>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
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
            assert!(!writers.holds_any(&files(&["a"])));
            writers.note(&event(WRITE, "a"));
            writers.note(&event(CLOSE, "b"));
            assert!(writers.holds_any(&files(&["a", "b"])) && !writers.holds_any(&files(&["b"])));
            writers.note(&event(end, "a"));
            assert!(!writers.holds_any(&files(&["a"])), "{end:?}");
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
        assert!(writers.holds_any(&a));
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
        (0..2 * MOST_OPEN).for_each(|number| writers.note(&event(WRITE, &number.to_string())));
        assert_eq!(writers.open().len(), MOST_OPEN);
        writers.note(&Event::new(EventKind::Other).set_flag(Flag::Rescan));
        assert_eq!(writers.open().len(), 0);
    }
}
