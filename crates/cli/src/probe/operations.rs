//! The operations of an OpenAPI document (`--openapi`): a line each, with requests that provoke an error.
//!
//! 1. Operations of safe methods get requests with parameters that match nothing, with ones of no type, then with
//!    those of the document's examples.
//! 2. Others may change data. If the user allows it, those that take JSON get JSON that never ends; DELETE never does.
//! 3. Any response is judged as usual; then its status and its code must be declared ([`declared`]).

mod declared;
mod sample;

use error_envelope_core::openapi::Operation;
use http::{HeaderName, HeaderValue, Method, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

pub(super) use self::declared::undeclared;
use self::sample::{Sampling, value_of};
use super::plan::{Planned, ServiceInfo};
use super::request::{ProbeRequest, SentRequest};
use super::table::OPERATION;
use crate::openapi::DocumentFile;

/// The most operations to probe: at ten requests a second that is five minutes.
pub(super) const MOST_OPERATIONS: usize = 1000;

/// The rule name for responses that the document does not declare.
pub(super) const RULE: &str = "OpenAPI";

/// JSON that never ends: a service cannot act on it.
const MALFORMED: &str = "{";

impl ServiceInfo {
    /// The operations of the document; empty if there is no document.
    pub(super) fn operations(&self) -> Vec<Operation<'_>> {
        self.document.as_ref().map_or_else(Vec::new, DocumentFile::operations)
    }

    /// The requests that should make an operation return an error, or the reason why there are none.
    pub(super) fn plan_operation(&self, operation: &Operation<'_>) -> Result<Vec<Planned>, String> {
        let samplings = match self.malformed(operation)? {
            None => &[Sampling::Nonexistent, Sampling::Untyped, Sampling::Example][..],
            Some(_) => &[Sampling::Nonexistent],
        };
        let mut planned: Vec<Planned> = Vec::new();
        for sampling in samplings {
            let request = self.operation_request(operation, *sampling)?;
            // Without parameters all requests are the same.
            if planned.iter().all(|other| other.request.line() != request.line()) {
                let predicted = self.oracle.predict(&request);
                planned.push(Planned { request, predicted });
            }
        }
        Ok(planned)
    }

    /// The media type of the malformed body that is sent; `None` for a request without a body.
    fn malformed(&self, operation: &Operation<'_>) -> Result<Option<String>, String> {
        let method = &operation.method;
        if [Method::GET, Method::HEAD, Method::OPTIONS].contains(method) {
            return Ok(None);
        }
        let json = operation.input().media_types.into_iter().find(|kind| kind.contains("json") && !kind.contains('*'));
        match json {
            _ if ![Method::POST, Method::PUT, Method::PATCH].contains(method) => {
                Err(format!("{method} is never sent: it may change data"))
            }
            None => Err(format!("{method} may change data, and the operation accepts no JSON that could be malformed")),
            Some(_) if !self.malformed_bodies => {
                Err(format!("{method} may change data; --malformed-bodies sends it incomplete JSON"))
            }
            Some(kind) => Ok(Some(kind)),
        }
    }

    fn operation_request(&self, operation: &Operation<'_>, sampling: Sampling) -> Result<ProbeRequest, String> {
        let parameters = operation.parameters();
        let path = target(operation, &parameters, sampling);
        let path = path.parse().map_err(|_| format!("{:?} is not a valid path", operation.key))?;
        let mut request = self.without_samples(&OPERATION, &operation.method, path);
        if let Some(kind) = self.malformed(operation)? {
            let kind = HeaderValue::try_from(kind).map_err(|_| "the operation's media type is not valid".to_owned())?;
            request.headers.insert(header::CONTENT_TYPE, kind);
            request.body = SentRequest::Text(MALFORMED.into());
        }
        for parameter in parameters.into_iter().filter(|it| it["in"] == "header" && it["required"] == true) {
            let name = parameter["name"].as_str().and_then(|name| HeaderName::try_from(name).ok());
            let value = HeaderValue::try_from(value_of(operation.document(), parameter, Sampling::Example));
            if let (Some(name), Ok(value)) = (name, value) {
                // The user's headers take precedence.
                request.headers.entry(name).or_insert(value);
            }
        }
        Ok(request)
    }
}

/// The path with values for its parameters, and the query with the required ones.
fn target(operation: &Operation<'_>, parameters: &[&Value], sampling: Sampling) -> String {
    let (mut path, mut rest) = (String::new(), operation.path.as_str());
    while let Some((before, parameter)) = rest.split_once('{') {
        let (name, after) = parameter.split_once('}').unwrap_or((parameter, ""));
        let found = parameters.iter().find(|it| it["in"] == "path" && it["name"] == name);
        path =
            path + before + &encoded(&value_of(operation.document(), found.copied().unwrap_or(&Value::Null), sampling));
        rest = after;
    }
    path += rest;
    let query = parameters.iter().filter(|it| it["in"] == "query" && it["required"] == true);
    for (index, parameter) in query.enumerate() {
        let name = encoded(parameter["name"].as_str().unwrap_or_default());
        let value = encoded(&value_of(operation.document(), parameter, sampling));
        path += &format!("{}{name}={value}", if index == 0 { '?' } else { '&' });
    }
    path
}

/// All characters except RFC 3986's unreserved ones.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

#[cfg(test)]
mod tests;
