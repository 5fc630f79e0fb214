//! TLS for clients. The certificate and its key are reloaded when their files change.
//!
//! 1. At the start, both files must be readable, and the key must belong to the certificate. Otherwise the gateway does
//!    not start.
//! 2. After a change, a valid pair of certificate and key takes effect with the next handshake. Existing connections
//!    keep the old certificate. No client resumes a session of the old certificate, because each pair stores its own
//!    sessions.
//! 3. If the new files cannot be read, or the key does not belong to the certificate, the old pair stays active, and
//!    the error is logged once. This also happens during a deployment that replaces one file after the other.
//! 4. As for a policy, the folders of both files, and of every symbolic link that leads to them, are watched.
//!
//! [`pair`] reads the files, and [`count`] records metrics for operators.

pub(crate) mod count;
pub(crate) mod pair;

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use error_envelope_admin::{CertificateStatus, Connection, Handshake};
use error_envelope_runtime::files::{self, WatchedFolders};
use humantime::format_rfc3339_seconds;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use self::pair::{Pair, Read};
use crate::error::Error;
use crate::tls::pair::ClientAuthorities;

/// TLS for clients, with a certificate and its key in two PEM files. The files are reloaded when they change.
pub struct ServerTls {
    pair: Pair,
    active: RwLock<Active>,
    /// Locked while the files are read, so that an older pair never replaces a newer one.
    folders: Mutex<WatchedFolders>,
    /// The result of the last reload.
    last: Mutex<LastReload>,
    refused: count::RefusedClients,
    /// True if the metrics describe this certificate. The metrics have no label that distinguishes several
    /// certificates.
    is_counted: bool,
}

const LOG: &str = "error_envelope::gateway::tls";

/// A certificate that expires within this time causes a warning. The alert for certificates uses the same time.
const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The TLS configuration for the next handshake, and the earliest expiry in its certificate chain, in seconds since the
/// Unix epoch.
struct Active(Arc<ServerConfig>, Option<i64>);

#[derive(PartialEq, Eq)]
enum LastReload {
    Taken(u64),
    Refused(Error),
}

impl ServerTls {
    /// Reads the certificate chain and its key, and then watches their files. If `clients` is set, the gateway requests
    /// client certificates of these authorities, and also watches the authorities' file.
    ///
    /// # Errors
    /// Returns an error if a file cannot be read or watched, or if the key does not match the certificate. Also returns
    /// an error if the authorities' file contains no certificate.
    pub fn watch(
        certificate: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
        clients: Option<ClientAuthorities>,
    ) -> Result<Arc<Self>, Error> {
        Self::watch_pair(Pair { certificate: certificate.into(), key: key.into(), clients }, true)
    }

    /// Creates TLS for an admin address. Works like [`ServerTls::watch`], but without client certificates and metrics.
    ///
    /// # Errors
    /// Returns the same errors as [`ServerTls::watch`].
    pub fn watch_admin(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Result<Arc<Self>, Error> {
        Self::watch_pair(Pair { certificate: certificate.into(), key: key.into(), clients: None }, false)
    }

    fn watch_pair(pair: Pair, is_counted: bool) -> Result<Arc<Self>, Error> {
        let unwatchable =
            |error: &dyn std::fmt::Display| Error::unreadable(format!("{pair}: cannot be watched: {error}"));
        let (mut folders, changes) = WatchedFolders::new().map_err(|error| unwatchable(&error))?;
        folders.watch(folders_of(&pair)).map_err(|error| unwatchable(&error))?;
        let Read { config, fingerprint, not_after } = pair.read()?;
        if is_counted {
            count::record_active_certificate(not_after);
        }
        warn_of_expiry(&pair, not_after);
        let last = Mutex::new(LastReload::Taken(fingerprint));
        let refused = count::RefusedClients::default();
        let tls = Arc::new(Self {
            pair,
            active: RwLock::new(Active(config, not_after)),
            folders: Mutex::new(folders),
            last,
            refused,
            is_counted,
        });
        changes.follow("error-envelope-tls", &tls, Self::reload).map_err(|error| {
            Error::unreadable(format!("cannot start the thread that watches the certificate files: {error}"))
        })?;
        Ok(tls)
    }

    /// Returns the acceptor for the next handshake, with the active certificate.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        Arc::clone(&self.active.read().unwrap_or_else(PoisonError::into_inner).0).into()
    }

    /// Returns a function that returns the state of the certificate, for
    /// [`Admin::show_certificate`](error_envelope_admin::Admin::show_certificate).
    pub fn statuses(self: &Arc<Self>) -> impl Fn() -> CertificateStatus + Send + use<> {
        let tls = Arc::clone(self);
        move || tls.status()
    }

