//! A recorded exchange, and the helpers of both forms of recordings.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, Version};

/// A client's request, and a service's response.
#[derive(Debug)]
pub(crate) struct Recorded {
    /// The file of the exchange, and in a HAR the number of its entry from 0, such as `a.har: log.entries[0]`.
    pub(crate) place: String,
    pub(crate) request: Request<Bytes>,
    /// How long the request's body was: a recording may have less of it.
    pub(crate) request_bytes: u64,
    /// The response. Its body is `None` if there was one but the recording lacks it.
    pub(crate) response: Response<Option<Bytes>>,
}

/// A request of these parts.
pub(super) fn request(method: Method, uri: Uri, version: Version, headers: HeaderMap, body: Bytes) -> Request<Bytes> {
    let mut request = Request::new(body);
    (*request.method_mut(), *request.uri_mut()) = (method, uri);
    (*request.version_mut(), *request.headers_mut()) = (version, headers);
    request
}

/// A response of these parts.
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

/// The recorded length, the one that the head declares, or a separate one of the recording.
pub(super) fn request_bytes(request: &Request<Bytes>, separate: Option<u64>) -> u64 {
    let declared = request.headers().get(http::header::CONTENT_LENGTH);
    let declared = declared.and_then(|length| length.to_str().ok()?.parse().ok());
    declared.or(separate).unwrap_or(0).max(request.body().len() as u64)
}

/// Inserts a header into a head, in its order.
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

/// The host of a URL that has one, if the head does not.
pub(super) fn insert_host(headers: &mut HeaderMap, uri: &Uri) -> Result<(), String> {
    match uri.authority() {
        Some(authority) if !headers.contains_key(http::header::HOST) => {
            insert_header(headers, "host", authority.as_str().as_bytes())
        }
        _ => Ok(()),
    }
}

/// A body that is text is not compressed any more, whatever its head declares: tools decode it, and leave the head.
pub(super) fn undo_stale_coding(headers: &mut HeaderMap, body: &[u8]) {
    if headers.contains_key(http::header::CONTENT_ENCODING) && !body.is_empty() && str::from_utf8(body).is_ok() {
        headers.remove(http::header::CONTENT_ENCODING);
        headers.remove(http::header::CONTENT_LENGTH);
    }
}
