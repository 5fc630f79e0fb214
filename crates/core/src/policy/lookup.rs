//! The settings of a request: the readings of its path and its method, and its host, against routes and scopes (rule G0).

use std::borrow::Cow;

use http::Method;
use http::request::Parts;

use super::choice::{LetterCase, Paths};
use super::host::{self, Hosts};
use super::keys::Settings;
use super::precomputed::MatchedRoutes;
use super::{CompiledScope, Policy, inheritance};
use crate::guard::method;
use crate::guard::pattern::Pattern;
use crate::guard::reading::{has_readings, normalise, normalised, readings};

/// The settings of a request in all its readings (rule G0).
#[derive(Clone, Debug)]
pub(crate) struct Matched {
    /// The normalised reading: it decides everything that is no guard.
    pub(crate) normal: Settings,
    /// Further readings whose guards differ, each kind once: few requests have any.
    pub(crate) others: Vec<MatchedReading>,
    /// Readings of the path meet routes whose guards differ, and one of them refuses such paths (`paths`).
    pub(crate) is_refused: bool,
    /// `normal` is of the path before a framework stripped a prefix.
    pub(crate) follows_original: bool,
    /// Only the path before the prefix was stripped matches a route.
    pub(crate) only_original: bool,
}

/// A reading, and its settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MatchedReading {
    pub(crate) method: Method,
    pub(crate) path: Vec<u8>,
    pub(crate) settings: Settings,
}

/// Why a request has no settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unmatched {
    /// The policy depends on the host, and the request's host is unclear.
    NoHost,
    /// The path can be read in more ways than the guards check.
    TooManyReadings,
}

impl Matched {
    /// The request has one reading.
    pub(crate) fn only(normal: Settings) -> Self {
        Self::new(normal, Vec::new(), false)
    }

    fn new(normal: Settings, others: Vec<MatchedReading>, is_refused: bool) -> Self {
        Self { normal, others, is_refused, follows_original: false, only_original: false }
    }

    /// The guards of every reading, each kind once.
    pub(crate) fn guards(&self) -> impl Iterator<Item = &Settings> + Clone {
        self.others.iter().map(|other| &other.settings).chain([&self.normal])
    }

    /// Joins the match of a path whose prefix a framework stripped with the match of the original path. If only one of
    /// the paths meets a route or scope, only that one counts: a policy is written for one of them.
    fn and_original(self, original: Self) -> Self {
        let only_original = !self.has_route() && original.has_route();
        let own_place = self.guards().any(Settings::has_place);
        if !original.guards().any(Settings::has_place) {
            return self;
        }
        let is_refused = self.is_refused || original.is_refused;
        let follows_original = !self.normal.label().has_route();
        let normal = if follows_original { original.normal } else { self.normal };
        let mut others = original.others;
        if own_place {
            let are_new =
                |reading: &MatchedReading| !others.iter().any(|known| known.settings.guards_like(&reading.settings));
            let own: Vec<_> = self.others.into_iter().filter(are_new).collect();
            others.extend(own);
        }
        Self { normal, others, is_refused, follows_original, only_original }
    }

    fn has_route(&self) -> bool {
        self.guards().any(|settings| settings.label().has_route())
    }

    /// Leaves out readings whose guards are the same as those of the normalised reading.
    fn without_repetitions(mut self) -> Self {
        self.others.retain(|other| !other.settings.guards_like(&self.normal));
        self
    }
}

impl Policy {
    /// The settings of a request whose path no framework has changed (rule G0).
    ///
    /// # Errors
    ///
    /// The policy depends on the host and the request's host is unclear, or there are too many readings.
    pub(crate) fn matched(&self, head: &Parts) -> Result<Matched, Unmatched> {
        self.matched_as(head, None, true)
    }

