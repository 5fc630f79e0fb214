//! The head of a request in Envoy's lines.

use bytes::Bytes;
use error_envelope_core::session::{BodyFacts, is_read, is_removed};
use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING, UPGRADE};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Method, Uri, Version, request};

use super::lines::{HeaderLines, append, facts, is_plain, shared};

/// A request's head, as far as it could be parsed, and the error for the rest.
pub struct RequestHead {
    /// The head.
    pub parts: request::Parts,
    /// The reason why the head must not be forwarded; `None` if all of it was parsed.
    pub unread: Option<String>,
    /// The request has an id already (I2).
    pub has_id: bool,
}

/// The version that Envoy passes; HTTP/1.1 if it passes none.
#[must_use]
#[inline]
pub fn version(protocol: Option<&[u8]>) -> Version {
    match protocol {
        Some(b"HTTP/1.0") => Version::HTTP_10,
        Some(b"HTTP/2") => Version::HTTP_2,
        Some(b"HTTP/3") => Version::HTTP_3,
        _ => Version::HTTP_11,
    }
}

/// The parts of a request's target, which Envoy passes as lines that are not headers.
#[derive(Default)]
struct Target<'l> {
    method: &'l [u8],
    scheme: &'l [u8],
    authority: &'l [u8],
    /// The parsed authority, in versions above HTTP/1.
    named: Option<Authority>,
    path: Option<Bytes>,
}

/// Parses the head of a request: all of it, or only its target and the headers that are [read](is_read).
pub fn request<'l>(lines: impl HeaderLines<'l>, version: Version, all: bool) -> RequestHead {
    let mut parts = http::Request::new(()).into_parts().0;
    parts.version = version;
    let (mut target, mut unread, mut has_id) = (Target::default(), None, false);
    let mut cannot = |what: String| unread = unread.take().or(Some(what));
    parts.headers.reserve(if all { lines.count() } else { FEW_READ });
    let mut shared = all.then(|| shared(lines));
    for (name, value) in lines.iter() {
        let copy = shared.as_mut().and_then(Iterator::next).map(|(_, copy)| copy);
        let owned_value = || copy.unwrap_or_else(|| Bytes::copy_from_slice(value));
        match name {
            b":method" => target.method = value,
            b":scheme" => target.scheme = value,
            b":authority" => {
                target.authority = value;
                if version >= Version::HTTP_2 {
                    target.named = Authority::try_from(value).ok();
                }
                // The host is inserted at its usual position in the head, so that changes of the head are found
                // quickly.
                if target.named.is_none() {
                    match HeaderValue::from_maybe_shared(owned_value()) {
                        Ok(host) => drop(parts.headers.append(HOST, host)),
                        Err(_) => cannot("the request's host cannot be read".to_owned()),
                    }
                }
            }
            b":path" => target.path = Some(owned_value()),
            [b':', ..] => {}
            name if !all && !is_read(name) && is_plain(name, value) => {}
            name => {
                has_id |= name.eq_ignore_ascii_case(b"x-request-id");
                if let Err(what) = append(&mut parts.headers, name, owned_value()) {
                    cannot(what);
                }
            }
        }
    }
    match Method::from_bytes(target.method) {
        Ok(method) => parts.method = method,
        Err(_) => cannot("the request's method is not valid".to_owned()),
    }
    match target.uri(&parts.method, version) {
        Ok(uri) => parts.uri = uri,
        Err(what) => cannot(what),
    }
    RequestHead { parts, unread, has_id }
}

/// Whether a line is [removed](is_removed) from the head of a forwarded request.
pub fn has_removed<'l>(lines: impl HeaderLines<'l>) -> bool {
    lines.iter().any(|(name, _)| is_removed(name))
}

/// Room for the headers that are read. Most requests have no more of them.
const FEW_READ: usize = 4;

impl Target<'_> {
    /// The URI in the form in which a server passes it to a service: only the path over HTTP/1, the whole URI over
    /// HTTP/2 and above.
    fn uri(self, method: &Method, version: Version) -> Result<Uri, String> {
        let mut uri = http::uri::Parts::default();
        if *method == Method::CONNECT && self.path.is_none() {
            uri.authority = self.named.or_else(|| Authority::try_from(self.authority).ok());
            return Uri::from_parts(uri).map_err(|_| "the request's authority cannot be read".to_owned());
        }
        let path = self.path.ok_or("the request has no path")?;
        let is_all = path == b"*"[..];
        let path = PathAndQuery::from_maybe_shared(path).map_err(|_| "the request's path cannot be read".to_owned())?;
        uri.path_and_query = Some(path);
        if version >= Version::HTTP_2 && !is_all {
            uri.authority = self.named;
            if uri.authority.is_some() {
                uri.scheme = Scheme::try_from(self.scheme).ok().or(Some(Scheme::HTTP));
            }
        }
        Uri::from_parts(uri).map_err(|_| "the request's target cannot be read".to_owned())
    }
}

/// The facts about a request's body. After an upgrade, the bytes belong to another protocol, and are not a body.
#[must_use]
#[inline]
pub fn request_facts(parts: &request::Parts, ended: bool) -> BodyFacts {
    let framed = || parts.headers.contains_key(CONTENT_LENGTH) || parts.headers.contains_key(TRANSFER_ENCODING);
    let tunnels = parts.method == Method::CONNECT || parts.headers.contains_key(UPGRADE) && !framed();
    facts(&parts.headers, ended || tunnels)
}
