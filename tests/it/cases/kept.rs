//! Compares the headers of a response with those of the inner one. Some are removed (R6), others are kept, those for
//! caches follow R7, none is invented (R8), and a browser may read some (E4).

use super::always::Seen;
use super::check::Problems;
use super::format::InnerFault;
use super::wire::Headers;

impl Seen<'_> {
    /// Checks R7.
    pub(super) fn caching(&self, problems: &mut Problems) {
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

    /// Checks R8.
    pub(super) fn retry_after(&self, problems: &mut Problems) {
        if self.rewritten() || !self.wrote() && self.sent.is_some() {
            return self.same("retry-after", "R8", problems);
        }
        let has_retry_after =
            |fault: &InnerFault| fault.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("retry-after"));
        let by_fault = self.case.inner.fault.as_ref().is_some_and(has_retry_after);
        if self.sent.is_none() && !by_fault && !self.response.lines("retry-after").is_empty() {
            problems.push(("R8", "retry-after was invented".into()));
        }
    }

    /// Checks R6.
    pub(super) fn kept(&self, problems: &mut Problems) {
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
            // The header about what a page may load is replaced with the page (R16).
            let of_page =
                self.is_page() && matches!(name, "content-security-policy" | "content-security-policy-report-only");
            OURS.contains(&name) || theirs || no_upgrade || of_page
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

    /// Checks R16 wherever the layer wrote a page, and nowhere else.
    pub(super) fn page(&self, problems: &mut Problems) {
        const FIELD: &str = "content-security-policy";
        if self.is_page() && self.response.lines(FIELD) != ["default-src 'none'; style-src 'unsafe-inline'"] {
            problems.push(("R16", format!("a page has {FIELD} {:?}", self.response.lines(FIELD))));
        }
    }

    fn is_page(&self) -> bool {
        self.response.header("content-type").is_some_and(|it| it.starts_with("text/html"))
    }

    /// Checks R11's last sentence, wherever the policy leaves negotiation on.
    pub(super) fn vary(&self, problems: &mut Problems) {
        let policy = self.policy();
        let media_type = self.response.header("content-type").unwrap_or_default();
        let http = matches!(media_type.as_str(), "application/json" | "application/problem+json");
        if !http || self.rpc() || policy.contains("negotiate") || policy.contains("dialect") {
            return;
        }
        let vary = self.response.lines("vary").join(",").to_ascii_lowercase();
        if !vary.split(',').any(|name| matches!(name.trim(), "accept" | "*")) {
            problems.push(("R11", format!("vary {vary:?} does not name accept")));
        }
    }

    /// Checks that a response which the layer did not write has only the id from the layer (E4, E5, R11).
    pub(super) fn untouched(&self, problems: &mut Problems) {
        let answered_rpc = !self.response.lines("grpc-status").is_empty();
        if self.sent.is_none() || answered_rpc || self.response.status >= 400 {
            return;
        }
        self.same("x-error-code", "E4", problems);
        self.same("vary", "R11", problems);
    }

    /// Checks E4's last sentence.
    pub(super) fn exposed(&self, problems: &mut Problems) {
        const NAMES: [&str; 3] = ["x-request-id", "x-error-code", "retry-after"];
        const UPSTREAM: &str = "x-upstream-request-id";
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
        let upstream = policy.contains("upstream = true") && !self.response.lines(UPSTREAM).is_empty();
        for name in
            NAMES.into_iter().chain(upstream.then_some(UPSTREAM)).chain(before).filter(|name| !have.contains(name))
        {
            problems.push(("E4", format!("{FIELD} {have:?} does not name {name}")));
        }
    }
}

/// The headers that the layer itself sets. Another rule checks each of them.
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
        "x-amz-checksum-crc32",
        "x-amz-checksum-sha256",
        "x-amz-crc32",
        "x-goog-hash",
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

/// Returns true for the fields that belong to one connection (RFC 9110 §7.6.1), and for the id, which `always` checks.
pub(super) fn of_connection(name: &str, sent: &Headers, status: u16) -> bool {
    let fixed = ["connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "x-request-id"];
    let upgrade = name == "upgrade" && status != 101 && status != 426;
    fixed.contains(&name) || upgrade || nominated(sent).iter().any(|token| token == name)
}

/// Returns the names in the `connection` lines.
pub(super) fn nominated(headers: &Headers) -> Vec<String> {
    let lines = super::seen::lines(headers, "connection");
    let tokens = lines.iter().flat_map(|line| line.split(',')).map(|token| token.trim().to_ascii_lowercase());
    // No connection may remove the id, because every response has it (I1).
    tokens.filter(|token| !matches!(token.as_str(), "close" | "keep-alive" | "upgrade" | "x-request-id" | "")).collect()
}
