//! The operations of an OpenAPI document (`--openapi`): a line each, with the requests that ask it for an error.
//!
//! 1. Operations of safe methods are asked with parameters that nothing has, with ones of no type, then with those of the
//!    document's examples.
//! 2. Others may change data. Where the user allows it, those that take JSON are sent some that never ends; DELETE never is.
//! 3. Whatever comes is judged as any answer; then its status and its code must be declared ([`declared`]).

mod declared;
mod sample;

use error_envelope_core::openapi::Operation;
use http::{HeaderName, HeaderValue, Method, header};
use serde_json::Value;

pub(super) use self::declared::undeclared;
use self::sample::{Sampling, value_of};
use super::plan::{Planned, ServiceInfo};
use super::request::{ProbeRequest, SentRequest};
use super::table::OPERATION;
use crate::openapi::DocumentFile;

/// More are not asked: at ten requests a second that is five minutes.
pub(super) const MOST_OPERATIONS: usize = 1000;

/// What is wrong with an answer that the document does not declare.
pub(super) const RULE: &str = "OpenAPI";

/// JSON that never ends: nothing can be done by it.
const MALFORMED: &str = "{";

impl ServiceInfo {
    /// Those of the document, where there is one.
    pub(super) fn operations(&self) -> Vec<Operation<'_>> {
        self.document.as_ref().map_or_else(Vec::new, DocumentFile::operations)
    }

    /// The requests that ask an operation for an error; or why it is not asked.
    pub(super) fn plan_operation(&self, operation: &Operation<'_>) -> Result<Vec<Planned>, String> {
        let samplings = match self.malformed(operation)? {
            None => &[Sampling::Nobodys, Sampling::OfNoType, Sampling::Example][..],
            Some(_) => &[Sampling::Nobodys],
        };
        let mut planned: Vec<Planned> = Vec::new();
        for sampling in samplings {
            let request = self.operation_request(operation, *sampling)?;
            // Without parameters all are the same.
            if planned.iter().all(|other| other.request.line() != request.line()) {
                let predicted = self.oracle.predict(&request);
                planned.push(Planned { request, predicted });
            }
        }
        Ok(planned)
    }

    /// The media type of the malformed body that is sent; none for what is asked without a body.
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
            None => Err(format!("{method} may change data, and takes no JSON that could be malformed")),
            Some(_) if !self.malformed_bodies => {
                Err(format!("{method} may change data; --malformed-bodies sends it JSON that never ends"))
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
            let kind = HeaderValue::try_from(kind).map_err(|_| "its media type is not valid".to_owned())?;
            request.headers.insert(header::CONTENT_TYPE, kind);
            request.body = SentRequest::Text(MALFORMED.into());
        }
        for parameter in parameters.into_iter().filter(|it| it["in"] == "header" && it["required"] == true) {
            let name = parameter["name"].as_str().and_then(|name| HeaderName::try_from(name).ok());
            let value = HeaderValue::try_from(value_of(operation.document(), parameter, Sampling::Example));
            if let (Some(name), Ok(value)) = (name, value) {
                // What the user gave counts.
                request.headers.entry(name).or_insert(value);
            }
        }
        Ok(request)
    }
}

/// The path with values for its parameters, and the query with those that must be there.
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

/// All but what RFC 3986 reserves for nothing.
fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

#[cfg(test)]
mod tests;
