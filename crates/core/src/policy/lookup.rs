//! Finds the settings for a request. The look-up compares the request's host, and every reading of its path and its
//! method, with the routes and scopes (rule G0).

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use http::Method;
use http::request::Parts;
use memchr::memchr;

use super::choice::{LetterCase, Paths};
use super::faults::PolicyFaults;
use super::host::{self, Hosts};
use super::keys::{LinkedTable, RouteSettings};
use super::matcher::{FixedChain, MatchedRoutes, witness};
use super::{CompiledScope, Policy};
use crate::dialect::Dialect;
use crate::guard::method::{self, Methods};
use crate::guard::pattern::Pattern;
use crate::guard::reading::{PathList, has_readings, is_plain, normalise, normalised, readings};

/// The settings for a request, in every way in which it can be read (rule G0).
#[derive(Clone, Debug)]
pub(crate) struct Matched {
    /// The settings for the normalised reading, which decide everything except guards.
    pub(crate) normal: Arc<RouteSettings>,
    /// Other readings with different guards, one for each difference. Few requests have such readings.
    pub(crate) others: Vec<MatchedReading>,
    /// The reason why a route refuses the path (`paths`).
    pub(crate) refused: Option<RefusedPath>,
    /// True if `normal` belongs to the path that the request had before a framework stripped a prefix.
    pub(crate) follows_original: bool,
    /// True if only the path that the request had before a framework stripped a prefix matches a route.
    pub(crate) only_original: bool,
}

/// A reading of a request, with its settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MatchedReading {
    pub(crate) method: Method,
    pub(crate) path: Vec<u8>,
    pub(crate) settings: Arc<RouteSettings>,
}

/// The reason why a route refuses a path (`paths`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RefusedPath {
    /// The readings of the path match routes with different guards or modes.
    Ambiguous,
    /// The path contains characters or segments that are not plain.
    NotPlain,
}

#[cfg(feature = "policy-file")]
impl RefusedPath {
    /// Returns the reason, for the author of the policy.
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::Ambiguous => "readings of the path match different guards or modes (paths = \"refuse\")",
            Self::NotPlain => "the path has characters or segments that are not plain (paths = \"plain\")",
        }
    }
}

/// The reason why there are no settings for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unmatched {
    /// The policy depends on the host, and the host of the request is unclear.
    NoHost,
    /// The path can be read in more ways than the guards check.
    TooManyReadings,
    /// A route for the path names a method, and this header or field of the query has an unclear value. A service may
    /// read that value as a method, but the guards do not.
    UnclearMethod(&'static str),
}

impl Matched {
    /// Creates the value for a request that can only be read in one way.
    pub(crate) fn only(normal: Arc<RouteSettings>) -> Self {
        Self::new(normal, Vec::new(), None)
    }

    fn new(normal: Arc<RouteSettings>, others: Vec<MatchedReading>, refused: Option<RefusedPath>) -> Self {
        Self { normal, others, refused, follows_original: false, only_original: false }
    }

    /// Returns the settings of all readings, one for each set of guards.
    pub(crate) fn guards(&self) -> impl Iterator<Item = &Arc<RouteSettings>> + Clone {
        self.others.iter().map(|other| &other.settings).chain([&self.normal])
    }

    /// Joins the settings for a path whose prefix a framework stripped with the settings for the original path. If only
    /// one of the two paths matches a route or a scope, only that path is used, because a policy is written for one of
    /// them.
    fn and_original(self, original: Self) -> Self {
        let only_original = !self.has_route() && original.has_route();
        let own_place = self.guards().any(|settings| settings.has_place());
        if !original.guards().any(|settings| settings.has_place()) {
            return self;
        }
        let refused = self.refused.or(original.refused);
        let follows_original = !self.normal.label().has_route();
        let normal = if follows_original { original.normal } else { self.normal };
        let mut others = original.others;
        if own_place {
            let are_new =
                |reading: &MatchedReading| !others.iter().any(|known| known.settings.guards_like(&reading.settings));
            let own: Vec<_> = self.others.into_iter().filter(are_new).collect();
            others.extend(own);
        }
        Self { normal, others, refused, follows_original, only_original }
    }

    fn has_route(&self) -> bool {
        self.guards().any(|settings| settings.label().has_route())
    }

