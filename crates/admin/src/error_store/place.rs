//! Where a request went: its route and its scope. Requests without a route of their own differ by scope alone.

use std::sync::Arc;

/// The name of no route, and of no scope, among the labels of the metrics.
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
