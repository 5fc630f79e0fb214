//! OpenAPI 3.1 components to which a service can refer: the envelope, and a response for each status of the catalogue.
//!
//! The document is complete and valid. For example, a service refers to the document's
//! `#/components/responses/Error404`. For its `default` response, a service refers to `Error`.

use std::collections::BTreeSet;

use http::StatusCode;

use super::codes::{Codes, Listed};
use super::form::{CONTRACT_VERSION, SAMPLE_ID};
use super::response::{ErrorResponse, headers};
use super::schema;
use super::tree::{Json, by_name, list, object, text};
use crate::code::{ErrorCode, Retry};

const SCHEMAS: &str = "#/components/schemas/";
const HEADERS: &str = "#/components/headers/";

/// Returns the document as indented JSON.
pub fn write(codes: &Codes) -> String {
    let envelope = [(schema::ENVELOPE.to_owned(), schema::envelope(SCHEMAS))];
    let schemas = envelope.into_iter().chain(schema::parts(SCHEMAS, codes));
    object([
        ("openapi", text("3.1.0")),
        ("info", info()),
        ("paths", object([])),
        (
            "components",
            object([
                ("schemas", by_name(schemas)),
                ("headers", by_name(headers())),
                ("responses", by_name(responses(codes))),
            ]),
        ),
    ])
    .pretty()
}

fn info() -> Json {
    let about =
        "The body of every error response, and a response for each status to refer to. The set of codes is open.";
    object([("title", text("Errors")), ("version", text(CONTRACT_VERSION)), ("description", text(about))])
}

/// The response for one status, with the codes that have this status.
struct Group<'a> {
    status: u16,
    codes: Vec<&'a Listed>,
}

fn responses(codes: &Codes) -> impl Iterator<Item = (String, Json)> {
    let any = Group { status: 0, codes: Vec::new() };
    let each = statuses(codes).into_iter().map(|status| Group::from_status(status, codes));
    each.chain([any]).map(|group| (group.name(), group.response()))
}

/// Returns the statuses of all codes, and the statuses for which the code of another status is used (R1), such as 422.
fn statuses(codes: &Codes) -> BTreeSet<u16> {
    let borrows = |status: &StatusCode| {
        let generic = ErrorCode::of_status(*status);
        status.canonical_reason().is_some() && generic != ErrorCode::BAD_REQUEST && generic != ErrorCode::INTERNAL_ERROR
    };
    let borrowed = (400..=599).filter_map(|status| StatusCode::from_u16(status).ok()).filter(borrows);
    codes.iter().map(Listed::status).chain(borrowed.map(|status| status.as_u16())).collect()
}

impl<'a> Group<'a> {
    fn from_status(status: u16, codes: &'a Codes) -> Self {
        let own = codes.iter().filter(|listed| listed.status() == status);
        let mut codes_of: Vec<_> = own.collect();
        if codes_of.is_empty() {
            let generic = StatusCode::from_u16(status).map(ErrorCode::of_status).ok();
            codes_of = codes.iter().filter(|listed| Some(&listed.code) == generic.as_ref()).collect();
        }
        Self { status, codes: codes_of }
    }

    /// Returns true if the group represents all statuses that have no separate response.
    fn is_any(&self) -> bool {
        self.codes.is_empty()
    }

    fn name(&self) -> String {
        if self.is_any() { "Error".to_owned() } else { format!("Error{}", self.status) }
    }

    fn response(&self) -> Json {
        let mut body = object([("schema", schema::reference(SCHEMAS, schema::ENVELOPE))]);
        if !self.is_any() {
            body = body.with("examples", by_name(self.codes.iter().map(|listed| (listed.name(), example(listed)))));
        }
        let response = ErrorResponse {
            status: (!self.is_any()).then_some(self.status),
            codes: self.codes.iter().map(|listed| listed.name().to_owned()).collect(),
            waits: self.is_any() || self.codes.iter().any(|listed| listed.code.retry() != Retry::No),
            content: object([("application/json", body)]),
        };
        response.write(|name| schema::reference(HEADERS, name))
    }
}

fn example(listed: &Listed) -> Json {
    let error = object([("code", text(listed.name())), ("message", text(listed.message()))]);
    let error = match details(listed) {
        Some(details) => error.with("details", details),
        None => error,
    };
    let envelope = object([("error", error), ("request_id", text(SAMPLE_ID))]);
    object([("summary", text(listed.summary())), ("value", envelope)])
}

/// Returns the details of a code for which the contract defines them (E8, G4).
fn details(listed: &Listed) -> Option<Json> {
    if listed.code == ErrorCode::INVALID_REQUEST {
        let issue = object([("path", list(["to"])), ("message", text("Required"))]);
        Some(object([("issues", list([issue]))]))
    } else if listed.code == ErrorCode::PAYLOAD_TOO_LARGE {
        Some(object([("limit_bytes", Json::Value((1024 * 1024).into()))]))
    } else {
        None
    }
}
