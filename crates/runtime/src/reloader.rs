//! Reloads a policy when its files change (rules M2, M3).
//!
//! 1. The folders of all files are watched, and the folders of every symbolic link that leads to them. The reason is
//!    that editors and deployments rename files, and Kubernetes replaces a symbolic link. Folders in which an included
//!    file may appear are also watched. If such a folder does not exist, its nearest existing ancestor is watched.
//! 2. After a change, once no more events follow, all files are read again. A valid policy applies to all requests that
//!    begin afterwards. If a file is refused, missing or unreadable, the old policy stays active, and the rejection is
//!    logged and counted once. Until the error is corrected, the folders of the wrong or missing files, or their
//!    nearest existing ancestors, are also watched.
//!
//! The thread that waits for changes ends when the last layer and service with this policy is dropped.

use std::collections::BTreeSet;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;

use crate::folders::{self, WatchedFolders};
use crate::status::{PolicyRejection, PolicyStatus};
use crate::{clock, log};
use error_envelope_core::loader::{PolicyFile, PolicyLoader};
use error_envelope_core::policy::{Policy, PolicyError};

/// The active policy, and the file from which it is read.
pub(crate) struct PolicyReloader {
    active: ArcSwap<Policy>,
    path: PathBuf,
    loader: PolicyLoader,
    /// Locked while the files are read, so that an older content never replaces a newer one.
    folders: Mutex<WatchedFolders>,
    /// The lock is never held while files are read.
    status: Mutex<PolicyStatus>,
}

impl PolicyReloader {
    /// Reads a policy file, and then watches it.
    pub(crate) fn new(path: &Path, loader: PolicyLoader) -> Result<Arc<Self>, PolicyError> {
        let (mut folders, changes) = WatchedFolders::new().map_err(|error| unwatchable(path, error))?;
        let (file, watched) = folders.read(|folders| read(path, &loader, folders));
        let file = file?;
        watched.map_err(|error| unwatchable(path, error))?;
        let status = status_of(file, None);
        let active = ArcSwap::new(status.policy.clone());
        let (folders, status) = (Mutex::new(folders), Mutex::new(status));
        let watched = Arc::new(Self { active, path: path.to_owned(), loader, folders, status });
        let reload = |watched: &Self| drop(watched.reload());
        changes.follow("error-envelope-policy", &watched, reload).map_err(|error| unwatchable(path, error))?;
        Ok(watched)
    }

    pub(crate) fn policy(&self) -> Arc<Policy> {
        self.active.load_full()
    }

    /// Returns the active policy, with its age, its files and the last rejection.
    pub(crate) fn status(&self) -> PolicyStatus {
        self.locked_status().clone()
    }

    /// Reads the files again. Returns true if a different policy is active now, or if files that were refused are valid again.
    pub(crate) fn reload(&self) -> Result<bool, PolicyError> {
        let mut folders = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        let (file, watched) = folders.read(|folders| read(&self.path, &self.loader, folders));
        if let Err(error) = watched {
            log::log_unwatched(&self.path, &error);
        }
        file.map(|file| self.apply(file)).inspect_err(|error| self.refuse(error))
    }

    fn refuse(&self, error: &PolicyError) {
        let why: Arc<str> = error.to_string().into();
        let mut status = self.locked_status();
        let lasting = status.rejection.take().filter(|past| past.is_current);
        let is_known = lasting.as_ref().is_some_and(|past| past.why == why);
        let since = lasting.map_or_else(clock::now, |rejection| rejection.since);
        status.rejection = Some(PolicyRejection { since, why, is_current: true });
        drop(status);
        if !is_known {
            log::log_policy_refused(&self.path, error);
        }
    }

    fn apply(&self, file: PolicyFile) -> bool {
        let mut status = self.locked_status();
        let is_active = status.policy.summary().hash() == file.policy().summary().hash();
        let rejection = status.rejection.take();
        let was_refused = rejection.as_ref().is_some_and(|past| past.is_current);
        let rejection = rejection.map(|past| PolicyRejection { is_current: false, ..past });
        if is_active {
            status.rejection = rejection;
        } else {
            *status = status_of(file, rejection);
            self.active.store(status.policy.clone());
        }
        let policy = status.policy.clone();
        drop(status);
        let is_news = was_refused || !is_active;
        if is_news {
            log::log_policy_reloaded(&policy);
        }
        is_news
    }

    fn locked_status(&self) -> MutexGuard<'_, PolicyStatus> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads the policy's files, and watches the folders in which the next change will be visible.
fn read(
    path: &Path,
    loader: &PolicyLoader,
    folders: &mut WatchedFolders,
) -> (Result<PolicyFile, PolicyError>, Result<(), notify::Error>) {
    let file = loader.load(path);
    let watched = match &file {
        Ok(file) => folders.watch(folders_of(file)),
        Err(error) => folders.watch_also(folders_to_mend(error)),
    };
    (file, watched)
}

/// Returns the status of a policy that is active from now on.
fn status_of(file: PolicyFile, rejection: Option<PolicyRejection>) -> PolicyStatus {
    let files = file.files().map(Path::to_owned).collect();
    PolicyStatus { since: clock::now(), files, policy: Arc::new(file.into_policy()), rejection }
}

/// Returns the folders in which a change of the policy is visible.
fn folders_of(file: &PolicyFile) -> BTreeSet<PathBuf> {
    file.folders().filter_map(folders::nearest_to).chain(file.files().flat_map(folders::of_file)).collect()
}

/// Returns the folders in which the correction of a policy's error will be visible.
fn folders_to_mend(error: &PolicyError) -> BTreeSet<PathBuf> {
    let paths = error.file().map(Path::new).into_iter().chain(error.missing());
    paths.flat_map(folders::of_file).collect()
}

fn unwatchable(path: &Path, error: impl Error + Send + Sync + 'static) -> PolicyError {
    PolicyError::unwatchable(&path.display().to_string(), error)
}
