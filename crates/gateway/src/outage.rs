//! Services that cannot be reached: since when, why, and for how many requests. The log has one line at each change, and the
//! admin page shows the outages that last.
//!
//! An outage begins with a request for which no connection could be opened, and ends with the next response.

use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use error_envelope_admin::Outage;
use error_envelope_core::cause;
use error_envelope_core::session::{ProxyError, ProxyFailure};

/// Whether one service can be reached.
#[derive(Debug, Default)]
pub(crate) struct Reachability {
    /// Read by each request, so that a service without an outage costs no lock.
    is_out: AtomicBool,
    outage: Mutex<Option<Outage>>,
}

impl Reachability {
    /// Notes the outcome of a request to this service.
    pub(crate) fn note<T>(&self, service: &str, outcome: Result<&T, &(dyn Error + 'static)>) {
        match outcome {
            Ok(_) if self.is_out.load(Relaxed) => self.end(),
            Ok(_) => {}
            Err(error) => unreachable_because(error).into_iter().for_each(|reason| self.add(service, reason)),
        }
    }

    /// The outage that lasts.
    pub(crate) fn outage(&self) -> Option<Outage> {
        self.lock().clone()
    }

    fn add(&self, service: &str, reason: &str) {
        let (mut outage, now) = (self.lock(), SystemTime::now());
        let begins = outage.is_none();
        let known = outage.get_or_insert_with(|| Outage {
            service: service.to_owned(),
            since: now,
            last: now,
            reason: String::new(),
            requests: 0,
        });
        known.requests += 1;
        known.last = now;
        reason.clone_into(&mut known.reason);
        self.is_out.store(true, Relaxed);
        drop(outage);
        if begins {
            tracing::warn!(target: "error_envelope::gateway::outage", upstream = service, reason, "cannot reach the service");
        }
    }

    fn end(&self) {
        let ended = self.lock().take();
        self.is_out.store(false, Relaxed);
        if let Some(Outage { service, since, requests, .. }) = ended {
            let seconds = since.elapsed().unwrap_or_default().as_secs();
            tracing::info!(
                target: "error_envelope::gateway::outage",
                upstream = service, requests, seconds, "the service can be reached again"
            );
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Outage>> {
        self.outage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why no connection was opened; `None` if one was.
fn unreachable_because<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a str> {
    let failure = cause::find::<ProxyFailure>(error)?;
    let is_unreachable = matches!(
        failure.kind(),
        ProxyError::DnsTimeout
            | ProxyError::DnsError
            | ProxyError::DestinationUnavailable
            | ProxyError::ConnectionRefused
            | ProxyError::ConnectionTimeout
            | ProxyError::TlsCertificateError
            | ProxyError::TlsProtocolError
    );
    // The address is known here.
    let text = failure.text();
    let reason = text.strip_prefix("cannot connect to ").and_then(|rest| rest.split_once(": ")).map_or(text, |it| it.1);
    is_unreachable.then_some(reason)
}
