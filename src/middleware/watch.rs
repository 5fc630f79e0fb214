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
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use arc_swap::ArcSwap;

use super::folders::{self, Folders};
use super::standing::{PolicyInForce, Refusal};
use super::{id, log};
use crate::loader::{PolicyFile, PolicyLoader};
use crate::policy::{Policy, PolicyError};

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
    folders: Folders,
}

#[derive(PartialEq, Eq)]
enum Outcome {
    Taken(u64),
    Refused(String),
}

impl Watched {
    /// Reads a policy file, and watches it from then on.
    pub(super) fn new(path: &Path, loader: PolicyLoader) -> Result<Arc<Self>, PolicyError> {
        let (mut folders, changes) = Folders::new().map_err(|error| unwatchable(path, error))?;
        let file = loader.load(path)?;
        folders.watch(folders_of(&file)).map_err(|error| unwatchable(path, error))?;
        let outcome = Outcome::Taken(file.fingerprint());
        let state = State { outcome, since: id::now(), files: files_of(&file), refusal: None, folders };
        let in_force = ArcSwap::from_pointee(file.into_policy());
        let watched = Arc::new(Self { in_force, path: path.to_owned(), loader, state: Mutex::new(state) });
        let reload = |watched: &Self| drop(watched.reload());
        changes.follow("error-envelope-policy", &watched, reload).map_err(|error| unwatchable(path, error))?;
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
        match state.folders.read(|folders| self.load(folders)) {
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
    fn load(&self, folders: &mut Folders) -> Result<PolicyFile, PolicyError> {
        let loaded = self.loader.load(&self.path);
        let watching = match &loaded {
            Ok(file) => folders.watch(folders_of(file)),
            Err(error) => folders.watch_also(folders_to_mend(error)),
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

fn files_of(file: &PolicyFile) -> Arc<[PathBuf]> {
    file.files().map(Path::to_owned).collect()
}

/// The folders in which a change of the policy shows.
fn folders_of(file: &PolicyFile) -> BTreeSet<PathBuf> {
    file.folders().filter_map(folders::nearest_to).chain(file.files().flat_map(folders::of_file)).collect()
}

/// The folders in which it shows that what was wrong is right.
fn folders_to_mend(error: &PolicyError) -> BTreeSet<PathBuf> {
    let paths = error.file().map(Path::new).into_iter().chain(error.missing());
    paths.filter_map(|path| folders::nearest_to(path.parent()?)).collect()
}

fn unwatchable(path: &Path, error: impl std::error::Error + Send + Sync + 'static) -> PolicyError {
    PolicyError::unwatchable(&path.display().to_string(), error)
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").field("path", &self.path).field("policy", &self.policy()).finish_non_exhaustive()
    }
}
