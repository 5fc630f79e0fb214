//! Stored errors: counts of each place since the last policy, counts of each minute, the last errors, and the ids of more of them.
//!
//! All of it is bounded: the number of places (patterns of the policy, never paths), and two rings of errors.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use error_envelope_core::policy::{Mode, UpstreamUrl};
use error_envelope_core::request_id::RequestId;
use error_envelope_core::session::{DecidedBy, Origin};

use super::error_record::{Entry, ErrorRecord, Kind, Severity};
use super::timeline::{MOST_SERIES, Place, Timeline, minute};

/// The number of last errors that are shown.
pub(crate) const MOST_ENTRIES: usize = 100;
/// The number of last errors that can be found by their ids.
pub(crate) const MOST_IDS: usize = 10_000;
/// The most places to keep: a reload adds and removes routes. Beyond this number, the place with the longest time since
/// its last error is forgotten.
pub(crate) const MOST_PLACES: usize = 500;

#[derive(Debug, Default)]
pub(crate) struct RecentErrors {
    /// The counts since the last policy.
    places: HashMap<Place, Tally>,
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
        let place = self.known(Place { route: seen.route, scope: seen.scope });
        (seen.route, seen.scope) = (place.route.clone(), place.scope.clone());
        let (route, kind) = (seen.route.clone(), seen.kind.clone());
        self.places.entry(place.clone()).or_default().count(&seen);
        push(&mut self.ids, MOST_IDS, Id { id: seen.id, at: seen.at, route, kind: kind.clone() });
        if !kind.is_error() {
            return None;
        }
        self.timeline.count(minute(seen.at), &place, &kind);
        self.remember_service(place, seen.request.service.as_ref());
        self.count += 1;
        let entry = Arc::new(Entry::new(self.count, seen));
        push(&mut self.entries, MOST_ENTRIES, entry.clone());
        Some(entry)
    }

    /// Notes that a response broke off after the event of its request. One whose request failed counts once.
    pub(crate) fn break_off(&mut self, late: ErrorRecord) {
        let place = self.known(Place { route: late.route, scope: late.scope });
        let known = self.ids.iter_mut().rev().find(|known| known.id == late.id && known.kind.is_error());
        let kind = known.map(|known| {
            let before = known.kind.clone();
            Arc::make_mut(&mut known.kind).is_cut_off = true;
            before
        });
        if let Some(entry) = self.entries.iter().rev().find(|entry| entry.seen.id == late.id) {
            entry.broke_off.store(true, Ordering::Relaxed);
        }
        if kind.as_ref().is_none_or(|kind| !kind.is_sent_error()) {
            self.places.entry(place.clone()).or_default().errors += 1;
        }
        if kind.is_none_or(|kind| kind.severity() != Severity::Fault) {
            self.timeline.count_cut_off(minute(late.at), place, late.kind.code.clone());
        }
    }

    fn remember_service(&mut self, place: Place, service: Option<&UpstreamUrl>) {
        let Some(service) = service.filter(|service| self.services.get(&place) != Some(service)) else { return };
        if self.services.len() >= MOST_SERIES {
            self.services.clear();
        }
        self.services.insert(place, service.clone());
    }

    /// The stored form of a place. Makes room for it first, if it is new.
    fn known(&mut self, place: Place) -> Place {
        if let Some((known, _)) = self.places.get_key_value(&place) {
            return known.clone();
        }
        if self.places.len() >= MOST_PLACES {
            let quiet = self.places.iter().min_by_key(|(_, tally)| tally.last).map(|(place, _)| place.clone());
            quiet.and_then(|quiet| self.places.remove(&quiet));
        }
        place
    }

    /// Goes on with these counts, because another policy applies, and returns the old ones.
    pub(crate) fn replace_counts(&mut self, counts: HashMap<Place, Tally>) -> HashMap<Place, Tally> {
        std::mem::replace(&mut self.places, counts)
    }

    /// Each place with its counts since the last policy.
    pub(crate) fn tallies(&self) -> impl Iterator<Item = (&Place, &Tally)> {
        self.places.iter()
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

/// The counts of one place.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// The mode at the last event.
    pub(crate) mode: Mode,
    pub(crate) errors: u64,
    /// Errors whose code is only that of their status.
    pub(crate) without_code: u64,
    /// Requests that the mode `own` would refuse.
    pub(crate) would_refuse: u64,
    /// Errors that the mode `fill` would rewrite.
    pub(crate) would_fill: u64,
    /// Errors that the mode `enforce` would rewrite.
    pub(crate) would_rewrite: u64,
    pub(crate) abandoned: u64,
    /// The time of the last event.
    pub(crate) last: u64,
}

impl Tally {
    pub(crate) fn count(&mut self, seen: &ErrorRecord) {
        let kind = &*seen.kind;
        (self.mode, self.last) = (seen.mode, seen.at);
        if !kind.is_error() {
            self.abandoned += 1;
            return;
        }
        let is_observed = kind.origin == Origin::Inner && kind.would_be.is_some();
        self.errors += u64::from(kind.is_sent_error());
        self.without_code += u64::from(kind.by == Some(DecidedBy::Status));
        self.would_refuse += u64::from(kind.own_would_refuse);
        self.would_fill += u64::from(kind.fill_would_rewrite);
        self.would_rewrite += u64::from(is_observed);
    }
}

#[cfg(test)]
mod tests;