    pub(crate) fn status(&self) -> CertificateStatus {
        let not_after = self.active.read().unwrap_or_else(PoisonError::into_inner).1.and_then(time_of);
        let rejection = match &*self.last.lock().unwrap_or_else(PoisonError::into_inner) {
            LastReload::Refused(error) => Some(error.to_string()),
            LastReload::Taken(_) => None,
        };
        CertificateStatus { files: self.pair.own_files(), not_after, rejection }
    }

    /// Returns the handshake for an admin address. It offers only HTTP/1.1, because the admin address serves no other
    /// version.
    #[must_use]
    pub fn handshake(self: Arc<Self>) -> Handshake {
        Arc::new(move |stream| {
            let mut config = ServerConfig::clone(self.acceptor().config());
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
            let accepted = TlsAcceptor::from(Arc::new(config)).accept(stream);
            Box::pin(async { Ok(Box::new(accepted.await?) as Box<dyn Connection>) })
        })
    }

    /// Counts a failed handshake, and logs it. A refused client certificate is logged as a warning only once for each
    /// reason. So the operator sees the reason, but clients cannot fill the log.
    pub(crate) fn record_failed_handshake(&self, error: &io::Error) {
        let reason = count::reason(error);
        count::record_failed_handshake(reason);
        if self.refused.is_first_of(reason) {
            tracing::warn!(target: LOG, %error, reason, "refused a client's certificate; further refusals for \
                                                         this reason are only counted");
        } else {
            tracing::debug!(target: LOG, %error, reason, "TLS handshake with a client failed");
        }
    }

    /// Reads the files again, and logs changes. This blocks the thread until the files are read or reading has failed.
    pub fn reload(&self) {
        let mut folders = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        // If a symbolic link has changed, the files are in other folders than before. These folders are watched before
        // the files are read. So a change after the read causes an event.
        if let Err(error) = folders.watch(folders_of(&self.pair)) {
            tracing::warn!(target: LOG, %error, files = %self.pair, "cannot watch the certificate files; send SIGHUP to reload them");
        }
        match self.pair.read() {
            Ok(read) => self.activate(read),
            Err(error) => self.reject(error),
        }
    }

    /// Makes a new certificate active, and logs it once.
    fn activate(&self, Read { config, fingerprint, not_after }: Read) {
        if self.is_counted {
            count::record_active_certificate(not_after);
        }
        if self.is_new(LastReload::Taken(fingerprint)) {
            *self.active.write().unwrap_or_else(PoisonError::into_inner) = Active(config, not_after);
            let expires = not_after.and_then(time_of).map(|at| tracing::field::display(format_rfc3339_seconds(at)));
            tracing::info!(target: LOG, files = %self.pair, expires, "reloaded the certificate");
            warn_of_expiry(&self.pair, not_after);
        }
    }

    /// Keeps the old certificate, and logs the error once.
    fn reject(&self, error: Error) {
        if self.is_counted {
            count::record_rejected_certificate();
        }
        let why = error.to_string();
        if self.is_new(LastReload::Refused(error)) {
            tracing::error!(target: LOG, error = why, "rejected the new certificate; the old one stays active");
        }
    }

    fn is_new(&self, outcome: LastReload) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = *last != outcome;
        *last = outcome;
        is_new
    }
}

/// Logs a warning if a certificate has expired or expires soon. The certificate stays active, because the clock may be
/// wrong, and some clients may still accept the certificate.
fn warn_of_expiry(pair: &Pair, not_after: Option<i64>) {
    let Some(at) = not_after.and_then(time_of) else { return };
    let (left, at) = (at.duration_since(SystemTime::now()), format_rfc3339_seconds(at));
    match left {
        Err(_) => {
            tracing::warn!(target: LOG, files = %pair.own_files(), expired = %at, "the active certificate has expired; replace it")
        }
        Ok(left) if left < WEEK => {
            tracing::warn!(target: LOG, files = %pair.own_files(), expires = %at, "the active certificate expires within a week; replace it");
        }
        Ok(_) => {}
    }
}

/// Converts seconds since the Unix epoch to a time.
fn time_of(second: i64) -> Option<SystemTime> {
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(u64::try_from(second).ok()?))
}

fn folders_of(pair: &Pair) -> BTreeSet<PathBuf> {
    let clients = pair.clients.as_ref().map(|clients| &clients.file);
    [&pair.certificate, &pair.key].into_iter().chain(clients).flat_map(|file| files::of_file(file)).collect()
}
