//! Changes Envoy's heads to heads of the crate `http`.

use error_envelope_core::session::HeaderMutation;
use error_envelope_runtime::envoy::{changed_status, mutations};
use http::{HeaderMap, HeaderValue, response};

use crate::abi::{Head, Stream};

/// Changes the lines of one of Envoy's heads to these headers.
pub(crate) fn apply(stream: &Stream<'_>, target: Head, after: &HeaderMap) {
    let changed = stream.lines(target, |lines| mutations(lines, after));
    put_all(stream, target, &changed);
}

/// Changes Envoy's response head to the given `head`.
pub(crate) fn apply_response(stream: &Stream<'_>, head: &response::Parts) {
    let target = Head::Response;
    let (status, changed) =
        stream.lines(target, |lines| (changed_status(lines, head), mutations(lines, &head.headers)));
    if let Some(status) = status {
        stream.set(target, b":status", Some(status.as_str().as_bytes()));
    }
    put_all(stream, target, &changed);
}

/// Sets the request id, and changes nothing else. `is_new` is true if the head has no id that must be replaced.
pub(crate) fn set_request_id(stream: &Stream<'_>, target: Head, id: &HeaderValue, is_new: bool) {
    put(stream, target, "x-request-id", is_new, std::iter::once(id));
}

fn put_all(stream: &Stream<'_>, target: Head, changed: &[HeaderMutation<'_>]) {
    changed.iter().for_each(|it| put(stream, target, it.name.as_str(), it.is_new, it.values()));
}

/// Replaces the lines of this name. If the head has no line of this name, the lines are added, which takes a third less
/// time than a replacement.
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

/// Returns the lines of a head that is sent.
pub(crate) fn lines_of(headers: &HeaderMap) -> impl Iterator<Item = (&[u8], &[u8])> {
    headers.iter().map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes()))
}
