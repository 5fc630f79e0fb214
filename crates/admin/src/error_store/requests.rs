//! Counts the requests of each route and scope by outcome, for each minute of the last hour, and since the active
//! policy began.

use std::collections::HashMap;
use std::hash::RandomState;
use std::mem;
use std::ops::Range;
use std::sync::Arc;

use error_envelope_core::policy::{Mode, UpstreamUrl};
use error_envelope_core::session::{DecidedBy, Outcome};

use super::error_record::ErrorRecord;
use super::place::Place;
use super::timeline::{ByOutcome, minute};

/// The most places with their own row. The rows use at most 2.8 MiB. At this number, places without a request under the
/// active policy are removed. If every place had a request, requests of further places are counted only in the total.
const MOST_PLACES: usize = 2000;

/// The counts of all places under one policy.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    tallies: HashMap<Place, Vec<Tally>>,
    are_incomplete: bool,
}

/// The counts of requests, by outcome.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    all: ByOutcome,
    places: hashbrown::HashMap<Place, Row, RandomState>,
    /// The minute of the last search for places that can be removed.
    searched: u32,
    /// True if the counts under the active policy lack the requests of some places, because there are too many places.
    pub(crate) are_incomplete: bool,
}

/// The counts of the requests of one place.
#[derive(Debug, Default)]
pub(crate) struct Row {
    place: Place,
    minutes: ByOutcome,
    /// The counts under the active policy, one for each mode that a request had. A request keeps the mode that it began
    /// with, even if it ends after a reload.
    pub(crate) tallies: Vec<Tally>,
    /// The service of the place's last error. Only a gateway has several services.
    pub(crate) service: Option<UpstreamUrl>,
}

/// The counts of one place's requests in one mode under the active policy.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// The mode of the requests. The kill switch does not affect it.
    pub(crate) mode: Mode,
    pub(crate) outcomes: [u64; Outcome::VALUES.len()],
    /// The number of errors whose code follows only from their status.
    pub(crate) without_code: u64,
    /// The number of requests that mode `own` would refuse.
    pub(crate) own_would_refuse: u64,
    /// The number of requests that would be refused without `auth_observe`.
    pub(crate) auth_would_refuse: u64,
    /// The number of errors that mode `fill` would rewrite.
    pub(crate) would_fill: u64,
    /// The number of errors that mode `enforce` would rewrite.
    pub(crate) would_rewrite: u64,
    /// The time of the last error, in milliseconds since the Unix epoch.
    pub(crate) last: u64,
}

impl Requests {
    /// Counts a request. `mode` is the mode of its route, or `None` while the kill switch is on, because readiness then
    /// counts nothing. `seen` is the record of the request, if one is stored.
    pub(crate) fn count(
        &mut self,
        at_ms: u64,
        place: (Option<&str>, Option<&str>),
        (outcome, mode): (Outcome, Option<Mode>),
        seen: Option<&mut ErrorRecord>,
    ) {
        let minute = minute(at_ms);
        self.all[outcome.index()].add(minute, 1);
        let count = |row: &mut Row| {
            row.minutes[outcome.index()].add(minute, 1);
            if let Some(mode) = mode {
                row.tally_mut(mode).outcomes[outcome.index()] += 1;
            }
            if let Some(seen) = seen {
                row.note(seen);
            }
        };
        match self.places.get_mut(&place) {
            Some(row) => count(row),
            None => self.enter(minute, place).map_or((), count),
        }
    }

    #[cold]
    fn enter(&mut self, minute: u32, (route, scope): (Option<&str>, Option<&str>)) -> Option<&mut Row> {
        if self.places.len() >= MOST_PLACES && mem::replace(&mut self.searched, minute) != minute {
            self.places.retain(|_, row| !row.tallies.is_empty());
        }
        let place = Place { route: route.map(Arc::from), scope: scope.map(Arc::from) };
        self.are_incomplete |= self.places.len() >= MOST_PLACES;
        let row = || Row { place: place.clone(), ..Row::default() };
        (self.places.len() < MOST_PLACES).then(|| self.places.entry(place.clone()).or_insert_with(row))
    }

