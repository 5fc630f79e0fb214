//! The ids in the head of a response: the layer's, and the inner service's (I3).

use http::{HeaderMap, HeaderValue};

use super::head;
use crate::fields::{self, X_REQUEST_ID, X_UPSTREAM_REQUEST_ID};
use crate::session::record::notes::printable;
use crate::session::request::state::RequestState;

impl RequestState {
    /// Adds the layer's headers to a response that passes, as the last change to its head.
    #[inline(always)]
    pub(in crate::session) fn finish_head(&mut self, headers: &mut HeaderMap) {
        self.expose(headers);
        self.hand_on_id(headers);
        if let Some(theirs) = identify(headers, self.take_id_header()) {
            self.notes_mut().upstream_request_id = Some(theirs);
        }
    }

    /// Adds the layer's headers to a response that passes. The session goes on.
    pub(in crate::session) fn mark_head(&mut self, headers: &mut HeaderMap) {
        self.expose(headers);
        self.identify_response(headers);
    }

    pub(in crate::session) fn identify_response(&mut self, headers: &mut HeaderMap) {
        self.hand_on_id(headers);
        if let Some(theirs) = identify(headers, self.id_header.clone()) {
            self.notes_mut().upstream_request_id = Some(theirs);
        }
    }

    /// Lets scripts of other origins read the layer's headers (E4), in every mode except `off` and `observe`.
    #[inline(always)]
    pub(in crate::session) fn expose(&self, headers: &mut HeaderMap) {
        if self.exposes() {
            head::expose(headers, &head::EXPOSED);
        }
    }

    #[inline(always)]
    fn exposes(&self) -> bool {
        self.settings.expose_headers && self.changes_responses()
    }

    /// Keeps the inner service's id next to the layer's id for the client, in every mode, if `[request_id] upstream =
    /// true` (I3).
    #[inline(always)]
    fn hand_on_id(&self, headers: &mut HeaderMap) {
        if self.policy().process.ids.upstream {
            hand_on_id(headers, &self.id_header);
            if self.exposes() && fields::has(headers, &X_UPSTREAM_REQUEST_ID) {
                head::expose(headers, &[X_UPSTREAM_REQUEST_ID.as_str()]);
            }
        }
    }

    /// Returns the id of an inner layer, and the id that replaces it, if the mode rewrites errors (E7).
    pub(in crate::session) fn ids_of_layers(&self) -> Option<(&str, &str)> {
        let theirs = self.notes()?.upstream_request_id.as_deref()?;
        let is_layers = theirs.starts_with("req_") && theirs.len() == self.id_header.len();
        if is_layers && self.rewrites() { Some((theirs, self.id_header.to_str().ok()?)) } else { None }
    }
}

/// Keeps the inner service's id in another header for the client, before the layer's id replaces it (I3). If an inner
/// layer has already kept an id in this header, that id stays, because the service's operators can look it up.
pub(in crate::session) fn hand_on_id(headers: &mut HeaderMap, ours: &HeaderValue) {
    let Some(theirs) = fields::single_value(headers, &X_REQUEST_ID) else { return };
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
pub(in crate::session) fn identify(headers: &mut HeaderMap, id: HeaderValue) -> Option<Box<str>> {
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
