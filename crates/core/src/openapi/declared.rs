//! An error that an operation may return.

use std::borrow::Cow;

use http::StatusCode;
use serde_json::{Value, json};

use super::codes::Listed;
use super::schema::embedded;
use crate::code::{ErrorCode, Retry};
use crate::fault::Fault;

/// An error that an operation may return: its code, and what is known about its details.
#[derive(Clone, Debug)]
pub struct DeclaredError {
    pub(super) fault: Fault,
    /// The schema of the details, and whether the error always has details.
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
            summary: listed.summary_with(fault.status_code().as_u16()),
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
    /// Sets the fields of the details, each with the name of its JSON type. The name is empty if the type is not known,
    /// and ends in `?` if the field may be absent. If the code itself has a schema for its details, that schema stays.
    #[must_use]
    pub fn fields(mut self, fields: &[(&str, &str)]) -> Self {
        if fields.is_empty() {
            return self;
        }
        let example: Value =
            fields.iter().map(|(name, kind)| ((*name).to_owned(), sample_value(type_of(kind)))).collect();
        let schema = self.details.take().map_or_else(|| object_schema(fields), |(schema, _)| schema);
        self.details = Some((schema, fields.iter().any(is_always_there)));
        self.fault = self.fault.details(example);
        self
    }

    /// Sets that the error has a `retry-after`.
    #[must_use]
    pub fn waits(self) -> Self {
        Self { waits: true, ..self }
    }

    /// The error that a document already declares, as the branch of a schema and as an example; `None` if the layer did
    /// not write it.
    pub(super) fn parse(
        status: StatusCode,
        branch: &Value,
        example: Option<&Value>,
        code: Option<ErrorCode>,
    ) -> Option<Self> {
        let name = branch.pointer("/properties/code/enum/0")?.as_str()?;
        let code = code.or_else(|| ErrorCode::try_own(name, status.as_u16()).ok())?;
        let mut fault = Fault::new(code).status(status);
        if let Some(message) = example.and_then(|it| it.pointer("/value/error/message")?.as_str()) {
            fault = fault.message(Cow::Owned(message.to_owned()));
        }
        if let Some(details) = example.and_then(|it| it.pointer("/value/error/details")) {
            fault = fault.details(details);
        }
        let is_required = branch["required"].as_array().is_some_and(|names| names.iter().any(|name| name == "details"));
        let details = branch.pointer("/properties/details").filter(|details| details.get("type").is_some());
        Some(Self {
            details: details.map(|details| (details.clone(), is_required)),
            summary: branch["description"].as_str().unwrap_or_default().to_owned(),
            ..fault.into()
        })
    }
}

fn object_schema(fields: &[(&str, &str)]) -> Value {
    let property = |(name, kind): &(&str, &str)| {
        let kind = type_of(kind);
        let schema = if kind.is_empty() { json!({}) } else { json!({ "type": kind }) };
        ((*name).to_owned(), schema)
    };
    let names: Vec<_> = fields.iter().filter(|field| is_always_there(field)).map(|(name, _)| name).collect();
    let properties: Value = fields.iter().map(property).collect();
    json!({ "type": "object", "properties": properties, "required": names })
}

fn is_always_there((_, kind): &(&str, &str)) -> bool {
    !kind.ends_with('?')
}

fn type_of(kind: &str) -> &str {
    kind.trim_end_matches('?')
}

fn sample_value(kind: &str) -> Value {
    match kind {
        "boolean" => true.into(),
        "integer" => 1.into(),
        "number" => 1.5.into(),
        "string" => "text".into(),
        _ => Value::Null,
    }
}