    /// Leaves out readings that have the same guards as the normalised reading.
    fn without_repetitions(mut self) -> Self {
        self.others.retain(|other| !other.settings.guards_like(&self.normal));
        self
    }
}

impl Policy {
    /// Returns the settings for a request whose path no framework has changed (rule G0).
    ///
    /// # Errors
    ///
    /// Returns an error if the policy depends on the host and the host is unclear, or if there are too many readings.
    pub(crate) fn matched(&self, head: &Parts) -> Result<Matched, Unmatched> {
        self.matched_as(head, None, true)
    }

    /// Returns the settings for a request that may have two paths. `original` is the path that the request had before a
    /// framework stripped a prefix. `overrides` is true if a header may name another method.
    #[inline(never)]
    pub(crate) fn matched_as(
        &self,
        head: &Parts,
        original: Option<&str>,
        overrides: bool,
    ) -> Result<Matched, Unmatched> {
        let hosts = if self.scopes.depend_on_host() {
            host::hosts(&head.uri, &head.headers).ok_or(Unmatched::NoHost)?
        } else {
            Hosts::default()
        };
        let path = PathReadings::new(head.uri.path())?;
        let original = original.map(PathReadings::new).transpose()?;
        let each_path = || std::iter::once(&path).chain(&original).flat_map(|path| &path.all);
        let names_fields = || std::iter::once(&path).chain(&original).any(|path| path.has(b'&'));
        let is_crowded = || !method::names_few_methods(head) || names_fields();
        let Methods { named, unclear } = match self.names_methods || overrides || is_crowded() {
            true => method::methods(head, each_path()).map_err(|_| Unmatched::TooManyReadings)?,
            false => Methods::default(),
        };
        let methods = if named.is_empty() { std::slice::from_ref(&head.method) } else { &named[..] };
        let hosts: &[&str] = match &hosts.other {
            None => &[&hosts.first],
            Some(other) => &[&hosts.first, other],
        };
        if let Some(unclear) = unclear.filter(|_| self.names_methods) {
            let mut readings = hosts.iter().flat_map(|host| each_path().map(move |path| (host, path)));
            if readings.any(|(host, path)| !self.methods_of(host, path).is_empty()) {
                return Err(Unmatched::UnclearMethod(unclear));
            }
        }
        let matched = self.matched_by(methods, hosts, &path)?;
        Ok(match &original {
            None => matched,
            Some(path) => matched.and_original(self.matched_by(methods, hosts, path)?),
        }
        .without_repetitions())
    }

    /// Returns the settings for every reading of one path, with every method and every host that a service may see. The
    /// lists contain at least one method and one host. The first method and the first host are the request's own.
    fn matched_by(&self, methods: &[Method], hosts: &[&str], path: &PathReadings<'_>) -> Result<Matched, Unmatched> {
        let PathReadings { sent, all } = path;
        let normal = if all.len() > 1 { normalise(sent.as_bytes()).into() } else { Cow::Borrowed(sent.as_bytes()) };
        let (mut others, mut own) = (OtherReadings::default(), None);
        let (mut is_ambiguous, mut takes_plain) = (false, false);
        // Without routes and scopes, all readings have the same guards.
        let hosts_read = if self.is_everywhere { &[] } else { hosts };
        for host in hosts_read {
            let listed = if path.has(b',') { self.listed(host, all) } else { BTreeSet::new() };
            for method in methods {
                let (mut first, mut differ, mut refuses) = (None, false, false);
                for path in all {
                    let is_normal = **path == *normal;
                    self.each_guard(method, host, path, &mut |named, settings| {
                        others.add(named, path, &settings);
                        // The guards of other methods of the path are not another way to read the path.
                        if named != method {
                            return;
                        }
                        refuses |= settings.paths == Paths::Refuse;
                        takes_plain |= settings.paths == Paths::Plain;
                        differ |= !first.get_or_insert_with(|| settings.clone()).guards_like(&settings);
                        if is_normal {
                            own.get_or_insert(settings);
                        }
                    })?;
                }
                for path in &listed {
                    self.each_guard(method, host, path, &mut |named, settings| others.add(named, path, &settings))?;
                }
                is_ambiguous |= refuses && differ;
            }
        }
        let normal = own.unwrap_or_else(|| {
            let settings = self.settings(&methods[0], hosts[0], &normal);
            if method::is_usual(&methods[0]) { settings } else { settings.without_types() }
        });
        takes_plain |= normal.paths == Paths::Plain;
        let refused = match takes_plain && !is_plain(sent.as_bytes()) {
            true => Some(RefusedPath::NotPlain),
            false => is_ambiguous.then_some(RefusedPath::Ambiguous),
        };
        Ok(Matched::new(normal, others.0, refused))
    }

