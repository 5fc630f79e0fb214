//! Completes the responses that a document already has. Responses that this module wrote before are replaced.

use std::collections::BTreeMap;

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::declared::DeclaredError;
use super::route::RouteErrors;
use crate::code::ErrorCode;
use crate::fault::Fault;

/// The JSON pointer from a media type of a response to the list of schemas of its errors.
const ERRORS: &str = "/schema/properties/error/oneOf";
const JSON: &str = "application/json";

impl RouteErrors {
    /// Completes the responses of an operation in the form of this route. The responses get the errors that the
    /// operation declares, and `more` errors.
    ///
    /// A handwritten response keeps its description. If a handwritten response has no body, it gets the envelope with
    /// the code of its status. A body in another shape stays next to the envelope. If the operation's [own
    /// codes](Self::own_codes) are set, other codes of its error types are left out.
    ///
    /// # Errors
    ///
    /// Returns the reason if a response declares a code that no service can have.
    pub fn completed(
        &self,
        existing: &BTreeMap<String, Value>,
        more: impl IntoIterator<Item = DeclaredError>,
    ) -> Result<BTreeMap<String, Value>, String> {
        let (mut errors, mut by_hand) = (Vec::new(), BTreeMap::new());
        for (key, response) in existing {
            if !is_ours(response) {
                by_hand.insert(key, response);
            }
            let is_kept = |error: &DeclaredError| {
                !is_ours(response) || self.own_codes.as_ref().is_none_or(|own| own.contains(error.fault.code()))
            };
            errors.extend(self.declared(key, response)?.into_iter().filter(is_kept));
        }
        let declares = |code: &&ErrorCode| errors.iter().any(|error| error.fault.code() == *code);
        let undeclared: Vec<_> = self.own_codes.iter().flatten().filter(|code| !declares(code)).cloned().collect();
        errors.extend(undeclared.into_iter().map(DeclaredError::from));
        let mut responses = self.responses(errors.into_iter().chain(more));
        for (key, response) in by_hand {
            let response = match responses.remove(key) {
                Some(ours) => with_parts_of_layer(response.clone(), ours),
                None => response.clone(),
            };
            responses.insert(key.clone(), response);
        }
        for (key, response) in existing {
            if let (Some(ours), Some(description)) = (responses.get_mut(key), response.get("description")) {
                ours["description"] = description.clone();
            }
        }
        Ok(responses)
    }

    /// Returns the errors that one response declares.
    fn declared(&self, key: &str, response: &Value) -> Result<Vec<DeclaredError>, String> {
        let is_error = |status: &StatusCode| status.is_client_error() || status.is_server_error();
        let Some(status) = key.parse().ok().filter(is_error) else { return Ok(Vec::new()) };
        let Some(media) = response.pointer("/content/application~1json") else {
            let has_body = response["content"].as_object().is_some_and(|content| !content.is_empty());
            let of_status = || Fault::new(ErrorCode::of_status(status)).with_status(status).into();
            return Ok(if has_body { Vec::new() } else { vec![of_status()] });
        };
        let branches = media.pointer(ERRORS).and_then(Value::as_array).into_iter().flatten();
        let waits = response.pointer("/headers/retry-after").is_some();
        let parse = |branch| {
            let error = DeclaredError::parse(status, branch, &media["examples"], self.config.policy());
            error.map(|error| error.map(|error| if waits { error.waits() } else { error })).transpose()
        };
        branches.filter_map(parse).collect()
    }
}

/// Returns true if this module has written the response.
fn is_ours(response: &Value) -> bool {
    response.pointer("/content/application~1json").and_then(|media| media.pointer(ERRORS)).is_some()
}

/// Returns a handwritten response with the parts that the layer adds.
fn with_parts_of_layer(mut theirs: Value, ours: Value) -> Value {
    let Value::Object(ours) = ours else { return theirs };
    for (key, value) in ours {
        match (theirs.get_mut(&key), value) {
            (None, value) => theirs[key] = value,
            (Some(Value::Object(theirs)), Value::Object(ours)) if key == "content" => join_content(theirs, ours),
            (Some(Value::Object(theirs)), Value::Object(ours)) => {
                for (name, value) in ours {
                    theirs.entry(name).or_insert(value);
                }
            }
            (Some(_), _) => {}
        }
    }
    theirs
}

fn join_content(theirs: &mut Map<String, Value>, mut ours: Map<String, Value>) {
    if let (Some(theirs), Some(ours)) = (theirs.get_mut(JSON), ours.remove(JSON)) {
        let schemas = [theirs.get("schema"), ours.get("schema")].map(Option::<&Value>::cloned);
        if let [Some(first), Some(second)] = schemas {
            theirs["schema"] = json!({ "anyOf": [first, second] });
        }
        return;
    }
    theirs.append(&mut ours);
}
