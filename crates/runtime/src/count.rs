//! Counts metrics with the crate `metrics` (rule L2). The application chooses the recorder.
//! [`describe_metrics`](crate::describe_metrics) lists the metrics. Without the feature `metrics`, nothing is counted.
//!
//! The number of different labels is limited. The label of a route is its pattern, never a path. The label of a code
//! that neither the catalogue nor the policy defines is `foreign`.

#[cfg(feature = "metrics")]
pub use described::describe;
#[cfg(feature = "metrics")]
pub(crate) use errors::record_error;
#[cfg(feature = "metrics")]
pub use errors::record_error_read;
#[cfg(feature = "metrics")]
pub use kept::keep_counters;
#[cfg(feature = "metrics")]
pub(crate) use policy::record_policy;
#[cfg(feature = "prometheus")]
pub use prometheus::{install, recorder};

#[cfg(feature = "metrics")]
mod described;
#[cfg(feature = "metrics")]
mod errors;
#[cfg(feature = "metrics")]
mod installed;
#[cfg(feature = "metrics")]
mod kept;
#[cfg(feature = "metrics")]
mod policy;
#[cfg(feature = "prometheus")]
mod prometheus;
#[cfg_attr(not(feature = "metrics"), path = "count/no_requests.rs")]
mod requests;
#[cfg(all(test, feature = "metrics"))]
mod tests;

pub use requests::{RequestMetrics, RequestTimer, Started};

#[cfg(not(feature = "metrics"))]
pub(crate) fn record_policy(_: Option<&str>) {}

#[cfg(not(feature = "metrics"))]
pub(crate) fn record_error(_: &error_envelope_core::session::ClosedRecord) {}

#[cfg(all(feature = "metrics", feature = "policy-file"))]
pub(crate) fn record_reload(outcome: &'static str) {
    metrics::counter!("error_envelope_policy_reloads_total", "outcome" => outcome).increment(1);
    metrics::gauge!("error_envelope_policy_refused").set(if outcome == "refused" { 1.0 } else { 0.0 });
}

#[cfg(all(not(feature = "metrics"), feature = "policy-file"))]
pub(crate) fn record_reload(_: &'static str) {}

#[cfg(all(feature = "metrics", feature = "jwks-url"))]
pub(crate) fn record_key_set_fetch(outcome: &'static str) {
    metrics::counter!("error_envelope_key_set_fetches_total", "outcome" => outcome).increment(1);
}

#[cfg(all(not(feature = "metrics"), feature = "jwks-url"))]
pub(crate) fn record_key_set_fetch(_: &'static str) {}

#[cfg(feature = "metrics")]
pub(crate) fn record_switch(to: &'static str) {
    metrics::counter!("error_envelope_kill_switch_total", "to" => to).increment(1);
    record_switch_state(to == "on");
}

#[cfg(feature = "metrics")]
pub(crate) fn record_switch_state(on: bool) {
    metrics::gauge!("error_envelope_kill_switch_thrown").set(if on { 1.0 } else { 0.0 });
}

#[cfg(not(feature = "metrics"))]
pub(crate) fn record_switch(_: &'static str) {}

#[cfg(not(feature = "metrics"))]
pub(crate) fn record_switch_state(_: bool) {}
