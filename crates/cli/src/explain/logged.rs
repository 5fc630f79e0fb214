//! An error event of the log, as `--log json` and a service's own JSON log write it: what its fields state, in sentences.

use error_envelope_core::code::CodeSet;
use serde_json::{Map, Value, json};

use crate::text::{one_line, printable};

/// The target of the library's lines in a log.
const TARGET: &str = "tower_error_envelope";

/// The fields of an error event.
pub(super) struct LoggedError(Map<String, Value>);

impl LoggedError {
    /// The first error event among the lines of a log; `None` if there is none.
    pub(super) fn find(log: &[u8]) -> Option<Self> {
        log.split(|byte| *byte == b'\n').find_map(|line| {
            let Ok(Value::Object(mut event)) = serde_json::from_slice(line) else { return None };
            let is_ours = event.get("target").and_then(Value::as_str) == Some(TARGET);
            // A subscriber with `flatten_event` writes the fields beside the level and the time.
            let fields = match event.remove("fields") {
                Some(Value::Object(fields)) => fields,
                _ => event,
            };
            (is_ours && fields.contains_key("origin")).then_some(Self(fields))
        })
    }

    pub(super) fn to_text(&self, place: &str, codes: &CodeSet) -> String {
        let mut out = format!("{}: {}\n", one_line(place), self.text("message").unwrap_or_default());
        out.extend(self.sentences(codes).iter().map(|sentence| format!("{sentence}\n")));
        out.push('\n');
        let shown = |value: &Value| one_line(&value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        let fields = self.0.iter().filter(|(name, _)| *name != "message");
        out.extend(fields.map(|(name, value)| format!("  {:<20} {}\n", printable(name), shown(value))));
        out
    }

    pub(super) fn to_json(&self, place: &str, codes: &CodeSet) -> Value {
        json!({ "event": place, "explanation": self.sentences(codes), "fields": self.0 })
    }

    fn sentences(&self, codes: &CodeSet) -> Vec<String> {
        [self.origin(), self.code(codes), self.decided_by(), self.unknown_code(), self.response()]
            .into_iter()
            .flatten()
            .collect()
    }

    fn origin(&self) -> Option<String> {
        let sentence = match self.0.get("origin")?.as_str()? {
            "guard" => "A guard of the policy refused the request.",
            "fault" => "The service returned an error with a code, a Fault.",
            "error" => "The service, or the body of its response, failed with an error.",
            "panic" => "The service panicked.",
            "inner" => "The service sent an error response.",
            "proxy" => "The proxy itself sent the error, not the service.",
            "abandoned" => "This is not an error: the client left before the response was complete.",
            _ => return None,
        };
        Some(sentence.to_owned())
    }

    fn code(&self, codes: &CodeSet) -> Option<String> {
        let name = self.text("code")?;
        Some(match codes.find(&name) {
            Some(code) => format!(
                "The code {name} has the status {}, the retry advice {} and the text {:?}.",
                code.status().as_u16(),
                code.retry().as_str(),
                code.message()
            ),
            None => {
                format!("Neither the catalogue nor the policy defines the code {name}: name its policy by --policy.")
            }
        })
    }

    fn decided_by(&self) -> Option<String> {
        let source = match self.0.get("decided_by")?.as_str()? {
            "layer" => "an inner layer: a canonical envelope, or its x-error-code",
            "rule" => "a [[map]] rule of the policy",
            "dialect" => "the code in the body",
            "credentials" => "the credentials of the request, and www-authenticate",
            "issues" => "the list of invalid fields in the body",
            "status" => "the status alone: nothing else in the response was known",
            _ => return None,
        };
        Some(format!("The code comes from {source}."))
    }

    fn unknown_code(&self) -> Option<String> {
        let name = self.text("unknown_code")?;
        Some(format!("The body has the code {name}, which nothing defines: add a [[code]], or a [[map]] rule for it."))
    }

    fn response(&self) -> Option<String> {
        let status = |name: &str| self.0.get(name).and_then(Value::as_u64);
        let own = status("policy_status").map(|own| format!(" The policy would set {own}.")).unwrap_or_default();
        match (status("status"), status("would_be_status")) {
            (Some(status), Some(instead)) => {
                Some(format!("The client got {status}, unchanged; in mode enforce it would get {instead}.{own}"))
            }
            (None, Some(instead)) => {
                Some(format!("The request passed; in mode enforce the client would get {instead}."))
            }
            (Some(status), None) => Some(format!("The client got {status}.{own}")),
            (None, None) if self.text("origin")? == "abandoned" => None,
            (None, None) => Some("The response had begun: the client got no other status.".to_owned()),
        }
    }

    fn text(&self, field: &str) -> Option<String> {
        self.0.get(field)?.as_str().map(one_line)
    }
}
