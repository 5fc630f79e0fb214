//! What holds in every case, named or not.

use super::body::{nominated, of_connection};
use super::check::Problems;
use super::envelope;
use super::format::{Case, Expect, Fails};
use super::rpc;
use super::seen::{Call, End, Facts, Response, Sent, lines};
use super::value::is_request_id;

/// In the texts of the runner's own errors and panics: nowhere in a response.
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
    seen.details_bin(problems);
    if seen.wrote() {
        seen.code_header(problems);
        seen.envelope(problems);
        seen.caching(problems);
    } else {
        seen.untouched(problems);
    }
    if seen.rewritten() {
        seen.kept(problems);
    }
    seen.retry_after(problems);
}

struct Seen<'a> {
    case: &'a Case,
    expect: &'a Expect,
    facts: Facts,
    response: &'a Response,
    sent: Option<&'a Sent>,
    call: Option<&'a Call>,
}

impl Seen<'_> {
    /// Whether the layer wrote an error here, or passed what came.
    fn wrote(&self) -> bool {
        let passed = matches!(self.expect.body.as_deref(), Some("inner" | "aborted"));
        !passed && !self.response.lines("x-error-code").is_empty()
    }

    /// Whether it wrote it over an inner error: not over a failure, nor over what a service said of a cut body (G4).
    fn rewritten(&self) -> bool {
        let over = self.response.status == 413 && self.sent.is_some_and(|sent| sent.status != 413);
        let broken = self.call.is_some_and(|call| call.body_error.is_some());
        let error = self.sent.is_some_and(|sent| !(200..400).contains(&sent.status));
        self.wrote() && error && !over && !broken && self.case.inner.fails.is_none()
    }

    fn sent_lines(&self, name: &str) -> Vec<String> {
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
        if self.case.request.method() == "HEAD" && self.wrote() {
            self.length_of_head(&lines, problems);
        }
    }

    /// E5: HEAD says how long GET's envelope would be. Where the case knows the text, so does the check.
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
        let mut texts = vec![String::from_utf8_lossy(&self.response.body).into_owned()];
        texts.extend(self.response.headers.iter().map(|(_, value)| String::from_utf8_lossy(value).into_owned()));
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
        // A body that is no envelope is reported by `expect.body`, or here where the case does not name one.
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
            json && self.case.request.method() != "HEAD" && !self.policy().contains("dialect")
        };
        match self.expect.body.as_deref() {
            Some(kind) => kind == "envelope",
            None => unnamed(),
        }
    }

    /// E8's last sentence: what a canonical envelope brought along stays as it came.
    fn canonical_details(&self) -> bool {
        let inner = self.sent.and_then(|sent| envelope_like(&sent.body));
        inner.is_some_and(|inner| inner.pointer("/error/details").is_some() && inner.get("request_id").is_some())
    }

    /// R7.
    fn caching(&self, problems: &mut Problems) {
        const FIELDS: [&str; 4] = ["expires", "pragma", "cdn-cache-control", "surrogate-control"];
        let status = self.response.status;
        if status < 400 {
            return;
        }
        let cache = self.response.lines("cache-control");
        let never = matches!(status, 401 | 403 | 429 | 500..);
        let explicit = if self.rewritten() { self.sent_lines("cache-control") } else { Vec::new() };
        if !never && !explicit.is_empty() {
            for name in FIELDS.iter().chain(&["cache-control"]) {
                self.same(name, "R7", problems);
            }
            return;
        }
        if cache != ["no-store"] {
            problems.push(("R7", format!("cache-control is {cache:?} instead of no-store")));
        }
        for name in FIELDS.iter().filter(|name| !self.response.lines(name).is_empty()) {
            problems.push(("R7", format!("{name} is there beside no-store")));
        }
    }

    fn same(&self, name: &str, rule: &'static str, problems: &mut Problems) {
        let (have, want) = (self.response.lines(name), self.sent_lines(name));
        if have != want {
            problems.push((rule, format!("lines of {name}: {have:?} instead of the inner {want:?}")));
        }
    }

    /// R8.
    fn retry_after(&self, problems: &mut Problems) {
        if self.rewritten() || !self.wrote() && self.sent.is_some() {
            return self.same("retry-after", "R8", problems);
        }
        if self.sent.is_none() && !self.response.lines("retry-after").is_empty() {
            problems.push(("R8", "retry-after was invented".into()));
        }
    }

    /// R6.
    fn kept(&self, problems: &mut Problems) {
        let Some(sent) = self.sent else { return };
        let status = self.response.status;
        for name in dropped(status).iter().map(|name| (*name).to_owned()).chain(nominated(&sent.headers)) {
            if !self.response.lines(&name).is_empty() {
                problems.push(("R6", format!("{name} described the old body or connection, and is still there")));
            }
        }
        let mut names: Vec<&str> = sent.headers.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let replaced = |name: &str| {
            let no_upgrade = self.facts.http2 && name == "upgrade";
            let theirs = dropped(status).contains(&name) || of_connection(name, &sent.headers, status);
            OURS.contains(&name) || theirs || no_upgrade
        };
        for name in names.into_iter().filter(|name| !replaced(name)) {
            self.same(name, "R6", problems);
        }
        let tokens = |lines: Vec<String>| lines.join(",").to_ascii_lowercase();
        let vary = tokens(self.response.lines("vary"));
        for token in tokens(self.sent_lines("vary")).split(',').filter(|token| !vary.contains(token.trim())) {
            problems.push(("R6", format!("vary lost {token:?}")));
        }
    }

    /// A response that the layer did not write has nothing of it but the id (E4, E5, R11).
    fn untouched(&self, problems: &mut Problems) {
        let answered_rpc = !self.response.lines("grpc-status").is_empty();
        if self.sent.is_none() || answered_rpc || self.response.status >= 400 {
            return;
        }
        self.same("x-error-code", "E4", problems);
        self.same("vary", "R11", problems);
    }

    /// E4's last sentence.
    fn exposed(&self, problems: &mut Problems) {
        const NAMES: [&str; 3] = ["x-request-id", "x-error-code", "retry-after"];
        const FIELD: &str = "access-control-expose-headers";
        let crossing = !self.response.lines("access-control-allow-origin").is_empty();
        let policy = self.policy();
        let unsaid = self.expect.exposed.is_none() && (policy.contains("expose_headers") || policy.contains("mode"));
        if unsaid || self.sent.is_none() && !crossing {
            return;
        }
        if self.expect.exposed == Some(false) || !crossing {
            return self.same(FIELD, "E4", problems);
        }
        let have = self.response.lines(FIELD).join(",").to_ascii_lowercase();
        let have: Vec<&str> = have.split(',').map(str::trim).collect();
        let before = self.sent_lines(FIELD).join(",").to_ascii_lowercase();
        let before = before.split(',').map(str::trim).filter(|name| !name.is_empty());
        for name in NAMES.into_iter().chain(before).filter(|name| !have.contains(name)) {
            problems.push(("E4", format!("{FIELD} {have:?} does not name {name}")));
        }
    }

    fn details_bin(&self, problems: &mut Problems) {
        let Some(value) = self.response.header("grpc-status-details-bin") else { return };
        if self.sent.is_some_and(|sent| !lines(&sent.headers, "grpc-status-details-bin").is_empty()) {
            return;
        }
        let details = match rpc::read(&value) {
            Ok(details) => details,
            Err(why) => return problems.push(("P1", why)),
        };
        let reason = details.reason.unwrap_or_default();
        if !super::value::matches("[A-Z][A-Z0-9_]{0,62}", &reason) {
            problems.push(("P1", format!("ErrorInfo.reason is {reason:?}")));
        }
        if details.request_id != self.response.header("x-request-id") {
            problems.push(("P1", format!("RequestInfo has {:?}", details.request_id)));
        }
    }

    fn policy(&self) -> String {
        let file = || std::fs::read_to_string(self.case.folder.join(self.case.policy_file.as_ref()?)).ok();
        self.case.reload.clone().or_else(|| self.case.policy.clone()).or_else(file).unwrap_or_default()
    }
}

