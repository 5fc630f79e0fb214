//! A policy that is read again when its files change (rules M2, M3).
//!
//! 1. The folders of all files are watched, and those of every symbolic link on the way to them: editors and
//!    deployments replace files by renaming, Kubernetes swaps a link. So are the folders in which an included file may
//!    appear, or what there is above them.
//! 2. Once the folders are quiet, all files are read anew. A policy that is right takes effect between two requests; one
//!    that is refused, or not there, leaves the old one in force, and is logged and counted once. Until it is put right
//!    the folders of what is wrong or missing are watched, too, or what there is above them.
//!
//! The thread that waits ends with the last service and layer.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use notify::{RecommendedWatcher, RecursiveMode, Watcher};

use super::standing::{PolicyInForce, Refusal};
use super::{id, log};
use crate::loader::{PolicyFile, PolicyLoader};
use crate::policy::{Policy, PolicyError};

/// A change is several events: files are read once nothing more came for so long.
const QUIET: Duration = Duration::from_millis(50);

/// Folders that are never quiet do not put a change off for ever: after so many events it is looked at.
const MOST_EVENTS: usize = 1000;

/// Folders that come faster than they are read are looked at again at their next event.
const MOST_LOOKS: usize = 16;

/// The policy that is in force, and where it is read from.
pub(super) struct Watched {
    in_force: ArcSwap<Policy>,
    path: PathBuf,
    loader: PolicyLoader,
    state: Mutex<State>,
}

struct State {
    /// Of what was read last.
    outcome: Outcome,
    /// Since when the policy is in force.
    since: SystemTime,
    /// What that was read from.
    files: Arc<[PathBuf]>,
    refusal: Option<Refusal>,
    folders: BTreeSet<PathBuf>,
    /// A folder is watched that was not.
    grew: bool,
    watcher: Option<RecommendedWatcher>,
}

#[derive(PartialEq, Eq)]
enum Outcome {
    Taken(u64),
    Refused(String),
}

impl Watched {
    /// Reads a policy file, and watches it from then on.
    pub(super) fn new(path: &Path, loader: PolicyLoader) -> Result<Arc<Self>, PolicyError> {
        let (events, woken) = channel();
        let watcher = watcher(events).map_err(|error| unwatchable(path, error))?;
        let file = loader.load(path)?;
        let folders = folders_of(&file);
        let outcome = Outcome::Taken(file.fingerprint());
        let mut state = State {
            outcome,
            since: id::now(),
            files: files_of(&file),
            refusal: None,
            folders: BTreeSet::new(),
            grew: false,
            watcher: Some(watcher),
        };
        state.watch(folders).map_err(|error| unwatchable(path, error))?;
        let in_force = ArcSwap::from_pointee(file.into_policy());
        let watched = Arc::new(Self { in_force, path: path.to_owned(), loader, state: Mutex::new(state) });
        let weak = Arc::downgrade(&watched);
        std::thread::Builder::new()
            .name("error-envelope-policy".to_owned())
            .spawn(move || wait(&woken, &weak))
            .map_err(|error| unwatchable(path, error))?;
        // What changed between reading and watching had no event.
        let _ = watched.reload();
        Ok(watched)
    }

    pub(super) fn policy(&self) -> Arc<Policy> {
        self.in_force.load_full()
    }

    /// What is in force, and how it came to be.
    pub(super) fn standing(&self) -> PolicyInForce {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        PolicyInForce {
            policy: self.policy(),
            since: state.since,
            files: state.files.clone(),
            refusal: state.refusal.clone(),
        }
    }

