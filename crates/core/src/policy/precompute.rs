//! Computes the settings that most requests of each route have, when the policy is built.

use super::Policy;
#[cfg(feature = "policy-file")]
use super::choice::LetterCase;
use super::faults::PolicyFaults;
#[cfg(feature = "policy-file")]
use super::keys::Settings;
use super::precomputed::{self, MatchedRoutes, PrecomputedRoute};
use crate::guard::pattern::Pattern;

impl Policy {
    /// Whether most requests of the two routes have different guards, and letter case does not tell the routes apart.
    #[cfg(feature = "policy-file")]
    pub(crate) fn guards_differ(&self, route: usize, other: usize) -> bool {
        let precomputed = |route: usize| self.precomputed.get(route).map(PrecomputedRoute::all);
        let differ = |one: &Settings, other: &Settings| {
            !one.guards_like(other) && [one, other].iter().any(|settings| settings.case == LetterCase::Fold)
        };
        precomputed(route).zip(precomputed(other)).is_some_and(|(one, other)| differ(one, other))
    }

    /// Adds the settings that most requests of each route have.
    pub(super) fn with_precomputed(mut self) -> Self {
        let parts = self.parts.iter().enumerate();
        let patterns = parts.flat_map(|(at, part)| part.matcher.patterns().map(move |pattern| (at, pattern)));
        let of_routes = self.route_settings.iter().map(|route| route.body_limit.flatten());
        let limits = self.parts.iter().map(|part| part.defaults.body_limit).chain(of_routes);
        self.faults = PolicyFaults::new(limits.flatten(), self.codes.len());
        let precomputed = patterns.map(|(part, pattern)| {
            let (method, path) = precomputed::witness(pattern);
            let routes = self.routes_in(part, &method, &path);
            let mut met = MatchedRoutes::default();
            routes.iter().for_each(|route| met.push(*route));
            PrecomputedRoute::new(part, met, self.inherited(part, &routes))
        });
        self.precomputed = precomputed.collect();
        self.names_methods = self.parts.iter().flat_map(|part| part.matcher.patterns()).any(Pattern::names_methods);
        self.is_everywhere = self.parts.len() == 1 && self.route_settings.is_empty() && !self.scopes.depend_on_host();
        let of_request = |index| self.dialect_at(index).spec().has_request_facts();
        self.needs_request_facts = self.cors.is_some()
            || self.parts.iter().any(|part| part.rules_use_path || of_request(part.defaults.dialect))
            || self.route_settings.iter().filter_map(|route| route.dialect).any(of_request);
        self
    }
}
