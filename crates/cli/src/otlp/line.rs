//! The trace of a line of the log.

use std::time::Duration;

use error_envelope_core::request_id::RequestId;
use opentelemetry::InstrumentationScope;
use opentelemetry::logs::{AnyValue, LogRecord};
use opentelemetry::trace::{SpanId, TraceId};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{LogProcessor, SdkLogRecord};

/// Gives a line of the log the trace of its request.
#[derive(Debug)]
pub(super) struct TraceOfLine;

impl LogProcessor for TraceOfLine {
    fn emit(&self, record: &mut SdkLogRecord, _: &InstrumentationScope) {
        let attribute = |wanted: &str| {
            let (_, value) = record.attributes_iter().find(|(name, _)| name.as_str() == wanted)?;
            let AnyValue::String(text) = value else { return None };
            Some(text.as_str())
        };
        let of_client = attribute("trace_id").and_then(|trace| TraceId::from_hex(trace).ok());
        let of_request = || Some(TraceId::from_bytes(attribute("request_id")?.parse::<RequestId>().ok()?.trace_id()));
        if let Some(trace) = of_client.or_else(of_request) {
            record.set_trace_context(trace, SpanId::INVALID, None);
        }
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }
}
