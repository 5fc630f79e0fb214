//! Counters (rule L2), by the crate `metrics`: what it records into is the application's choice.
//!
//! | counter | labels |
//! |---|---|
//! | `error_envelope_errors_total` | `code`, `status`, `would_be_status`, `origin`, `route`, `mode` |
//! | `error_envelope_policy_reloads_total` | `outcome`: `taken` or `refused` |
//!
//! Labels are bounded: a route is its pattern, never a path; a code that is neither the catalogue's nor the policy's is
//! `foreign`. Without the feature `metrics` nothing is counted.

#[cfg(feature = "metrics")]
pub(super) fn error(event: &crate::exchange::Event) {
    use metrics::SharedString;

    let code = match event.code() {
        Some(code) if code.is_foreign() => SharedString::const_str("foreign"),
        Some(code) => code.static_name().map_or_else(|| code.as_str().to_owned().into(), SharedString::const_str),
        None => SharedString::const_str("none"),
    };
    let status = SharedString::const_str(event.status().map_or("none", text_of));
    let would_be = SharedString::const_str(event.would_be().map_or("none", text_of));
    let route = event.shared_route().map_or(SharedString::const_str("none"), SharedString::from_shared);
    let (origin, mode) = (event.origin().as_str(), event.mode().as_str());
    metrics::counter!(
        "error_envelope_errors_total",
        "code" => code, "status" => status, "would_be_status" => would_be, "origin" => origin, "route" => route, "mode" => mode
    )
    .increment(1);
}

/// The digits, which outlive the event: nothing is allocated where nobody counts.
#[cfg(feature = "metrics")]
fn text_of(status: http::StatusCode) -> &'static str {
    static TEXTS: std::sync::LazyLock<Vec<String>> =
        std::sync::LazyLock::new(|| (0..1000).map(|status| status.to_string()).collect());

    TEXTS.get(usize::from(status.as_u16())).map_or("none", String::as_str)
}

#[cfg(not(feature = "metrics"))]
pub(super) fn error(_: &crate::exchange::Event) {}

#[cfg(all(feature = "metrics", feature = "policy-file"))]
pub(super) fn reload(outcome: &'static str) {
    metrics::counter!("error_envelope_policy_reloads_total", "outcome" => outcome).increment(1);
}

#[cfg(all(not(feature = "metrics"), feature = "policy-file"))]
pub(super) fn reload(_: &'static str) {}
