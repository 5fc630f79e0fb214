//! Compares a response with the contract and the policy, without I/O or a clock.

use std::collections::HashSet;

use bytes::Bytes;
use http::{HeaderMap, Method, Response, header};
use serde::Serialize;
use serde_json::Value;
use tower_error_envelope::{ErrorCode, RequestId, testing};

use super::plan::{Planned, Row, ServiceInfo, Want, code_of};
use crate::text::{cut, one_line};

/// A rule that a response violates, and a text that describes the violation.
#[derive(Serialize)]
pub(super) struct Finding {
    pub(super) rule: String,
    pub(super) wrong: String,
}

impl Finding {
    /// Creates a finding. The text may come from the server, so it is shortened, and its control characters are
    /// removed.
    pub(super) fn new(rule: &str, wrong: impl AsRef<str>) -> Self {
        const LONGEST: usize = 400;

        Self { rule: rule.to_owned(), wrong: cut(&one_line(wrong.as_ref()), LONGEST) }
    }
}

/// Compares the responses of a service with the contract.
pub(super) struct Judge<'a> {
    pub(super) service: &'a ServiceInfo,
    /// True if the user gave a policy. Without a policy, the layer's own responses are not compared as a whole.
    pub(super) by_policy: bool,
    /// The request ids of earlier responses.
    pub(super) seen: HashSet<String>,
}

impl Judge<'_> {
    pub(super) fn findings(&mut self, row: &Row, planned: &Planned, answer: &Response<Bytes>) -> Vec<Finding> {
        let mut findings: Vec<_> = self.id(planned, answer.headers()).into_iter().collect();
        let (status, code) = (answer.status(), code_of(answer));
        if let Want::Layer(codes) = row.want {
            let predicted = planned.predicted.as_ref().filter(|_| self.by_policy).map(code_of);
            if predicted.is_some_and(|wanted| wanted != code) || !codes.contains(&code) {
                let (got, wanted) = (describe(answer), predicted.unwrap_or(codes[0]));
                findings.push(Finding::new(row.rule, format!("got {got}, expected {wanted}")));
            }
        }
        if status.is_client_error() || status.is_server_error() {
            findings.extend(self.form(row, planned, answer));
            findings.extend(cached(answer));
            // A map rule of the policy may change the code of a service's response.
            let is_mapped = self.by_policy && matches!(row.want, Want::Service(_));
            let known = ErrorCode::ALL.iter().find(|known| known.as_str() == code && !is_mapped);
            if known.is_some_and(|known| known.status() != status && ErrorCode::of_status(status) != *known) {
                findings.push(Finding::new("R1", format!("{code} came with status {status}")));
            }
        }
        findings
    }

    /// Checks the id. Each response has exactly one valid id, which no other response has (I1). If the policy keeps the
    /// client's id, the response must have that id. Otherwise its id must differ from the client's (I2).
    fn id(&mut self, planned: &Planned, headers: &HeaderMap) -> Option<Finding> {
        let lines: Vec<_> = headers.get_all("x-request-id").iter().collect();
        let [id] = lines[..] else {
            return Some(Finding::new("I1", format!("there are {} x-request-id headers, expected 1", lines.len())));
        };
        let id = id.to_str().unwrap_or_default();
        let is_new = self.seen.insert(id.to_owned());
        if id.parse::<RequestId>().map(|parsed| parsed.to_string()).as_deref() != Ok(id) {
            return Some(Finding::new("I1", format!("x-request-id is {id:?} instead of req_ and a ULID")));
        }
        let sent = planned.request.headers().get("x-request-id").and_then(|sent| sent.to_str().ok());
        match planned.kept_id.as_deref() {
            Some(kept) => (kept != id).then(|| Finding::new("I2", format!("got {id}, but the policy keeps {kept}"))),
            None if sent == Some(id) => Some(Finding::new("I2", "the client's id was not replaced")),
            None => (!is_new).then(|| Finding::new("I1", format!("{id} is the id of another request"))),
        }
    }

    /// Checks the form of an error. If the layer's own response can be predicted from the policy, the error must equal
    /// the prediction. Otherwise the error must be the envelope, or have the shape of the route.
    fn form(&self, row: &Row, planned: &Planned, answer: &Response<Bytes>) -> Vec<Finding> {
        let code = code_of(answer);
        let exact = planned.predicted.as_ref().filter(|reply| self.by_policy && code_of(reply) == code);
        if let Some(exact) = exact {
            return differences(exact, answer);
        }
        let mut findings = Vec::new();
        if code.is_empty() {
            findings.push(Finding::new("E4", "there is no x-error-code"));
        }
        let model = self.service.model(&planned.request, code, answer.status());
        let in_shape = |model: &Response<Bytes>| {
            !testing::wrong(model.status(), model.headers(), model.body()).is_empty()
                || planned.request.method() == Method::HEAD
        };
        let rule = if matches!(row.rule, "E5" | "R11") { row.rule } else { "R12" };
        match model.filter(in_shape) {
            Some(model) => findings.extend(other_header(rule, "content-type", &model, answer)),
            None => findings.extend(envelope(answer)),
        }
        findings
    }
}

