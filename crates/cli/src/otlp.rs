//! Exports traces and logs by OTLP over HTTP (rule I4). OpenTelemetry's environment variables configure the export. The
//! spans follow the semantic conventions for HTTP servers.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use error_envelope_core::message;
use error_envelope_core::request_id::RequestId;
use error_envelope_core::session::{ClosedRecord, Outcome};
use error_envelope_gateway::{AccessEntry, RequestSpan, Tracer};
use http::header::HeaderValue;
use http::{HeaderMap, Uri, Version};
use opentelemetry::logs::{AnyValue, LogRecord};
use opentelemetry::trace::{
    Span, SpanBuilder, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags, TraceId, TraceState,
    Tracer as _, TracerProvider,
};
use opentelemetry::{Context, InstrumentationScope, KeyValue};
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_otlp::{ExporterBuildError, LogExporter, SpanExporter};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::logs::{self, LogBatch, LogProcessor, SdkLogRecord, SdkLoggerProvider};
use opentelemetry_sdk::trace::{self, IdGenerator, RandomIdGenerator, SdkTracer, SdkTracerProvider, SpanData};
use tracing_subscriber::Layer;

use crate::exports::Exports;
use crate::failure::CommandError;

const NAME: &str = "error-envelope";

/// The time for which a stop waits for the last export of traces, and again for that of logs. A service manager kills a
/// program whose stop takes much longer than `--stop-timeout`.
const LAST_EXPORT: Duration = Duration::from_secs(1);

/// The exporters of traces and logs. When this value is dropped, data that is not exported yet is sent.
struct Exporters {
    traces: Option<SdkTracerProvider>,
    logs: Option<SdkLoggerProvider>,
}

impl Exports {
    /// Starts the exporters of traces and logs for which the environment names a collector. Traces are exported only if
    /// the program makes spans.
    pub(crate) fn start(makes_spans: bool) -> Result<Self, CommandError> {
        let (traces_to, logs_to) = (if makes_spans { collector("TRACES")? } else { None }, collector("LOGS")?);
        if traces_to.is_none() && logs_to.is_none() {
            return Ok(Self::default());
        }
        // This fails if the program already has a crypto provider. The existing provider then serves the same purpose.
        let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
        let (resource, ids) = (resource(), traces_to.as_ref().map(|_| Ids::default()));
        let build = |to: &String| Ok(Addressed(SpanExporter::builder().with_http().build()?, to.clone()));
        let exporter = traces_to.as_ref().map(build).transpose().map_err(|it| refused(&it))?;
        let traces = exporter.zip(ids.clone()).map(|(exporter, ids)| {
            let traces = SdkTracerProvider::builder().with_resource(resource.clone()).with_id_generator(ids);
            traces.with_batch_exporter(exporter).build()
        });
        let build = |to: &String| Ok(Addressed(LogExporter::builder().with_http().build()?, to.clone()));
        let exporter = logs_to.as_ref().map(build).transpose().map_err(|it| refused(&it))?;
        let logs = exporter.map(|exporter| {
            let logs = SdkLoggerProvider::builder().with_resource(resource).with_log_processor(SpanOfLine(ids.clone()));
            logs.with_batch_exporter(exporter).build()
        });
        let scope = InstrumentationScope::builder(NAME).build();
        let tracer = traces.as_ref().zip(ids).map(|(traces, ids)| Spans(traces.tracer_with_scope(scope), ids));
        Ok(Self {
            tracer: tracer.map(|it| Arc::new(it) as Arc<dyn Tracer>),
            lines: logs.as_ref().map(|logs| OpenTelemetryTracingBridge::new(logs).boxed()),
            traces_to,
            logs_to,
            exporters: Some(Box::new(Exporters { traces, logs })),
        })
    }
}

/// An exporter whose error texts contain the address of the collector.
#[derive(Debug)]
struct Addressed<E>(E, String);

impl<E> Addressed<E> {
    fn with_address(&self, exported: OTelSdkResult) -> OTelSdkResult {
        exported.map_err(|error| match error {
            OTelSdkError::InternalFailure(why) => OTelSdkError::InternalFailure(format!("{}: {why}", self.1)),
            error => error,
        })
    }
}

