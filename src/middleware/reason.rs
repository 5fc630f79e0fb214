//! The reason phrase of HTTP/1, as hyper's client keeps it and hyper's server sends it (rule R3, feature `hyper`).

use http::Extensions;
use http::response::Parts;

/// The reason phrase, if hyper stored one: it does so if the phrase differs from the usual one for the status.
#[cfg(feature = "hyper")]
pub(super) fn reason_phrase(extensions: &Extensions) -> Option<&[u8]> {
    extensions.get::<hyper::ext::ReasonPhrase>().map(hyper::ext::ReasonPhrase::as_bytes)
}

#[cfg(not(feature = "hyper"))]
pub(super) fn reason_phrase(_: &Extensions) -> Option<&[u8]> {
    None
}

/// Removes the phrase from a rewritten error: its text may be confidential.
pub(super) fn remove_reason(_head: &mut Parts) {
    #[cfg(feature = "hyper")]
    _head.extensions.remove::<hyper::ext::ReasonPhrase>();
}
