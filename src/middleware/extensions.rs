//! Reads what hyper and axum store in the extensions of a head. hyper stores a reason phrase (rule R3, feature
//! `hyper`). axum stores a request's route (L1), and its URI before a prefix was stripped (feature `axum`).

use http::response::Parts;

/// Returns the reason phrase, if hyper stored one. hyper stores only a phrase that differs from the usual one for the
/// status.
#[cfg(feature = "hyper")]
pub(super) fn reason_phrase(extensions: &http::Extensions) -> Option<&[u8]> {
    extensions.get::<hyper::ext::ReasonPhrase>().map(hyper::ext::ReasonPhrase::as_bytes)
}

/// Removes the reason phrase from a rewritten error, because its text may be confidential.
pub(super) fn remove_reason(_head: &mut Parts) {
    #[cfg(feature = "hyper")]
    _head.extensions.remove::<hyper::ext::ReasonPhrase>();
}

/// Returns the URI that the request had before axum's `nest` stripped a prefix (G0).
#[cfg(feature = "axum")]
pub(super) fn original_uri(extensions: &http::Extensions) -> Option<&http::Uri> {
    extensions.get::<axum::extract::OriginalUri>().map(|original| &original.0)
}

/// Returns the pattern of the axum route that matched a request. axum does not share the pattern's text. A copy takes
/// less time than a look-up of a shared text.
#[cfg(feature = "axum")]
pub(super) fn framework_route(extensions: &http::Extensions) -> Option<std::sync::Arc<str>> {
    extensions.get::<axum::extract::MatchedPath>().map(|path| path.as_str().into())
}
