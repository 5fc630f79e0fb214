//! Response heads: the id (I1, I3), what a browser may read (E4), and the head of a rewritten error (R6, R7).

use http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH,
    CONTENT_TYPE, EXPIRES, PRAGMA, UPGRADE, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::code::ErrorCode;

pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
pub(super) const X_ERROR_CODE: HeaderName = HeaderName::from_static("x-error-code");
const CDN_CACHE_CONTROL: HeaderName = HeaderName::from_static("cdn-cache-control");
const SURROGATE_CONTROL: HeaderName = HeaderName::from_static("surrogate-control");

/// How many headers an error gets here; with the id they fill a header map's first allocation.
const OWN_HEADERS: usize = 5;

/// What a client may want to read across origins (E4).
const EXPOSED: [&str; 3] = ["x-request-id", "x-error-code", "retry-after"];

/// Makes the head of a rewritten error consistent with its new body of `length` bytes.
pub(super) fn rewrite(headers: &mut HeaderMap, status: StatusCode, code: &ErrorCode, length: u64, http1: bool) {
    if !headers.is_empty() {
        remove_old(headers, status, http1);
    }
    let others = !headers.is_empty();
    headers.reserve(OWN_HEADERS);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_ERROR_CODE, code_value(code));
    forbid_storing(headers, status, others);
}

/// Adds what E4 exposes to a response that is readable across origins.
pub(super) fn expose(headers: &mut HeaderMap) {
    if headers.is_empty() || !headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
        return;
    }
    let missing: Vec<&str> = EXPOSED.into_iter().filter(|name| !is_exposed(headers, name)).collect();
    if missing.is_empty() {
        return;
    }
    let missing = missing.join(", ");
    // The last line is extended, so that every line that was there stays one line.
    if let http::header::Entry::Occupied(mut lines) = headers.entry(ACCESS_CONTROL_EXPOSE_HEADERS)
        && let Some(last) = lines.iter_mut().next_back()
        && let Some(extended) = extended(last, &missing)
    {
        *last = extended;
        return;
    }
    if let Ok(value) = HeaderValue::try_from(missing) {
        headers.append(ACCESS_CONTROL_EXPOSE_HEADERS, value);
    }
}

fn is_exposed(headers: &HeaderMap, name: &str) -> bool {
    headers.get_all(ACCESS_CONTROL_EXPOSE_HEADERS).iter().any(|line| list(line).any(|it| it.eq_ignore_ascii_case(name)))
}

fn extended(line: &HeaderValue, missing: &str) -> Option<HeaderValue> {
    let line = line.to_str().ok()?.trim_end_matches([' ', '\t', ',']);
    HeaderValue::try_from(if line.is_empty() { missing.to_owned() } else { format!("{line}, {missing}") }).ok()
}

/// What described the old body, and what held for the old hop alone, goes (R6).
fn remove_old(headers: &mut HeaderMap, status: StatusCode, http1: bool) {
    let named = headers.get_all(CONNECTION).iter().flat_map(list).filter_map(|name| name.parse::<HeaderName>().ok());
    let mut gone: Vec<HeaderName> = named.filter(|name| !is_for_every_recipient(name)).collect();
    if status == StatusCode::UPGRADE_REQUIRED {
        gone.retain(|name| *name != UPGRADE);
    }
    gone.extend(headers.keys().filter(|name| goes(name, status)).cloned());
    for name in gone {
        headers.remove(name);
    }
    // RFC 9110 §7.8: who sends `upgrade` names it in `connection`.
    if http1 && headers.contains_key(UPGRADE) {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    }
}

fn goes(name: &HeaderName, status: StatusCode) -> bool {
    match name.as_str() {
        "content-length"
        | "content-type"
        | "content-encoding"
        | "content-language"
        | "content-location"
        | "content-disposition"
        | "content-md5"
        | "digest"
        | "content-digest"
        | "repr-digest"
        | "unencoded-digest"
        | "accept-ranges"
        | "last-modified" => true,
        "connection" | "keep-alive" | "proxy-connection" | "te" | "trailer" | "transfer-encoding" => true,
        "content-range" => status != StatusCode::RANGE_NOT_SATISFIABLE,
        "etag" => !matches!(status.as_u16(), 409 | 412 | 428),
        "upgrade" => status != StatusCode::UPGRADE_REQUIRED,
        _ => false,
    }
}

/// What R6 and R8 keep, even where `connection` names it: RFC 9110 §7.6.1 allows no sender to.
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

/// R7: an error is stored only where the service says so, and never one that may have been for this client alone.
/// `others` says whether the service sent any header that may speak of it.
fn forbid_storing(headers: &mut HeaderMap, status: StatusCode, others: bool) {
    let never = matches!(status.as_u16(), 401 | 403 | 429) || status.is_server_error();
    if others && !never && headers.contains_key(CACHE_CONTROL) {
        return;
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if others {
        for name in [EXPIRES, PRAGMA, CDN_CACHE_CONTROL, SURROGATE_CONTROL] {
            headers.remove(name);
        }
    }
}

fn code_value(code: &ErrorCode) -> HeaderValue {
    match code.static_name() {
        Some(name) => HeaderValue::from_static(name),
        None => HeaderValue::from_str(code.as_str()).unwrap_or_else(|_| HeaderValue::from_static("internal_error")),
    }
}

/// The members of a comma-separated header line.
pub(super) fn list(line: &HeaderValue) -> impl Iterator<Item = &str> {
    line.to_str().unwrap_or_default().split(',').map(str::trim).filter(|member| !member.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    fn exposed(lines: &[(&'static str, &'static str)]) -> Vec<String> {
        let mut headers = headers(lines);
        expose(&mut headers);
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
    fn r6_upgrade_stays_on_426_and_is_named() {
        let mut kept = headers(&[("upgrade", "h2c"), ("connection", "Upgrade, x-hop"), ("x-hop", "1")]);
        rewrite(&mut kept, StatusCode::UPGRADE_REQUIRED, &ErrorCode::UPGRADE_REQUIRED, 1, true);
        assert_eq!(kept["upgrade"], "h2c");
        assert_eq!(kept["connection"], "upgrade");
        assert!(!kept.contains_key("x-hop"));
        let mut gone = headers(&[("upgrade", "h2c"), ("connection", "Upgrade")]);
        rewrite(&mut gone, StatusCode::NOT_FOUND, &ErrorCode::NOT_FOUND, 1, true);
        assert!(!gone.contains_key("upgrade") && !gone.contains_key("connection"));
    }
}
