//! Installs a recorder for the metrics of the process, in the format of Prometheus.

use std::thread;
use std::time::Duration;

use metrics::SetRecorderError;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use metrics_process::Collector;

use super::requests::HEAD;
use super::{describe, keep_counters};

/// The bounds of buckets for times other than those of requests, in seconds. An error that the service writes at once
/// is read within a millisecond. Reading an error stops after `inspect.timeout`, which is one second by default (R4).
const SECONDS: [f64; 12] = [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0];

/// The bounds of buckets for the times of requests, in seconds. They are OpenTelemetry's bounds for HTTP, with
/// additional smaller bounds for the time that a gateway itself takes, and larger bounds up to the gateway's time
/// limit.
const REQUEST_SECONDS: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// The interval of the upkeep. A histogram stores each measured time until a scrape or the upkeep puts it into its
/// bucket.
const UPKEEP_EVERY: Duration = Duration::from_secs(1);

/// Returns a recorder of metrics for Prometheus, which can be combined with other recorders. The buckets for the times
/// of requests go from 1 ms to 30 s, and those for other times from 0.1 ms to 5 s. After you have installed the
/// recorder, call [`describe_metrics`](crate::describe_metrics) once. Also call `run_upkeep` of the recorder's handle
/// every few seconds. Otherwise recorded times accumulate until a scrape.
#[must_use]
pub fn recorder() -> PrometheusRecorder {
    let builder = PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS);
    let requests = [Matcher::Prefix("error_envelope_request_".to_owned()), Matcher::Full(HEAD.to_owned())];
    // This fails only for an empty list of buckets.
    let builder = requests.into_iter().fold(builder, |builder, requests| {
        builder.and_then(|builder| builder.set_buckets_for_metric(requests, &REQUEST_SECONDS))
    });
    builder.unwrap_or_default().build_recorder()
}

/// Installs a recorder for Prometheus for the whole process, and returns the recorder's handle. `render` of the handle
/// returns the text for `/metrics`.
///
/// Call this function once, before the first request. It describes the library's metrics, keeps the library's counters,
/// and starts a thread for the upkeep. The recorder records every metric of the crate `metrics`, including those of
/// other libraries. Each second, it also records the resources of the process (`process_open_fds` and others).
///
/// | histograms | buckets, in seconds |
/// |---|---|
/// | `error_envelope_request_*_seconds`, `error_envelope_response_head_seconds` | 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30 |
/// | all others whose names end in `_seconds` | 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5 |
/// | the rest | summaries with quantiles |
///
/// ```
/// use axum::{Router, routing::get};
/// use tower_error_envelope::{ErrorEnvelopeLayer, install_metrics};
///
/// let metrics = install_metrics()?;
/// let app: Router = Router::new()
///     .layer(ErrorEnvelopeLayer::new())
///     .route("/metrics", get(move || std::future::ready(metrics.render())));
/// # let _ = app;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// Returns an error if the process already has a recorder. Then use a handle of that recorder, and call
/// [`describe_metrics`](crate::describe_metrics) and [`keep_counters`](crate::keep_counters) once.
pub fn install() -> Result<PrometheusHandle, SetRecorderError<PrometheusRecorder>> {
    let recorder = recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder)?;
    keep_counters();
    describe();
    upkeep(handle.clone());
    Ok(handle)
}

/// Starts the thread for the upkeep. If no thread can be started, the upkeep happens at each scrape, and the metrics of
/// resources keep their values from the start.
fn upkeep(handle: PrometheusHandle) {
    // It records under Prometheus' standard names: `process_cpu_seconds_total`, `process_open_fds` and others.
    let process = Collector::default();
    process.describe();
    process.collect();
    let all = move || loop {
        thread::sleep(UPKEEP_EVERY);
        handle.run_upkeep();
        process.collect();
    };
    let _ = thread::Builder::new().name("metrics-upkeep".to_owned()).spawn(all);
}
