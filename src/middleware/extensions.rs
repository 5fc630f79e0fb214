//! Reads what hyper and axum store in the extensions of a head. hyper stores a reason phrase (rule R3, feature
//! `hyper`). axum stores a request's route (L1), and its URI before a prefix was stripped (feature `axum`).

use http::Extensions;
use http::response::Parts;

/// Returns the reason phrase, if hyper stored one. hyper stores only a phrase that differs from the usual one for the
/// status.
#[cfg(feature = "hyper")]
pub(super) fn reason_phrase(extensions: &Extensions) -> Option<&[u8]> {
    extensions.get::<hyper::ext::ReasonPhrase>().map(hyper::ext::ReasonPhrase::as_bytes)
}

/// Removes the reason phrase from a rewritten error, because its text may be confidential.
pub(super) fn remove_reason(_head: &mut Parts) {
    #[cfg(feature = "hyper")]
    _head.extensions.remove::<hyper::ext::ReasonPhrase>();
}

/// Returns the URI that the request had before axum's `nest` stripped a prefix (G0).
#[cfg(feature = "axum")]
pub(super) fn original_uri(extensions: &Extensions) -> Option<&http::Uri> {
    extensions.get::<axum::extract::OriginalUri>().map(|original| &original.0)
}

#[cfg(feature = "axum")]
pub(super) use matched_path::framework_route;

/// Finds the pattern of the axum route that matched a request. axum does not share the pattern's text, so this module
/// keeps one copy of each text.
#[cfg(feature = "axum")]
mod matched_path {
    use std::collections::HashSet;
    use std::sync::{Arc, PoisonError, RwLock};

    use axum::extract::MatchedPath;
    use http::Extensions;

    /// The most patterns to keep. A router has far fewer routes. If a program keeps creating routers, patterns beyond
    /// this number get no label.
    const MOST: usize = 16 * 1024;

    static KNOWN: RwLock<Option<HashSet<Arc<str>>>> = RwLock::new(None);

    pub(in crate::middleware) fn framework_route(extensions: &Extensions) -> Option<Arc<str>> {
        let path = extensions.get::<MatchedPath>()?.as_str();
        let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
        let found = known.as_ref().and_then(|known| known.get(path).cloned());
        drop(known);
        found.or_else(|| enter(path))
    }

    #[cold]
    fn enter(path: &str) -> Option<Arc<str>> {
        let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
        let known = known.get_or_insert_default();
        if let Some(found) = known.get(path) {
            return Some(found.clone());
        }
        let route: Arc<str> = path.into();
        (known.len() < MOST && known.insert(route.clone())).then_some(route)
    }
}
