//! Treats a redirect that Envoy follows itself as one request, with one id (V2).
//!
//! Envoy ends the stream with the details `internal_redirect`. Then, before anything else on its thread, Envoy begins
//! another stream with the request's head, which contains the id. So the id is kept in a thread-local for the next
//! filter.

use std::cell::Cell;

use error_envelope_core::request_id::RequestId;
use http::HeaderMap;

use crate::abi::{Attribute, Stream};

thread_local! {
    static FOLLOWED: Cell<Option<RequestId>> = const { Cell::new(None) };
}

/// Returns true if Envoy has ended the stream to follow a redirect. If Envoy follows the redirect, the next filter on
/// this thread gets the id.
pub(super) fn is_followed(stream: &Stream<'_>, id: Option<RequestId>) -> bool {
    let followed = stream.attribute(Attribute::CodeDetails, |details| details == Some(b"internal_redirect"));
    if followed {
        FOLLOWED.set(id);
    }
    followed
}

/// Returns the id of the stream that ended last on this thread, if Envoy follows its redirect.
pub(super) fn followed() -> Option<RequestId> {
    FOLLOWED.take()
}

/// Removes the id from a head that Envoy has sent again, and returns it. A head with another id, or with several ids,
/// is from a client (I2).
pub(super) fn follow(id: Option<RequestId>, headers: &mut HeaderMap) -> Option<RequestId> {
    let id = id?;
    let mut sent = headers.get_all("x-request-id").iter();
    let is_same = sent.next().is_some_and(|sent| sent.as_bytes() == id.text()) && sent.next().is_none();
    if is_same {
        headers.remove("x-request-id");
    }
    is_same.then_some(id)
}
