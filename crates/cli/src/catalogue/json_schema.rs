//! JSON Schema 2020-12 of the envelope: it refers to nothing outside itself and claims no address.

use error_envelope_core::openapi::Codes;
use error_envelope_core::openapi::form::CONTRACT_VERSION;
use error_envelope_core::openapi::schema;
use error_envelope_core::openapi::tree::{Json, by_name, text};

pub(super) fn write(codes: &Codes) -> String {
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
