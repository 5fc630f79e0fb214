//! Envoy's lines as heads of the crate `http`, and changed heads as lines.

use bytes::Bytes;
use error_envelope_core::exchange::{BodyFacts, HeaderMutation, changes, is_read, is_removed};
use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING, UPGRADE};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version, request, response};

use crate::abi::{Head, HeaderList, Stream};

/// A request's head, as far as it could be parsed, and the error for the rest.
pub(crate) struct RequestHead {
    pub(crate) parts: request::Parts,
    pub(crate) unread: Option<String>,
    /// The request has an id already (I2).
    pub(crate) has_id: bool,
}

pub(crate) fn version(protocol: Option<&[u8]>) -> Version {
    match protocol {
        Some(b"HTTP/1.0") => Version::HTTP_10,
        Some(b"HTTP/2") => Version::HTTP_2,
        Some(b"HTTP/3") => Version::HTTP_3,
        _ => Version::HTTP_11,
    }
}

/// A request's target in Envoy's lines, which are no headers.
#[derive(Default)]
struct Target<'l> {
    method: &'l [u8],
    scheme: &'l [u8],
    authority: &'l [u8],
    /// The parsed authority, in versions above HTTP/1.
    named: Option<Authority>,
    path: Option<Bytes>,
}

/// The head of a request: all of it, or its target and the headers that are [read](is_read).
pub(crate) fn request(lines: HeaderList<'_>, version: Version, all: bool) -> RequestHead {
    let mut parts = http::Request::new(()).into_parts().0;
    parts.version = version;
    let (mut target, mut unread, mut has_id) = (Target::default(), None, false);
    let mut cannot = |what: String| unread = unread.take().or(Some(what));
    parts.headers.reserve(if all { lines.len() } else { FEW_READ });
    let mut shared = all.then(|| shared(lines));
    for (name, value) in lines.iter() {
        let copy = shared.as_mut().and_then(Iterator::next).map(|(_, copy)| copy);
        let own = || copy.unwrap_or_else(|| Bytes::copy_from_slice(value));
        match name {
            b":method" => target.method = value,
            b":scheme" => target.scheme = value,
            b":authority" => {
                target.authority = value;
                if version >= Version::HTTP_2 {
                    target.named = Authority::try_from(value).ok();
                }
                // The host takes its usual place in the head, so that changes of the head are found quickly.
                if target.named.is_none() {
                    match HeaderValue::from_maybe_shared(own()) {
                        Ok(host) => drop(parts.headers.append(HOST, host)),
                        Err(_) => cannot("its host cannot be read".to_owned()),
                    }
                }
            }
            b":path" => target.path = Some(own()),
            [b':', ..] => {}
            name if !all && !is_read(name) && is_plain(name, value) => {}
            name => {
                has_id |= name.eq_ignore_ascii_case(b"x-request-id");
                if let Err(what) = append(&mut parts.headers, name, own()) {
                    cannot(what);
                }
            }
        }
    }
    match Method::from_bytes(target.method) {
        Ok(method) => parts.method = method,
        Err(_) => cannot("its method is none".to_owned()),
    }
    match target.uri(&parts.method, version) {
        Ok(uri) => parts.uri = uri,
        Err(what) => cannot(what),
    }
    RequestHead { parts, unread, has_id }
}

/// Whether a line is [removed](is_removed) from the head of a request that goes on.
pub(crate) fn has_removed(lines: HeaderList<'_>) -> bool {
    lines.iter().any(|(name, _)| is_removed(name))
}

/// Most requests have at most this many headers that are read.
const FEW_READ: usize = 4;

/// The lines with a copy of their values, which has one allocation for all.
fn shared<'l>(lines: HeaderList<'l>) -> impl Iterator<Item = (&'l [u8], Bytes)> {
    let mut joined = Vec::with_capacity(lines.iter().map(|(_, value)| value.len()).sum());
    lines.iter().for_each(|(_, value)| joined.extend_from_slice(value));
    let mut left = Bytes::from(joined);
    lines.iter().map(move |(name, value)| (name, left.split_to(value.len())))
}

/// Whether the crate `http` takes a line unchanged. False if it takes the line in another form, or refuses it.
fn is_plain(name: &[u8], value: &[u8]) -> bool {
    // To the last byte, as vectors go.
    let of_name = |plain, byte: &u8| plain & (byte.is_ascii_lowercase() | byte.is_ascii_digit() | (*byte == b'-'));
    let of_value = |plain, byte: &u8| plain & (((*byte >= b' ') & (*byte != 0x7f)) | (*byte == b'\t'));
    (1..64).contains(&name.len()) && name.iter().fold(true, of_name) && value.iter().fold(true, of_value)
}

