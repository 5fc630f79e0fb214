//! The errors that an operation may return. These errors come from the policy's guards, the extractors, and the service
//! itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use http::request::Parts;
use http::{Method, Request, StatusCode, Uri};
use serde_json::{Value, json};

use super::declared::DeclaredError;
use super::form::SAMPLE_ID;
use super::operation::OperationInput;
use super::response::{ErrorResponse, inline, value};
use super::schema;
use super::tree::{Json, by_name, object, text};
use crate::code::ErrorCode;
use crate::fault::Fault;
use crate::policy::Policy;
use crate::request_id::RequestId;
use crate::session::{Session, SessionConfig};

/// The text that replaces a parameter in a path. A pattern matches this text, unless the pattern has a literal in its
/// place.
const STAND_IN: &str = "error-envelope-parameter";

/// The errors that clients may get from one operation, as the layer writes them.
#[derive(Clone, Debug)]
pub struct RouteErrors {
    pub(super) config: Arc<SessionConfig>,
    pub(super) head: Parts,
    /// The codes of the errors that the operation itself returns, or `None` if no list was set.
    pub(super) own_codes: Option<Vec<ErrorCode>>,
}

/// An error in the form in which clients get it.
struct Rendered {
    status: u16,
    code: String,
    media_type: String,
    is_envelope: bool,
    summary: String,
    /// The schema of the details, and true if the error always has details.
    details: Option<(Value, bool)>,
    example: Json,
    waits: bool,
}

impl RouteErrors {
    /// Creates the errors of an operation under a policy. `path` may contain `{parameters}`.
    #[must_use]
    pub fn new(policy: impl Into<Arc<Policy>>, method: &Method, path: &str) -> Self {
        let mut head = Request::new(()).into_parts().0;
        head.method = method.clone();
        head.uri = sample(path).parse().unwrap_or_else(|_| Uri::from_static("/"));
        Self { config: Arc::new(SessionConfig::new(policy, || SystemTime::UNIX_EPOCH)), head, own_codes: None }
    }

    /// Sets the codes that the operation itself returns. Other codes are removed, even if an error type in the document
    /// declares them.
    #[must_use]
    pub fn own_codes(self, codes: impl IntoIterator<Item = ErrorCode>) -> Self {
        Self { own_codes: Some(codes.into_iter().collect()), ..self }
    }

    /// Returns the errors that a client may get before the operation's handler runs. These errors come from the
    /// policy's guards, and then from the extractors that read the operation's parameters and body.
    #[must_use]
    pub fn in_front(&self, input: &OperationInput) -> Vec<DeclaredError> {
        let policy = self.config.policy();
        let has_body = !input.media_types.is_empty();
        let mut faults = policy.refusals(&self.head, has_body);
        if policy.guards_of(&self.head).mode.is_enforced() {
            faults.extend(extractor_faults(input));
        }
        faults.into_iter().map(DeclaredError::from).collect()
    }

    /// Returns a response for each status that these errors have.
    #[must_use]
    pub fn responses(&self, errors: impl IntoIterator<Item = DeclaredError>) -> BTreeMap<String, Value> {
        let mut by_status: BTreeMap<u16, Vec<Rendered>> = BTreeMap::new();
        for rendered in errors.into_iter().map(|error| self.render(&error)) {
            let others = by_status.entry(rendered.status).or_default();
            match others.iter_mut().find(|other| other.code == rendered.code) {
                Some(other) => other.join(rendered),
                None => others.push(rendered),
            }
        }
        by_status.into_iter().map(|(status, errors)| (status.to_string(), response(status, errors))).collect()
    }

