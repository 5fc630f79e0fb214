//! The head of a response that an inner layer wrote (rules R1, E4, R16).

use std::borrow::Cow;

use http::header::{CONTENT_SECURITY_POLICY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderName};

use crate::code::CodeSet;
use crate::dialect;
use crate::dialect::standard::{self, Envelope};
use crate::fault::Advice;
use crate::page;
use crate::request_id::RequestId;

const X_ERROR_CODE: HeaderName = HeaderName::from_static("x-error-code");
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The code in a response's head, as an envelope without a text (R1). `None` if the head has no code, or more than one.
pub(super) fn envelope(headers: &HeaderMap, codes: &CodeSet) -> Option<Envelope<'static>> {
    if headers.is_empty() {
        return None;
    }
    let mut values = headers.get_all(X_ERROR_CODE).iter();
    let (first, None) = (values.next()?, values.next()) else { return None };
    let (code, known) = standard::parse_code(first.to_str().ok()?, codes)?;
    Some(Envelope { code, known, message: Cow::Borrowed(""), details: None, advice: Advice::default() })
}

/// Whether an inner layer wrote the body as an HTML page (R16).
pub(super) fn is_page(headers: &HeaderMap) -> bool {
    let is_html = || dialect::media_type(headers).is_some_and(|it| it.eq_ignore_ascii_case("text/html"));
    headers.get(CONTENT_SECURITY_POLICY).is_some_and(|it| *it == page::CONTENT_SECURITY_POLICY)
        && is_html()
        && is_whole(headers)
}

/// Whether the head has the headers that every layer sets (I1, E4). Only a layer creates an id of this form.
pub(super) fn is_whole(headers: &HeaderMap) -> bool {
    let id = headers.get(X_REQUEST_ID).and_then(|id| id.to_str().ok());
    let is_ours = |id: &str| id.starts_with("req_") && id.parse::<RequestId>().is_ok();
    id.is_some_and(is_ours) && headers.get(X_CONTENT_TYPE_OPTIONS).is_some_and(|it| it == "nosniff")
}
