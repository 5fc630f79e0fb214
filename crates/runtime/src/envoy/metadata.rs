//! Describes errors for Envoy's access logs.

use error_envelope_core::session::{RequestRecord, SentStatus};

/// Returns the code of a response, or `none` if it has none.
pub fn code_of(sent: Option<&SentStatus>) -> &str {
    code(sent).unwrap_or("none")
}

/// Returns the fields of a request's error, or nothing if the request has no error. A field that a request does not
/// have gets no value. An access log then writes a dash.
pub fn error_fields(record: &RequestRecord) -> impl Iterator<Item = (&'static str, &str)> {
    let fields = record.origin().map(|origin| {
        [
            ("origin", Some(origin.as_str())),
            ("mode", Some(record.mode().as_str())),
            ("code", code(record.sent())),
            ("would_be_code", code(record.would_be())),
            ("route", record.route()),
        ]
    });
    fields.into_iter().flatten().filter_map(|(name, value)| Some((name, value?)))
}

fn code(sent: Option<&SentStatus>) -> Option<&str> {
    sent?.code.as_ref().map(|code| code.as_str())
}