    fn render(&self, error: &DeclaredError) -> Rendered {
        let id = SAMPLE_ID.parse().unwrap_or(RequestId::from_parts(0, 0));
        let reply = Session::example(Arc::clone(&self.config), &self.head, error.fault.clone(), id);
        let text_of = |name: &str| reply.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let code = text_of("x-error-code").unwrap_or_else(|| error.fault.code().to_string());
        let body: Value = serde_json::from_slice(reply.body())
            .unwrap_or_else(|_| String::from_utf8_lossy(reply.body()).into_owned().into());
        Rendered {
            status: reply.status().as_u16(),
            media_type: text_of("content-type").unwrap_or_else(|| "application/json".to_owned()),
            is_envelope: is_envelope(&body),
            summary: error.summary.clone(),
            details: error.details.clone(),
            example: object([("summary", text(&error.summary)), ("value", body.into())]),
            waits: error.waits,
            code,
        }
    }
}

impl Rendered {
    /// Adds the same error from another origin, such as a guard. Clients may get the details of either origin.
    fn join(&mut self, other: Self) {
        self.waits |= other.waits;
        self.details = match (self.details.take(), other.details) {
            (Some((ours, always)), Some((theirs, always_too))) => {
                let is_in = |forms: &Value| forms.as_array().is_some_and(|forms| forms.contains(&theirs));
                let is_known = ours == theirs || is_in(&ours["anyOf"]);
                let either = if is_known { ours } else { json!({ "anyOf": [ours, theirs] }) };
                Some((either, always && always_too))
            }
            (ours, theirs) => ours.or(theirs).map(|(schema, _)| (schema, false)),
        };
    }

    fn schema(&self) -> Option<Json> {
        self.is_envelope.then(|| schema::of_error(&self.code, &self.summary, self.details.as_ref()))
    }
}

/// Returns the path with a literal text in place of each `{…}`.
fn sample(path: &str) -> String {
    let (mut sample, mut rest) = (String::new(), path);
    while let Some((before, parameter)) = rest.split_once('{') {
        sample = sample + before + STAND_IN;
        rest = parameter.split_once('}').map_or("", |(_, after)| after);
    }
    sample + rest
}

/// Returns the errors of extractors for parameters and bodies of the wrong type. The extractors of axum and of this
/// project have the same errors, except that axum answers another media type than that of a form with files by 400.
fn extractor_faults(input: &OperationInput) -> Vec<Fault> {
    let is_decoded = |kind: &String| kind.contains("json") || kind == "application/x-www-form-urlencoded";
    let is_decoded = input.media_types.iter().any(is_decoded);
    let mut faults = Vec::new();
    if input.has_parameters {
        faults.push(Fault::new(ErrorCode::INVALID_REQUEST));
    }
    if is_decoded || input.is_validated {
        faults.push(Fault::new(ErrorCode::INVALID_REQUEST).with_status(StatusCode::UNPROCESSABLE_ENTITY));
    }
    if is_decoded || input.media_types.iter().any(|kind| kind == "multipart/form-data") {
        faults.push(Fault::new(ErrorCode::UNSUPPORTED_MEDIA_TYPE));
    }
    if !input.media_types.is_empty() {
        faults.push(Fault::new(ErrorCode::PAYLOAD_TOO_LARGE));
    }
    faults
}

fn is_envelope(body: &Value) -> bool {
    body.pointer("/error/code").is_some_and(Value::is_string) && body["request_id"].is_string()
}

fn response(status: u16, errors: Vec<Rendered>) -> Value {
    let waits = errors.iter().any(|error| error.waits);
    let codes = errors.iter().map(|error| error.code.clone()).collect();
    let mut by_type: BTreeMap<String, Vec<Rendered>> = BTreeMap::new();
    for error in errors {
        by_type.entry(error.media_type.clone()).or_default().push(error);
    }
    let content = by_name(by_type.into_iter().map(|(media_type, errors)| (media_type, media(errors))));
    value(&ErrorResponse { status: Some(status), waits, codes, content }.write(inline))
}

fn media(errors: Vec<Rendered>) -> Json {
    let schemas: Option<Vec<Json>> = errors.iter().map(Rendered::schema).collect();
    let examples = by_name(errors.into_iter().map(|error| (error.code, error.example)));
    let media = match schemas {
        Some(schemas) => object([("schema", schema::of_errors(schemas))]),
        None => object([]),
    };
    media.with("examples", examples)
}
