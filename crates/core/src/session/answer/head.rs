//! Writes the heads of responses: the headers that scripts of other origins may read (E4), and the
//! head of a rewritten error (R6, R7).

use http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH,
    CONTENT_RANGE, CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY_REPORT_ONLY, CONTENT_TYPE, ETAG, EXPIRES, PRAGMA,
    TRAILER, UPGRADE, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::code::ErrorCode;
use crate::dialect::rpc::Rpc;
use crate::fault::length_value;
use crate::fields::{self, X_ERROR_CODE, X_REQUEST_ID, X_UPSTREAM_REQUEST_ID, list};
use crate::{dialect, page};

pub(in crate::session) const X_UPSTREAM_ERROR_CODE: HeaderName = HeaderName::from_static("x-upstream-error-code");
const CDN_CACHE_CONTROL: HeaderName = HeaderName::from_static("cdn-cache-control");
const SURROGATE_CONTROL: HeaderName = HeaderName::from_static("surrogate-control");

/// The number of headers that this module adds to an error. With the id, these headers fit into a header map's first
/// allocation.
const OWN_HEADERS: usize = 5;

/// The number of headers that an error gets if its body depends on `accept`. With `vary` and the id, these headers need
/// a larger allocation, which is made at once.
const MORE_HEADERS: usize = 7;

/// The facts from which the head of a written error is made.
pub(in crate::session) struct ErrorHead<'a> {
    pub(in crate::session) code: &'a ErrorCode,
    pub(in crate::session) content_type: HeaderValue,
    /// The length of the body, or `None` if the head is the whole response (P1).
    pub(in crate::session) length: Option<u64>,
    /// True if the body depends on `accept` (R11, R16).
    pub(in crate::session) negotiates: bool,
    pub(in crate::session) is_html: bool,
    /// The dialect's own header for the id, if it has one.
    pub(in crate::session) id: Option<(&'static str, &'a HeaderValue)>,
    pub(in crate::session) http1: bool,
}

/// Returns all headers of errors that scripts of other origins may read (E4), for a CORS layer that lists these headers
/// itself.
#[must_use]
pub fn exposed_headers() -> [HeaderName; 5] {
    let [id, code, wait] = EXPOSED.map(HeaderName::from_static);
    [id, code, wait, X_UPSTREAM_ERROR_CODE, X_UPSTREAM_REQUEST_ID]
}

/// The headers that the layer exposes itself.
pub(in crate::session) const EXPOSED: [&str; 3] = ["x-request-id", "x-error-code", "retry-after"];

/// The headers that a gRPC-Web client must read if an error consists only of a head (P2).
pub(in crate::session) const EXPOSED_OF_GRPC: [&str; 3] = ["grpc-status", "grpc-message", "grpc-status-details-bin"];

/// Makes the head of a rewritten error consistent with its new body.
pub(in crate::session) fn rewrite(headers: &mut HeaderMap, status: StatusCode, error: ErrorHead<'_>) {
    let mut seen = InnerHeadFlags::scan(headers, status);
    if seen.old {
        remove_old(headers, status, error.http1);
        // A `cache-control` that `connection` names was only for the previous hop, and was removed.
        seen.cache_control = seen.cache_control && headers.contains_key(CACHE_CONTROL);
    }
    headers.reserve(if error.negotiates { MORE_HEADERS } else { OWN_HEADERS });
    headers.insert(CONTENT_TYPE, error.content_type);
    if let Some(length) = error.length {
        headers.insert(CONTENT_LENGTH, length_value(usize::try_from(length).unwrap_or(usize::MAX)));
    }
    mark(headers, status, error.code, &seen);
    if error.is_html {
        headers.insert(CONTENT_SECURITY_POLICY, page::CONTENT_SECURITY_POLICY);
        headers.remove(CONTENT_SECURITY_POLICY_REPORT_ONLY);
    }
    if error.negotiates {
        vary_by_accept(headers, seen.vary);
    }
    if let Some((name, id)) = error.id {
        headers.insert(name, id.clone());
    }
}

/// Sets the headers that every error gets, on an error that keeps its body (R10).
pub(in crate::session) fn mark_kept(headers: &mut HeaderMap, status: StatusCode, code: &ErrorCode) {
    let seen = InnerHeadFlags::scan(headers, status);
    mark(headers, status, code, &seen);
}