    /// Visits the settings for one reading with one method. Each visit also gets the method to which the settings
    /// belong. A method that services do not know may run any handler of the path. So if no route of the path names the
    /// method, the settings for each method that these routes name are visited as well. These settings then require no
    /// content type.
    fn each_guard(
        &self,
        method: &Method,
        host: &str,
        path: &[u8],
        visit: &mut impl FnMut(&Method, Arc<RouteSettings>),
    ) -> Result<(), Unmatched> {
        if method::is_usual(method) {
            return self.each_case(method, host, path, &mut |settings, _| visit(method, settings.clone()));
        }
        let mut is_named = true;
        self.each_case(method, host, path, &mut |settings, routes| {
            let names_it = |route| self.pattern(route).is_some_and(|pattern| pattern.methods.contains(method));
            let by_name = routes().into_iter().any(names_it);
            is_named &= by_name;
            visit(method, if by_name { settings.clone() } else { settings.without_types() });
        })?;
        let others = if is_named { Vec::new() } else { self.methods_of(host, path) };
        others.iter().filter(|other| *other != method).try_for_each(|other| {
            self.each_case(other, host, path, &mut |settings, _| visit(other, settings.without_types()))
        })
    }

    /// Returns the methods that the routes of a path name, in any letter case of the path.
    #[cold]
    fn methods_of(&self, host: &str, path: &[u8]) -> Vec<Method> {
        let mut named = Vec::new();
        for part in self.scopes.narrowest_folded(host, path).into_iter().flat_map(|part| self.around(part)) {
            part.matcher.each_path_match(path, &mut |pattern| {
                let new = pattern.methods.iter().filter(|method| !named.contains(*method));
                named.extend(new.cloned().collect::<Vec<_>>());
            });
        }
        named
    }

    /// Returns the paths to which lists in the last segments of readings lead. An element that is neither a literal of
    /// a route nor of a scope's prefix is left out, because it matches the same patterns as the list.
    fn listed(&self, host: &str, readings: &[Vec<u8>]) -> BTreeSet<Vec<u8>> {
        let mut paths = BTreeSet::new();
        for list in readings.iter().filter_map(|path| PathList::from_path(path)) {
            self.parts.iter().for_each(|part| part.matcher.add_elements(list, &mut paths));
            self.scopes.add_elements(host, list, &mut paths);
            // An empty element leads to the folder itself, which may match other routes than any name in it.
            if list.elements().any(<[u8]>::is_empty) {
                paths.insert(list.path_to(b""));
            }
        }
        paths
    }

    /// Returns the settings for the response to a request that was refused because of its readings (rule G0).
    #[cold]
    pub(crate) fn settings_of_unmatched(&self, head: &Parts, why: Unmatched) -> Matched {
        let hosts =
            if self.scopes.depend_on_host() { host::hosts(&head.uri, &head.headers) } else { Some(Hosts::default()) };
        match (why, hosts) {
            (Unmatched::TooManyReadings | Unmatched::UnclearMethod(_), Some(hosts)) => {
                Matched::only(self.normalised(&head.method, &hosts.first, head.uri.path()))
            }
            _ => self.settings_without_host(),
        }
    }

    /// Returns the settings for a request whose host is unclear.
    pub(crate) fn settings_without_host(&self) -> Matched {
        Matched::only(self.root_scope().defaults.clone())
    }

    /// Returns the settings for a request that can only be read in one way and names one host, as nearly every request
    /// does. If it returns `None`, [`matched`](Self::matched) must find the settings. `overrides` is true if a header
    /// names another method.
    #[inline]
    pub(crate) fn cached_settings(&self, head: &Parts, overrides: bool) -> Option<&Arc<RouteSettings>> {
        let path = head.uri.path();
        if has_readings(path.as_bytes()) {
            return None;
        }
        let names_its_own = match self.names_methods {
            true => method::is_plain(head),
            false => method::is_usual(&head.method) && method::names_few_methods(head),
        };
        if overrides || !names_its_own {
            return None;
        }
        let settings = match self.is_everywhere {
            true => Some(&self.root_scope().defaults),
            false => self.cached_of_route(head, path),
        };
        settings.filter(|settings| settings.paths != Paths::Plain || is_plain(path.as_bytes()))
    }

