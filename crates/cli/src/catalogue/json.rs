//! The codes for your own program. The names of the fields stay; new ones may come.

use error_envelope_core::openapi::form::CONTRACT_VERSION;
use error_envelope_core::openapi::schema::embedded;
use error_envelope_core::openapi::tree::{Json, list, object, text};
use error_envelope_core::openapi::{Codes, Listed};
use serde_json::Value;

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
        ("retry", text(listed.retry())),
        ("group", text(listed.group)),
        ("message", text(listed.message())),
    ]);
    match listed.details() {
        Some(schema) => entry.with("details", Value::Object(embedded(&schema))),
        None => entry,
    }
}
