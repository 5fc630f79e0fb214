//! The fields of an event, one after the other.

use std::error::Error;
use std::fmt::{self, Debug};

use tracing::Event;
use tracing::field::{Field, Visit};

/// The value of a field, by the kinds that line formats write differently.
pub(super) enum Value<'a> {
    /// A truth value or an integer.
    Plain(&'a dyn Debug),
    Float(f64),
    Text(&'a str),
    Error(&'a (dyn Error + 'static)),
    Other(&'a dyn Debug),
}

/// Calls `write` with the name and the value of each field, until it fails.
pub(super) fn write_fields(
    event: &Event<'_>,
    write: impl FnMut(&'static str, Value<'_>) -> fmt::Result,
) -> fmt::Result {
    let mut fields = Fields { write, result: Ok(()) };
    event.record(&mut fields);
    fields.result
}

struct Fields<W> {
    write: W,
    result: fmt::Result,
}

impl<W: FnMut(&'static str, Value<'_>) -> fmt::Result> Fields<W> {
    fn record(&mut self, field: &Field, value: Value<'_>) {
        if self.result.is_ok() {
            self.result = (self.write)(field.name(), value);
        }
    }
}

impl<W: FnMut(&'static str, Value<'_>) -> fmt::Result> Visit for Fields<W> {
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.record(field, Value::Plain(&value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.record(field, Value::Plain(&value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.record(field, Value::Plain(&value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.record(field, Value::Float(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record(field, Value::Text(value));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.record(field, Value::Error(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.record(field, Value::Other(value));
    }
}
