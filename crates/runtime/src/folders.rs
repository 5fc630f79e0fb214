//! Watches the folders of files that are reloaded when they change: a policy, a certificate.
//!
//! 1. Folders are watched instead of files, because editors and deployments replace files by renaming, and Kubernetes
//!    swaps a link.
//! 2. A thread waits for changes, and calls a function once the folders are quiet. The thread ends with the value that
//!    it serves.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Weak};
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};

/// The time for which the folders must be quiet before files are read, because one change causes several events.
const QUIET: Duration = Duration::from_millis(50);

/// The most events before a change is handled. Without this limit, folders that are never quiet would delay it for
/// ever.
const MOST_EVENTS: usize = 1000;

/// The most attempts to read the files while new folders appear. After that, the files are read again only at the next
/// event.
const MOST_LOOKS: usize = 16;

/// The folders that are watched while this value exists.
#[derive(Debug)]
pub struct WatchedFolders {
    watcher: RecommendedWatcher,
    watched: BTreeSet<PathBuf>,
    /// True if a new folder was added.
    grew: bool,
}

/// The events in [`WatchedFolders`]. One unhandled event stands for any number of them.
#[derive(Debug)]
pub struct Changes(Receiver<()>);

impl WatchedFolders {
    /// Creates a watcher that does not watch any folder yet.
    ///
    /// # Errors
    ///
    /// Fails if the system cannot watch folders.
    pub fn new() -> Result<(Self, Changes), notify::Error> {
        let (woken, wait) = sync_channel(1);
        let watcher = notify::recommended_watcher(move |event: Result<notify::Event, notify::Error>| {
            // Reading the files also causes events, which are not changes.
            if !event.is_ok_and(|event| event.kind.is_access()) {
                let _ = woken.try_send(());
            }
        })?;
        Ok((Self { watcher, watched: BTreeSet::new(), grew: false }, Changes(wait)))
    }

    /// Watches these folders, and stops watching all others.
    pub fn watch(&mut self, folders: BTreeSet<PathBuf>) -> Result<(), notify::Error> {
        for gone in self.watched.difference(&folders) {
            // A folder that was deleted is not watched any more.
            let _ = self.watcher.unwatch(gone);
        }
        self.watched.retain(|folder| folders.contains(folder));
        self.watch_also(folders)
    }

    /// Watches these folders in addition to the others.
    pub fn watch_also(&mut self, folders: BTreeSet<PathBuf>) -> Result<(), notify::Error> {
        let mut failed = Ok(());
        for folder in folders {
            // This is repeated for folders that are already watched: a folder may have been replaced by another one
            // with the same name.
            if let Err(error) = self.watcher.watch(&folder, RecursiveMode::NonRecursive) {
                failed = Err(error);
            }
            self.grew |= self.watched.insert(folder);
        }
        failed
    }

    /// Reads files with a function that also watches their folders. A change between reading a folder and watching it
    /// has no event, so the function is called again as long as it watches new folders.
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

impl Changes {
    /// Calls `reload` on a thread of this name, each time that the folders are quiet again. The thread ends when
    /// `owner`, which has the [`WatchedFolders`], is dropped.
    pub fn follow<T: Send + Sync + 'static>(self, thread: &str, owner: &Arc<T>, reload: fn(&T)) -> io::Result<()> {
        let owner = Arc::downgrade(owner);
        std::thread::Builder::new().name(thread.to_owned()).spawn(move || self.wait(&owner, reload))?;
        Ok(())
    }

    fn wait<T>(&self, owner: &Weak<T>, reload: fn(&T)) {
        while self.0.recv().is_ok() {
            for _ in 0..MOST_EVENTS {
                match self.0.recv_timeout(QUIET) {
                    Ok(()) => {}
                    Err(RecvTimeoutError::Timeout) => break,
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
            let Some(owner) = owner.upgrade() else { return };
            reload(&owner);
        }
    }
}

/// Returns the folders in which a change of this file is visible. These are its own folder or the nearest existing
/// ancestor, the folders of symbolic links on the way and of their targets, and the folder of the final file.
pub fn of_file(file: &Path) -> impl Iterator<Item = PathBuf> {
    let links = file.ancestors().filter(|part| part.is_symlink());
    let ends = links.clone().filter_map(|link| nearest_to(link.parent()?.join(link.read_link().ok()?).parent()?));
    let real = file.canonicalize().ok().and_then(|real| Some(real.parent()?.to_owned()));
    links.chain([file]).filter_map(|part| nearest_to(part.parent()?)).chain(ends).chain(real)
}

/// Returns the folder, or its nearest existing ancestor, in which a new folder becomes visible.
pub(crate) fn nearest_to(folder: &Path) -> Option<PathBuf> {
    let named = |folder: &Path| if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder.to_owned() };
    folder.ancestors().map(named).find(|folder| folder.is_dir())
}
