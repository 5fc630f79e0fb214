//! Checks the rules that hold in every case, also where the case does not name them.

use super::check::Problems;
use super::client;
use super::envelope;
use super::format::{Case, Expect, Fails};
use super::rpc::{self, Protocol};
use super::seen::{Call, End, Facts, Response, Sent, lines};
use super::value::is_request_id;

/// The runner's own errors and panics contain this text, and no response may contain it.
pub(super) const SECRET: &str = "not-for-clients-7f3a";

pub(super) fn check(
    case: &Case,
    expect: &Expect,
    facts: Facts,
    response: &Response,
    call: Option<&Call>,
    problems: &mut Problems,
) {
    let seen = Seen { case, expect, facts, response, sent: call.and_then(|call| call.sent.as_ref()), call };
    seen.id(problems);
    seen.length(problems);
    seen.secrets(problems);
    seen.exposed(problems);
    rpc::always(&seen, problems);
    if seen.wrote() {
        seen.code_header(problems);
        seen.envelope(problems);
        seen.caching(problems);
        seen.vary(problems);
        seen.page(problems);
        client::check(&seen, problems);
    } else {
        seen.untouched(problems);
    }
    if seen.rewritten() {
        seen.kept(problems);
    }
    seen.retry_after(problems);
}

/// One response, the service's own response, and the case.
pub(super) struct Seen<'a> {
    pub(super) case: &'a Case,
    pub(super) expect: &'a Expect,
    pub(super) facts: Facts,
    pub(super) response: &'a Response,
    pub(super) sent: Option<&'a Sent>,
    pub(super) call: Option<&'a Call>,
}