    /// Matches a request with two paths. `original` is the path before a framework stripped a prefix; `overrides` states
    /// whether a header may name another method.
    #[inline(never)]
    pub(crate) fn matched_as(
        &self,
        head: &Parts,
        original: Option<&str>,
        overrides: bool,
    ) -> Result<Matched, Unmatched> {
        let hosts =
            if self.scopes.depend_on_host() { host::hosts(head).ok_or(Unmatched::NoHost)? } else { Hosts::default() };
        let several = match self.names_methods || overrides || !method::names_few(head) {
            true => method::methods(head).map_err(|_| Unmatched::TooManyReadings)?,
            false => Vec::new(),
        };
        let methods = if several.is_empty() { std::slice::from_ref(&head.method) } else { &several[..] };
        let hosts: &[&str] = match &hosts.other {
            None => &[&hosts.first],
            Some(other) => &[&hosts.first, other],
        };
        let matched = self.matched_by(methods, hosts, head.uri.path())?;
        Ok(match original {
            None => matched,
            Some(path) => matched.and_original(self.matched_by(methods, hosts, path)?),
        }
        .without_repetitions())
    }

    /// The guards of every reading of one path, for every method and host that the request can be read as. The first of them
    /// are its own, and there is one of each at least.
    fn matched_by(&self, methods: &[Method], hosts: &[&str], path: &str) -> Result<Matched, Unmatched> {
        let paths = paths_of(path)?;
        let normal = if paths.len() > 1 { normalise(path.as_bytes()).into() } else { Cow::Borrowed(path.as_bytes()) };
        let (mut others, mut is_refused, mut own) = (Vec::new(), false, None);
        // Without routes and scopes all readings have the same guards.
        let hosts_read = if self.is_everywhere { &[] } else { hosts };
        for host in hosts_read {
            for method in methods {
                let (mut first, mut differ, mut refuses) = (None, false, false);
                for path in &paths {
                    let is_normal = **path == *normal;
                    self.each_case(method, host, path, &mut |settings, _| {
                        if is_normal {
                            own.get_or_insert(*settings);
                        }
                        refuses |= settings.paths == Paths::Refuse;
                        differ |= !first.get_or_insert(*settings).guards_like(settings);
                        if !others.iter().any(|known: &MatchedReading| known.settings.guards_like(settings)) {
                            others.push(MatchedReading {
                                method: method.clone(),
                                path: path.clone(),
                                settings: *settings,
                            });
                        }
                    })?;
                }
                is_refused |= refuses && differ;
            }
        }
        let normal = own.unwrap_or_else(|| self.settings(&methods[0], hosts[0], &normal));
        Ok(Matched::new(normal, others, is_refused))
    }

    /// The settings for the rest of a request that is refused for its readings (rule G0).
    #[cold]
    pub(crate) fn unmatched(&self, head: &Parts, why: Unmatched) -> Matched {
        let hosts = if self.scopes.depend_on_host() { host::hosts(head) } else { Some(Hosts::default()) };
        match (why, hosts) {
            (Unmatched::TooManyReadings, Some(hosts)) => {
                Matched::only(self.normalised(&head.method, &hosts.first, head.uri.path()))
            }
            _ => self.of_no_host(),
        }
    }

    /// The settings where the host is unclear.
    pub(crate) fn of_no_host(&self) -> Matched {
        Matched::only(self.root_scope().defaults)
    }

    /// The settings of nearly every request: one that has one reading, and names one host. `None` if
    /// [`matched`](Self::matched) must find them. `overrides` states whether a header names another method.
    #[inline]
    pub(crate) fn cached_settings(&self, head: &Parts, overrides: bool) -> Option<&Settings> {
        let path = head.uri.path();
        if has_readings(path.as_bytes()) {
            return None;
        }
        let is_plain = if self.names_methods { method::is_plain(head) } else { method::names_few(head) };
        if overrides || !is_plain {
            return None;
        }
        if self.is_everywhere {
            return Some(&self.root_scope().defaults);
        }
        let narrowest = if self.parts.len() == 1 {
            0
        } else {
            let hosts = if self.scopes.depend_on_host() { host::hosts(head)? } else { Hosts::default() };
            if hosts.other.is_some() {
                return None;
            }
            self.scopes.narrowest_in_any_case(&hosts.first, path.as_bytes())?
        };
        let met = self.met_in_any_case(narrowest, &head.method, path.as_bytes())?;
        self.precomputed(narrowest, &met)
    }

    /// The settings where a request meets the same tables as most requests of its route.
    #[inline]
    fn precomputed(&self, narrowest: usize, met: &MatchedRoutes) -> Option<&Settings> {
        match met.first() {
            None => Some(&self.parts.get(narrowest)?.defaults),
            Some(first) => self.precomputed.get(first)?.settings(narrowest, met),
        }
    }

