//! What whoever is on call sees of certificates and handshakes: gauges and a counter of the crate `metrics`.

use std::io;

use metrics::{counter, describe_counter, describe_gauge, gauge};
use tokio_rustls::rustls::Error;

const REFUSED: &str = "error_envelope_certificate_refused";
const NOT_AFTER: &str = "error_envelope_certificate_not_after_timestamp_seconds";
const FAILED: &str = "error_envelope_tls_handshakes_failed_total";

/// Why a handshake came to nothing.
pub(crate) const TOO_SLOW: &str = "too_slow";

/// Says to the recorder that is installed what they are.
pub(crate) fn describe() {
    describe_gauge!(
        REFUSED,
        "1 while the certificate files on disk are rejected and the old certificate stays active, else 0."
    );
    describe_gauge!(NOT_AFTER, "Expiry of the first certificate of the active chain, in seconds since the Unix epoch.");
    describe_counter!(FAILED, "Failed TLS handshakes of clients, by reason.");
}

/// `not_after` is in seconds since the Unix epoch, where the chain says it.
pub(super) fn taken(not_after: Option<i64>) {
    gauge!(REFUSED).set(0.0);
    if let Some(not_after) = not_after {
        // Exact until the year 285 million.
        #[allow(clippy::cast_precision_loss)]
        gauge!(NOT_AFTER).set(not_after as f64);
    }
}

pub(super) fn refused() {
    gauge!(REFUSED).set(1.0);
}

pub(crate) fn failed(reason: &'static str) {
    counter!(FAILED, "reason" => reason).increment(1);
}

/// `alert`: the client refused, as where it does not trust the certificate. `incompatible`: no version or cipher in common.
/// `no_tls`: what came is none. `gone`: the client went away.
pub(crate) fn reason(error: &io::Error) -> &'static str {
    match error.get_ref().and_then(|error| error.downcast_ref::<Error>()) {
        None => "gone",
        Some(Error::AlertReceived(_)) => "alert",
        Some(Error::PeerIncompatible(_)) => "incompatible",
        Some(Error::InvalidMessage(_)) => "no_tls",
        Some(_) => "other",
    }
}

#[cfg(test)]
mod tests;
