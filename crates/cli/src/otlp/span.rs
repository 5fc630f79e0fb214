//! The span of a request, by the semantic conventions for HTTP servers.

use std::borrow::Cow;
use std::cell::Cell;
use std::time::SystemTime;

use error_envelope_core::request_id::RequestId;
use error_envelope_gateway::{AccessEntry, RequestSpan, Tracer};
use http::header::HeaderValue;
use http::{HeaderMap, Version};
use opentelemetry::trace::{
    Span, SpanBuilder, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags, TraceId, TraceState,
    Tracer as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator, SdkTracer};

thread_local! {
    /// The request whose span this thread starts: OpenTelemetry takes the id of a new trace from its generator alone.
    static STARTING: Cell<Option<RequestId>> = const { Cell::new(None) };
}

#[derive(Debug, Default)]
pub(super) struct Ids(RandomIdGenerator);

impl IdGenerator for Ids {
    fn new_trace_id(&self) -> TraceId {
        STARTING.take().map_or_else(|| self.0.new_trace_id(), |id| TraceId::from_bytes(id.trace_id()))
    }

    fn new_span_id(&self) -> SpanId {
        self.0.new_span_id()
    }
}

/// Makes a span for each request.
pub(super) struct Spans(pub(super) SdkTracer);

impl Tracer for Spans {
    fn start(&self, request: &AccessEntry, parent: Option<&HeaderMap>) -> Box<dyn RequestSpan> {
        let parent = parent.and_then(span_context);
        let context = parent.map_or_else(Context::new, |it| Context::new().with_remote_span_context(it));
        STARTING.set(request.request_id());
        let began = SystemTime::now() - request.duration();
        let builder = SpanBuilder { start_time: Some(began), ..SpanBuilder::from_name("") }.with_kind(SpanKind::Server);
        let span = self.0.build_with_context(builder, &context);
        STARTING.set(None);
        Box::new(Started(span, began))
    }
}

/// The span of a request that has not ended.
struct Started(opentelemetry_sdk::trace::Span, SystemTime);

impl RequestSpan for Started {
    fn traceparent(&self) -> Option<HeaderValue> {
        let context = self.0.span_context();
        let (trace, span, flags) = (context.trace_id(), context.span_id(), context.trace_flags().to_u8());
        HeaderValue::try_from(format!("00-{trace}-{span}-{flags:02x}")).ok()
    }

    fn end(&mut self, request: &AccessEntry) {
        let Self(span, began) = self;
        if !span.is_recording() {
            return;
        }
        let name = Some(request.method().as_str()).filter(|method| is_known(method)).unwrap_or("HTTP");
        span.update_name(route(request).map_or_else(|| name.to_owned(), |route| format!("{name} {route}")));
        span.set_attributes(attributes(request));
        let is_server_error = request.status().is_some_and(|status| status.is_server_error());
        if is_server_error || request.outcome() == "cut_off" {
            span.set_status(Status::Error { description: Cow::Borrowed("") });
        }
        span.end_with_timestamp(*began + request.duration());
    }
}

/// The context of a client's span, whose `traceparent` is valid.
fn span_context(headers: &HeaderMap) -> Option<SpanContext> {
    let parent = headers.get("traceparent")?.to_str().ok()?;
    let states = headers.get_all("tracestate").iter().filter_map(|state| state.to_str().ok());
    let state = states.collect::<Vec<_>>().join(",").parse::<TraceState>().unwrap_or_default();
    // Sampled and random: later versions of the format may define further bits.
    let flags = TraceFlags::new(u8::from_str_radix(parent.get(53..55)?, 16).ok()? & 0x03);
    let (trace, span) = (TraceId::from_hex(parent.get(3..35)?).ok()?, SpanId::from_hex(parent.get(36..52)?).ok()?);
    Some(SpanContext::new(trace, span, flags, true, state))
}

/// The path of the route's pattern, which may begin with a method.
fn route(request: &AccessEntry) -> Option<&str> {
    request.route().map(|route| route.split_once(' ').map_or(route, |(_, path)| path))
}

fn attributes(request: &AccessEntry) -> Vec<KeyValue> {
    let text = |name, value: Option<Cow<'_, str>>| value.map(|value| KeyValue::new(name, bounded(&value).to_owned()));
    let number = |name, value: u64| KeyValue::new(name, i64::try_from(value).unwrap_or(i64::MAX));
    let method = request.method().as_str();
    let (received, sent) = request.bytes();
    let (address, port) = request.host().map_or((None, None), host_and_port);
    let status = request.status().map(|status| u64::from(status.as_u16()));
    let attributes = [
        text("http.request.method", Some(if is_known(method) { method } else { "_OTHER" }.into())),
        text("http.request.method_original", (!is_known(method)).then_some(method.into())),
        text("url.scheme", Some(request.scheme().into())),
        text("url.path", Some(request.path().into())),
        text("http.route", route(request).map(Cow::from)),
        status.map(|status| number("http.response.status_code", status)),
        text("error.type", error_type(request)),
        text("request_id", request.request_id().map(|id| id.to_string().into())),
        text("network.protocol.version", version(request.version()).map(Cow::from)),
        text("server.address", address.map(Cow::from)),
        port.map(|port| number("server.port", port)),
        text("client.address", Some(request.client().to_string().into())),
        text("user_agent.original", request.user_agent().map(|name| String::from_utf8_lossy(name.as_bytes()))),
        text("enduser.id", request.caller().map(Cow::from)),
        text("upstream", request.upstream().map(Cow::from)),
        text("outcome", Some(request.outcome().into())),
        Some(number("http.request.body.size", received)),
        Some(number("http.response.body.size", sent)),
    ];
    attributes.into_iter().flatten().collect()
}

/// The code; without one, a server error's status, or why the response has no end.
fn error_type(request: &AccessEntry) -> Option<Cow<'_, str>> {
    let code = request.code().map(|code| String::from_utf8_lossy(code.as_bytes()));
    let status = || Some(Cow::from(request.status().filter(|it| it.is_server_error())?.as_u16().to_string()));
    code.or_else(status).or_else(|| (request.outcome() != "complete").then(|| request.outcome().into()))
}

/// A host may be an address of IPv6, which has colons of its own.
fn host_and_port(host: &str) -> (Option<&str>, Option<u64>) {
    let port = host.rsplit_once(':').and_then(|(address, port)| Some((address, port.parse().ok()?)));
    port.map_or((Some(host), None), |(address, port)| (Some(address), Some(port)))
}

/// The beginning of a client's text: spans that wait to be sent have a largest size.
fn bounded(text: &str) -> &str {
    let end = (0..=text.len().min(1024)).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}

/// Whether the semantic conventions let this method stand in a span.
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
