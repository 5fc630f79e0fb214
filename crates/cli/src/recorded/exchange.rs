//! A recorded exchange, and the helpers of both forms of recordings.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, Version};

/// A client's request, and a service's response.
#[derive(Debug)]
pub(crate) struct Recorded {
    /// The file of the exchange, and in a HAR the number of its entry from 0, such as `a.har: log.entries[0]`.
    pub(crate) place: String,
    pub(crate) request: Request<Bytes>,
    /// The length of the request's body; the recording may have only a part of it.
    pub(crate) request_bytes: u64,
    /// The response. Its body is `None` if there was one but the recording lacks it.
    pub(crate) response: Response<Option<Bytes>>,
}

/// A request with these parts.
pub(super) fn request(method: Method, uri: Uri, version: Version, headers: HeaderMap, body: Bytes) -> Request<Bytes> {
    let mut request = Request::new(body);
    (*request.method_mut(), *request.uri_mut()) = (method, uri);
    (*request.version_mut(), *request.headers_mut()) = (version, headers);
    request
}

/// A response with these parts.
pub(super) fn response(
    status: StatusCode,
    version: Version,
    headers: HeaderMap,
    body: Option<Bytes>,
) -> Response<Option<Bytes>> {
    let mut response = Response::new(body);
    (*response.status_mut(), *response.version_mut(), *response.headers_mut()) = (status, version, headers);
    response
}

/// The length of the request's body: the one that the head declares, or else the one that the recording states
/// separately; at least that of the recorded body.
pub(super) fn request_bytes(request: &Request<Bytes>, separate: Option<u64>) -> u64 {
    let declared = request.headers().get(http::header::CONTENT_LENGTH);
    let declared = declared.and_then(|length| length.to_str().ok()?.parse().ok());
    declared.or(separate).unwrap_or(0).max(request.body().len() as u64)
}

/// Adds a header line at the end of a head.
pub(super) fn insert_header(headers: &mut HeaderMap, name: &str, value: &[u8]) -> Result<(), String> {
    let name_of =
        http::HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("{name:?} is not a valid header name"))?;
    let value =
        http::HeaderValue::from_bytes(value).map_err(|_| format!("the value of {name} is not a valid header value"))?;
    match headers.try_append(name_of, value) {
        Ok(_) => Ok(()),
        Err(_) => Err("the recorded message has too many header lines".to_owned()),
    }
}

/// Adds the URL's host as a Host header, if the URL has a host and the head has no such header.
pub(super) fn insert_host(headers: &mut HeaderMap, uri: &Uri) -> Result<(), String> {
    match uri.authority() {
        Some(authority) if !headers.contains_key(http::header::HOST) => {
            insert_header(headers, "host", authority.as_str().as_bytes())
        }
        _ => Ok(()),
    }
}

/// Removes the headers of a compression that was undone: tools decode the body, but leave the head. A body that is text
/// is not compressed.
pub(super) fn undo_stale_coding(headers: &mut HeaderMap, body: &[u8]) {
    if headers.contains_key(http::header::CONTENT_ENCODING) && !body.is_empty() && str::from_utf8(body).is_ok() {
        headers.remove(http::header::CONTENT_ENCODING);
        headers.remove(http::header::CONTENT_LENGTH);
    }
}