impl Seen<'_> {
    /// Returns true if the layer wrote an error here, or passed the service's response.
    pub(super) fn wrote(&self) -> bool {
        let passed = matches!(self.expect.body.as_deref(), Some("inner" | "aborted"));
        !passed && !self.response.lines("x-error-code").is_empty()
    }

    /// Returns true if the layer replaced an inner error. A failure is no such error, and neither is the service's
    /// response to a cut body (G4).
    pub(super) fn rewritten(&self) -> bool {
        let over = self.response.status == 413 && self.sent.is_some_and(|sent| sent.status != 413);
        let broken = self.call.is_some_and(|call| call.body_error.is_some());
        let error = self.sent.is_some_and(|sent| !(200..400).contains(&sent.status));
        self.wrote() && error && !over && !broken && self.case.inner.fails.is_none()
    }

    pub(super) fn sent_lines(&self, name: &str) -> Vec<String> {
        self.sent.map(|sent| lines(&sent.headers, name)).unwrap_or_default()
    }

    fn id(&self, problems: &mut Problems) {
        let have = self.response.lines("x-request-id");
        match &have[..] {
            [id] if is_request_id(id) => {}
            _ => problems.push(("I1", format!("x-request-id is {have:?}"))),
        }
        let Some(call) = self.call else { return };
        let inside = lines(&call.headers, "x-request-id");
        match &inside[..] {
            [id] if !is_request_id(id) => problems.push(("I1", format!("the inner service saw x-request-id {id:?}"))),
            [_] if inside != have && self.facts.processes < 2 => {
                problems.push(("E3", format!("x-request-id is {have:?}, but the inner service saw {inside:?}")));
            }
            [_] => {}
            _ => problems.push(("I1", format!("the inner service saw x-request-id {inside:?}"))),
        }
    }

    fn length(&self, problems: &mut Problems) {
        let response = self.response;
        let lines = response.lines("content-length");
        let bodiless = self.case.request.method() == "HEAD" || matches!(response.status, 204 | 304);
        if bodiless && !response.body.is_empty() {
            problems.push(("E5", format!("{} bytes of body where none belongs", response.body.len())));
        }
        let right = lines.is_empty() || lines == [response.body.len().to_string()];
        if !bodiless && response.end == End::Whole && !right {
            problems.push(("E1", format!("content-length {lines:?} for {} bytes", response.body.len())));
        }
        if self.case.request.method() == "HEAD" && self.wrote() && !self.rpc() {
            self.length_of_head(&lines, problems);
        }
    }

    /// E5: the response to HEAD states the length of GET's envelope. This is checked where the case names the text.
    fn length_of_head(&self, lines: &[String], problems: &mut Problems) {
        let texts = self.expect.message.iter().flat_map(|message| message.all());
        let id = self.response.header("x-request-id").unwrap_or_default();
        let code = self.response.header("x-error-code").unwrap_or_default();
        let canonical = self.response.header("content-type").as_deref() == Some("application/json");
        let has_details = code == "invalid_request" || self.expect.details.is_some();
        let lengths = texts.map(|text| envelope::length_without_details(&code, text, &id).to_string());
        let lengths: Vec<String> = lengths.collect();
        if lines.len() != 1 {
            problems.push(("E5", format!("content-length {lines:?} for a HEAD request")));
        } else if canonical && !has_details && !lengths.is_empty() && !lengths.contains(&lines[0]) {
            problems.push(("E5", format!("content-length {lines:?} for HEAD, where GET would have {lengths:?}")));
        }
    }

    fn secrets(&self, problems: &mut Problems) {
        let fields = self.response.headers.iter().chain(&self.response.trailers);
        let mut texts = vec![String::from_utf8_lossy(&self.response.body).into_owned()];
        texts.extend(fields.map(|(_, value)| String::from_utf8_lossy(value).into_owned()));
        if texts.iter().any(|text| text.contains(SECRET)) {
            problems.push(("F1", "the text of the error reached the client".into()));
        }
    }

    fn code_header(&self, problems: &mut Problems) {
        let codes = self.response.lines("x-error-code");
        if codes.len() != 1 || !envelope::is_code(&codes[0]) {
            problems.push(("E4", format!("x-error-code is {codes:?}")));
        }
        let sniff = self.response.lines("x-content-type-options");
        if sniff != ["nosniff"] {
            problems.push(("E4", format!("x-content-type-options is {sniff:?}")));
        }
    }

    fn envelope(&self, problems: &mut Problems) {
        if !self.is_canonical() {
            return;
        }
        // `expect.body` reports a body that is no envelope, or this code does where the case does not name a body.
        let envelope = match envelope::read(&self.response.body) {
            Ok(envelope) => envelope,
            Err(why) if self.expect.body.is_none() => return problems.push(("E1", why)),
            Err(_) => return,
        };
        problems.extend(envelope::wrong(&envelope));
        let id = self.response.lines("x-request-id");
        if id != [envelope.request_id.as_str()] {
            problems.push(("E3", format!("request_id is {:?}, x-request-id {id:?}", envelope.request_id)));
        }
        let code = self.response.lines("x-error-code");
        if code != [envelope.code.as_str()] {
            problems.push(("E4", format!("error.code is {:?}, x-error-code {code:?}", envelope.code)));
        }
        if envelope.code == "invalid_request" && !self.canonical_details() {
            problems.extend(envelope::issues_wrong(envelope.details.as_deref()).map(|why| ("E8", why)));
        }
    }

    fn is_canonical(&self) -> bool {
        let unnamed = || {
            let json = self.response.header("content-type").as_deref() == Some("application/json");
            let keeps_shape = self.case.rules.iter().any(|rule| rule == "R10");
            json && self.case.request.method() != "HEAD"
                && !self.policy().contains("dialect")
                && !self.rpc()
                && !keeps_shape
        };
        match self.expect.body.as_deref() {
            Some(kind) => kind == "envelope",
            None => unnamed(),
        }
    }

    /// E8's last sentence: the details of a canonical envelope stay unchanged.
    fn canonical_details(&self) -> bool {
        let inner = self.sent.and_then(|sent| envelope_like(&sent.body));
        inner.is_some_and(|inner| inner.pointer("/error/details").is_some() && inner.get("request_id").is_some())
    }

    /// Returns true if the client speaks a protocol of section P.
    pub(super) fn rpc(&self) -> bool {
        Protocol::from_case(self.case).is_some()
    }

    pub(super) fn policy(&self) -> String {
        let file = || std::fs::read_to_string(self.case.folder.join(self.case.policy_file.as_ref()?)).ok();
        self.case.reload.clone().or_else(|| self.case.policy.clone()).or_else(file).unwrap_or_default()
    }
}

fn envelope_like(body: &[u8]) -> Option<serde_json::Value> {
    super::value::json(std::str::from_utf8(body).ok()?).ok()
}

/// Returns true if the failure is one that only code in the process can show.
pub(super) fn in_process_only(fails: Option<Fails>) -> bool {
    !matches!(fails, None | Some(Fails::Refused | Fails::ErrorInBody))
}
