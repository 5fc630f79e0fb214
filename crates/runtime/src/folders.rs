//! Watches the folders of files that are reloaded when they change, such as a policy or a certificate.
//!
//! 1. Folders are watched instead of files, because editors and deployments replace a file by renaming another file,
//!    and Kubernetes replaces a symbolic link.
//! 2. A thread waits for changes, and calls a function once no more changes follow. The thread ends when the owner of
//!    the watched folders is dropped.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Weak};
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};

/// The time without events after which the files are read. One change causes several events.
const QUIET: Duration = Duration::from_millis(50);

/// The most events that are collected before a change is handled. Without this limit, continuous events would delay the
/// handling for ever.
const MOST_EVENTS: usize = 1000;

/// The most times that the files are read again because new folders are watched. After that, the files are read again
/// only at the next event.
const MOST_LOOKS: usize = 16;

/// Watches a set of folders while this value exists.
#[derive(Debug)]
pub struct WatchedFolders {
    watcher: RecommendedWatcher,
    watched: BTreeSet<PathBuf>,
    /// True if a new folder was added since the last read.
    grew: bool,
}

/// Receives the events in the [`WatchedFolders`]. Several events that are not handled yet are received as one.
#[derive(Debug)]
pub struct Changes(Receiver<()>);

impl WatchedFolders {
    /// Creates a watcher that does not watch any folder yet.
    ///
    /// # Errors
    ///
    /// Returns an error if the system cannot watch folders.
    pub fn new() -> Result<(Self, Changes), notify::Error> {
        let (woken, wait) = sync_channel(1);
        let watcher = notify::recommended_watcher(move |event: Result<notify::Event, notify::Error>| {
            // Reading the files also causes events. Such events are ignored, because they are no changes.
            if !event.is_ok_and(|event| event.kind.is_access()) {
                let _ = woken.try_send(());
            }
        })?;
        Ok((Self { watcher, watched: BTreeSet::new(), grew: false }, Changes(wait)))
    }

    /// Watches these folders, and stops watching all other folders.
    pub fn watch(&mut self, folders: BTreeSet<PathBuf>) -> Result<(), notify::Error> {
        for gone in self.watched.difference(&folders) {
            // This fails for a folder that was deleted, because it is no longer watched.
            let _ = self.watcher.unwatch(gone);
        }
        self.watched.retain(|folder| folders.contains(folder));
        self.watch_also(folders)
    }

    /// Watches these folders in addition to those that are already watched.
    pub fn watch_also(&mut self, folders: BTreeSet<PathBuf>) -> Result<(), notify::Error> {
        let mut failed = Ok(());
        for folder in folders {
            // Folders that are already watched are watched again, because a folder may have been replaced by another
            // folder with the same name.
            if let Err(error) = self.watcher.watch(&folder, RecursiveMode::NonRecursive) {
                failed = Err(error);
            }
            self.grew |= self.watched.insert(folder);
        }
        failed
    }

    /// Calls `read`, which reads files and watches their folders. A change between reading a file and watching its
    /// folder causes no event. So `read` is called again as long as it adds new folders.
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
    /// Starts a thread with the name `thread`, which calls `reload` after each change, once no more events follow. The
    /// thread ends when `owner`, which must contain the [`WatchedFolders`], is dropped.
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
/// ancestor, and the folder of the file to which its path finally resolves. If the path contains symbolic links, also
/// returns the folders of these links and of their targets.
pub fn of_file(file: &Path) -> impl Iterator<Item = PathBuf> {
    let links = file.ancestors().filter(|part| part.is_symlink());
    let ends = links.clone().filter_map(|link| nearest_to(link.parent()?.join(link.read_link().ok()?).parent()?));
    let real = file.canonicalize().ok().and_then(|real| Some(real.parent()?.to_owned()));
    links.chain([file]).filter_map(|part| nearest_to(part.parent()?)).chain(ends).chain(real)
}

/// Returns the folder if it exists. Otherwise returns its nearest existing ancestor, in which the new folder becomes
/// visible when it is created.
pub(crate) fn nearest_to(folder: &Path) -> Option<PathBuf> {
    let named = |folder: &Path| if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder.to_owned() };
    folder.ancestors().map(named).find(|folder| folder.is_dir())
}
