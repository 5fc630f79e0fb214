//! Writes a log line as a JSON object, in the format of `tracing_subscriber::fmt::json`, which the tests compare with
//! it.
//!
//! `tracing_subscriber` parses the fields of each span again, and takes 35,000 instructions to log an error where this
//! takes 11,000. The visitor of `tracing_serde` alone takes 19,000.

use std::fmt::{self, Write};
use std::mem;

use tracing::{Event, Subscriber};
use tracing_log::NormalizeEvent;
use tracing_subscriber::fmt::format::{JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormattedFields};
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use super::log_fields::{Value, write_fields};
use super::log_time::write_time;

/// The target of the access log's lines, if they are written to this log.
const ACCESS_LOG: &str = "error_envelope::gateway::access";

/// Lines for programs.
pub(super) struct JsonLine;

impl<S> FormatEvent<S, JsonFields> for JsonLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut line: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let of_log = event.normalized_metadata();
        let metadata = of_log.as_ref().unwrap_or_else(|| event.metadata());
        line.write_str("{\"timestamp\":\"")?;
        write_time(&mut line)?;
        line.write_str("\",\"level\":\"")?;
        line.write_str(metadata.level().as_str())?;
        line.write_str("\",\"fields\":{")?;
        let mut comma = "";
        let is_access = metadata.target() == ACCESS_LOG;
        write_fields(event, |name, value| {
            line.write_str(mem::replace(&mut comma, ","))?;
            match &value {
                Value::Other(message) if is_access => fields_or_message(&mut line, &format!("{message:?}")),
                _ => field(&mut line, name, value),
            }
        })?;
        line.write_str("},\"target\":")?;
        string(&mut line, metadata.target())?;
        if let Some(innermost) = context.parent_span() {
            spans(&mut line, &innermost)?;
        }
        line.write_str("}\n")
    }
}

/// Writes the message of an access log line. In the JSON format it is already an object, whose fields are taken over.
fn fields_or_message(line: &mut Writer<'_>, text: &str) -> fmt::Result {
    match text.strip_prefix('{').and_then(|fields| fields.strip_suffix('}')) {
        Some(fields) => line.write_str(fields),
        None => field(line, "message", Value::Text(text)),
    }
}

fn spans<S: for<'a> LookupSpan<'a>>(line: &mut Writer<'_>, innermost: &SpanRef<'_, S>) -> fmt::Result {
    line.write_str(",\"span\":")?;
    span(line, innermost)?;
    line.write_str(",\"spans\":")?;
    for (index, each) in innermost.scope().from_root().enumerate() {
        line.write_char(if index == 0 { '[' } else { ',' })?;
        span(line, &each)?;
    }
    line.write_char(']')
}

/// Writes a span: its fields, which were formatted when the span began, and its name.
fn span<S: for<'a> LookupSpan<'a>>(line: &mut Writer<'_>, span: &SpanRef<'_, S>) -> fmt::Result {
    let extensions = span.extensions();
    let fields = extensions.get::<FormattedFields<JsonFields>>().map_or("", |fields| fields.as_str());
    let fields = fields.strip_suffix('}').unwrap_or("{");
    line.write_str(fields)?;
    line.write_str(if fields == "{" { "\"name\":" } else { ",\"name\":" })?;
    string(line, span.name())?;
    line.write_char('}')
}

fn field(line: &mut Writer<'_>, name: &str, value: Value<'_>) -> fmt::Result {
    string(line, name)?;
    line.write_char(':')?;
    match value {
        Value::Plain(value) => write!(line, "{value:?}"),
        Value::Float(value) => line.write_str(&serde_json::Value::from(value).to_string()),
        Value::Text(value) => string(line, value),
        Value::Error(error) => quoted(line, format_args!("{error}")),
        Value::Other(value) => quoted(line, format_args!("{value:?}")),
    }
}

fn string(line: &mut Writer<'_>, text: &str) -> fmt::Result {
    line.write_char('"')?;
    Escaped(line).write_str(text)?;
    line.write_char('"')
}

fn quoted(line: &mut Writer<'_>, text: fmt::Arguments<'_>) -> fmt::Result {
    line.write_char('"')?;
    Escaped(line).write_fmt(text)?;
    line.write_char('"')
}

/// Writes the inside of a JSON string.
struct Escaped<'a, 'b>(&'a mut Writer<'b>);

impl Write for Escaped<'_, '_> {
    fn write_str(&mut self, mut text: &str) -> fmt::Result {
        let is_special = |byte: u8| byte < b' ' || byte == b'"' || byte == b'\\';
        while let Some((before, special, after)) = text
            .bytes()
            .position(is_special)
            .and_then(|at| Some((text.get(..at)?, *text.as_bytes().get(at)?, text.get(at + 1..)?)))
        {
            self.0.write_str(before)?;
            match special {
                b'"' => self.0.write_str("\\\"")?,
                b'\\' => self.0.write_str("\\\\")?,
                b'\n' => self.0.write_str("\\n")?,
                b'\r' => self.0.write_str("\\r")?,
                b'\t' => self.0.write_str("\\t")?,
                0x08 => self.0.write_str("\\b")?,
                0x0c => self.0.write_str("\\f")?,
                _ => write!(self.0, "\\u{special:04x}")?,
            }
            text = after;
        }
        self.0.write_str(text)
    }
}