    #[inline]
    fn cached_of_route(&self, head: &Parts, path: &str) -> Option<&Arc<RouteSettings>> {
        let narrowest = if self.parts.len() == 1 {
            0
        } else {
            let hosts =
                if self.scopes.depend_on_host() { host::hosts(&head.uri, &head.headers)? } else { Hosts::default() };
            if hosts.other.is_some() {
                return None;
            }
            self.scopes.narrowest_in_any_case(&hosts.first, path.as_bytes())?
        };
        let met = self.met_in_any_case(narrowest, &head.method, path.as_bytes())?;
        self.precomputed(narrowest, &met)
    }

    /// Returns the precomputed settings, if the same tables apply to the request as to most requests of its route.
    #[inline]
    fn precomputed(&self, narrowest: usize, met: &MatchedRoutes) -> Option<&Arc<RouteSettings>> {
        match met.first() {
            None => Some(&self.parts.get(narrowest)?.defaults),
            Some(first) => self.chains.get(first)?.settings(narrowest, met),
        }
    }

    /// Returns the settings for the normalised reading, which decide everything except the guards of other readings.
    pub(crate) fn normalised(&self, method: &Method, host: &str, path: &str) -> Arc<RouteSettings> {
        self.settings(method, host, normalised(path).as_deref().unwrap_or(path.as_bytes()))
    }

    /// Returns the settings for a path, if the host does not matter.
    #[cfg(test)]
    pub(super) fn of_path(&self, method: &Method, path: &str) -> Result<Matched, Unmatched> {
        let path = PathReadings::new(path)?;
        self.matched_by(std::slice::from_ref(method), &[""], &path).map(Matched::without_repetitions)
    }

    /// Returns the routes that match a reading, beginning with the most specific.
    #[cfg(feature = "policy-file")]
    pub(crate) fn routes_of_reading(&self, reading: &MatchedReading, host: &str) -> Vec<usize> {
        let (mut found, mut untyped) = (None, None);
        // The reading was stored for the first letter case that has these guards.
        let _ = self.each_case(&reading.method, host, &reading.path, &mut |settings, routes| {
            if found.is_none() && settings.guards_like(&reading.settings) {
                found = Some(routes());
            // The settings of an unknown method require no content type.
            } else if untyped.is_none() && settings.without_types().guards_like(&reading.settings) {
                untyped = Some(routes());
            }
        });
        found.or(untyped).unwrap_or_default()
    }

    /// Visits the settings for one reading in its own letter case. If the key `case` makes a difference, also visits
    /// the settings for the reading in any letter case.
    fn each_case(
        &self,
        method: &Method,
        host: &str,
        path: &[u8],
        visit: &mut impl FnMut(&Arc<RouteSettings>, &dyn Fn() -> Vec<usize>),
    ) -> Result<(), Unmatched> {
        let met_in_any_case = |part: usize| Some((part, self.met_in_any_case(part, method, path)?));
        let in_any_case = self.scopes.narrowest_in_any_case(host, path).and_then(met_in_any_case);
        let precomputed = in_any_case.as_ref().and_then(|(part, met)| Some((*part, self.precomputed(*part, met)?)));
        if let Some((part, settings)) = precomputed {
            visit(settings, &|| self.routes_in(part, method, path));
            return Ok(());
        }
        let narrowest = self.scopes.narrowest(host, path);
        let routes = self.routes_in(narrowest, method, path);
        visit(&self.inherited(narrowest, &routes), &|| routes.clone());
        if in_any_case.is_some() {
            return Ok(());
        }
        for part in self.scopes.narrowest_folded(host, path) {
            for routes in self.case_variants(part, method, path)? {
                let settings = self.inherited(part, &routes);
                if settings.case == LetterCase::Fold {
                    visit(&settings, &|| routes.clone());
                }
            }
        }
        Ok(())
    }

