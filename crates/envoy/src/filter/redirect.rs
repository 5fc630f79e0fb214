//! A redirect that Envoy follows itself is one request, with one id (V2).
//!
//! Envoy ends the stream with the details `internal_redirect`. Then, before anything else on its thread, it begins another stream
//! with the request's head, which has the id in it. So the id waits in the thread for the next filter.

use std::cell::Cell;

use error_envelope_core::request_id::RequestId;
use http::HeaderMap;

use crate::abi::{Attribute, Stream};

thread_local! {
    static FOLLOWED: Cell<Option<RequestId>> = const { Cell::new(None) };
}

/// Whether Envoy has ended the stream to begin it again; then the next filter on this thread gets the id.
pub(super) fn is_followed(stream: &Stream<'_>, id: Option<RequestId>) -> bool {
    let followed = stream.attribute(Attribute::CodeDetails, |details| details == Some(b"internal_redirect"));
    if followed {
        FOLLOWED.set(id);
    }
    followed
}

/// The id of the stream that ended last on this thread, if Envoy begins it again.
pub(super) fn followed() -> Option<RequestId> {
    FOLLOWED.take()
}

/// Takes the id out of a head that Envoy has sent again. A head with another id, or several, is a client's (I2).
pub(super) fn follow(id: Option<RequestId>, headers: &mut HeaderMap) -> Option<RequestId> {
    let id = id?;
    let mut sent = headers.get_all("x-request-id").iter();
    let is_same = sent.next().is_some_and(|sent| sent.as_bytes() == id.text()) && sent.next().is_none();
    if is_same {
        headers.remove("x-request-id");
    }
    is_same.then_some(id)
}
