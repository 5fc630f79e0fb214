//! An error that an operation may return.

use std::borrow::Cow;

use http::StatusCode;
use serde_json::{Value, json};

use super::codes::Listed;
use super::response::value;
use super::schema::{any_details, embedded};
use crate::code::{ErrorCode, Retry};
use crate::fault::Fault;
use crate::policy::Policy;

/// An error that an operation may return: its code, and the facts about its details.
#[derive(Clone, Debug)]
pub struct DeclaredError {
    pub(super) fault: Fault,
    /// The schema of the details, and true if the error always has details.
    pub(super) details: Option<(Value, bool)>,
    pub(super) waits: bool,
    pub(super) summary: String,
}

impl From<Fault> for DeclaredError {
    fn from(fault: Fault) -> Self {
        let listed = Listed::from(fault.code().clone());
        // Every `invalid_request` has an issue list (E8).
        let is_always_there = listed.code == ErrorCode::INVALID_REQUEST;
        Self {
            details: listed.details().map(|schema| (Value::Object(embedded(&schema)), is_always_there)),
            waits: listed.code.retry() != Retry::No,
            summary: listed.summary_with(fault.status().as_u16()),
            fault,
        }
    }
}

impl From<ErrorCode> for DeclaredError {
    fn from(code: ErrorCode) -> Self {
        Fault::new(code).into()
    }
}

impl DeclaredError {
    /// Sets the schema of the details, and whether the error always has details. If the code itself has a schema for
    /// its details, that schema is used instead.
    #[must_use]
    pub fn details(mut self, (schema, is_always_there): (Value, bool)) -> Self {
        let example = sample_value(&schema);
        let schema = self.details.take().map_or(schema, |(of_code, _)| of_code);
        self.details = Some((schema, is_always_there));
        self.fault = self.fault.with_details(example);
        self
    }

    /// Marks the error as having a `retry-after`.
    #[must_use]
    pub fn waits(self) -> Self {
        Self { waits: true, ..self }
    }

    /// Returns the error that a document already declares, as the branch of a schema and as an example. Returns `None`
    /// if the branch has no code. Returns an error if no service can have the code.
    pub(super) fn parse(
        status: StatusCode,
        branch: &Value,
        examples: &Value,
        policy: &Policy,
    ) -> Result<Option<Self>, String> {
        let Some(name) = branch.pointer("/properties/code/const").and_then(Value::as_str) else { return Ok(None) };
        let example = examples.get(name);
        let code = match policy.codes().find(name) {
            Some(code) => code,
            None => ErrorCode::try_own(name, status.as_u16()).map_err(|why| format!("the code {name:?}: {why}"))?,
        };
        let mut fault = Fault::new(code).with_status(status);
        if let Some(message) = example.and_then(|it| it.pointer("/value/error/message")?.as_str()) {
            fault = fault.with_message(Cow::Owned(message.to_owned()));
        }
        if let Some(details) = example.and_then(|it| it.pointer("/value/error/details")) {
            fault = fault.with_details(details);
        }
        let is_required = branch["required"].as_array().is_some_and(|names| names.iter().any(|name| name == "details"));
        let details = branch.pointer("/properties/details").filter(|details| **details != value(&any_details()));
        Ok(Some(Self {
            details: details.map(|details| (details.clone(), is_required)),
            summary: branch["description"].as_str().unwrap_or_default().to_owned(),
            ..fault.into()
        }))
    }
}

/// Returns a value of a schema for examples: the value that the schema gives, or else the simplest one.
fn sample_value(schema: &Value) -> Value {
    let given = ["/example", "/examples/0", "/default", "/const", "/enum/0"];
    if let Some(value) = given.iter().find_map(|at| schema.pointer(at)) {
        return value.clone();
    }
    if let Some(first) = schema.pointer("/oneOf/0").or_else(|| schema.pointer("/anyOf/0")) {
        return sample_value(first);
    }
    let parts = schema["allOf"].as_array().into_iter().flatten().map(sample_value);
    let inherited = parts.filter_map(|part| if let Value::Object(part) = part { Some(part) } else { None }).flatten();
    match schema["type"].as_str() {
        Some("boolean") => true.into(),
        Some("integer") => schema["minimum"].as_i64().unwrap_or_default().max(1).into(),
        Some("number") => 1.5.into(),
        Some("string") => "text".into(),
        Some("array") => json!([sample_value(&schema["items"])]),
        Some("null") => Value::Null,
        _ => {
            let properties = schema["properties"].as_object().into_iter().flatten();
            inherited.chain(properties.map(|(name, schema)| (name.clone(), sample_value(schema)))).collect()
        }
    }
}
