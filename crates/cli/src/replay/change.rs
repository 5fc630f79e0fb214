//! Compares two responses to one request.
//!
//! Bodies that are JSON are compared field by field, so that the changed fields are named. A change never contains
//! values, because it is shown in the log of a pull request (L3).

use std::collections::BTreeSet;
use std::fmt;

use bytes::Bytes;
use http::HeaderMap;
use serde_json::{Value, json};
use tower_error_envelope::RequestId;
use tower_error_envelope::exchange::Event;

use crate::recorded::Recorded;
use crate::text::one_line;
use crate::trial::{Trial, example_id};

/// Headers of the server below the layer, or that follow from the body.
const OF_THE_SERVER: [&str; 4] = ["connection", "content-length", "date", "transfer-encoding"];

const HEADER: &str = "header ";
const FIELD: &str = "field ";
const X_REQUEST_ID: &str = "x-request-id";

/// The most fields to name of one body.
const MOST_FIELDS: usize = 8;

/// The client's response under one of the policies.
pub(super) struct Answer {
    pub(super) head: Head,
    route: Option<String>,
    auth: String,
    headers: HeaderMap,
    body: Option<Bytes>,
}

/// The facts of a response that identify a group.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Head {
    status: u16,
    /// The error code; `None` if the response passes unchanged.
    code: Option<String>,
    passes: bool,
}

/// The differences, without the values.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ReplayChange {
    pub(super) route: Option<String>,
    pub(super) old: Head,
    pub(super) new: Head,
    pub(super) what: Vec<String>,
}

impl Answer {
    /// The response to a recorded exchange.
    pub(super) fn under(trial: &Trial, recorded: &Recorded) -> Self {
        let outcome = trial.run(recorded, None, None);
        let passes = outcome.passes();
        let code = outcome.event.as_ref().and_then(Event::code).filter(|_| !passes);
        let head = Head { status: outcome.status.as_u16(), code: code.map(|code| code.as_str().to_owned()), passes };
        // A request without a route has no settings; the response shows that.
        let effective = trial.effective(recorded);
        let route = effective.as_ref().and_then(|effective| effective.reading().routes().next());
        let route = route.map(|(pattern, _)| pattern.to_owned());
        let request = recorded.request.clone().into_parts().0;
        let auth = trial.file.as_ref().map_or_else(Vec::new, |file| file.policy().credentials_of(&request)).join(", ");
        let body = outcome.bytes(recorded).map(|body| without_ids(&body, recorded));
        let mut headers = outcome.headers;
        headers.remove(X_REQUEST_ID);
        Self { head, route, auth, headers, body }
    }
}

/// The trial's id, and the id of a layer that answered during the recording, count as equal: no two responses share an
/// id (E7), and no client can see the difference.
fn without_ids(body: &Bytes, recorded: &Recorded) -> Bytes {
    let Ok(text) = str::from_utf8(body) else { return body.clone() };
    let theirs = recorded.response.headers().get(X_REQUEST_ID).and_then(|id| id.to_str().ok());
    let theirs = theirs.filter(|id| id.parse::<RequestId>().is_ok());
    let ours = example_id().to_string();
    match theirs {
        Some(theirs) => text.replace(theirs, &ours).into(),
        None => body.clone(),
    }
}

impl ReplayChange {
    /// The changes, on one line.
    pub(super) fn to_text(&self) -> String {
        let with_prefix =
            |kind: &str| -> Vec<&str> { self.what.iter().filter_map(|it| it.strip_prefix(kind)).collect() };
        let is_other = |it: &&String| !it.starts_with(HEADER) && !it.starts_with(FIELD);
        let others = self.what.iter().filter(is_other).cloned();
        let many = |kind: &str, name: &str| {
            let names = with_prefix(kind);
            let plural = if names.len() == 1 { "" } else { "s" };
            (!names.is_empty()).then(|| format!("{name}{plural} {}", names.join(", ")))
        };
        let all = others.chain(many(HEADER, "header")).chain(many(FIELD, "field"));
        all.collect::<Vec<_>>().join("; ")
    }

    /// `None` if a client cannot distinguish the two.
    pub(super) fn between(old: &Answer, new: &Answer) -> Option<Self> {
        let facts = [("status", old.head.status != new.head.status), ("required credentials", old.auth != new.auth)];
        let facts = facts.into_iter().filter(|(_, differs)| *differs).map(|(fact, _)| fact.to_owned());
        let mut what: Vec<_> = facts.chain(headers(&old.headers, &new.headers)).collect();
        if old.body != new.body {
            what.extend(bodies(old.body.as_ref(), new.body.as_ref()));
        }
        if what.is_empty() {
            return None;
        }
        let route = new.route.clone().or_else(|| old.route.clone());
        Some(Self { route, old: old.head.clone(), new: new.head.clone(), what })
    }
}

