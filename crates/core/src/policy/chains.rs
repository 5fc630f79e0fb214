//! Which tables of a policy decide about a request, and in which order (G0); and the settings of most requests, which are
//! made once, when the policy is built.

use std::sync::Arc;

use http::Method;

#[cfg(feature = "policy-file")]
use super::choice::LetterCase;
use super::faults::PolicyFaults;
use super::keys::{LinkedTable, RouteSettings};
use super::{CompiledScope, Policy};
use crate::guard::pattern::{Pattern, Segment};

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

/// The most routes that are stored together. Requests in known policies match fewer. If more match, the settings are
/// inherited for each request.
const MOST: usize = 8;

/// The routes that match a request, the most specific first.
#[derive(Clone, Debug, Default)]
pub(super) struct MatchedRoutes {
    routes: [u32; MOST],
    number: usize,
}

/// The settings for all requests that match exactly these routes: those that a sample request of the first one matches.
#[derive(Clone, Debug)]
pub(super) struct FixedChain {
    /// The narrowest part that covers these requests.
    part: usize,
    met: MatchedRoutes,
    pub(super) settings: Arc<RouteSettings>,
}

impl MatchedRoutes {
    #[inline]
    pub(super) fn push(&mut self, route: usize) {
        if let (Some(place), Ok(route)) = (self.routes.get_mut(self.number), u32::try_from(route)) {
            *place = route;
        }
        self.number += 1;
    }

    pub(super) fn first(&self) -> Option<usize> {
        (self.number > 0).then(|| self.routes[0] as usize)
    }

    fn routes(&self) -> Option<&[u32]> {
        self.routes.get(..self.number)
    }
}

impl FixedChain {
    #[inline]
    pub(super) fn settings(&self, part: usize, met: &MatchedRoutes) -> Option<&Arc<RouteSettings>> {
        let same = self.part == part && met.number <= MOST && self.met.routes() == met.routes();
        same.then_some(&self.settings)
    }
}

impl Policy {
    /// Whether most requests of the two routes have different guards, and letter case does not tell the routes apart.
    #[cfg(feature = "policy-file")]
    pub(crate) fn guards_differ(&self, route: usize, other: usize) -> bool {
        let settings = |route: usize| self.chains.get(route).map(|chain| &*chain.settings);
        let differ = |one: &RouteSettings, other: &RouteSettings| {
            !one.guards_like(other) && [one, other].iter().any(|settings| settings.case == LetterCase::Fold)
        };
        settings(route).zip(settings(other)).is_some_and(|(one, other)| differ(one, other))
    }

    /// Adds the settings that most requests of each route have.
    pub(super) fn with_chains(mut self) -> Self {
        let parts = self.parts.iter().enumerate();
        let patterns = parts.flat_map(|(at, part)| part.matcher.patterns().map(move |pattern| (at, pattern)));
        let limits = self.parts.iter().map(|part| part.defaults.body_limit);
        let limits = limits.chain(self.routes.iter().map(|route| route.settings().body_limit));
        self.faults = PolicyFaults::new(limits.flatten(), self.codes.len());
        let chains = patterns.map(|(part, pattern)| {
            let (method, path) = witness(pattern);
            let routes = self.routes_in(part, &method, &path);
            let mut met = MatchedRoutes::default();
            routes.iter().for_each(|route| met.push(*route));
            FixedChain { part, met, settings: self.inherited(part, &routes) }
        });
        self.chains = chains.collect();
        self.names_methods = self.parts.iter().flat_map(|part| part.matcher.patterns()).any(Pattern::names_methods);
        self.is_everywhere = self.parts.len() == 1 && self.routes.is_empty() && !self.scopes.depend_on_host();
        let has_facts = |settings: &RouteSettings| settings.dialect.spec().has_request_facts();
        self.needs_request_facts = self.cors.is_some()
            || self.parts.iter().any(|part| part.rules_use_path || has_facts(&part.defaults))
            || self.routes.iter().any(|route| has_facts(route.settings()));
        self
    }

    /// Changes the settings of all requests.
    pub(super) fn change_settings(&mut self, change: impl Fn(&mut RouteSettings)) {
        let tables = self.routes.iter_mut().chain(self.parts.iter_mut().map(|part| &mut part.keys));
        tables.for_each(|table| change(table.settings_mut()));
        let made = self.chains.iter_mut().map(|chain| &mut chain.settings);
        made.chain(self.parts.iter_mut().map(|part| &mut part.defaults)).for_each(|made| change(Arc::make_mut(made)));
    }
}

/// A segment that paths of clients hardly ever have.
pub(super) const FRESH: &str = "\u{1}";

/// Returns a request that this pattern matches, and that as few other patterns as possible match.
pub(super) fn witness(pattern: &Pattern) -> (Method, Vec<u8>) {
    let segments = pattern.segments().iter().map(|segment| match segment {
        Segment::Literal(literal) => &**literal,
        Segment::One => FRESH,
    });
    let rest = pattern.has_rest().then_some(FRESH);
    let path = segments.chain(rest).fold(Vec::new(), |path, segment| [&path[..], b"/", segment.as_bytes()].concat());
    (pattern.first_method().unwrap_or(Method::GET), if path.is_empty() { b"/".to_vec() } else { path })
}