/// What the layer itself sets, each looked at by a rule of its own.
const OURS: [&str; 16] = [
    "content-type",
    "content-length",
    "cache-control",
    "expires",
    "pragma",
    "cdn-cache-control",
    "surrogate-control",
    "x-error-code",
    "x-content-type-options",
    "access-control-expose-headers",
    "vary",
    "date",
    "request-id",
    "grpc-status",
    "grpc-message",
    "grpc-status-details-bin",
];

fn dropped(status: u16) -> Vec<&'static str> {
    let mut names = vec![
        "content-encoding",
        "content-language",
        "content-location",
        "content-disposition",
        "digest",
        "content-digest",
        "repr-digest",
        "content-md5",
        "transfer-encoding",
        "trailer",
        "accept-ranges",
        "last-modified",
        "keep-alive",
        "proxy-connection",
    ];
    names.extend((status != 416).then_some("content-range"));
    names.extend((!matches!(status, 409 | 412 | 428)).then_some("etag"));
    names.extend((status != 426).then_some("upgrade"));
    names
}

fn envelope_like(body: &[u8]) -> Option<serde_json::Value> {
    super::value::json(std::str::from_utf8(body).ok()?).ok()
}

/// Whether the failure is one that only code in the process can show.
pub(super) fn in_process_only(fails: Option<Fails>) -> bool {
    !matches!(fails, None | Some(Fails::Refused | Fails::ErrorInBody))
}