fn mark(headers: &mut HeaderMap, status: StatusCode, code: &ErrorCode, seen: &InnerHeadFlags) {
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_ERROR_CODE, code_value(code));
    forbid_storing(headers, status, seen);
}

/// Returns the media type of a body that is rewritten in its own format. The result is the received type if that type
/// names the format, or else `application/json`. The new body is UTF-8.
pub(in crate::session) fn kept_type(headers: &HeaderMap, format: &str) -> HeaderValue {
    let Some(value) = fields::single_value(headers, &CONTENT_TYPE) else {
        return HeaderValue::from_static("application/json");
    };
    let lower = value.to_str().unwrap_or_default().to_ascii_lowercase();
    let is_named = lower.contains(format);
    match (is_named, !lower.contains("charset") || lower.contains("utf-8")) {
        (true, true) => Some(value.clone()),
        (true, false) => dialect::essence(headers).and_then(|named| HeaderValue::from_bytes(named).ok()),
        _ => None,
    }
    .unwrap_or(HeaderValue::from_static("application/json"))
}

/// Returns true if every header of an inner head is removed, because it describes the old body or the old hop. The
/// error then gets the same head as any other error.
pub(in crate::session) fn keeps_nothing(headers: &HeaderMap, status: StatusCode) -> bool {
    headers.keys().all(|name| is_removed(name, status))
}

/// The maximum number of lines that an inner head may have for its error to get a prepared head.
const MOST_KEPT: usize = 8;

/// Returns true if the names of the headers in an inner head suffice to decide which of these headers an error keeps.
/// The values of the headers and the status do not matter then.
pub(in crate::session) fn keeps_by_name(headers: &HeaderMap) -> bool {
    let weighed =
        [ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONNECTION, CONTENT_RANGE, ETAG, UPGRADE, VARY, X_REQUEST_ID];
    headers.len() <= MOST_KEPT && !headers.keys().any(|name| weighed.contains(name))
}

/// The headers of an inner head that may conflict with the head of an error. One pass over all names is cheaper than
/// several look-ups.
#[derive(Default)]
struct InnerHeadFlags {
    /// True if there are headers that describe the old body, which must be removed (R6).
    old: bool,
    vary: bool,
    cache_control: bool,
    /// True if there are headers other than `cache-control` that control caches (R7).
    cached: bool,
}

impl InnerHeadFlags {
    fn scan(headers: &HeaderMap, status: StatusCode) -> Self {
        let mut seen = Self::default();
        for name in headers.keys() {
            seen.old |= is_removed(name, status) || *name == UPGRADE;
            seen.vary |= *name == VARY;
            seen.cache_control |= *name == CACHE_CONTROL;
            seen.cached |= [EXPIRES, PRAGMA, CDN_CACHE_CONTROL, SURROGATE_CONTROL].contains(name);
        }
        seen
    }
}

/// Adds `accept` to `vary`, because the body depends on `accept` (R11).
fn vary_by_accept(headers: &mut HeaderMap, varies: bool) {
    if varies {
        vary_by(headers, "accept");
    } else {
        headers.insert(VARY, HeaderValue::from_static("accept"));
    }
}

/// Adds a name to `vary`, unless it is already there.
pub(in crate::session) fn vary_by(headers: &mut HeaderMap, header: &str) {
    if !is_listed(headers, &VARY, "*") {
        add_missing(headers, VARY, &[header]);
    }
}

/// Adds these headers to the headers that scripts of other origins may read, if the response is readable across origins
/// (E4).
#[inline]
pub(in crate::session) fn expose(headers: &mut HeaderMap, names: &[&str]) {
    if fields::has(headers, &ACCESS_CONTROL_ALLOW_ORIGIN) {
        add_missing(headers, ACCESS_CONTROL_EXPOSE_HEADERS, names);
    }
}

/// Adds to the header `trailer` the names of the trailers that may follow.
pub(in crate::session) fn announce(headers: &mut HeaderMap, trailers: &'static str) {
    if fields::has(headers, &TRAILER) {
        add_missing(headers, TRAILER, &trailers.split(", ").collect::<Vec<_>>());
    } else {
        headers.insert(TRAILER, HeaderValue::from_static(trailers));
    }
}

