//! What holds where the most specific route matches together with those that a request of it matches as a rule: worked
//! out when the policy is built, so that a request inherits nothing key by key.

use http::Method;

use super::Policy;
#[cfg(feature = "policy-file")]
use super::choice::LetterCase;
use super::faults::PolicyFaults;
use super::keys::Settings;
use crate::dialect::Dialect;
use crate::guard::pattern::{Pattern, Segment};

/// More routes than a request of a route matches in any policy seen; where there are more, settings are inherited anew.
const MOST: usize = 8;

/// The routes that match a request, the most specific first.
#[derive(Clone, Debug, Default)]
pub(super) struct MatchedRoutes {
    routes: [u32; MOST],
    number: usize,
}

/// What holds for requests that match the same routes as the witness of the first of them.
#[derive(Clone, Debug)]
pub(super) struct PrecomputedRoute {
    part: usize,
    met: MatchedRoutes,
    settings: Settings,
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

impl PrecomputedRoute {
    /// `part` is the narrowest around the requests.
    pub(super) fn new(part: usize, met: MatchedRoutes, settings: Settings) -> Self {
        Self { part, met, settings }
    }

    #[cfg(feature = "policy-file")]
    pub(super) fn all(&self) -> &Settings {
        &self.settings
    }

    pub(super) fn set_mode(&mut self, mode: super::Mode) {
        self.settings.manner.mode = mode;
    }

    pub(super) fn mode(&self) -> super::Mode {
        self.settings.mode
    }

    #[inline]
    pub(super) fn settings(&self, part: usize, met: &MatchedRoutes) -> Option<&Settings> {
        let same = self.part == part && met.number <= MOST && self.met.routes() == met.routes();
        same.then_some(&self.settings)
    }
}

impl Policy {
    /// Whether the usual requests of two routes meet different guards, which letter case does not tell apart.
    #[cfg(feature = "policy-file")]
    pub(super) fn guards_differ(&self, route: usize, other: usize) -> bool {
        let usual = |route: usize| self.usual.get(route).map(PrecomputedRoute::all);
        let differ = |one: &Settings, other: &Settings| {
            !one.guards_like(other) && [one, other].iter().any(|settings| settings.case == LetterCase::Fold)
        };
        usual(route).zip(usual(other)).is_some_and(|(one, other)| differ(one, other))
    }

    /// Works out once what holds for the usual requests of each route.
    pub(super) fn with_usual(mut self) -> Self {
        let parts = self.parts.iter().enumerate();
        let patterns = parts.flat_map(|(at, part)| part.matcher.patterns().map(move |pattern| (at, pattern)));
        let of_routes = self.said.iter().map(|said| said.body_limit.flatten());
        let limits = self.parts.iter().map(|part| part.defaults.body_limit).chain(of_routes);
        self.faults = PolicyFaults::new(limits.flatten(), self.codes.len());
        let usual = patterns.map(|(part, pattern)| {
            let (method, path) = witness(pattern);
            let routes = self.routes_in(part, &method, &path);
            let mut met = MatchedRoutes::default();
            routes.iter().for_each(|route| met.push(*route));
            PrecomputedRoute::new(part, met, self.inherited(part, &routes))
        });
        self.usual = usual.collect();
        let tells_time = |dialect: Dialect| dialect.form().tells_time;
        self.names_methods = self.parts.iter().flat_map(|part| part.matcher.patterns()).any(Pattern::names_methods);
        self.is_everywhere = self.parts.len() == 1 && self.said.is_empty() && !self.scopes.ask_host();
        self.asks_of_requests = self.parts.iter().any(|part| part.rules_ask_path || tells_time(part.defaults.dialect))
            || self.said.iter().filter_map(|said| said.dialect).any(tells_time);
        self
    }
}

/// No path that a client sends decodes to this segment as a rule.
pub(super) const FRESH: &str = "\u{1}";

/// A request that the pattern matches, and as few others as possible do.
pub(super) fn witness(pattern: &Pattern) -> (Method, Vec<u8>) {
    let segments = pattern.segments().iter().map(|segment| match segment {
        Segment::Literal(literal) => &**literal,
        Segment::One => FRESH,
    });
    let rest = pattern.has_rest().then_some(FRESH);
    let path = segments.chain(rest).fold(Vec::new(), |path, segment| [&path[..], b"/", segment.as_bytes()].concat());
    (pattern.first_method().unwrap_or(Method::GET), if path.is_empty() { b"/".to_vec() } else { path })
}
