//! Traces and logs by OTLP over HTTP, as OpenTelemetry's variables set it (rule I4).

mod line;
mod span;

use std::sync::Arc;
use std::time::Duration;

use error_envelope_gateway::Tracer;
use opentelemetry::InstrumentationScope;
use opentelemetry::trace::TracerProvider;
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_otlp::{ExporterBuildError, LogExporter, SpanExporter};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;

use self::line::TraceOfLine;
use self::span::{Ids, Spans};
use crate::failure::CommandError;

const NAME: &str = "error-envelope";

/// How long a stop waits for each of the last exports: a service manager kills a program that takes much longer than
/// `--stop-timeout`.
const LAST_EXPORT: Duration = Duration::from_secs(1);

/// The exporters of traces and logs. When this is dropped, what waits is sent.
pub(crate) struct Otlp {
    traces: Option<SdkTracerProvider>,
    logs: Option<SdkLoggerProvider>,
}

impl Otlp {
    /// Starts the exporters of the signals that the environment sets. A program that makes no spans exports none.
    pub(crate) fn start(makes_spans: bool) -> Result<Self, CommandError> {
        let (traces, logs) = (makes_spans && is_exported("TRACES")?, is_exported("LOGS")?);
        if !traces && !logs {
            return Ok(Self { traces: None, logs: None });
        }
        // It fails if the program has a provider already, which serves as well.
        let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
        let resource = resource();
        let traces =
            traces.then(|| SpanExporter::builder().with_http().build()).transpose().map_err(|it| refused(&it))?;
        let traces = traces.map(|exporter| {
            let traces = SdkTracerProvider::builder().with_resource(resource.clone()).with_id_generator(Ids::default());
            traces.with_batch_exporter(exporter).build()
        });
        let logs = logs.then(|| LogExporter::builder().with_http().build()).transpose().map_err(|it| refused(&it))?;
        let logs = logs.map(|exporter| {
            let logs = SdkLoggerProvider::builder().with_resource(resource).with_log_processor(TraceOfLine);
            logs.with_batch_exporter(exporter).build()
        });
        Ok(Self { traces, logs })
    }

    /// Logs what is exported.
    pub(crate) fn log(&self) {
        let (traces, logs) = (self.traces.is_some(), self.logs.is_some());
        if traces || logs {
            tracing::info!(traces, logs, "exporting by OTLP");
        }
    }

    /// Makes the spans of requests, if they are exported.
    pub(crate) fn tracer(&self) -> Option<Arc<dyn Tracer>> {
        let tracer = self.traces.as_ref()?.tracer_with_scope(InstrumentationScope::builder(NAME).build());
        Some(Arc::new(Spans(tracer)))
    }

    /// Exports the lines of the log.
    pub(crate) fn lines<S: Subscriber + for<'s> LookupSpan<'s>>(&self) -> Option<impl Layer<S>> {
        self.logs.as_ref().map(OpenTelemetryTracingBridge::new)
    }
}

impl Drop for Otlp {
    fn drop(&mut self) {
        // The exporters log their own errors.
        let _ = self.traces.as_ref().map(|traces| traces.shutdown_with_timeout(LAST_EXPORT));
        let _ = self.logs.as_ref().map(|logs| logs.shutdown_with_timeout(LAST_EXPORT));
    }
}

/// A variable that is not empty.
fn set(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|value| !value.is_empty())
}

/// Whether OpenTelemetry's variables have this signal exported by OTLP.
fn is_exported(signal: &str) -> Result<bool, CommandError> {
    let of_signal = |name: &str| {
        let own = format!("OTEL_EXPORTER_OTLP_{signal}_{name}");
        [own, format!("OTEL_EXPORTER_OTLP_{name}")].into_iter().find_map(|variable| Some((set(&variable)?, variable)))
    };
    let is_off = set("OTEL_SDK_DISABLED").is_some_and(|it| it.eq_ignore_ascii_case("true"));
    let is_otlp = set(&format!("OTEL_{signal}_EXPORTER")).is_none_or(|exporter| exporter == "otlp");
    if is_off || !is_otlp || of_signal("ENDPOINT").is_none() {
        return Ok(false);
    }
    match of_signal("PROTOCOL").filter(|(protocol, _)| protocol != "http/protobuf") {
        None => Ok(true),
        Some((protocol, variable)) => Err(CommandError::Io(format!(
            "{variable}: {protocol:?} is not supported\n = help: write http/protobuf, and give the collector's address \
             for it, such as http://localhost:4318"
        ))),
    }
}

fn refused(error: &ExporterBuildError) -> CommandError {
    CommandError::Io(format!(
        "OTEL_EXPORTER_OTLP_ENDPOINT: {error}\n = help: write a URL such as http://localhost:4318; the exporter also needs \
         the system's root certificates"
    ))
}

/// `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES`, with a name that is better than `unknown_service`.
fn resource() -> Resource {
    let from_environment = Resource::builder().build();
    let has_name =
        from_environment.get(&"service.name".into()).is_some_and(|name| !name.as_str().starts_with("unknown_service"));
    if has_name { from_environment } else { Resource::builder().with_service_name(NAME).build() }
}