    /// The settings of the normalised reading: everything but the guards of other readings.
    pub(crate) fn normalised(&self, method: &Method, host: &str, path: &str) -> Settings {
        self.settings(method, host, normalised(path).as_deref().unwrap_or(path.as_bytes()))
    }

    /// The settings of a path, if the host does not matter.
    #[cfg(test)]
    pub(super) fn of_path(&self, method: &Method, path: &str) -> Result<Matched, Unmatched> {
        self.matched_by(std::slice::from_ref(method), &[""], path).map(Matched::without_repetitions)
    }

    /// The routes that a reading meets, the most specific first.
    #[cfg(feature = "policy-file")]
    pub(crate) fn routes_of_reading(&self, reading: &MatchedReading, host: &str) -> Vec<usize> {
        let mut found = None;
        // It is the first of its kind there.
        let _ = self.each_case(&reading.method, host, &reading.path, &mut |settings, routes| {
            if found.is_none() && settings.guards_like(&reading.settings) {
                found = Some(routes());
            }
        });
        found.unwrap_or_default()
    }

    /// The settings of one reading, its letter case as it is, and folded if that differs (`case`).
    fn each_case(
        &self,
        method: &Method,
        host: &str,
        path: &[u8],
        visit: &mut impl FnMut(&Settings, &dyn Fn() -> Vec<usize>),
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

    /// The routes that match in any letter case, the most specific first. A request meets only one of several patterns
    /// that differ only in letter case. So there is a separate list for each of them.
    fn case_variants(&self, narrowest: usize, method: &Method, path: &[u8]) -> Result<Vec<Vec<usize>>, Unmatched> {
        /// Two for each of six patterns: no sensible policy has more.
        const MOST: usize = 64;

        let mut variants: Vec<Vec<usize>> = vec![Vec::new()];
        for part in self.around(narrowest) {
            let mut met = Vec::new();
            part.matcher.each_match(method, path, &mut |route, _| {
                met.extend(part.matcher.pattern(route).map(|it| (route, it)))
            });
            met.sort_by_key(|(_, pattern)| pattern.specificity());
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

    /// The settings of a path in this letter case.
    pub(super) fn settings(&self, method: &Method, host: &str, path: &[u8]) -> Settings {
        let narrowest = self.scopes.narrowest(host, path);
        let mut met = MatchedRoutes::default();
        self.each_route(narrowest, method, path, &mut |route, is_exact| {
            if is_exact {
                met.push(route);
            }
        });
        let inherited = || self.inherited(narrowest, &self.routes_in(narrowest, method, path));
        self.precomputed(narrowest, &met).copied().unwrap_or_else(inherited)
    }

    /// The routes that match, the most specific of the narrowest part first. `None` where letter case decides which do.
    #[inline]
    fn met_in_any_case(&self, narrowest: usize, method: &Method, path: &[u8]) -> Option<MatchedRoutes> {
        let (mut met, mut is_same) = (MatchedRoutes::default(), true);
        self.each_route(narrowest, method, path, &mut |route, is_exact| {
            is_same &= is_exact;
            met.push(route);
        });
        is_same.then_some(met)
    }

    /// The narrowest part that a path is in, in this letter case, and the routes that match: the most specific of the narrowest
    /// part first.
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
    fn each_route(&self, narrowest: usize, method: &Method, path: &[u8], visit: &mut impl FnMut(usize, bool)) {
        self.around(narrowest).for_each(|part| part.matcher.each_match(method, path, visit));
    }

    pub(super) fn inherited(&self, narrowest: usize, routes: &[usize]) -> Settings {
        inheritance::inherited(&self.parts, &self.route_settings, narrowest, routes)
    }

    /// A part, and those around it.
    #[inline]
    fn around(&self, part: usize) -> impl Iterator<Item = &CompiledScope> {
        inheritance::around(&self.parts, part).map(|part| &self.parts[part])
    }
}

/// The readings of a path; a text that is no path has itself.
fn paths_of(path: &str) -> Result<Vec<Vec<u8>>, Unmatched> {
    match path.starts_with('/') {
        true => readings(path.as_bytes()).map_err(|_| Unmatched::TooManyReadings),
        false => Ok(vec![path.into()]),
    }
}
