//! The route of a request as axum knows it (L1), and its URI before a prefix was stripped.

use http::Extensions;

pub(super) use matched_path::framework_route;

/// The URI before axum's `nest` stripped a prefix, as axum stores it (G0).
pub(super) fn original_uri(extensions: &Extensions) -> Option<&http::Uri> {
    extensions.get::<axum::extract::OriginalUri>().map(|original| &original.0)
}

/// axum's pattern for the request. axum does not share its text, so each text is copied and kept once.
mod matched_path {
    use std::collections::HashSet;
    use std::sync::{Arc, PoisonError, RwLock};

    use axum::extract::MatchedPath;
    use http::Extensions;

    /// The most routes to keep: far more than a router has. If a program makes routers without end, further routes get no
    /// label.
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