/// Returns the status and the code of a response, such as `404 not_found`.
pub(super) fn describe(answer: &Response<Bytes>) -> String {
    one_line(&format!("{} {}", answer.status().as_u16(), code_of(answer))).trim_end().to_owned()
}

fn envelope(answer: &Response<Bytes>) -> Vec<Finding> {
    let wrong = testing::wrong(answer.status(), answer.headers(), answer.body());
    let split = |text: &String| text.split_once(": ").map(|(rule, wrong)| Finding::new(rule, wrong));
    let mut findings: Vec<_> = wrong.iter().filter_map(split).collect();
    let body: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
    let issues = body.pointer("/error/details/issues").and_then(Value::as_array);
    if code_of(answer) == "invalid_request" && issues.is_none_or(Vec::is_empty) {
        findings.push(Finding::new("E8", "details of invalid_request has no list of issues"));
    }
    findings
}

/// Returns the differences between the predicted response and the actual one. The request id, and times such as
/// `meta.ts` of `error_with_meta`, are ignored.
fn differences(right: &Response<Bytes>, answer: &Response<Bytes>) -> Vec<Finding> {
    let rules =
        [("E1", "content-type"), ("E4", "x-content-type-options"), ("G2", "www-authenticate"), ("G3", "accept")];
    let mut findings: Vec<_> =
        rules.iter().filter_map(|(rule, name)| other_header(rule, name, right, answer)).collect();
    let id = |of: &Response<Bytes>| Some(of.headers().get("x-request-id")?.to_str().ok()?.to_owned());
    let (came, right_body) = (String::from_utf8_lossy(answer.body()), String::from_utf8_lossy(right.body()));
    let expected = right_body.replace(&id(right).unwrap_or_default(), &id(answer).unwrap_or_default());
    if without_times(&came) != without_times(&expected) {
        findings.push(Finding::new("E1", format!("the body is {}, expected {expected}", cut(&came, 180))));
    }
    findings
}

/// Replaces each time in the form that the layer writes by a mark, because the clocks of two machines differ.
fn without_times(text: &str) -> String {
    const FORM: &[u8] = b"0000-00-00T00:00:00.000Z";

    let is_time = |at: &[u8]| {
        let fits = |(byte, form): (&u8, &u8)| if *form == b'0' { byte.is_ascii_digit() } else { byte == form };
        at.len() >= FORM.len() && at.iter().zip(FORM).all(fits)
    };
    let (mut masked, mut from) = (String::new(), 0);
    for (at, _) in text.char_indices() {
        if at >= from && is_time(&text.as_bytes()[at..]) {
            masked += &text[from..at];
            masked.push_str("TIME");
            from = at + FORM.len();
        }
    }
    masked + &text[from..]
}

/// Checks that caches do not store an error (R7).
fn cached(answer: &Response<Bytes>) -> Option<Finding> {
    let must = answer.status().is_server_error() || matches!(answer.status().as_u16(), 401 | 403 | 429);
    let came = shown(answer.headers(), "cache-control");
    let may_differ = !must && answer.headers().contains_key(header::CACHE_CONTROL);
    let is_cached = !may_differ && !came.contains("no-store");
    is_cached.then(|| Finding::new("R7", format!("cache-control is {came}, expected no-store")))
}

fn other_header(rule: &str, name: &str, right: &Response<Bytes>, answer: &Response<Bytes>) -> Option<Finding> {
    let (right, came) = (shown(right.headers(), name), shown(answer.headers(), name));
    (right != came).then(|| Finding::new(rule, format!("{name} is {came}, expected {right}")))
}

/// Returns all values of a header, as a text for people.
fn shown(headers: &HeaderMap, name: &str) -> String {
    let lines: Vec<_> = headers.get_all(name).iter().map(|line| line.as_bytes().escape_ascii().to_string()).collect();
    if lines.is_empty() { "not there".to_owned() } else { format!("{:?}", lines.join(", ")) }
}
