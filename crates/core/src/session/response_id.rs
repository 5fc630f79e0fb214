//! The ids in the head of a response: the layer's, and the inner service's (I3).

use http::{HeaderMap, HeaderValue};

use super::head::{X_REQUEST_ID, X_UPSTREAM_REQUEST_ID};
use super::request::printable;
use crate::fields;

/// Keeps the inner service's id in another header for the client, before the layer's id replaces it (I3). An id that an
/// inner layer has already kept stays, because the operators of that service can look it up.
pub(super) fn hand_on_id(headers: &mut HeaderMap, ours: &HeaderValue) {
    let mut lines = headers.get_all(X_REQUEST_ID).iter();
    let (Some(theirs), None) = (lines.next(), lines.next()) else { return };
    // A proxy joins repeated lines with commas.
    let is_repeated = theirs.as_bytes().contains(&b',');
    if is_repeated || theirs == ours || fields::has(headers, &X_UPSTREAM_REQUEST_ID) {
        return;
    }
    let kept = printable(theirs.as_bytes());
    if let Ok(kept) = HeaderValue::from_bytes(kept.trim().as_bytes())
        && !kept.is_empty()
    {
        headers.insert(X_UPSTREAM_REQUEST_ID, kept);
    }
}

/// Replaces the inner service's id with the layer's (I3). Returns the old id for the log, if it differs.
#[inline(always)]
pub(super) fn identify(headers: &mut HeaderMap, id: HeaderValue) -> Option<Box<str>> {
    let theirs = headers.insert(X_REQUEST_ID, id)?;
    let differs = headers.get(X_REQUEST_ID).is_some_and(|ours| *ours != theirs);
    differs.then(|| printable(theirs.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i3_the_services_id_goes_on_in_printable_form() {
        let handed_on = |lines: &[&[u8]]| {
            let line = |line: &&[u8]| (X_REQUEST_ID, HeaderValue::from_bytes(line).unwrap());
            let mut headers = HeaderMap::new();
            headers.extend(lines.iter().map(line));
            hand_on_id(&mut headers, &HeaderValue::from_static("req_1"));
            headers.get(X_UPSTREAM_REQUEST_ID).map(|id| String::from_utf8_lossy(id.as_bytes()).into_owned())
        };
        for (id, sent) in
            [(&b"a-1"[..], Some("a-1")), (b"req_1", None), (b"", None), (b" \t ", None), (b"a\tb ", Some("ab"))]
        {
            assert_eq!(handed_on(&[id]).as_deref(), sent, "{id:?}");
        }
        assert_eq!(handed_on(&["é".repeat(200).as_bytes()]), Some("é".repeat(128)));
        assert_eq!((handed_on(&[]), handed_on(&[b"a", b"a"])), (None, None));
    }
}
