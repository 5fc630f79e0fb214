//! A response in a document: its description, its headers and its bodies.

use http::StatusCode;
use serde_json::{Value, json};

use super::form::{CODE, REQUEST_ID, SAMPLE_ID};
use super::schema;
use super::tree::{Json, by_name, list, object, text};

const X_ERROR_CODE: &str = "x-error-code";

/// A response for one status, or for any status.
pub struct ErrorResponse {
    pub status: Option<u16>,
    /// True if the response may state how long a client should wait.
    pub waits: bool,
    /// The codes that the error may have. If the list is empty, the error may have any code.
    pub codes: Vec<String>,
    /// The schemas, by media type.
    pub content: Json,
}

impl ErrorResponse {
    /// Writes the response. `header` returns the JSON for a header: its definition, or a reference to it.
    pub fn write(self, header: impl Fn(&'static str) -> Json) -> Json {
        object([
            ("description", text(self.description())),
            ("headers", by_name(self.headers().into_iter().map(|name| (name, self.header(name, &header))))),
            ("content", self.content),
        ])
    }

    /// Returns the definition of a header. The header for the code lists the codes of this response, so it differs
    /// between responses.
    fn header(&self, name: &'static str, header: impl Fn(&'static str) -> Json) -> Json {
        if name == X_ERROR_CODE && !self.codes.is_empty() {
            let description = format!("The code, as in the body: {}.", self.codes.join(", "));
            return header_of(true, &description, string_of_pattern(CODE, self.codes.iter().map(String::as_str)));
        }
        header(name)
    }

    fn description(&self) -> String {
        let Some(status) = self.status else { return "Any error.".to_owned() };
        match StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()) {
            Some(reason) => format!("{status} {reason}."),
            None => format!("{status}."),
        }
    }

    fn headers(&self) -> Vec<&'static str> {
        let mut headers = vec!["x-request-id", X_ERROR_CODE, "cache-control"];
        headers.extend(self.waits.then_some("retry-after"));
        headers.extend((self.status == Some(401)).then_some("www-authenticate"));
        headers
    }
}

/// Returns the definitions of the headers that errors may have, by name.
pub fn headers() -> [(&'static str, Json); 5] {
    let header = header_of;
    let wait = "When to try again, in seconds or as a date, where the service sends it.";
    let cached = "no-store, unless the service sets another on a 4xx that is not 401, 403 or 429.";
    [
        ("x-request-id", header(true, "The request's id, as in the body.", string_of_pattern(REQUEST_ID, [SAMPLE_ID]))),
        (X_ERROR_CODE, header(true, "The code, as in the body.", string_of_pattern(CODE, ["not_found"]))),
        ("cache-control", header(true, cached, string())),
        ("retry-after", header(false, wait, string())),
        ("www-authenticate", header(false, "Which credentials are required: a challenge for each scheme.", string())),
    ]
}

fn header_of(required: bool, description: &str, schema: Json) -> Json {
    object([("description", text(description)), ("required", required.into()), ("schema", schema)])
}

fn string() -> Json {
    object([("type", text("string"))])
}

fn string_of_pattern<'a>(form: &str, examples: impl IntoIterator<Item = &'a str>) -> Json {
    string().with("pattern", form).with("examples", list(examples))
}

/// Returns the definition of a header, for use without a reference.
pub fn inline(name: &'static str) -> Json {
    let found = headers().into_iter().find(|(header, _)| *header == name);
    found.map_or_else(|| object([]), |(_, header)| header)
}

/// Returns the response for any error.
pub fn any_error() -> Value {
    let content = object([("application/json", object([("schema", schema::of_any_error())]))]);
    value(&ErrorResponse { status: None, waits: true, codes: Vec::new(), content }.write(inline))
}

/// Converts JSON into serde_json's `Value`.
pub fn value(json: &Json) -> Value {
    serde_json::to_value(json).unwrap_or_else(|_| json!({}))
}