impl Target<'_> {
    /// The URI as a server passes it to a service: only the path over HTTP/1, the whole URI over HTTP/2 and above.
    fn uri(self, method: &Method, version: Version) -> Result<Uri, String> {
        let mut uri = http::uri::Parts::default();
        if *method == Method::CONNECT && self.path.is_none() {
            uri.authority = self.named.or_else(|| Authority::try_from(self.authority).ok());
            return Uri::from_parts(uri).map_err(|_| "its authority cannot be read".to_owned());
        }
        let path = self.path.ok_or("it has no path")?;
        let is_all = path == b"*"[..];
        let path = PathAndQuery::from_maybe_shared(path).map_err(|_| "its path cannot be read".to_owned())?;
        uri.path_and_query = Some(path);
        if version >= Version::HTTP_2 && !is_all {
            uri.authority = self.named;
            if uri.authority.is_some() {
                uri.scheme = Scheme::try_from(self.scheme).ok().or(Some(Scheme::HTTP));
            }
        }
        Uri::from_parts(uri).map_err(|_| "its target cannot be read".to_owned())
    }
}

/// The facts about a request's body. After an upgrade come the bytes of another protocol, which are no body.
pub(crate) fn request_facts(parts: &request::Parts, ended: bool) -> BodyFacts {
    let framed = || parts.headers.contains_key(CONTENT_LENGTH) || parts.headers.contains_key(TRANSFER_ENCODING);
    let tunnels = parts.method == Method::CONNECT || parts.headers.contains_key(UPGRADE) && !framed();
    facts(&parts.headers, ended || tunnels)
}

/// The facts about a body with these headers.
pub(crate) fn facts(headers: &HeaderMap, ended: bool) -> BodyFacts {
    if ended {
        return BodyFacts { ended, lower: 0, upper: Some(0) };
    }
    let mut lines = headers.get_all(CONTENT_LENGTH).iter();
    let length = match (lines.next(), lines.next()) {
        (Some(only), None) => only.to_str().ok().and_then(|length| length.parse::<u64>().ok()),
        _ => None,
    };
    BodyFacts { ended, lower: length.unwrap_or(0), upper: length }
}

/// Whether a response passes without parsing its head: `passes` accepts its status, and its header lines are plain.
pub(crate) fn can_pass_unparsed(lines: HeaderList<'_>, passes: impl FnOnce(StatusCode) -> bool) -> bool {
    let status = lines.iter().find(|(name, _)| *name == b":status");
    let status = status.and_then(|(_, value)| StatusCode::from_bytes(value).ok());
    status.is_some_and(passes)
        && lines.len() <= MAX_COPIED_LINES
        && lines.iter().all(|(name, value)| match name {
            b"x-request-id" | b"access-control-allow-origin" => false,
            [b':', ..] => true,
            name => is_plain(name, value),
        })
}

/// The most lines of a head from which single lines are copied. A head with more lines is parsed as a whole.
pub(crate) const MAX_COPIED_LINES: usize = 256;

/// Parses a response's head; `None` if it is not a valid one.
pub(crate) fn response(lines: HeaderList<'_>) -> Option<response::Parts> {
    let mut parts = http::Response::new(()).into_parts().0;
    let mut status = None;
    parts.headers.reserve(lines.len());
    for (name, value) in shared(lines) {
        match name {
            b":status" => status = StatusCode::from_bytes(&value).ok(),
            [b':', ..] => {}
            _ => append(&mut parts.headers, name, value).ok()?,
        }
    }
    parts.status = status?;
    Some(parts)
}

pub(crate) fn trailers(lines: HeaderList<'_>) -> Option<HeaderMap> {
    let mut headers = HeaderMap::with_capacity(lines.len());
    for (name, value) in shared(lines) {
        append(&mut headers, name, value).ok()?;
    }
    Some(headers)
}

fn append(headers: &mut HeaderMap, name: &[u8], value: Bytes) -> Result<(), String> {
    let unread = || {
        format!("the header {:?} cannot be read", String::from_utf8_lossy(name).chars().take(64).collect::<String>())
    };
    let (parsed, value) = match (HeaderName::from_bytes(name), HeaderValue::from_maybe_shared(value)) {
        (Ok(name), Ok(value)) => (name, value),
        _ => return Err(unread()),
    };
    headers
        .try_append(parsed, value)
        .map(drop)
        .map_err(|_| "Envoy's message has more header lines than the module can hold".to_owned())
}