    /// Replaces the counts under the old policy with `counts`, because another policy became active. Returns the old
    /// counts.
    pub(crate) fn replace_counts(&mut self, mut counts: Counts) -> Counts {
        self.searched = 0;
        let are_incomplete = mem::replace(&mut self.are_incomplete, counts.are_incomplete);
        let replace = |row: &mut Row, tallies| mem::replace(&mut row.tallies, tallies);
        let rows = self.places.iter_mut();
        let tallies = rows
            .map(|(place, row)| (place.clone(), replace(row, counts.tallies.remove(place).unwrap_or_default())))
            .collect();
        // A place whose row was removed since then has lost its counts.
        self.are_incomplete |= counts.tallies.values().any(|tallies| !tallies.is_empty());
        Counts { tallies, are_incomplete }
    }

    /// Returns each place with its row.
    pub(crate) fn places(&self) -> impl Iterator<Item = (&Place, &Row)> {
        self.places.iter()
    }

    /// Returns the row of a place, if it has one.
    pub(crate) fn of_place(&self, place: &Place) -> Option<&Row> {
        self.places.get(place)
    }

    /// Returns for each outcome the number of requests in each of these minutes.
    pub(crate) fn by_outcome(&self, minutes: &Range<u32>) -> [Vec<u32>; Outcome::VALUES.len()] {
        self.all.each_ref().map(|counts| counts.counts(minutes.clone()))
    }
}

impl Row {
    fn note(&mut self, seen: &mut ErrorRecord) {
        seen.place.clone_from(&self.place);
        if !seen.kill_switch {
            self.tally_mut(seen.mode).note(seen);
        }
        self.service = seen.request.service.clone().or_else(|| self.service.take());
    }

    /// Returns the counts of a mode, which begin with the mode's first request.
    fn tally_mut(&mut self, mode: Mode) -> &mut Tally {
        let at = self.tallies.iter().position(|tally| tally.mode == mode).unwrap_or_else(|| {
            self.tallies.push(Tally { mode, ..Tally::default() });
            self.tallies.len() - 1
        });
        &mut self.tallies[at]
    }

    /// Returns the counts of this mode. Without a mode, the active policy does not contain the place, and this returns
    /// the counts of the mode that most requests had.
    pub(crate) fn tally(&self, mode: Option<Mode>) -> Option<&Tally> {
        match mode {
            Some(mode) => self.tallies.iter().find(|tally| tally.mode == mode),
            None => self.tallies.iter().max_by_key(|tally| tally.requests()),
        }
    }

    /// Returns the number of requests in these minutes.
    pub(crate) fn sum_of(&self, minutes: &Range<u32>) -> u64 {
        self.minutes.iter().map(|counts| counts.sum_of(minutes)).sum()
    }
}

impl Tally {
    /// Counts the changes that the next modes would cause.
    fn note(&mut self, seen: &ErrorRecord) {
        let kind = &*seen.kind;
        self.last = seen.at;
        if kind.passed_unrefused() {
            // In the modes after `observe`, only guards of routes with `auth_observe` observe.
            let is_own = kind.own_would_refuse && seen.mode == Mode::Observe;
            *(if is_own { &mut self.own_would_refuse } else { &mut self.auth_would_refuse }) += 1;
        }
        if kind.outcome != Outcome::ClientLeft {
            self.without_code += u64::from(kind.by == Some(DecidedBy::Status));
            self.would_fill += u64::from(kind.rewriting_mode == Some(Mode::Fill));
            self.would_rewrite += u64::from(kind.rewriting_mode.is_some());
        }
    }

    /// Returns the number of all requests.
    pub(crate) fn requests(&self) -> u64 {
        self.outcomes.iter().sum()
    }

    /// Returns the number of requests with these outcomes.
    pub(crate) fn count_of(&self, outcomes: &[Outcome]) -> u64 {
        outcomes.iter().map(|outcome| self.outcomes[outcome.index()]).sum()
    }
}

#[cfg(test)]
mod tests;
