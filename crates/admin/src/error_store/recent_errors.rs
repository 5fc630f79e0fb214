//! Stored errors: counts of each route, counts of each minute, the last errors, and the ids of more of them.
//!
//! All of it is bounded: the number of routes (patterns of the policy, never paths), and two rings of errors.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, OnceLock};

use error_envelope_core::policy::{Mode, UpstreamUrl};
use error_envelope_core::request_id::RequestId;

use super::error_record::{Entry, ErrorRecord, Kind};
use super::ring::minute;
use super::tally::Tally;
use super::timeline::{MOST_SERIES, Place, Timeline};

/// The number of last errors that are shown.
pub(crate) const MOST_ENTRIES: usize = 100;
/// The number of last errors that can be found by their ids.
pub(crate) const MOST_IDS: usize = 10_000;
/// The most routes to keep: a reload adds and removes routes. Beyond this number, the route with the longest time since
/// its last error is forgotten.
pub(crate) const MOST_ROUTES: usize = 500;

#[derive(Debug, Default)]
pub(crate) struct RecentErrors {
    routes: HashMap<Arc<str>, Tally>,
    /// The errors that matched no route.
    elsewhere: Option<Tally>,
    entries: VecDeque<Arc<Entry>>,
    ids: VecDeque<Id>,
    pub(crate) timeline: Timeline,
    /// The service of each place's last error, behind a gateway.
    pub(crate) services: HashMap<Place, UpstreamUrl>,
    /// How many errors there were.
    pub(crate) count: u64,
}

/// What is kept of an error that is no longer shown.
#[derive(Clone, Debug)]
pub(crate) struct Id {
    pub(crate) id: RequestId,
    pub(crate) at: u64,
    pub(crate) route: Option<Arc<str>>,
    pub(crate) kind: Arc<Kind>,
}

impl RecentErrors {
    /// Stores one. Returns `None` for an abandoned request, which is no error: it is counted, and found by its id.
    pub(crate) fn insert(&mut self, mut seen: ErrorRecord) -> Option<Arc<Entry>> {
        seen.route = seen.route.map(|route| self.shared(route));
        let (route, kind) = (seen.route.clone(), seen.kind.clone());
        self.tally(route.as_ref(), seen.mode).count(&seen);
        push(&mut self.ids, MOST_IDS, Id { id: seen.id, at: seen.at, route: route.clone(), kind: kind.clone() });
        if !kind.is_error() {
            return None;
        }
        let place = Place { route, scope: seen.scope.clone() };
        self.timeline.count(minute(seen.at), &place, &kind);
        self.remember_service(place, seen.request.service.as_ref());
        self.count += 1;
        let entry = Arc::new(Entry { number: self.count, seen, bodies: OnceLock::new() });
        push(&mut self.entries, MOST_ENTRIES, entry.clone());
        Some(entry)
    }

    fn remember_service(&mut self, place: Place, service: Option<&UpstreamUrl>) {
        let Some(service) = service.filter(|service| self.services.get(&place) != Some(service)) else { return };
        if self.services.len() >= MOST_SERIES {
            self.services.clear();
        }
        self.services.insert(place, service.clone());
    }

    fn tally(&mut self, route: Option<&Arc<str>>, mode: Mode) -> &mut Tally {
        match route {
            None => self.elsewhere.get_or_insert_with(|| Tally::new(mode)),
            Some(route) => self.routes.entry(route.clone()).or_insert_with(|| Tally::new(mode)),
        }
    }

    /// The stored text of a route. Makes room for it first, if it is new.
    fn shared(&mut self, route: Arc<str>) -> Arc<str> {
        if let Some((known, _)) = self.routes.get_key_value(&*route) {
            return known.clone();
        }
        if self.routes.len() >= MOST_ROUTES {
            let quiet = self.routes.iter().min_by_key(|(_, tally)| tally.last).map(|(route, _)| route.clone());
            quiet.and_then(|quiet| self.routes.remove(&quiet));
        }
        route
    }

    /// Each route with its counts; errors without a route come first.
    pub(crate) fn tallies(&self) -> impl Iterator<Item = (Option<&Arc<str>>, &Tally)> {
        let elsewhere = self.elsewhere.iter().map(|tally| (None, tally));
        elsewhere.chain(self.routes.iter().map(|(route, tally)| (Some(route), tally)))
    }

    /// The last errors, the newest first.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.entries.iter().rev()
    }

    /// The stored events with this request id, the newest first, at most as many as errors are shown; and the number of
    /// all of them. Requests may share an id if clients' ids are trusted.
    pub(crate) fn find(&self, id: RequestId) -> (Vec<Id>, usize) {
        let mut known = self.ids.iter().rev().filter(|known| known.id == id);
        let first: Vec<Id> = known.by_ref().take(MOST_ENTRIES).cloned().collect();
        let count = first.len() + known.count();
        (first, count)
    }
}

fn push<T>(ring: &mut VecDeque<T>, most: usize, new: T) {
    if ring.len() == most {
        ring.pop_front();
    }
    ring.push_back(new);
}

#[cfg(test)]
mod tests;
