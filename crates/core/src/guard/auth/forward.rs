//! `forward_id`: sets the header to the verified id, and removes any value that the client has sent.

use http::header::{CONNECTION, Entry};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::fields::is_same_to_cgi;

/// The id as the value of a header. It must be printable ASCII, so that all services read it in the same way.
pub(super) fn header_value(id: &str) -> Option<HeaderValue> {
    let printable = id.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if printable && !id.is_empty() && id.trim() == id { HeaderValue::from_str(id).ok() } else { None }
}

/// Removes the headers of these names that the client has sent, in any spelling. `connection` must not name them
/// either: an inner proxy would take them for headers of one hop, and drop the values that the layer sets (RFC 9110
/// §7.6.1).
#[inline]
pub(crate) fn remove(ids: &[HeaderName], headers: &mut HeaderMap) {
    if !ids.is_empty() {
        remove_all(ids, headers);
    }
}

fn remove_all(ids: &[HeaderName], headers: &mut HeaderMap) {
    let one_of_them = |name: &HeaderName| ids.iter().any(|id| is_same_to_cgi(name.as_str(), id.as_str()));
    while let Some(name) = headers.keys().find(|name| one_of_them(name)).cloned() {
        headers.remove(name);
    }
    let names_one = |option: &&[u8]| HeaderName::from_bytes(option.trim_ascii()).is_ok_and(|name| one_of_them(&name));
    let Entry::Occupied(connection) = headers.entry(CONNECTION) else { return };
    let options = || connection.iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    if !options().any(|option| names_one(&option)) {
        return;
    }
    let kept: Vec<&[u8]> = options().filter(|option| !names_one(option)).collect();
    let kept = HeaderValue::from_bytes(kept.join(&b',').trim_ascii()).ok().filter(|kept| !kept.is_empty());
    connection.remove_entry_mult();
    if let Some(kept) = kept {
        headers.insert(CONNECTION, kept);
    }
}
