//! Builds responses, including their headers.

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, WWW_AUTHENTICATE,
};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::Full;
use serde_json::Value;

pub(crate) type Answer = Response<Full<Bytes>>;

/// The `content-security-policy` of the page. It allows only styles, scripts and data of this address, and no inline
/// styles or scripts.
const PAGE_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
                           form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

/// The `content-security-policy` of all other responses, such as JSON or text. It allows a browser to load nothing.
const NO_PAGE_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

const ALWAYS: [(HeaderName, &str); 5] = [
    (CACHE_CONTROL, "no-store"),
    (http::header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (http::header::X_FRAME_OPTIONS, "DENY"),
    (http::header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// Returns a plain-text response of one or more lines.
pub(crate) fn text(status: StatusCode, text: impl Into<String>) -> Answer {
    let mut text = text.into();
    if !text.ends_with('\n') {
        text.push('\n');
    }
    whole(status, "text/plain; charset=utf-8", text)
}

/// Returns a JSON response, indented for people.
pub(crate) fn json(value: &Value) -> Answer {
    whole(StatusCode::OK, "application/json", format!("{value:#}\n"))
}

pub(crate) fn page(html: &'static str) -> Answer {
    let mut answer = whole(StatusCode::OK, "text/html; charset=utf-8", html);
    answer.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(PAGE_POLICY));
    answer
}

pub(crate) fn method_not_allowed(allowed: &str) -> Answer {
    let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, format!("this path allows {allowed}"));
    answer.headers_mut().extend(HeaderValue::from_str(allowed).ok().map(|methods| (ALLOW, methods)));
    answer
}

pub(crate) fn whole(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut headers = HeaderMap::from_iter(ALWAYS.map(|(name, value)| (name, HeaderValue::from_static(value))));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(NO_PAGE_POLICY));
    let mut answer = Response::new(Full::new(body.into()));
    (*answer.status_mut(), *answer.headers_mut()) = (status, headers);
    answer
}

/// Returns the response to a request without the right token, or to a change at an address where no change is accepted.
pub(crate) fn refused((status, why): (StatusCode, &'static str)) -> Answer {
    let mut answer = text(status, why);
    if status == StatusCode::UNAUTHORIZED {
        answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    answer
}
