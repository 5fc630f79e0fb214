//! Envoy's lines as heads of the crate `http`, and changed heads as lines.

use error_envelope_core::session::HeaderMutation;
pub(crate) use error_envelope_runtime::envoy::{
    MAX_COPIED_LINES, RequestHead, can_pass_unparsed, changed_status, facts, has_removed, mutations, request,
    request_facts, response, trailers, version,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, response as http_response};

use crate::abi::{Head, HeaderList, Stream};

/// The changes of a head. They are applied once no part of the head is borrowed any more.
#[derive(Default)]
pub(crate) struct HeaderMutations {
    status: Option<StatusCode>,
    lines: Vec<OwnedMutation>,
    /// The request id to set, and whether it replaces another one.
    id: Option<(HeaderValue, bool)>,
}

/// The change of one name, with its own copy of the values, because the new head may be dropped before it is applied.
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

    pub(crate) fn of_response(lines: HeaderList<'_>, after: &http_response::Parts) -> Self {
        Self { status: changed_status(lines, after), ..Self::from_lines(lines, &after.headers) }
    }

    pub(crate) fn apply(&self, stream: &Stream<'_>, target: Head) {
        put_status(stream, target, self.status);
        if let Some((id, has_id)) = &self.id {
            put(stream, target, "x-request-id", !has_id, std::iter::once(id));
        }
        self.lines.iter().for_each(|it| put(stream, target, it.name.as_str(), it.is_new, it.values.iter()));
    }
}

fn put_status(stream: &Stream<'_>, target: Head, status: Option<StatusCode>) {
    if let Some(status) = status {
        stream.set(target, b":status", Some(status.as_str().as_bytes()));
    }
}

/// Replaces the lines of this name. If there are none, adding a line takes a third less time than searching for one to
/// replace.
fn put<'v>(
    stream: &Stream<'_>,
    target: Head,
    name: &str,
    is_new: bool,
    mut values: impl Iterator<Item = &'v HeaderValue>,
) {
    let name = name.as_bytes();
    if !is_new {
        stream.set(target, name, values.next().map(HeaderValue::as_bytes));
    }
    values.for_each(|value| stream.add(target, name, value.as_bytes()));
}

/// Changes Envoy's response head to this one.
pub(crate) fn apply_response(stream: &Stream<'_>, head: &http_response::Parts) {
    let target = Head::Response;
    let (status, changed) =
        stream.lines(target, |lines| (changed_status(lines, head), mutations(lines, &head.headers)));
    put_status(stream, target, status);
    changed.iter().for_each(|it| put(stream, target, it.name.as_str(), it.is_new, it.values()));
}

/// The lines of a head that is sent.
pub(crate) fn lines_of(headers: &HeaderMap) -> impl Iterator<Item = (&[u8], &[u8])> {
    headers.iter().map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes()))
}
