//! Which tables of a policy decide about a request, and in which order (G0).

use std::sync::Arc;

use super::CompiledScope;
use super::keys::{LinkedTable, RouteSettings};

/// A part and those around it, beginning with the narrowest.
pub(crate) fn around(parts: &[CompiledScope], part: usize) -> impl Iterator<Item = usize> {
    let part = (part < parts.len()).then_some(part);
    std::iter::successors(part, |part| parts[*part].parent)
}

/// The tables that decide about requests that match these routes, beginning with the most specific. Those of the
/// narrowest part come first. Within a part, its routes come before its defaults. Each item is a part, and the index of
/// a route or `None`.
pub(crate) fn tables(
    parts: &[CompiledScope],
    narrowest: usize,
    routes: &[usize],
) -> impl Iterator<Item = (usize, Option<usize>)> {
    around(parts, narrowest).flat_map(move |part| {
        let own = routes.iter().copied().filter(move |route| parts[part].matcher.pattern(*route).is_some());
        own.map(Some).chain([None]).map(move |route| (part, route))
    })
}

/// The settings for requests that match these routes. `keys` are the tables of all routes.
pub(super) fn inherited(
    parts: &[CompiledScope],
    keys: &[LinkedTable],
    narrowest: usize,
    routes: &[usize],
) -> Arc<RouteSettings> {
    let tables = tables(parts, narrowest, routes);
    let settings =
        RouteSettings::inherited(tables.map(|(part, route)| route.map_or(&parts[part].keys, |route| &keys[route])));
    let route = routes.first().and_then(|route| u32::try_from(*route).ok());
    Arc::new(RouteSettings { part: u16::try_from(narrowest).unwrap_or(0), route, ..settings })
}