    /// Returns the routes that match in any letter case, beginning with the most specific. If several patterns differ
    /// only in letter case, a request can match just one of them, so each combination of such patterns is a separate
    /// list.
    fn case_variants(&self, narrowest: usize, method: &Method, path: &[u8]) -> Result<Vec<Vec<usize>>, Unmatched> {
        /// The maximum number of combinations. This number is enough for six pairs of patterns that differ only in
        /// letter case, and no sensible policy has more.
        const MOST: usize = 64;

        let mut variants: Vec<Vec<usize>> = vec![Vec::new()];
        for part in self.around(narrowest) {
            let mut met = Vec::new();
            part.matcher.each_match(method, path, &mut |route, _| {
                met.extend(part.matcher.pattern(route).map(|it| (route, it)))
            });
            crate::sort_by(&mut met, &|one: &(usize, &Pattern), other| one.1.specificity() > other.1.specificity());
            for group in met.chunk_by(|(_, one), (_, other)| one.kinds() == other.kinds()) {
                let mut paths: Vec<(&Pattern, Vec<usize>)> = Vec::new();
                for (route, pattern) in group {
                    match paths.iter_mut().find(|(other, _)| other.is_same_path(pattern)) {
                        Some((_, routes)) => routes.push(*route),
                        None => paths.push((pattern, vec![*route])),
                    }
                }
                let each = |routes: &Vec<usize>| {
                    paths.iter().map(|(_, more)| [&routes[..], more].concat()).collect::<Vec<_>>()
                };
                variants = variants.iter().flat_map(each).collect();
                if variants.len() > MOST {
                    return Err(Unmatched::TooManyReadings);
                }
            }
        }
        Ok(variants)
    }

    /// Returns the settings for a path in exactly this letter case.
    pub(super) fn settings(&self, method: &Method, host: &str, path: &[u8]) -> Arc<RouteSettings> {
        let narrowest = self.scopes.narrowest(host, path);
        let mut met = MatchedRoutes::default();
        self.each_route(narrowest, method, path, &mut |route, is_exact| {
            if is_exact {
                met.push(route);
            }
        });
        let inherited = || self.inherited(narrowest, &self.routes_in(narrowest, method, path));
        self.precomputed(narrowest, &met).cloned().unwrap_or_else(inherited)
    }

    /// Returns the routes that match, beginning with the most specific route of the narrowest part. Returns `None` if
    /// letter case decides which routes match.
    #[inline]
    fn met_in_any_case(&self, narrowest: usize, method: &Method, path: &[u8]) -> Option<MatchedRoutes> {
        let (mut met, mut is_same) = (MatchedRoutes::default(), true);
        self.each_route(narrowest, method, path, &mut |route, is_exact| {
            is_same &= is_exact;
            met.push(route);
        });
        is_same.then_some(met)
    }

    /// Returns the narrowest part for a path in this letter case, and the routes that match, beginning with the most
    /// specific route of this part.
    #[cfg(feature = "policy-file")]
    pub(crate) fn routes_of(&self, method: &Method, host: &str, path: &[u8]) -> (usize, Vec<usize>) {
        let narrowest = self.scopes.narrowest(host, path);
        (narrowest, self.routes_in(narrowest, method, path))
    }

    pub(super) fn routes_in(&self, narrowest: usize, method: &Method, path: &[u8]) -> Vec<usize> {
        let mut routes = Vec::new();
        self.each_route(narrowest, method, path, &mut |route, is_exact| routes.extend(is_exact.then_some(route)));
        routes
    }

    #[inline]
    fn each_route(&self, narrowest: usize, method: &Method, path: &[u8], visit: &mut dyn FnMut(usize, bool)) {
        self.around(narrowest).for_each(|part| part.matcher.each_match(method, path, visit));
    }

    pub(super) fn inherited(&self, narrowest: usize, routes: &[usize]) -> Arc<RouteSettings> {
        let mut settings = inherited(&self.parts, &self.routes, narrowest, routes);
        if self.is_switched_off {
            Arc::make_mut(&mut settings).switch_off();
        }
        settings
    }

    /// Returns true if most requests of the two routes have different guards, and the guards of at least one route
    /// ignore letter case.
    #[cfg(feature = "policy-file")]
    pub(crate) fn guards_differ(&self, route: usize, other: usize) -> bool {
        let settings = |route: usize| self.chains.get(route).map(|chain| &*chain.settings);
        let differ = |one: &RouteSettings, other: &RouteSettings| {
            !one.guards_like(other) && [one, other].iter().any(|settings| settings.case == LetterCase::Fold)
        };
        settings(route).zip(settings(other)).is_some_and(|(one, other)| differ(one, other))
    }

