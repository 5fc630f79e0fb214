//! TLS for clients: a certificate and its key, read anew when their files change.
//!
//! 1. At the start both must be there, and fit: else the gateway does not start.
//! 2. Later a pair that is right takes effect with the next handshake; connections that there are stay as they are. Nobody
//!    resumes a session of the old certificate: each pair has its own memory of sessions.
//! 3. A pair that cannot be read or does not fit leaves the old one in force, and is logged once with what and where: a
//!    deployment that replaces the two files one after the other does not fit in between.
//! 4. The folders of both files are watched, and those of every symbolic link on the way to them.
//!
//! [`pair`] reads the files, [`count`] tells whoever is on call.

pub(crate) mod count;
mod pair;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tower_error_envelope::adapter::folders::{self, Folders};

pub(crate) use self::pair::Pair;
use self::pair::Read;
use crate::failure::Failure;

/// The certificate in force, and where it is read from.
pub(crate) struct Tls {
    pair: Pair,
    in_force: RwLock<Arc<ServerConfig>>,
    /// Held while the files are read, so that two readers do not overtake each other.
    last: Mutex<Last>,
}

/// Of what was read last.
struct Last {
    outcome: Outcome,
    folders: Folders,
}

#[derive(PartialEq, Eq)]
enum Outcome {
    Taken(u64),
    Refused(String),
}

impl Tls {
    /// Reads the pair, and watches its files from then on.
    pub(crate) fn watching(pair: Pair) -> Result<Arc<Self>, Failure> {
        let Read { config, fingerprint, .. } = pair.read()?;
        let unwatchable = |error: &dyn std::fmt::Display| Failure::Io(format!("{pair}: cannot be watched: {error}"));
        let (mut folders, changes) = Folders::new().map_err(|error| unwatchable(&error))?;
        folders.watch(folders_of(&pair)).map_err(|error| unwatchable(&error))?;
        let last = Mutex::new(Last { outcome: Outcome::Taken(fingerprint), folders });
        let tls = Arc::new(Self { pair, in_force: RwLock::new(config), last });
        changes
            .follow("error-envelope-tls", &tls, Self::reload)
            .map_err(|error| Failure::Io(format!("a thread: {error}")))?;
        // What changed between reading and watching had no event.
        tls.reload();
        Ok(tls)
    }

    /// What answers the next handshake.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        Arc::clone(&self.in_force.read().unwrap_or_else(PoisonError::into_inner)).into()
    }

    /// Reads the files anew; logs what is new of it.
    pub(crate) fn reload(&self) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let Last { outcome: last, folders } = &mut *last;
        match folders.read(|folders| self.read(folders)) {
            Ok(Read { config, fingerprint, not_after }) => {
                count::taken(not_after);
                let outcome = Outcome::Taken(fingerprint);
                if *last != outcome {
                    *self.in_force.write().unwrap_or_else(PoisonError::into_inner) = config;
                    *last = outcome;
                    tracing::info!(files = %self.pair, "reloaded: another certificate is in force");
                }
            }
            Err(failure) => {
                count::refused();
                let outcome = Outcome::Refused(failure.why().replace("\n = help: ", "; "));
                if *last != outcome
                    && let Outcome::Refused(why) = &outcome
                {
                    tracing::error!("reload of the certificate refused: {why}; the old one stays in force");
                    *last = outcome;
                }
            }
        }
    }

    /// Watched first, so that what changes while it is read has an event. A swapped link leads to other folders.
    fn read(&self, folders: &mut Folders) -> Result<Read, Failure> {
        if let Err(error) = folders.watch(folders_of(&self.pair)) {
            tracing::warn!(%error, files = %self.pair, "the certificate is watched no more; SIGHUP reads it anew");
        }
        self.pair.read()
    }
}

fn folders_of(pair: &Pair) -> BTreeSet<PathBuf> {
    folders::of_file(&pair.certificate).chain(folders::of_file(&pair.key)).collect()
}
