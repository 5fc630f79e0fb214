//! Explains an error event of the log in sentences. The event may come from `--log json`, or from a service's own JSON
//! log.

use error_envelope_core::code::CodeSet;
use serde_json::{Map, Value, json};

use crate::text::{one_line, printable};

/// The `target` of log events that the library writes.
const TARGET: &str = "tower_error_envelope";

const ORIGINS: [(&str, &str); 7] = [
    ("guard", "A guard of the policy refused the request, or only observes and would have refused it."),
    (
        "fault",
        "The service's code returned a Fault, or the gateway did because it has no service for the path or cannot forward the exchange.",
    ),
    (
        "error",
        "The call failed because of the service, a limit, or a client that broke off its request. The field `cause` states the reason.",
    ),
    ("panic", "The service panicked."),
    ("inner", "The service sent an error response."),
    (
        "proxy",
        "Envoy itself sent the error, or a gateway handed it over to error-backend. Whether the service sent an error before is not known.",
    ),
    ("abandoned", "The request ended before the whole response was sent, and no other error was recorded for it."),
];

const SOURCES: [(&str, &str); 6] = [
    ("layer", "The code comes from an inner layer: a canonical envelope, or its x-error-code."),
    ("rule", "The code comes from a [[map]] rule of the policy."),
    ("dialect", "The code comes from the code in the body."),
    ("credentials", "The code of this 401 comes from the request's credentials and the response's www-authenticate."),
    ("issues", "The code comes from the list of invalid fields in the body."),
    ("status", "The code comes from the status alone, because nothing else was known or the mode reads no body."),
];

const ENDS: [(&str, &str); 6] = [
    ("client_left", "The client left before it had the whole response."),
    ("service_broke_off", "The service's body broke off, so the response is incomplete."),
    ("stalled", "The client read nothing for too long, so its connection was closed."),
    ("malformed", "The request was malformed, so its stream was reset before the response was complete."),
    ("stopped", "The process stopped before the response was complete."),
    ("unknown", "The layer did not see how much of the response the client got."),
];

/// The fields of an error event.
pub(super) struct LoggedError(Map<String, Value>);

impl LoggedError {
    /// Returns the first error event among the lines of a log, or `None` if there is none.
    pub(super) fn find(log: &[u8]) -> Option<Self> {
        log.split(|byte| *byte == b'\n').find_map(|line| {
            let mut event: Map<String, Value> = serde_json::from_slice(line).ok()?;
            let is_ours = event.get("target").and_then(Value::as_str) == Some(TARGET);
            // A log subscriber with `flatten_event` writes the fields at the same level as `level` and `timestamp`.
            let fields = event.remove("fields").and_then(|fields| fields.as_object().cloned()).unwrap_or(event);
            (is_ours && fields.contains_key("origin")).then_some(Self(fields))
        })
    }

    pub(super) fn to_text(&self, place: &str, codes: &CodeSet) -> String {
        let message = self.text("message").unwrap_or_default();
        let mut out = format!("{}: {message}\n{}\n\n", one_line(place), self.sentences(codes).join("\n"));
        let shown = |value: &Value| one_line(&value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        out.extend(self.0.iter().map(|(name, value)| format!("  {:<20} {}\n", printable(name), shown(value))));
        out
    }

    pub(super) fn to_json(&self, place: &str, codes: &CodeSet) -> Value {
        json!({ "event": place, "explanation": self.sentences(codes), "fields": self.0 })
    }

    fn sentences(&self, codes: &CodeSet) -> Vec<String> {
        let meaning = |field: &str, table: &[(&str, &str)]| {
            let name = self.0.get(field)?.as_str()?;
            table.iter().find(|(known, _)| *known == name).map(|(_, sentence)| (*sentence).to_owned())
        };
        let code = self.text("code").map(|name| match codes.find(&name) {
            Some(code) => {
                let (status, retry, message) = (code.status().as_u16(), code.retry().as_str(), code.message());
                format!("The code {name} has the status {status}, the retry advice {retry} and the text {message:?}.")
            }
            None => {
                format!("Neither catalogue nor policy has the code {name}. Name the policy that has it with --policy.")
            }
        });
        let unknown = self.text("unknown_code").map(|name| {
            format!("The body has the code {name}, which nothing defines. Add a [[code]], or a [[map]] rule for it.")
        });
        let status = |field: &str| self.0.get(field).and_then(Value::as_u64);
        // With `auth_observe`, a guard only observes, even in mode `enforce`. So the mode is not named for guards.
        let is_guards = self.text("origin").as_deref() == Some("guard") || self.text("also").is_some();
        let when = if is_guards { "if its guards refused" } else { "in mode enforce" };
        let answer = |status_field: &str, grpc_field: &str| {
            let grpc = status(grpc_field).map_or_else(String::new, |grpc| format!(" with the gRPC status {grpc}"));
            status(status_field).map(|status| format!("{status}{grpc}"))
        };
        // Modes `own` and `fill` read no body that passes.
        let is_unread = !is_guards
            && self.text("origin").as_deref() == Some("inner")
            && matches!(self.text("mode").as_deref(), Some("own" | "fill"));
        let unless = if is_unread { ", unless its body states another one" } else { "" };
        let code_there =
            self.text("would_be_code").map_or_else(String::new, |code| format!(" and the code {code}{unless}"));
        let response = match (answer("status", "grpc_status"), answer("would_be_status", "would_be_grpc_status")) {
            (Some(sent), Some(other)) => {
                Some(format!("The client got {sent}; {when} it would get {other}{code_there}."))
            }
            (None, Some(other)) => {
                Some(format!("The client got no response; {when} it would get {other}{code_there}."))
            }
            (sent, None) => sent.map(|sent| format!("The client got {sent}.")),
        };
        let all = [
            meaning("origin", &ORIGINS),
            code,
            meaning("decided_by", &SOURCES),
            unknown,
            response,
            meaning("end", &ENDS),
        ];
        all.into_iter().flatten().collect()
    }

    fn text(&self, field: &str) -> Option<String> {
        self.0.get(field)?.as_str().map(one_line)
    }
}
