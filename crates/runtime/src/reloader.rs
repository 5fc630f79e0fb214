//! A policy that is read again when its files change (rules M2, M3).
//!
//! 1. The folders of all files are watched, and those of every symbolic link on the way to them: editors and deployments replace
//!    files by renaming, Kubernetes swaps a link. So are the folders in which an included file may appear, or their nearest
//!    existing ancestors.
//! 2. Once the folders are quiet, all files are read anew by [`crate::file_reader`]: no lock is held meanwhile. A valid policy
//!    takes effect between two requests; one that is refused, missing, or cannot be read leaves the old one active, and is logged
//!    and counted once. Until it is corrected the folders of the wrong or missing files are watched, too, or their nearest
//!    existing ancestors.
//!
//! The thread that waits ends with the last service and layer.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use arc_swap::ArcSwap;

use crate::file_reader::{FileReader, Look, Patience, Progress, Unread};
use crate::folders::{self, WatchedFolders};
use crate::status::{PolicyRejection, PolicyStatus};
use crate::{clock, log};
use error_envelope_core::loader::OutlineTable;
use error_envelope_core::loader::{PolicyFile, PolicyLoader, PolicyReading};
use error_envelope_core::policy::{Policy, PolicyError};

/// The active policy, and where it is read from.
pub(crate) struct PolicyReloader {
    in_force: ArcSwap<Policy>,
    path: PathBuf,
    reader: FileReader<Content>,
    /// Held for moments alone.
    state: Mutex<State>,
}

type Content = Result<PolicyFile, PolicyError>;

struct State {
    /// The result of the last read.
    outcome: Outcome,
    /// Since when the policy stays active.
    since: SystemTime,
    /// The files that it was read from.
    files: Arc<[PathBuf]>,
    /// The settings in those files.
    outline: Arc<[OutlineTable]>,
    rejection: Option<PolicyRejection>,
}

#[derive(PartialEq, Eq)]
enum Outcome {
    Taken(u64),
    Refused(String),
}

impl PolicyReloader {
    /// Reads a policy file, and watches it from then on.
    pub(crate) fn new(path: &Path, loader: PolicyLoader) -> Result<Arc<Self>, PolicyError> {
        let unwatchable = |error| unwatchable(path, error);
        let named = path.to_owned();
        let reader = FileReader::new(move |folders, progress| look(&named, &loader, folders, progress));
        let (reader, changes) = reader.map_err(unwatchable)?;
        let look = reader.read(&Patience::START, |read| read.map_err(|unread| self::unread(path, unread)))?;
        let file = look.content?;
        look.watched.map_err(unwatchable)?;
        let outcome = Outcome::Taken(file.fingerprint());
        let (files, outline) = (files_of(&file), file.outline().into());
        let state = Mutex::new(State { outcome, since: clock::now(), files, outline, rejection: None });
        let in_force = ArcSwap::from_pointee(file.into_policy());
        let watched = Arc::new(Self { in_force, path: path.to_owned(), reader, state });
        let reload = |watched: &Self| drop(watched.read(&Patience::CHANGED));
        changes
            .follow("error-envelope-policy", &watched, reload)
            .map_err(|error| PolicyError::unwatchable(&path.display().to_string(), error))?;
        Ok(watched)
    }

    pub(crate) fn policy(&self) -> Arc<Policy> {
        self.in_force.load_full()
    }

    /// The active policy, and how it became active.
    pub(crate) fn status(&self) -> PolicyStatus {
        let state = self.state();
        PolicyStatus {
            policy: self.policy(),
            since: state.since,
            files: state.files.clone(),
            outline: state.outline.clone(),
            rejection: state.rejection.clone(),
        }
    }

    /// Reads the files anew; returns whether another policy is active now.
    pub(crate) fn reload(&self) -> Result<bool, PolicyError> {
        self.read(&Patience::ASKED)
    }

    fn read(&self, patience: &Patience) -> Result<bool, PolicyError> {
        self.reader.read(patience, |read| match read {
            Ok(Look { content, watched, .. }) => {
                if let Err(error) = watched {
                    log::log_unwatched(&self.path, &error);
                }
                content.map(|file| self.apply(file)).inspect_err(|error| self.refuse(error))
            }
            // The thread that reads them has a result soon.
            Err(Unread::Busy) => Err(unread(&self.path, Unread::Busy)),
            Err(unread) => Err(self::unread(&self.path, unread)).inspect_err(|error| self.refuse(error)),
        })
    }

    fn refuse(&self, error: &PolicyError) {
        let why = error.to_string();
        let outcome = Outcome::Refused(why.clone());
        let mut state = self.state();
        if state.outcome != outcome {
            state.outcome = outcome;
            state.rejection = Some(PolicyRejection { at: clock::now(), why: why.into(), is_current: true });
            drop(state);
            log::log_policy_refused(&self.path, error);
        }
    }

    fn apply(&self, file: PolicyFile) -> bool {
        let outcome = Outcome::Taken(file.fingerprint());
        let mut state = self.state();
        if state.outcome == outcome {
            return false;
        }
        state.outcome = outcome;
        (state.since, state.files) = (clock::now(), files_of(&file));
        state.outline = file.outline().into();
        if let Some(rejection) = &mut state.rejection {
            rejection.is_current = false;
        }
        let policy = Arc::new(file.into_policy());
        self.in_force.store(policy.clone());
        drop(state);
        log::log_policy_reloaded(&policy);
        true
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads the files, and watches where the next change will show.
fn look(path: &Path, loader: &PolicyLoader, folders: &mut WatchedFolders, progress: &Progress) -> Look<Content> {
    let PolicyReading { file: content, texts, files } = loader.read(path, &|has_file| progress.computes(has_file));
    progress.computes(false);
    let watched = match &content {
        Ok(file) => folders.watch(folders_of(file)),
        Err(error) => folders.watch_also(folders_to_mend(error)),
    };
    Look { content, texts, files, watched }
}

fn files_of(file: &PolicyFile) -> Arc<[PathBuf]> {
    file.files().map(Path::to_owned).collect()
}

/// The folders that show a change of the policy.
fn folders_of(file: &PolicyFile) -> BTreeSet<PathBuf> {
    file.folders().filter_map(folders::nearest_to).chain(file.files().flat_map(folders::of_file)).collect()
}

/// The folders that show the correction of an error.
fn folders_to_mend(error: &PolicyError) -> BTreeSet<PathBuf> {
    let paths = error.file().map(Path::new).into_iter().chain(error.missing());
    paths.flat_map(folders::of_file).collect()
}

fn unwatchable(path: &Path, error: notify::Error) -> PolicyError {
    PolicyError::unwatchable(&path.display().to_string(), error)
}

fn unread(path: &Path, unread: Unread) -> PolicyError {
    PolicyError::unread(&path.display().to_string(), &unread.to_string(), unread.advice())
}

impl fmt::Debug for PolicyReloader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PolicyReloader")
            .field("path", &self.path)
            .field("policy", &self.policy())
            .finish_non_exhaustive()
    }
}
