//! TLS for clients: a certificate and its key, read anew when their files change.
//!
//! 1. At the start both must be there, and fit: else the gateway does not start.
//! 2. Later a pair that is right takes effect with the next handshake; connections that there are stay as they are. Nobody
//!    resumes a session of the old certificate: each pair has its own memory of sessions.
//! 3. A pair that cannot be read or does not fit leaves the old one in force, and is logged once with what and where: a
//!    deployment that replaces the two files one after the other does not fit in between.
//!
//! [`pair`] reads the files, [`watch`] knows when, [`count`] tells whoever is on call.

pub(crate) mod count;
mod pair;
mod watch;

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

pub(crate) use self::pair::Pair;
use self::pair::Read;
use crate::failure::Failure;

/// The certificate in force, and where it is read from.
pub(crate) struct Tls {
    pair: Pair,
    in_force: RwLock<Arc<ServerConfig>>,
    /// Of what was read last. Held while it is read, so that two readers do not overtake each other.
    last: Mutex<Outcome>,
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
        let last = Mutex::new(Outcome::Taken(fingerprint));
        let tls = Arc::new(Self { pair, in_force: RwLock::new(config), last });
        watch::start(&tls)?;
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
        match self.pair.read() {
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
}