impl trace::SpanExporter for Addressed<SpanExporter> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.with_address(self.0.export(batch).await)
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

impl logs::LogExporter for Addressed<LogExporter> {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        self.with_address(self.0.export(batch).await)
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

impl Drop for Exporters {
    fn drop(&mut self) {
        // The exporters log their own errors, so the results are ignored.
        let _ = self.traces.as_ref().map(|traces| traces.shutdown_with_timeout(LAST_EXPORT));
        let _ = self.logs.as_ref().map(|logs| logs.shutdown_with_timeout(LAST_EXPORT));
    }
}

/// Returns the value of an environment variable, or `None` if it is missing or empty.
fn set(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|value| !value.is_empty())
}

/// Returns the address of the collector that OpenTelemetry's environment variables set for this signal (traces or
/// logs). Credentials are removed from the address.
fn collector(signal: &str) -> Result<Option<String>, CommandError> {
    let of_signal = |name: &str| {
        let own = format!("OTEL_EXPORTER_OTLP_{signal}_{name}");
        [own, format!("OTEL_EXPORTER_OTLP_{name}")].into_iter().find_map(|variable| Some((set(&variable)?, variable)))
    };
    let is_off = set("OTEL_SDK_DISABLED").is_some_and(|it| it.eq_ignore_ascii_case("true"));
    let is_otlp = set(&format!("OTEL_{signal}_EXPORTER")).is_none_or(|exporter| exporter == "otlp");
    let Some((endpoint, _)) = of_signal("ENDPOINT").filter(|_| !is_off && is_otlp) else { return Ok(None) };
    match of_signal("PROTOCOL").filter(|(protocol, _)| protocol != "http/protobuf") {
        None => Ok(Some(endpoint.parse().ok().and_then(|it: Uri| address_of(&it)).unwrap_or_default())),
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

/// Returns the resource that `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` describe. The default name is more
/// specific than OpenTelemetry's `unknown_service`.
fn resource() -> Resource {
    let from_environment = Resource::builder().build();
    let has_name =
        from_environment.get(&"service.name".into()).is_some_and(|name| !name.as_str().starts_with("unknown_service"));
    if has_name { from_environment } else { Resource::builder().with_service_name(NAME).build() }
}

fn address_of(endpoint: &Uri) -> Option<String> {
    let host = endpoint.authority()?.as_str().rsplit('@').next().unwrap_or_default();
    Some(format!("{}://{host}", endpoint.scheme_str().unwrap_or("http")))
}

thread_local! {
    /// The request whose span this thread is starting. OpenTelemetry gets the ids of a span only from its id generator,
    /// and passes no argument to the generator.
    static STARTING: Cell<Option<RequestId>> = const { Cell::new(None) };
}

/// The span ids of the requests that have not ended. The flag is true if the span has started. A log line may need the
/// span's id before the span starts.
#[derive(Clone, Debug, Default)]
struct Ids(Arc<Mutex<HashMap<RequestId, (SpanId, bool)>>>);

impl Ids {
    /// The largest number of concurrent requests whose log lines get a span id.
    const MOST: usize = 65_536;

    fn lock(&self) -> MutexGuard<'_, HashMap<RequestId, (SpanId, bool)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of_line(&self, request: RequestId) -> Option<SpanId> {
        let mut spans = self.lock();
        let has_room = spans.len() < Self::MOST;
        match spans.entry(request) {
            Entry::Occupied(span) => Some(span.get().0),
            Entry::Vacant(place) => has_room.then(|| place.insert((random_span(), false)).0),
        }
    }

    /// Returns the id for the span of a request that starts. If clients' ids are trusted, two requests may share a
    /// request id, but they never share a span.
    fn of_request(&self, request: RequestId) -> SpanId {
        let mut spans = self.lock();
        let awaited = spans.get(&request).filter(|(_, has_started)| !has_started).map(|(span, _)| *span);
        let span = awaited.unwrap_or_else(random_span);
        if spans.len() < Self::MOST || awaited.is_some() {
            spans.insert(request, (span, true));
        }
        span
    }

    fn end(&self, request: RequestId, span: SpanId) {
        if let Entry::Occupied(known) = self.lock().entry(request)
            && known.get().0 == span
        {
            known.remove();
        }
    }
}

fn random_span() -> SpanId {
    RandomIdGenerator::default().new_span_id()
}

impl IdGenerator for Ids {
    fn new_trace_id(&self) -> TraceId {
        let random = || RandomIdGenerator::default().new_trace_id();
        STARTING.get().map_or_else(random, |request| TraceId::from_bytes(request.trace_id()))
    }

    fn new_span_id(&self) -> SpanId {
        STARTING.get().map_or_else(random_span, |request| self.of_request(request))
    }
}

/// Adds the trace id of the request to an exported log line. If spans are exported, also adds the id of the request's
/// span.
#[derive(Debug)]
struct SpanOfLine(Option<Ids>);

impl LogProcessor for SpanOfLine {
    fn emit(&self, record: &mut SdkLogRecord, _: &InstrumentationScope) {
        let attribute = |wanted: &str| {
            let (_, value) = record.attributes_iter().find(|(name, _)| name.as_str() == wanted)?;
            let AnyValue::String(text) = value else { return None };
            Some(text.as_str())
        };
        let of_client = attribute("trace_id").and_then(|trace| TraceId::from_hex(trace).ok());
        let request = attribute("request_id").and_then(|id| id.parse::<RequestId>().ok());
        if let Some(trace) = of_client.or_else(|| Some(TraceId::from_bytes(request?.trace_id()))) {
            let span = self.0.as_ref().zip(request).and_then(|(ids, request)| ids.of_line(request));
            record.set_trace_context(trace, span.unwrap_or(SpanId::INVALID), None);
        }
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }
}

/// Makes a span for each request, with ids from `Ids`.
struct Spans(SdkTracer, Ids);

impl Tracer for Spans {
    fn start(&self, request: &AccessEntry, id: Option<RequestId>, parent: Option<&HeaderMap>) -> Box<dyn RequestSpan> {
        let Self(tracer, ids) = self;
        let parent = parent.and_then(span_context);
        let context = parent.map_or_else(Context::new, |it| Context::new().with_remote_span_context(it));
        STARTING.set(id);
        let began = SystemTime::now() - request.elapsed();
        let builder = SpanBuilder { start_time: Some(began), ..SpanBuilder::from_name("") }.with_kind(SpanKind::Server);
        let span = tracer.build_with_context(builder, &context);
        STARTING.set(None);
        Box::new(Started { span, began, ids: ids.clone() })
    }
}

/// The span of a request that has not ended.
struct Started {
    span: opentelemetry_sdk::trace::Span,
    began: SystemTime,
    ids: Ids,
}

impl RequestSpan for Started {
    fn traceparent(&self) -> Option<HeaderValue> {
        let context = self.span.span_context();
        let (trace, span, flags) = (context.trace_id(), context.span_id(), context.trace_flags().to_u8());
        HeaderValue::try_from(format!("00-{trace}-{span}-{flags:02x}")).ok()
    }

    fn end(&mut self, request: &AccessEntry, record: &ClosedRecord, upstream: Option<&str>) {
        let Self { span, began, ids } = self;
        ids.end(record.request_id(), span.span_context().span_id());
        if !span.is_recording() {
            return;
        }
        let method = request.method.as_str();
        let name = if is_known(method) { method } else { "HTTP" };
        span.update_name(route(record).map_or_else(|| name.to_owned(), |route| format!("{name} {route}")));
        span.set_attributes(attributes(request, record, upstream));
        if matches!(record.outcome(), Outcome::ServerError | Outcome::Broken) {
            span.set_status(Status::Error { description: Cow::Borrowed("") });
        }
        span.end_with_timestamp(*began + request.elapsed());
    }
}

/// Returns the context of the client's span from `traceparent`, which must be valid.
fn span_context(headers: &HeaderMap) -> Option<SpanContext> {
    let parent = headers.get("traceparent")?.to_str().ok()?;
    let states = headers.get_all("tracestate").iter().filter_map(|state| state.to_str().ok());
    let state = states.collect::<Vec<_>>().join(",").parse::<TraceState>().unwrap_or_default();
    // Only the bits for "sampled" and "random" are kept. Later versions of the format may define more bits.
    let flags = TraceFlags::new(u8::from_str_radix(parent.get(53..55)?, 16).ok()? & 0x03);
    let (trace, span) = (TraceId::from_hex(parent.get(3..35)?).ok()?, SpanId::from_hex(parent.get(36..52)?).ok()?);
    Some(SpanContext::new(trace, span, flags, true, state))
}

/// Returns the route's pattern without the method with which it may begin.
fn route(record: &ClosedRecord) -> Option<&str> {
    record.route().map(|route| route.split_once(' ').map_or(route, |(_, path)| path))
}

fn attributes(request: &AccessEntry, record: &ClosedRecord, upstream: Option<&str>) -> Vec<KeyValue> {
    let text = |name, value: Option<Cow<'_, str>>| value.map(|value| KeyValue::new(name, bounded(&value).to_owned()));
    let number = |name, value: u64| KeyValue::new(name, i64::try_from(value).unwrap_or(i64::MAX));
    let method = request.method.as_str();
    let (address, port) = request.host.as_deref().map_or((None, None), host_and_port);
    let delivery = record.delivery();
    let status = record.status().map(|status| u64::from(status.as_u16()));
    let attributes = [
        text("http.request.method", Some(if is_known(method) { method } else { "_OTHER" }.into())),
        text("http.request.method_original", (!is_known(method)).then_some(method.into())),
        text("url.scheme", Some(request.scheme.into())),
        text("url.path", Some(request.path().into())),
        text("http.route", route(record).map(Cow::from)),
        status.map(|status| number("http.response.status_code", status)),
        record.grpc_status().map(|status| number("rpc.grpc.status_code", u64::from(status))),
        text("error.type", error_type(record)),
        text("request_id", Some(record.request_id().to_string().into())),
        text("network.protocol.version", version(request.version).map(Cow::from)),
        text("server.address", address.map(Cow::from)),
        port.map(|port| number("server.port", port)),
        text("client.address", Some(request.client.to_string().into())),
        text("user_agent.original", request.user_agent.as_ref().map(|name| String::from_utf8_lossy(name.as_bytes()))),
        text("enduser.id", record.notes().caller().map(Cow::from)),
        text("upstream", upstream.map(Cow::from)),
        text("outcome", Some(record.outcome().as_str().into())),
        text("end", Some(delivery.end.as_str().into())),
        delivery.request_bytes.map(|bytes| number("http.request.body.size", bytes)),
        delivery.response_bytes.map(|bytes| number("http.response.body.size", bytes)),
    ];
    attributes.into_iter().flatten().collect()
}

/// Returns the response's error code. If the response has no code, returns the status of a server error, or the reason
/// why the response did not end.
fn error_type(record: &ClosedRecord) -> Option<Cow<'_, str>> {
    let outcome = record.outcome();
    let by_status = || match outcome {
        Outcome::ServerError => record.status().map(|status| status.as_u16().to_string().into()),
        Outcome::Broken | Outcome::ClientLeft => Some(outcome.as_str().into()),
        Outcome::Ok | Outcome::ClientError | Outcome::Unknown => None,
    };
    record.code().map(|code| code.as_str().into()).or_else(by_status)
}

/// Splits a host from its port. The host may be an IPv6 address, which itself contains colons.
fn host_and_port(host: &str) -> (Option<&str>, Option<u64>) {
    let port = host.rsplit_once(':').and_then(|(address, port)| Some((address, port.parse().ok()?)));
    port.map_or((Some(host), None), |(address, port)| (Some(address), Some(port)))
}

/// Returns at most the first 1,024 bytes of a client's text. This limits the memory for spans that wait to be exported.
fn bounded(text: &str) -> &str {
    &text[..message::boundary(text, 1024)]
}

/// Returns true if the semantic conventions allow this method in a span.
fn is_known(method: &str) -> bool {
    let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE", "QUERY"];
    known.contains(&method)
}

const fn version(version: Version) -> Option<&'static str> {
    match version {
        Version::HTTP_10 => Some("1.0"),
        Version::HTTP_11 => Some("1.1"),
        Version::HTTP_2 => Some("2"),
        _ => None,
    }
}