    /// Computes the settings for most requests of each route in advance.
    pub(super) fn with_chains(mut self) -> Self {
        let parts = self.parts.iter().enumerate();
        let patterns = parts.flat_map(|(at, part)| part.matcher.patterns.iter().map(move |pattern| (at, pattern)));
        let limits = self.parts.iter().map(|part| part.defaults.body_limit);
        let limits = limits.chain(self.routes.iter().filter_map(|route| route.body_limit));
        self.faults = PolicyFaults::new(limits.flatten(), self.codes.len());
        let chains = patterns.map(|(part, pattern)| {
            let (method, path) = witness(pattern);
            let routes = self.routes_in(part, &method, &path);
            let mut met = MatchedRoutes::default();
            routes.iter().for_each(|route| met.push(*route));
            FixedChain { part, met, settings: self.inherited(part, &routes) }
        });
        self.chains = chains.collect();
        self.names_methods =
            self.parts.iter().flat_map(|part| &part.matcher.patterns).any(|pattern| !pattern.methods.is_empty());
        self.is_everywhere = self.parts.len() == 1 && self.routes.is_empty() && !self.scopes.depend_on_host();
        let has_facts = |dialect: Dialect| dialect.spec().has_request_facts();
        self.needs_request_facts = self.process.cors.is_some()
            || self.parts.iter().any(|part| part.rules_use_path || has_facts(part.defaults.dialect))
            || self.routes.iter().any(|route| route.dialect.is_some_and(has_facts));
        self
    }

    /// Returns a part, and the parts around it.
    #[inline]
    fn around(&self, part: usize) -> impl Iterator<Item = &CompiledScope> {
        around(&self.parts, part).map(|part| &self.parts[part])
    }
}

/// Returns a part and the parts around it, beginning with the narrowest.
pub(crate) fn around(parts: &[CompiledScope], part: usize) -> impl Iterator<Item = usize> {
    let part = (part < parts.len()).then_some(part);
    std::iter::successors(part, |part| parts[*part].parent)
}

/// Returns the tables that decide about requests that match these routes, beginning with the most specific. The tables
/// of the narrowest part come first. Within a part, its routes come before its defaults. Each item is the index of a
/// part, and the index of a route, or `None` for the part's defaults.
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

/// Returns the settings for requests that match these routes. `keys` are the tables of all routes.
pub(super) fn inherited(
    parts: &[CompiledScope],
    keys: &[LinkedTable],
    narrowest: usize,
    routes: &[usize],
) -> Arc<RouteSettings> {
    let tables = tables(parts, narrowest, routes);
    let tables = tables.map(|(part, route)| route.map_or(&parts[part].keys, |route| &keys[route]));
    let route = routes.first().and_then(|route| u32::try_from(*route).ok());
    Arc::new(RouteSettings::inherited(&mut { tables }, u16::try_from(narrowest).unwrap_or(0), route))
}

/// A path and all its readings. A text that is not a path has only itself as a reading.
struct PathReadings<'p> {
    sent: &'p str,
    all: Vec<Vec<u8>>,
}

impl<'p> PathReadings<'p> {
    fn new(sent: &'p str) -> Result<Self, Unmatched> {
        let all = match sent.starts_with('/') {
            true => readings(sent.as_bytes()).map_err(|_| Unmatched::TooManyReadings)?,
            false => vec![sent.into()],
        };
        Ok(Self { sent, all })
    }

    fn has(&self, sign: u8) -> bool {
        self.all.iter().any(|path| memchr(sign, path).is_some())
    }
}

/// The readings that were found, one for each set of guards.
#[derive(Default)]
struct OtherReadings(Vec<MatchedReading>);

impl OtherReadings {
    fn add(&mut self, method: &Method, path: &[u8], settings: &Arc<RouteSettings>) {
        if !self.0.iter().any(|known| known.settings.guards_like(settings)) {
            let (method, path, settings) = (method.clone(), path.to_vec(), settings.clone());
            self.0.push(MatchedReading { method, path, settings });
        }
    }
}
