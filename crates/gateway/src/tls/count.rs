//! Metrics of certificates and TLS handshakes for operators, as gauges and a counter of the crate `metrics`.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use metrics::{counter, describe_counter, describe_gauge, gauge};
use tokio_rustls::rustls::{CertificateError, Error, InvalidMessage};

const REFUSED: &str = "error_envelope_certificate_refused";
const NOT_AFTER: &str = "error_envelope_certificate_not_after_timestamp_seconds";
const FAILED: &str = "error_envelope_tls_handshakes_failed_total";

const NO_CERTIFICATE: &str = "no_certificate";
const CERTIFICATE_EXPIRED: &str = "certificate_expired";
const CERTIFICATE_UNKNOWN: &str = "certificate_unknown";
const TOO_LARGE: &str = "too_large";
const OF_CERTIFICATES: [&str; 4] = [NO_CERTIFICATE, CERTIFICATE_EXPIRED, CERTIFICATE_UNKNOWN, TOO_LARGE];

/// The label for a handshake that took too long.
pub(crate) const TOO_SLOW: &str = "too_slow";

/// Registers the descriptions of the metrics in this module with the installed recorder.
pub(crate) fn describe() {
    describe_gauge!(
        REFUSED,
        "1 while the certificate files on disk are rejected and the old certificate stays active, else 0."
    );
    describe_gauge!(NOT_AFTER, "Earliest expiry in the active certificate chain, in seconds since the Unix epoch.");
    describe_counter!(FAILED, "Failed TLS handshakes of clients, by reason.");
}

/// Records that a certificate became active. `not_after` is in seconds since the Unix epoch, or `None` if the chain has
/// no expiry.
pub(super) fn record_active_certificate(not_after: Option<i64>) {
    gauge!(REFUSED).set(0.0);
    if let Some(not_after) = not_after {
        // An `f64` represents each second exactly up to the year 285 million.
        #[allow(clippy::cast_precision_loss)]
        gauge!(NOT_AFTER).set(not_after as f64);
    }
}

/// Records that the certificate files were rejected and the old certificate stays active.
pub(super) fn record_rejected_certificate() {
    gauge!(REFUSED).set(1.0);
}

/// Counts a failed TLS handshake with a client.
pub(crate) fn record_failed_handshake(reason: &'static str) {
    counter!(FAILED, "reason" => reason).increment(1);
}

/// Returns the label for the reason why a handshake failed:
///
/// - `alert`: the client refused the handshake, for example because it does not trust the certificate.
/// - `incompatible`: client and gateway have no TLS version or cipher in common.
/// - `no_tls`: the client sent bytes that are not TLS.
/// - `gone`: the client disconnected.
/// - `no_certificate`, `certificate_expired`, `certificate_unknown` and `too_large` concern the client's certificate.
pub(crate) fn reason(error: &io::Error) -> &'static str {
    match error.get_ref().and_then(|error| error.downcast_ref::<Error>()) {
        None => "gone",
        Some(Error::AlertReceived(_)) => "alert",
        Some(Error::PeerIncompatible(_)) => "incompatible",
        Some(Error::NoCertificatesPresented) => NO_CERTIFICATE,
        Some(Error::InvalidCertificate(
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. },
        )) => CERTIFICATE_EXPIRED,
        Some(Error::InvalidCertificate(_)) => CERTIFICATE_UNKNOWN,
        Some(Error::InvalidMessage(
            InvalidMessage::HandshakePayloadTooLarge | InvalidMessage::CertificatePayloadTooLarge,
        )) => TOO_LARGE,
        Some(Error::InvalidMessage(_)) => "no_tls",
        Some(_) => "other",
    }
}

/// The reasons for refusing a client's certificate that were already logged.
#[derive(Default)]
pub(super) struct RefusedClients([AtomicBool; OF_CERTIFICATES.len()]);

impl RefusedClients {
    pub(super) fn is_first_of(&self, reason: &str) -> bool {
        let seen = OF_CERTIFICATES.iter().zip(&self.0).find(|(known, _)| **known == reason);
        seen.is_some_and(|(_, seen)| !seen.swap(true, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests;
