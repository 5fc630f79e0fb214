//! Makes the settings that most requests of each route have, when the policy is built.

use super::Policy;
use super::chains::{FixedChain, MatchedRoutes, witness};
#[cfg(feature = "policy-file")]
use super::choice::LetterCase;
use super::faults::PolicyFaults;
use super::keys::RouteSettings;
use crate::guard::pattern::Pattern;

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
        let limits = limits.chain(self.routes.iter().map(|route| route.settings.body_limit));
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
            || self.routes.iter().any(|route| has_facts(&route.settings));
        self
    }
}
