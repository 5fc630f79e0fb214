//! Counts metrics with the crate `metrics` (rule L2). The application chooses the recorder.
//! [`describe_metrics`](crate::describe_metrics) lists the metrics. Without the feature `metrics`, `count/absent.rs`
//! replaces this file, and nothing is counted.
//!
//! The number of different labels is limited. The label of a route is its pattern, never a path. The label of a code
//! that neither the catalogue nor the policy defines is `foreign`.

pub use described::describe;
pub(crate) use errors::record_error;
pub use errors::record_error_read;
pub use kept::keep_counters;
pub(crate) use policy::record_policy;
#[cfg(feature = "prometheus")]
pub use prometheus::{install, recorder};
pub use requests::{RequestMetrics, RequestTimer, Started};

mod described;
mod errors;
mod installed;
mod kept;
mod policy;
#[cfg(feature = "prometheus")]
mod prometheus;
mod requests;
#[cfg(test)]
mod tests;

#[cfg(feature = "policy-file")]
pub(crate) fn record_reload(outcome: &'static str) {
    metrics::counter!("error_envelope_policy_reloads_total", "outcome" => outcome).increment(1);
    metrics::gauge!("error_envelope_policy_refused").set(if outcome == "refused" { 1.0 } else { 0.0 });
}

#[cfg(feature = "jwks-url")]
pub(crate) fn record_key_set_fetch(outcome: &'static str) {
    metrics::counter!("error_envelope_key_set_fetches_total", "outcome" => outcome).increment(1);
}

pub(crate) fn record_switch(to: &'static str) {
    metrics::counter!("error_envelope_kill_switch_total", "to" => to).increment(1);
    record_switch_state(to == "on");
}

pub(crate) fn record_switch_state(on: bool) {
    metrics::gauge!("error_envelope_kill_switch_thrown").set(if on { 1.0 } else { 0.0 });
}
