//! What holds for a request: its path, in two spellings, its method and its host against routes and scopes (rule G0).

use http::Method;
use http::request::Parts;

use super::faults::Faults;
use super::host::{self, Hosts};
use super::settings::{Index, Said, Settings};
use super::usual::{self, Met, Usual};
use super::{Held, Policy};
use crate::dialect::Dialect;
use crate::guard::pattern::{may_be_respelt, normalised};

/// What holds for a request's path in its two spellings (rule G0).
#[derive(Clone, Debug)]
pub(crate) struct Matched {
    /// The path as sent, where its guards are not those of the normalised path: few requests spell theirs so.
    pub(crate) sent: Option<Box<Settings>>,
    /// The path normalised: everything that is no guard follows it.
    pub(crate) normal: Settings,
}

impl Matched {
    /// The guards of a host that a service behind may believe hold, too. `None` where they are too many to hold at once.
    fn and_guards_of(mut self, other: &Self) -> Option<Self> {
        for theirs in other.sent.as_deref().into_iter().chain([&other.normal]) {
            match &self.sent {
                _ if self.normal.guards_like(theirs) => {}
                None => self.sent = Some(Box::new(*theirs)),
                Some(sent) if sent.guards_like(theirs) => {}
                Some(_) => return None,
            }
        }
        Some(self)
    }
}

impl Policy {
    /// What holds for a request (rule G0); `None` where the policy asks for the host and the request does not tell it.
    #[inline]
    pub(crate) fn matched(&self, head: &Parts) -> Option<Matched> {
        let hosts = if self.scopes.ask_host() { host::of(head)? } else { Hosts::default() };
        let matched = self.of_path(&head.method, &hosts.first, head.uri.path());
        match hosts.other {
            None => Some(matched),
            Some(other) => matched.and_guards_of(&self.of_path(&head.method, &other, head.uri.path())),
        }
    }

    /// What holds where the host cannot be told.
    pub(crate) fn of_no_host(&self) -> Matched {
        Matched { sent: None, normal: self.own().defaults }
    }

    /// What holds for nearly every request: one that has one spelling, and names one host. `None` where that has to be
    /// [`matched`](Self::matched).
    #[inline]
    pub(crate) fn quick(&self, head: &Parts) -> Option<&Settings> {
        if self.is_everywhere {
            return Some(&self.own().defaults);
        }
        let path = head.uri.path();
        if path.starts_with('/') && may_be_respelt(path.as_bytes()) {
            return None;
        }
        let narrowest = if self.parts.len() == 1 {
            0
        } else {
            let hosts = if self.scopes.ask_host() { host::of(head)? } else { Hosts::default() };
            if hosts.other.is_some() {
                return None;
            }
            self.scopes.narrowest(&hosts.first, path.as_bytes())
        };
        let met = self.met(narrowest, &head.method, path.as_bytes());
        match met.first() {
            None => Some(&self.parts.get(narrowest)?.defaults),
            Some(first) => self.usual.get(first)?.settings(narrowest, &met),
        }
    }

    pub(super) fn of_path(&self, method: &Method, host: &str, path: &str) -> Matched {
        let as_sent = self.settings(method, host, path.as_bytes());
        match normalised(path) {
            None => Matched { sent: None, normal: as_sent },
            Some(normal) => {
                let normal = self.settings(method, host, &normal);
                Matched { sent: (!as_sent.guards_like(&normal)).then(|| Box::new(as_sent)), normal }
            }
        }
    }

    fn settings(&self, method: &Method, host: &str, path: &[u8]) -> Settings {
        let narrowest = self.scopes.narrowest(host, path);
        let met = self.met(narrowest, method, path);
        let usual = met.first().and_then(|first| self.usual.get(first)?.settings(narrowest, &met));
        match (usual, met.first(), self.parts.get(narrowest)) {
            (Some(usual), ..) => *usual,
            (None, None, Some(part)) => part.defaults,
            (None, first, _) => self.inherited(narrowest, first, method, path),
        }
    }

    /// The routes that match, the most specific of the narrowest part first.
    fn met(&self, narrowest: usize, method: &Method, path: &[u8]) -> Met {
        let mut met = Met::default();
        for part in self.around(narrowest) {
            part.matcher.each_match(method, path, &mut |route| met.push(route));
        }
        met
    }

    /// Key by key: what the more specific routes do not say comes from the wider ones.
    fn inherited(&self, narrowest: usize, first: Option<usize>, method: &Method, path: &[u8]) -> Settings {
        let mut said = Said::default();
        for part in self.around(narrowest) {
            part.matcher.each_match(method, path, &mut |route| said.inherit(&self.said[route]));
            said.inherit(&part.default_keys);
        }
        said.settled(u32::try_from(narrowest).unwrap_or(0), first.and_then(Index::new))
    }

    /// A part, and those around it.
    fn around(&self, part: usize) -> impl Iterator<Item = &Held> {
        let parent = |part: &&Held| self.parts.get(part.parent?);
        std::iter::successors(self.parts.get(part), parent)
    }

    /// Works out once what holds for the usual requests of each route.
    pub(super) fn with_usual(mut self) -> Self {
        let parts = self.parts.iter().enumerate();
        let patterns = parts.flat_map(|(at, part)| part.matcher.patterns().map(move |pattern| (at, pattern)));
        let limits =
            self.parts.iter().map(|part| part.defaults.body_limit).chain(self.said.iter().map(Said::body_limit));
        self.faults = Faults::new(limits.flatten());
        let usual = patterns.map(|(part, pattern)| {
            let (method, path) = usual::witness(pattern);
            let met = self.met(part, &method, &path);
            let settings = self.inherited(part, met.first(), &method, &path);
            Usual::new(part, met, settings)
        });
        self.usual = usual.collect();
        let tells_time = |dialect: Dialect| dialect.form().tells_time;
        self.is_everywhere = self.parts.len() == 1 && self.said.is_empty() && !self.scopes.ask_host();
        self.asks_of_requests = self.parts.iter().any(|part| part.rules_ask_path || tells_time(part.defaults.dialect))
            || self.said.iter().filter_map(Said::dialect).any(tells_time);
        self
    }
}
