//! Reads the rows of `tests/rpc/scenarios.json`, and compares them with what a tonic client saw.

use std::collections::BTreeMap;
use std::fmt::Debug;

use serde::Deserialize;
use tonic::metadata::MetadataMap;
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};
use tower_error_envelope::RequestId;

use super::client::{CALLS, Call, Seen};
use crate::rpc_app::{KEY, SECRET};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Row {
    pub(super) name: String,
    #[serde(default)]
    pub(super) scenario: String,
    #[serde(default = "echo")]
    pub(super) service: String,
    pub(super) token: Option<String>,
    /// True if the service states the status, and not the layer.
    #[serde(default)]
    own: bool,
    #[serde(default)]
    pub(super) big: bool,
    pub(super) deadline_ms: Option<u64>,
    calls: Option<Vec<Call>>,
    /// The number of messages before the error.
    #[serde(default)]
    after: usize,
    grpc: i32,
    #[serde(rename = "connect")]
    _connect: String,
    #[serde(rename = "http")]
    _http: u16,
    code: String,
    message: String,
    retry_seconds: Option<u64>,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
    #[serde(default)]
    violations: Vec<Violation>,
    /// What other clients see behind Envoy.
    #[serde(default, rename = "envoy")]
    _envoy: serde_json::Value,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Violation {
    field: String,
    description: String,
}

pub(super) fn rows() -> Vec<Row> {
    serde_json::from_str(include_str!("../../rpc/scenarios.json")).expect("the scenarios are rows")
}

/// Returns the row of a success, on either service.
pub(super) fn fine(service: &str) -> Row {
    let row = serde_json::json!({
        "name": "fine", "service": service, "token": KEY,
        "grpc": 0, "connect": "", "http": 200, "code": "", "message": "",
    });
    serde_json::from_value(row).expect("a row")
}

fn echo() -> String {
    "Echo".to_owned()
}

impl Row {
    pub(super) fn calls(&self) -> impl Iterator<Item = Call> {
        CALLS.into_iter().filter(|call| self.calls.as_ref().is_none_or(|calls| calls.contains(call)))
    }

    /// Returns the text if the layer, and not the service, states the status.
    fn unless_own(&self, text: &str) -> Option<String> {
        (!self.own).then(|| text.to_owned())
    }

    /// Returns each difference, with the expected value.
    pub(super) fn differences(&self, seen: &Seen) -> Vec<String> {
        let Some(status) = &seen.failed else { return vec![format!("no error after {:?}", seen.words)] };
        let id = seen.text("x-request-id");
        let mut wrong = Differences(Vec::new());
        wrong.note("grpc-status", status.code() as i32, self.grpc);
        wrong.note("message", status.message(), &*self.message);
        wrong.note("x-error-code", seen.text("x-error-code"), self.unless_own(&self.code));
        wrong.note("a well-formed id", id.as_deref().is_some_and(|id| id.parse::<RequestId>().is_ok()), true);
        wrong.note("a secret", format!("{status:?}").contains(SECRET), false);
        // Messages before one over the limit may have got their responses.
        let most = if self.big { 2 } else { self.after };
        wrong.note("messages before it", seen.words.len().clamp(self.after, most), seen.words.len());
        self.compare_details(&status.get_error_details(), id, &mut wrong);
        wrong.0
    }

    fn compare_details(&self, details: &ErrorDetails, id: Option<String>, wrong: &mut Differences) {
        let info = details.error_info();
        let metadata = info.map(|info| info.metadata.clone().into_iter().collect());
        let delay = details.retry_info().and_then(|retry| retry.retry_delay).map(|delay| delay.as_secs());
        let violations = details.bad_request().map_or(&[][..], |bad| &bad.field_violations);
        wrong.note("reason", info.map(|info| info.reason.clone()), Some(self.code.to_uppercase()));
        wrong.note(
            "domain",
            info.map(|info| &*info.domain),
            Some(if self.own { "echo.example" } else { "tower-error-envelope" }),
        );
        wrong.note("metadata", metadata, Some(self.metadata.clone()));
        wrong.note(
            "RequestInfo",
            details.request_info().map(|info| info.request_id.clone()),
            id.and_then(|id| self.unless_own(&id)),
        );
        wrong.note("RetryInfo", delay, self.retry_seconds);
        wrong.note("BadRequest", violations.iter().map(Violation::new).collect::<Vec<_>>(), &*self.violations);
    }
}

struct Differences(Vec<String>);

impl Differences {
    fn note<A: Debug + PartialEq<B>, B: Debug>(&mut self, what: &str, is: A, should_be: B) {
        if is != should_be {
            self.0.push(format!("{what} is {is:?}, not {should_be:?}"));
        }
    }
}

impl Violation {
    fn new(violation: &FieldViolation) -> Self {
        Self { field: violation.field.clone(), description: violation.description.clone() }
    }
}

impl Seen {
    /// Returns a text of the initial metadata, or of the metadata with the status. If it is in both, both must be
    /// equal.
    fn text(&self, name: &str) -> Option<String> {
        let at = |metadata: &MetadataMap| Some(metadata.get(name)?.to_str().ok()?.to_owned());
        let (first, last) = (at(&self.head), self.failed.as_ref().and_then(|status| at(status.metadata())));
        if let (Some(first), Some(last)) = (&first, &last) {
            assert_eq!(first, last, "{name}");
        }
        first.or(last)
    }
}