fn add_missing(headers: &mut HeaderMap, list: HeaderName, names: &[&str]) {
    let missing: Vec<&str> = names.iter().copied().filter(|name| !is_listed(headers, &list, name)).collect();
    if !missing.is_empty() {
        add_to_list(headers, list, &missing.join(", "));
    }
}

/// Adds elements to the last line of a list, so that a header with one line keeps one line.
fn add_to_list(headers: &mut HeaderMap, name: HeaderName, missing: &str) {
    if let http::header::Entry::Occupied(mut lines) = headers.entry(&name)
        && let Some(last) = lines.iter_mut().next_back()
        && let Some(extended) = with_name_added(last, missing)
    {
        *last = extended;
        return;
    }
    if let Ok(value) = HeaderValue::try_from(missing) {
        headers.append(name, value);
    }
}

fn is_listed(headers: &HeaderMap, names: &HeaderName, name: &str) -> bool {
    headers.get_all(names).iter().any(|line| list(line).any(|it| it.eq_ignore_ascii_case(name)))
}

fn with_name_added(line: &HeaderValue, missing: &str) -> Option<HeaderValue> {
    let line = line.to_str().ok()?.trim_end_matches([' ', '\t', ',']);
    HeaderValue::try_from(if line.is_empty() { missing.to_owned() } else { format!("{line}, {missing}") }).ok()
}

/// Removes the headers that describe the old body, and the headers that applied only to the old hop (R6).
fn remove_old(headers: &mut HeaderMap, status: StatusCode, http1: bool) {
    let named = headers.get_all(CONNECTION).iter().flat_map(list).filter_map(|name| name.parse::<HeaderName>().ok());
    let mut gone: Vec<HeaderName> = named.filter(|name| !is_for_every_recipient(name)).collect();
    if status == StatusCode::UPGRADE_REQUIRED {
        gone.retain(|name| *name != UPGRADE);
    }
    gone.extend(headers.keys().filter(|name| is_removed(name, status)).cloned());
    for name in gone {
        headers.remove(name);
    }
    // A sender of `upgrade` must name it in `connection` (RFC 9110 §7.8).
    if http1 && headers.contains_key(UPGRADE) {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    }
}

fn is_removed(name: &HeaderName, status: StatusCode) -> bool {
    match name.as_str() {
        "content-length"
        | "content-type"
        | "content-encoding"
        | "content-language"
        | "content-location"
        | "content-disposition"
        | "accept-ranges"
        | "last-modified" => true,
        "connection" | "keep-alive" | "proxy-connection" | "te" | "trailer" | "transfer-encoding" => true,
        "content-range" => status != StatusCode::RANGE_NOT_SATISFIABLE,
        "etag" => !matches!(status.as_u16(), 409 | 412 | 428),
        "upgrade" => status != StatusCode::UPGRADE_REQUIRED,
        name => fields::is_checksum(name),
    }
}

/// Returns true for a header that always stays (R6, R8), even if `connection` names it. RFC 9110 §7.6.1 forbids
/// `connection` to name such a header.
fn is_for_every_recipient(name: &HeaderName) -> bool {
    let name = name.as_str();
    let kept = matches!(
        name,
        "retry-after"
            | "set-cookie"
            | "www-authenticate"
            | "proxy-authenticate"
            | "allow"
            | "location"
            | "link"
            | "vary"
    );
    kept || ["access-control-", "ratelimit", "x-ratelimit"].iter().any(|prefix| name.starts_with(prefix))
}

