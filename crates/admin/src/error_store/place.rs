//! The route and the scope of a request.

use std::borrow::Borrow;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// The route and the scope of a request. All requests of a scope that match no route have the same place.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// The pattern of the route, or `None` if no route matched.
    pub(crate) route: Option<Arc<str>>,
    /// The scope, or `None` outside all scopes.
    pub(crate) scope: Option<Arc<str>>,
}

/// The route and scope of a place as texts. A map with places can be searched by these texts without an allocation.
pub(crate) trait PlaceTexts {
    fn texts(&self) -> (Option<&str>, Option<&str>);
}

impl PlaceTexts for Place {
    fn texts(&self) -> (Option<&str>, Option<&str>) {
        (self.route.as_deref(), self.scope.as_deref())
    }
}

impl PlaceTexts for (Option<&str>, Option<&str>) {
    fn texts(&self) -> (Option<&str>, Option<&str>) {
        *self
    }
}

impl<'a> Borrow<dyn PlaceTexts + 'a> for Place {
    fn borrow(&self) -> &(dyn PlaceTexts + 'a) {
        self
    }
}

impl Hash for dyn PlaceTexts + '_ {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.texts().hash(state);
    }
}

/// A place has the same hash as its texts, so that a place in a map can be looked up by its texts.
impl Hash for Place {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.texts().hash(state);
    }
}

impl PartialEq for dyn PlaceTexts + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.texts() == other.texts()
    }
}

impl Eq for dyn PlaceTexts + '_ {}
