//! The route and the scope of a request.

use std::sync::Arc;

use hashbrown::Equivalent;

/// The route and the scope of a request. All requests of a scope that match no route have the same place.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    /// The pattern of the route, or `None` if no route matched.
    pub(crate) route: Option<Arc<str>>,
    /// The scope, or `None` outside all scopes.
    pub(crate) scope: Option<Arc<str>>,
}

/// Finds a place in a map by the texts of its route and its scope, without an allocation.
impl Equivalent<Place> for (Option<&str>, Option<&str>) {
    fn equivalent(&self, place: &Place) -> bool {
        *self == (place.route.as_deref(), place.scope.as_deref())
    }
}
