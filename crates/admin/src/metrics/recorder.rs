//! A recorder for the metrics of this process.

use std::thread;
use std::time::Duration;

use error_envelope_runtime::{describe_metrics, keep_counters};
use metrics::SetRecorderError;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use super::process;

/// In seconds: an error is read within a millisecond where the service wrote it at once, and given up after `inspect.timeout`,
/// a second by default (R4).
const SECONDS: [f64; 12] = [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0];

/// In seconds: OpenTelemetry's for HTTP, with smaller ones for a gateway's own time, and larger ones for its time-out.
const REQUEST_SECONDS: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// A histogram keeps each measured time until it is put into its bucket: by a scrape, or by this thread.
const UPKEEP_EVERY: Duration = Duration::from_secs(1);

/// A recorder of metrics for Prometheus, with times of requests in buckets from 1 ms to 30 s, and others from 0.1 ms to 5 s: to
/// be combined with others. Its metrics are described once it is installed: [`describe_metrics`]. Have its handle's
/// `run_upkeep` called every few seconds: otherwise times pile up until a scrape.
#[must_use]
pub fn recorder() -> PrometheusRecorder {
    let builder = PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS);
    let requests = Matcher::Prefix("error_envelope_request_".to_owned());
    // It refuses only an empty list of buckets.
    let builder = builder.and_then(|builder| builder.set_buckets_for_metric(requests, &REQUEST_SECONDS));
    builder.unwrap_or_default().build_recorder()
}

/// Makes [`metrics_recorder`](crate::metrics_recorder)'s the recorder of the process, with a thread for its upkeep, and
/// describes the library's metrics to it. It also serves the resources of the process (`process_open_fds` and others).
///
/// # Errors
///
/// The process has a recorder already: give [`Admin::metrics`](crate::Admin::metrics) a handle of that one.
pub fn install() -> Result<PrometheusHandle, SetRecorderError<PrometheusRecorder>> {
    let recorder = recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder)?;
    keep_counters();
    describe_metrics();
    process::describe();
    upkeep(handle.clone());
    Ok(handle)
}

/// If no thread can be started, each scrape does the upkeep.
fn upkeep(handle: PrometheusHandle) {
    let all = move || loop {
        thread::sleep(UPKEEP_EVERY);
        handle.run_upkeep();
    };
    let _ = thread::Builder::new().name("metrics-upkeep".to_owned()).spawn(all);
}