    /// Reads the files anew; whether another policy is in force now.
    pub(super) fn reload(&self) -> Result<bool, PolicyError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut loaded = self.load(&mut state);
        for _ in 0..MOST_LOOKS {
            // What changed between reading a folder and watching it had no event.
            if !std::mem::take(&mut state.grew) {
                break;
            }
            loaded = self.load(&mut state);
        }
        match loaded {
            Ok(file) => Ok(self.take(&mut state, file)),
            Err(error) => {
                let why = error.to_string();
                let outcome = Outcome::Refused(why.clone());
                if state.outcome != outcome {
                    state.outcome = outcome;
                    state.refusal = Some(Refusal { at: id::now(), why: why.into(), stands: true });
                    log::refused(&self.path, &error);
                }
                Err(error)
            }
        }
    }

    /// Reads the files, and watches where the next change will show.
    fn load(&self, state: &mut State) -> Result<PolicyFile, PolicyError> {
        let loaded = self.loader.load(&self.path);
        let watching = match &loaded {
            Ok(file) => state.watch(folders_of(file)),
            Err(error) => state.watch_also(folders_to_mend(error)),
        };
        if let Err(error) = watching {
            log::unwatched(&self.path, &error);
        }
        loaded
    }

    fn take(&self, state: &mut State, file: PolicyFile) -> bool {
        let outcome = Outcome::Taken(file.fingerprint());
        if state.outcome == outcome {
            return false;
        }
        state.outcome = outcome;
        (state.since, state.files) = (id::now(), files_of(&file));
        if let Some(refusal) = &mut state.refusal {
            refusal.stands = false;
        }
        let policy = Arc::new(file.into_policy());
        self.in_force.store(policy.clone());
        log::reloaded(&policy);
        true
    }
}

impl State {
    /// Watches these folders, and no other any more.
    fn watch(&mut self, folders: BTreeSet<PathBuf>) -> Result<(), notify::Error> {
        let Some(watcher) = &mut self.watcher else { return Ok(()) };
        for gone in self.folders.difference(&folders) {
            // A folder that was deleted is not watched any more.
            let _ = watcher.unwatch(gone);
        }
        self.folders.retain(|folder| folders.contains(folder));
        self.watch_also(folders)
    }

    /// Watches these folders, too.
    fn watch_also(&mut self, folders: BTreeSet<PathBuf>) -> Result<(), notify::Error> {
        let Some(watcher) = &mut self.watcher else { return Ok(()) };
        let mut failed = Ok(());
        for folder in folders {
            // Again also where it was watched: a folder that was replaced is another one under its name.
            if let Err(error) = watcher.watch(&folder, RecursiveMode::NonRecursive) {
                failed = Err(error);
            }
            self.grew |= self.folders.insert(folder);
        }
        failed
    }
}

fn watcher(events: Sender<()>) -> Result<RecommendedWatcher, notify::Error> {
    notify::recommended_watcher(move |event: Result<notify::Event, notify::Error>| {
        // Reading the files is an event, too.
        if !event.is_ok_and(|event| event.kind.is_access()) {
            let _ = events.send(());
        }
    })
}

fn wait(events: &Receiver<()>, watched: &Weak<Watched>) {
    while events.recv().is_ok() {
        for _ in 0..MOST_EVENTS {
            match events.recv_timeout(QUIET) {
                Ok(()) => {}
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
        let Some(watched) = watched.upgrade() else { return };
        let _ = watched.reload();
    }
}

fn files_of(file: &PolicyFile) -> Arc<[PathBuf]> {
    file.files().map(Path::to_owned).collect()
}

/// The folders in which a change of the policy shows.
fn folders_of(file: &PolicyFile) -> BTreeSet<PathBuf> {
    let mut folders: BTreeSet<PathBuf> = file.folders().filter_map(nearest_to).collect();
    for path in file.files() {
        folders.insert(named(path.parent().unwrap_or(Path::new(""))));
        folders.extend(path.canonicalize().ok().and_then(|real| Some(real.parent()?.to_owned())));
        let links = path.ancestors().filter(|part| part.is_symlink());
        folders.extend(links.filter_map(|link| Some(named(link.parent()?))));
    }
    folders
}

/// The folders in which it shows that what was wrong is right.
fn folders_to_mend(error: &PolicyError) -> BTreeSet<PathBuf> {
    let paths = error.file().map(Path::new).into_iter().chain(error.missing());
    paths.filter_map(|path| nearest_to(path.parent()?)).collect()
}

/// The folder, or what there is above it: where it shows that it is there.
fn nearest_to(folder: &Path) -> Option<PathBuf> {
    folder.ancestors().map(named).find(|folder| folder.is_dir())
}

fn named(folder: &Path) -> PathBuf {
    if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder.to_owned() }
}

fn unwatchable(path: &Path, error: impl std::error::Error + Send + Sync + 'static) -> PolicyError {
    PolicyError::unwatchable(&path.display().to_string(), error)
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").field("path", &self.path).field("policy", &self.policy()).finish_non_exhaustive()
    }
}
