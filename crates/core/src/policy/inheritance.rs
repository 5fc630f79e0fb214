//! Which tables of a policy decide about a request, and in which order (G0).

use super::CompiledScope;
use super::compile::lists::Index;
use super::keys::{PartialSettings, Settings};

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

/// The settings for requests that match these routes: for each key, the first table that sets it decides. `keys` are
/// the settings of all routes.
pub(super) fn inherited(
    parts: &[CompiledScope],
    keys: &[PartialSettings],
    narrowest: usize,
    routes: &[usize],
) -> Settings {
    let mut settings = PartialSettings::default();
    for (part, route) in tables(parts, narrowest, routes) {
        settings.inherit(route.map_or(&parts[part].default_keys, |route| &keys[route]));
    }
    settings.with_defaults(u16::try_from(narrowest).unwrap_or(0), routes.first().copied().and_then(Index::new))
}
