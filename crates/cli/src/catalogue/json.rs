//! The codes for your own program, and the envelope as a JSON Schema.

use error_envelope_core::openapi::form::CONTRACT_VERSION;
use error_envelope_core::openapi::schema::embedded;
use error_envelope_core::openapi::tree::{Json, by_name, list, object, text};
use error_envelope_core::openapi::{Codes, Listed, schema};
use serde_json::Value;

/// Writes the codes as JSON. Later versions may add fields, but rename none.
pub(super) fn write(codes: &Codes) -> String {
    object([
        ("contract", text(CONTRACT_VERSION)),
        ("unknown_code", object([("retry", text("backoff"))])),
        ("codes", list(codes.iter().map(entry))),
    ])
    .pretty()
}

fn entry(listed: &Listed) -> Json {
    let entry = object([
        ("code", text(listed.name())),
        ("status", listed.status().into()),
        ("grpc", u16::from(listed.code.grpc()).into()),
        ("jsonrpc", Value::from(listed.code.jsonrpc()).into()),
        ("retry", text(listed.retry())),
        ("group", text(listed.group)),
        ("message", text(listed.message())),
    ]);
    let entry = match &listed.docs {
        Some(docs) => entry.with("docs", text(docs)),
        None => entry,
    };
    match listed.details() {
        Some(schema) => entry.with("details", Value::Object(embedded(&schema))),
        None => entry,
    }
}

/// JSON Schema 2020-12 of the envelope: it is complete in itself, and has no `$id`.
pub(super) fn envelope_schema(codes: &Codes) -> String {
    const AT: &str = "#/$defs/";

    let head = [
        ("$schema", text("https://json-schema.org/draft/2020-12/schema")),
        ("$comment", text(format!("The error contract, version {CONTRACT_VERSION}."))),
        ("title", text(schema::ENVELOPE)),
    ];
    let Json::Object(envelope) = schema::envelope(AT) else { return String::new() };
    let head = head.map(|(name, value)| (name.to_owned(), value));
    let root = by_name(head.into_iter().chain(envelope));
    root.with("$defs", by_name(schema::parts(AT, codes))).pretty()
}
