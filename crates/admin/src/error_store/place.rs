//! Where a request went: its route and its scope. Requests that match no route differ only by scope.

use std::sync::Arc;

/// The value of the metrics' labels `route` and `scope` for a request without a route or a scope.
pub(crate) const NO_ROUTE: &str = "none";

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Place {
    /// The pattern; `None` if no route matched.
    pub(crate) route: Option<Arc<str>>,
    /// The scope; `None` outside all of them.
    pub(crate) scope: Option<Arc<str>>,
}

impl Place {
    /// From the labels of a metric.
    #[cfg_attr(not(feature = "prometheus"), allow(dead_code, reason = "without a recorder nothing counts requests"))]
    pub(crate) fn from_labels(route: &str, scope: Option<&str>) -> Self {
        let named = |label: &str| (label != NO_ROUTE).then(|| label.into());
        Self { route: named(route), scope: scope.and_then(named) }
    }
}