/// Forbids caches to store the error, unless the service itself sent a `cache-control` (R7). A 401, a 403, a 429 and a
/// 5xx must never be stored. Neither must an error of gRPC, which other clients of a cache would read as a success.
fn forbid_storing(headers: &mut HeaderMap, status: StatusCode, seen: &InnerHeadFlags) {
    let never = matches!(status.as_u16(), 401 | 403 | 429) || status.is_server_error();
    let is_rpc = || headers.get(CONTENT_TYPE).is_some_and(|it| Rpc::of_media_type(it.as_bytes()).is_some());
    if seen.cache_control && !never && !is_rpc() {
        return;
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if seen.cached {
        for name in [EXPIRES, PRAGMA, CDN_CACHE_CONTROL, SURROGATE_CONTROL] {
            headers.remove(name);
        }
    }
}

pub(in crate::session) fn code_value(code: &ErrorCode) -> HeaderValue {
    match code.static_name() {
        Some(name) => HeaderValue::from_static(name),
        None => HeaderValue::from_str(code.as_str()).unwrap_or_else(|_| HeaderValue::from_static("internal_error")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    fn error_head() -> ErrorHead<'static> {
        static CODE: ErrorCode = ErrorCode::NOT_FOUND;

        ErrorHead {
            code: &CODE,
            content_type: HeaderValue::from_static("application/json"),
            length: Some(1),
            negotiates: true,
            is_html: false,
            id: None,
            http1: true,
        }
    }

    #[test]
    fn r11_vary_is_merged_into_what_was_there() {
        for (before, after) in [
            (&[][..], &["accept"][..]),
            (&["origin"], &["origin, accept"]),
            (&["origin", "Accept-Encoding,"], &["origin", "Accept-Encoding, accept"]),
            (&["Accept", "origin"], &["Accept", "origin"]),
            (&["*"], &["*"]),
            (&[""], &["accept"]),
        ] {
            let lines: Vec<_> = before.iter().map(|line| ("vary", *line)).collect();
            let mut head = headers(&lines);
            rewrite(&mut head, StatusCode::NOT_FOUND, error_head());
            let lines: Vec<_> = head.get_all(VARY).iter().map(|line| line.to_str().unwrap()).collect();
            assert_eq!(lines, after, "{before:?}");
        }
        let mut fixed = headers(&[("vary", "origin")]);
        rewrite(&mut fixed, StatusCode::NOT_FOUND, ErrorHead { negotiates: false, ..error_head() });
        assert_eq!(fixed["vary"], "origin");
    }

    fn exposed(lines: &[(&'static str, &'static str)]) -> Vec<String> {
        let mut headers = headers(lines);
        expose(&mut headers, &EXPOSED);
        headers.get_all(ACCESS_CONTROL_EXPOSE_HEADERS).iter().map(|it| it.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn e4_what_is_exposed_is_added_to_what_was() {
        let origin = ("access-control-allow-origin", "*");
        let expose = "access-control-expose-headers";
        assert_eq!(exposed(&[]), [] as [&str; 0]);
        assert_eq!(exposed(&[origin]), ["x-request-id, x-error-code, retry-after"]);
        assert_eq!(exposed(&[origin, (expose, "a, Retry-After")]), ["a, Retry-After, x-request-id, x-error-code"]);
        assert_eq!(
            exposed(&[origin, (expose, "a"), (expose, "X-Request-Id")]),
            ["a", "X-Request-Id, x-error-code, retry-after"]
        );
        assert_eq!(exposed(&[origin, (expose, "x-error-code,retry-after"), (expose, "x-request-id")]).len(), 2);
    }

    #[test]
    fn r7_what_held_for_the_old_hop_allows_nobody_to_store_an_error() {
        let mut head = headers(&[("cache-control", "max-age=60"), ("connection", "cache-control")]);
        rewrite(&mut head, StatusCode::NOT_FOUND, error_head());
        assert_eq!(head["cache-control"], "no-store");
        let mut head = headers(&[("cache-control", "max-age=60"), ("connection", "x-hop")]);
        rewrite(&mut head, StatusCode::NOT_FOUND, error_head());
        assert_eq!(head["cache-control"], "max-age=60");
    }

    #[test]
    fn r6_upgrade_stays_on_426_and_is_named() {
        let mut kept = headers(&[("upgrade", "h2c"), ("connection", "Upgrade, x-hop"), ("x-hop", "1")]);
        rewrite(&mut kept, StatusCode::UPGRADE_REQUIRED, error_head());
        assert_eq!(kept["upgrade"], "h2c");
        assert_eq!(kept["connection"], "upgrade");
        assert!(!kept.contains_key("x-hop"));
        let mut gone = headers(&[("upgrade", "h2c"), ("connection", "Upgrade")]);
        rewrite(&mut gone, StatusCode::NOT_FOUND, error_head());
        assert!(!gone.contains_key("upgrade") && !gone.contains_key("connection"));
    }
}