/// The changes of a head: they are applied once nothing of the head is lent any more.
#[derive(Default)]
pub(crate) struct HeaderMutations {
    status: Option<StatusCode>,
    lines: Vec<OwnedMutation>,
    /// Beside them the id, and whether it takes the place of another.
    id: Option<(HeaderValue, bool)>,
}

/// The change of one name, with its own copy of the values: the changed head may be dropped before.
struct OwnedMutation {
    name: HeaderName,
    is_new: bool,
    values: Vec<HeaderValue>,
}

impl HeaderMutations {
    /// The changes to these lines, as far as the crate `http` parses them.
    pub(crate) fn from_lines(lines: HeaderList<'_>, after: &HeaderMap) -> Self {
        let owned = |it: HeaderMutation<'_>| OwnedMutation {
            values: it.values().cloned().collect(),
            is_new: it.is_new,
            name: it.name.into_owned(),
        };
        Self { status: None, lines: mutations(lines, after).into_iter().map(owned).collect(), id: None }
    }

    /// Sets the request id, and changes nothing else. `has_id`: the head has an id already, which this one replaces.
    pub(crate) fn only_request_id(id: HeaderValue, has_id: bool) -> Self {
        Self { status: None, lines: Vec::new(), id: Some((id, has_id)) }
    }

    pub(crate) fn of_response(lines: HeaderList<'_>, after: &response::Parts) -> Self {
        Self { status: changed_status(lines, after), ..Self::from_lines(lines, &after.headers) }
    }

    pub(crate) fn apply(&self, stream: &Stream<'_>, whose: Head) {
        put_status(stream, whose, self.status);
        if let Some((id, has_id)) = &self.id {
            put(stream, whose, "x-request-id", !has_id, std::iter::once(id));
        }
        self.lines.iter().for_each(|it| put(stream, whose, it.name.as_str(), it.is_new, it.values.iter()));
    }
}

/// The names whose lines are other ones now. A `host` is Envoy's own line, and stays.
fn mutations<'a>(lines: HeaderList<'_>, after: &'a HeaderMap) -> Vec<HeaderMutation<'a>> {
    let has_host = after.contains_key(HOST);
    let before = lines.iter().filter_map(|(name, value)| match name {
        b":authority" if has_host => Some((&b"host"[..], value)),
        [b':', ..] => None,
        name => Some((name, value)),
    });
    let mut changed = changes(before, after);
    if lines.iter().any(|(name, _)| name == b":method") {
        changed.retain(|it| *it.name != HOST);
    }
    changed
}

/// The new status, if the response's head was changed to another one.
fn changed_status(lines: HeaderList<'_>, after: &response::Parts) -> Option<StatusCode> {
    let status = after.status.as_str().as_bytes();
    let same = lines.iter().any(|(name, value)| name == b":status" && value == status);
    (!same).then_some(after.status)
}

fn put_status(stream: &Stream<'_>, whose: Head, status: Option<StatusCode>) {
    if let Some(status) = status {
        stream.set(whose, b":status", Some(status.as_str().as_bytes()));
    }
}

/// Replaces the lines of this name. Adding one to none is a third cheaper than searching for one to replace.
fn put<'v>(
    stream: &Stream<'_>,
    whose: Head,
    name: &str,
    is_new: bool,
    mut values: impl Iterator<Item = &'v HeaderValue>,
) {
    let name = name.as_bytes();
    if !is_new {
        stream.set(whose, name, values.next().map(HeaderValue::as_bytes));
    }
    values.for_each(|value| stream.add(whose, name, value.as_bytes()));
}

/// Changes Envoy's response head to this one.
pub(crate) fn apply_response(stream: &Stream<'_>, head: &response::Parts) {
    let whose = Head::Response;
    let (status, changed) = stream.lines(whose, |lines| (changed_status(lines, head), mutations(lines, &head.headers)));
    put_status(stream, whose, status);
    changed.iter().for_each(|it| put(stream, whose, it.name.as_str(), it.is_new, it.values()));
}

/// The lines of a head that is sent.
pub(crate) fn lines_of(headers: &HeaderMap) -> impl Iterator<Item = (&[u8], &[u8])> {
    headers.iter().map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes()))
}
