//! Parses the head of a request from Envoy's header lines.

use std::sync::Arc;

use bytes::Bytes;
use error_envelope_core::request_id::RequestId;
use error_envelope_core::session::{BodyFacts, Ending, RequestStep, Session, SessionConfig, is_read, is_removed};
use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING, UPGRADE};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Method, Uri, Version, request};

use super::lines::{HeaderLines, append, facts, is_plain, shared};
use super::response::MAX_COPIED_LINES;

/// The parsed part of a request's head.
pub struct RequestHead {
    /// The head.
    pub parts: request::Parts,
    /// What the head shows about the request's body.
    pub facts: BodyFacts,
    /// True if `parts` contains all header lines of the request. Only then can all changes of the head be applied.
    /// Otherwise only the request id may change.
    pub has_all: bool,
    /// True if the request already has the header `x-request-id` (I2).
    pub has_id: bool,
    /// The reason why the request must not be forwarded, or `None` if its head was parsed without an error.
    unread: Option<String>,
}

/// Returns the HTTP version for the name that Envoy passes, or HTTP/1.1 for an unknown or missing name.
#[must_use]
pub fn version(protocol: Option<&[u8]>) -> Version {
    match protocol {
        Some(b"HTTP/1.0") => Version::HTTP_10,
        Some(b"HTTP/2") => Version::HTTP_2,
        Some(b"HTTP/3") => Version::HTTP_3,
        _ => Version::HTTP_11,
    }
}

/// The parts of a request's target. Envoy passes them as pseudo-headers, such as `:path`.
#[derive(Default)]
struct Target<'l> {
    method: &'l [u8],
    scheme: &'l [u8],
    authority: &'l [u8],
    /// The parsed authority. It is set only in versions above HTTP/1.
    named: Option<Authority>,
    path: Option<Bytes>,
}

impl Default for RequestHead {
    /// Creates an empty head, for a request whose head has not come yet.
    fn default() -> Self {
        let parts = http::Request::new(()).into_parts().0;
        Self { parts, facts: BodyFacts::default(), has_all: false, has_id: false, unread: None }
    }
}

impl RequestHead {
    /// Parses the head of a request. If `reads_all` is false, usually only the target and the headers that the core
    /// [reads](is_read) are parsed.
    pub fn parse<'l>(lines: impl HeaderLines<'l>, version: Version, ended: bool, reads_all: bool) -> Self {
        let has_all = reads_all || lines.count() > MAX_COPIED_LINES || lines.iter().any(|(name, _)| is_removed(name));
        let mut parts = http::Request::new(()).into_parts().0;
        parts.version = version;
        let (mut target, mut unread, mut has_id) = (Target::default(), None, false);
        let mut cannot = |what: String| unread = unread.take().or(Some(what));
        parts.headers.reserve(if has_all { lines.count() } else { FEW_READ });
        let mut shared = has_all.then(|| shared(lines));
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
                    // The host is inserted at its usual position in the head, so that later changes of the head are
                    // found quickly.
                    if target.named.is_none() {
                        match HeaderValue::from_maybe_shared(owned_value()) {
                            Ok(host) => drop(parts.headers.append(HOST, host)),
                            Err(_) => cannot("the request's host cannot be read".to_owned()),
                        }
                    }
                }
                b":path" => target.path = Some(owned_value()),
                [b':', ..] => {}
                name if !has_all && !is_read(name) && is_plain(name, value) => {}
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
        let facts = request_facts(&parts, ended);
        Self { parts, facts, has_all, has_id, unread }
    }

    /// Begins the session of the request. A request whose head could not be parsed is refused (V4).
    pub fn begin(&mut self, config: Arc<SessionConfig>, id: impl FnOnce() -> RequestId) -> (Session, RequestStep) {
        if let Some(cause) = self.unread.take() {
            let mut session = self.unread(config, id);
            let reply = session.end(Ending::Malformed(cause.into()));
            let step = reply.map_or(RequestStep::Broken, |reply| RequestStep::Send(Box::new(reply)));
            return (session, step);
        }
        let begin = if self.has_all { Session::begin } else { Session::begin_copy };
        begin(config, &mut self.parts, self.facts, id)
    }

    /// Begins the session of a request that must not be forwarded. It uses the parts of the head that could be parsed
    /// (V4).
    pub fn unread(&self, config: Arc<SessionConfig>, id: impl FnOnce() -> RequestId) -> Session {
        Session::unread(config, &self.parts, self.facts, id)
    }
}

/// The initial capacity for headers if only the headers that the core reads are parsed. Most requests have at most this
/// many of them.
const FEW_READ: usize = 4;

impl Target<'_> {
    /// Returns the URI in the form in which a server passes it to a service. Over HTTP/1, this is only the path. Over
    /// HTTP/2 and above, it is the whole URI.
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

/// Returns what the head shows about the request's body. The bytes that follow an upgrade or CONNECT belong to another
/// protocol, and are not treated as a body.
fn request_facts(parts: &request::Parts, ended: bool) -> BodyFacts {
    let framed = || parts.headers.contains_key(CONTENT_LENGTH) || parts.headers.contains_key(TRANSFER_ENCODING);
    let tunnels = parts.method == Method::CONNECT || parts.headers.contains_key(UPGRADE) && !framed();
    facts(&parts.headers, ended || tunnels)
}
