//! A line of the log for people: the time, the level, the spans, the target, and the fields.
//!
//! It reads like a line of `tracing_subscriber::fmt`, which the tests compare with it. `tracing_subscriber` passes each
//! piece through a style, a padding and an escape, which took a fifth of a gateway's work for an error.

use std::error::Error;
use std::fmt::{self, Write};
use std::{iter, mem};

use tracing::{Event, Level, Subscriber};
use tracing_log::NormalizeEvent;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

use super::log_fields::{Value, write_fields};
use super::log_time::write_time;

const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const ITALIC: &str = "\x1b[3m";

/// Lines for people.
pub(super) struct TextLine;

impl<S, N> FormatEvent<S, N> for TextLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, line: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let of_log = event.normalized_metadata();
        let metadata = of_log.as_ref().unwrap_or_else(|| event.metadata());
        let mut line = Line { is_coloured: line.has_ansi_escapes(), to: line };
        line.styled(DIM, write_time)?;
        line.to.write_char(' ')?;
        let (colour, level) = level(*metadata.level());
        line.styled(colour, |line| line.write_str(level))?;
        line.to.write_char(' ')?;
        spans(&mut line, context)?;
        line.paint(DIM, metadata.target())?;
        line.paint(DIM, ":")?;
        line.to.write_char(' ')?;
        let mut space = "";
        write_fields(event, |name, value| {
            // The crate `log` adds fields for the place in the source; the line already has that place.
            if name.starts_with("log.") {
                return Ok(());
            }
            line.to.write_str(mem::replace(&mut space, " "))?;
            field(&mut line, name, value)
        })?;
        line.to.write_char('\n')
    }
}

fn level(level: Level) -> (&'static str, &'static str) {
    match level {
        Level::ERROR => ("\x1b[31m", "ERROR"),
        Level::WARN => ("\x1b[33m", " WARN"),
        Level::INFO => ("\x1b[32m", " INFO"),
        Level::DEBUG => ("\x1b[34m", "DEBUG"),
        Level::TRACE => ("\x1b[35m", "TRACE"),
    }
}

fn spans<S, N>(line: &mut Line<'_>, context: &FmtContext<'_, S, N>) -> fmt::Result
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    let Some(scope) = context.event_scope() else { return Ok(()) };
    for span in scope.from_root() {
        line.paint(BOLD, span.name())?;
        if let Some(fields) = span.extensions().get::<FormattedFields<N>>().filter(|fields| !fields.is_empty()) {
            line.paint(BOLD, "{")?;
            line.to.write_str(fields)?;
            line.paint(BOLD, "}")?;
        }
        line.paint(DIM, ":")?;
    }
    line.to.write_char(' ')
}

struct Line<'a> {
    to: Writer<'a>,
    is_coloured: bool,
}

impl<'a> Line<'a> {
    fn paint(&mut self, style: &str, text: &str) -> fmt::Result {
        self.styled(style, |line| line.write_str(text))
    }

    fn styled(&mut self, style: &str, write: impl FnOnce(&mut Writer<'a>) -> fmt::Result) -> fmt::Result {
        if !self.is_coloured {
            return write(&mut self.to);
        }
        self.to.write_str(style)?;
        write(&mut self.to)?;
        self.to.write_str("\x1b[0m")
    }
}

fn field(line: &mut Line<'_>, name: &str, value: Value<'_>) -> fmt::Result {
    let is_message = name == "message";
    if !is_message {
        line.paint(ITALIC, name.strip_prefix("r#").unwrap_or(name))?;
        line.paint(DIM, "=")?;
    }
    match value {
        Value::Text(text) if is_message => Visible(&mut line.to).write_str(text),
        Value::Text(text) if is_plain(text) => {
            line.to.write_char('"')?;
            line.to.write_str(text)?;
            line.to.write_char('"')
        }
        Value::Text(text) => write!(line.to, "{text:?}"),
        Value::Error(error) => with_causes(line, name, error),
        Value::Float(value) => write!(line.to, "{value:?}"),
        Value::Plain(value) | Value::Other(value) if is_message => write!(Visible(&mut line.to), "{value:?}"),
        Value::Plain(value) | Value::Other(value) => write!(line.to, "{value:?}"),
    }
}

fn with_causes(line: &mut Line<'_>, name: &str, error: &(dyn Error + 'static)) -> fmt::Result {
    write!(Visible(&mut line.to), "{error}")?;
    let mut causes = iter::successors(error.source(), |cause: &&dyn Error| (**cause).source());
    let Some(first) = causes.next() else { return Ok(()) };
    line.to.write_char(' ')?;
    line.paint(ITALIC, name)?;
    line.paint(ITALIC, ".sources")?;
    line.paint(DIM, "=")?;
    write!(line.to, "[")?;
    write!(Visible(&mut line.to), "{first}")?;
    causes.try_for_each(|cause| write!(Visible(&mut line.to), ", {cause}"))?;
    write!(line.to, "]")
}

/// Whether `Debug` would write the text unchanged, apart from the quotes.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\')
}

/// Writes terminal control characters as text.
struct Visible<'a, W>(&'a mut W);

impl<W: Write> Write for Visible<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // The byte 0xc2 begins each character of the second set of control characters.
        if !text.bytes().any(|byte| matches!(byte, 0x07 | 0x08 | 0x0c | 0x1b | 0x7f | 0xc2)) {
            return self.0.write_str(text);
        }
        text.chars().try_for_each(|character| match character {
            '\x07' | '\x08' | '\x0c' | '\x1b' | '\x7f' => write!(self.0, "\\x{:02x}", u32::from(character)),
            '\u{80}'..='\u{9f}' => write!(self.0, "\\u{{{:x}}}", u32::from(character)),
            _ => self.0.write_char(character),
        })
    }
}
