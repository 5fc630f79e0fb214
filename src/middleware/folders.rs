//! Folders in which changes of files show, for what is read again when its files change: a policy, a certificate.
//!
//! 1. Folders are watched, not files: editors and deployments replace files by renaming, Kubernetes swaps a link.
//! 2. A thread waits, and calls once the folders are quiet. It ends with what it calls.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Weak};
use std::time::Duration;
use std::{fmt, io};

use notify::{RecommendedWatcher, RecursiveMode, Watcher};

/// A change is several events: files are read once nothing more came for so long.
const QUIET: Duration = Duration::from_millis(50);

/// Folders that are never quiet do not put a change off for ever: after so many events it is looked at.
const MOST_EVENTS: usize = 1000;

/// Folders that come faster than they are read are looked at again at their next event.
const MOST_LOOKS: usize = 16;

/// The folders that are watched, as long as this is there.
pub struct Folders {
    watcher: RecommendedWatcher,
    watched: BTreeSet<PathBuf>,
    /// A folder is watched that was not.
    grew: bool,
}

/// What happens in [`Folders`].
#[derive(Debug)]
pub struct Changes(Receiver<()>);

impl Folders {
    /// None yet.
    pub fn new() -> Result<(Self, Changes), notify::Error> {
        let (events, woken) = channel();
        let watcher = notify::recommended_watcher(move |event: Result<notify::Event, notify::Error>| {
            // Reading the files is an event, too.
            if !event.is_ok_and(|event| event.kind.is_access()) {
                let _ = events.send(());
            }
        })?;
        Ok((Self { watcher, watched: BTreeSet::new(), grew: false }, Changes(woken)))
    }

    /// Watches these folders, and no other any more.
    pub fn watch(&mut self, folders: BTreeSet<PathBuf>) -> Result<(), notify::Error> {
        for gone in self.watched.difference(&folders) {
            // A folder that was deleted is not watched any more.
            let _ = self.watcher.unwatch(gone);
        }
        self.watched.retain(|folder| folders.contains(folder));
        self.watch_also(folders)
    }

    /// Watches these folders, too.
    pub fn watch_also(&mut self, folders: BTreeSet<PathBuf>) -> Result<(), notify::Error> {
        let mut failed = Ok(());
        for folder in folders {
            // Again also where it was watched: a folder that was replaced is another one under its name.
            if let Err(error) = self.watcher.watch(&folder, RecursiveMode::NonRecursive) {
                failed = Err(error);
            }
            self.grew |= self.watched.insert(folder);
        }
        failed
    }

    /// Reads files by a function that also watches their folders. What changed between reading a folder and watching it
    /// had no event: while it watches others than before, it is called again.
    pub fn read<T>(&mut self, mut read: impl FnMut(&mut Self) -> T) -> T {
        for _ in 0..MOST_LOOKS {
            self.grew = false;
            let answer = read(self);
            if !self.grew {
                return answer;
            }
        }
        read(self)
    }
}

impl fmt::Debug for Folders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(&self.watched).finish()
    }
}

impl Changes {
    /// Calls on a thread of this name, each time that the folders are quiet again, as long as `of` is there: it holds the
    /// [`Folders`].
    pub fn follow<T: Send + Sync + 'static>(self, thread: &str, of: &Arc<T>, reload: fn(&T)) -> io::Result<()> {
        let of = Arc::downgrade(of);
        std::thread::Builder::new().name(thread.to_owned()).spawn(move || self.wait(&of, reload))?;
        Ok(())
    }

    fn wait<T>(&self, of: &Weak<T>, reload: fn(&T)) {
        while self.0.recv().is_ok() {
            for _ in 0..MOST_EVENTS {
                match self.0.recv_timeout(QUIET) {
                    Ok(()) => {}
                    Err(RecvTimeoutError::Timeout) => break,
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
            let Some(of) = of.upgrade() else { return };
            reload(&of);
        }
    }
}

/// The folders in which a change of this file shows: its own, or what there is above it, those of every symbolic link on
/// the way to it, and that of the file that they lead to.
pub fn of_file(file: &Path) -> impl Iterator<Item = PathBuf> {
    let links = file.ancestors().filter(|part| part.is_symlink());
    let real = file.canonicalize().ok().and_then(|real| Some(real.parent()?.to_owned()));
    links.chain([file]).filter_map(|part| nearest_to(part.parent()?)).chain(real)
}

/// The folder, or what there is above it: where it shows that it is there.
pub(super) fn nearest_to(folder: &Path) -> Option<PathBuf> {
    let named = |folder: &Path| if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder.to_owned() };
    folder.ancestors().map(named).find(|folder| folder.is_dir())
}
