//! A recorder for what this process counts.

use error_envelope_runtime::describe_metrics;
use metrics::SetRecorderError;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

/// In seconds: an error is read within a millisecond where the service wrote it at once, and given up after `inspect.timeout`,
/// a second by default (R4).
const SECONDS: [f64; 12] = [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0];

/// A recorder of metrics for Prometheus, with times in buckets from 0.1 ms to 5 s: to be combined with others. What it
/// records is described once it is installed: [`describe_metrics`].
#[must_use]
pub fn recorder() -> PrometheusRecorder {
    let builder = PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS);
    // It refuses nothing but having no buckets.
    builder.unwrap_or_default().build_recorder()
}

/// Makes [`metrics_recorder`](crate::metrics_recorder)'s the recorder of the process, and has the library describe its
/// metrics to it.
///
/// # Errors
///
/// The process has a recorder already: give [`Admin::metrics`](crate::Admin::metrics) a handle of that one.
pub fn install() -> Result<PrometheusHandle, SetRecorderError<PrometheusRecorder>> {
    let recorder = recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder)?;
    describe_metrics();
    Ok(handle)
}