fn headers(old: &HeaderMap, new: &HeaderMap) -> impl Iterator<Item = String> {
    let values = |headers: &HeaderMap, name: &str| -> Vec<Vec<u8>> {
        headers.get_all(name).iter().map(|value| value.as_bytes().to_vec()).collect()
    };
    let names: BTreeSet<&str> = old.keys().chain(new.keys()).map(http::HeaderName::as_str).collect();
    let differing = names.into_iter().filter(|name| !OF_THE_SERVER.contains(name));
    let differing = differing.filter(|name| values(old, name) != values(new, name));
    differing.map(|name| format!("{HEADER}{name}")).collect::<Vec<_>>().into_iter()
}

fn bodies(old: Option<&Bytes>, new: Option<&Bytes>) -> Vec<String> {
    let parsed = |body: Option<&Bytes>| serde_json::from_slice::<Value>(body?).ok();
    let (Some(old), Some(new)) = (parsed(old), parsed(new)) else { return vec!["body".to_owned()] };
    let mut fields = Vec::new();
    differing("", &old, &new, &mut fields);
    match fields.len() {
        0 => vec!["the bytes of the body, with the same meaning".to_owned()],
        many if many > MOST_FIELDS => vec![format!("body ({many} fields)")],
        _ => fields.into_iter().map(|field| format!("{FIELD}{}", one_line(&field))).collect(),
    }
}

/// The fields that differ, as JSON pointers.
fn differing(at: &str, old: &Value, new: &Value, fields: &mut Vec<String>) {
    match (old, new) {
        (Value::Object(one), Value::Object(other)) => {
            for name in one.keys().chain(other.keys()).collect::<BTreeSet<_>>() {
                let place = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
                match (one.get(name), other.get(name)) {
                    (Some(one), Some(other)) => differing(&place, one, other, fields),
                    _ => fields.push(place),
                }
            }
        }
        _ if old == new => {}
        _ => fields.push(if at.is_empty() { "/".to_owned() } else { at.to_owned() }),
    }
}

impl Head {
    pub(super) fn as_json(&self) -> Value {
        json!({ "status": self.status, "code": self.code, "as_it_came": self.passes })
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.code {
            Some(code) => write!(f, "{} {code}", self.status),
            None if self.passes => write!(f, "{} unchanged", self.status),
            None => write!(f, "{} without body", self.status),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn answer(status: u16, code: &str, headers: &[(&'static str, &'static str)], body: &'static str) -> Answer {
        let headers =
            headers.iter().map(|(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_static(value)));
        Answer {
            head: Head { status, code: Some(code.to_owned()), passes: false },
            route: None,
            auth: "[]".to_owned(),
            headers: headers.collect(),
            body: Some(Bytes::from_static(body.as_bytes())),
        }
    }

    #[test]
    fn a_change_names_what_differs_and_no_value() {
        let old =
            answer(409, "conflict", &[("a", "1"), ("content-length", "1")], r#"{"error":{"code":"a","m/x":1},"i":1}"#);
        let same =
            answer(409, "conflict", &[("a", "1"), ("content-length", "2")], r#"{"error":{"code":"a","m/x":1},"i":1}"#);
        assert!(ReplayChange::between(&old, &same).is_none(), "a length alone is the body's");
        let new =
            answer(410, "gone", &[("a", "hunter2"), ("b", "1")], r#"{"error":{"code":"hunter2","m/x":2},"i":1,"n":1}"#);
        let change = ReplayChange::between(&old, &new).unwrap();
        assert_eq!(
            change.what,
            ["status", "header a", "header b", "field /error/code", "field /error/m~1x", "field /n"]
        );
        assert_eq!(change.to_text(), "status; headers a, b; fields /error/code, /error/m~1x, /n");
        let hostile = Answer {
            body: Some(Bytes::from_static(b"{\"\\u001b]0;a\\u0007\\nb\":1}")),
            ..answer(409, "conflict", &[], "")
        };
        let change = ReplayChange::between(&answer(409, "conflict", &[], "{}"), &hostile).unwrap();
        assert_eq!(change.what, ["field /\\u{1b}]0;a\\u{7} b"]);
        let closed = Answer { auth: "[\"app\"]".to_owned(), ..answer(409, "conflict", &[("a", "1")], "<p>") };
        let change = ReplayChange::between(&old, &closed).unwrap();
        assert_eq!(change.what, ["required credentials", "body"]);
    }
}
