//! The last errors and the last requests whose client left, the ids of further such requests, and the number of
//! failures in each minute.
//!
//! The size of this data is limited. The oldest record is removed first, and only the minutes of the last hour are
//! counted.

use std::collections::VecDeque;
use std::sync::Arc;

use error_envelope_core::policy::UpstreamUrl;
use error_envelope_core::request_id::RequestId;
use error_envelope_core::session::Outcome;

use super::error_record::{Entry, ErrorRecord, Kind};
use super::place::Place;
use super::timeline::{Timeline, minute};

/// The number of errors that are stored with all fields, and the number of such requests whose client left. The oldest
/// is removed first.
pub(crate) const MOST_ENTRIES: usize = 100;
/// The number of records that can still be found by their ids. The oldest is removed first.
pub(crate) const MOST_IDS: usize = 10_000;

#[derive(Debug, Default)]
pub(crate) struct RecentErrors {
    entries: VecDeque<Arc<Entry>>,
    /// The last requests whose client left. They are not errors of a service, so they are stored separately and never
    /// replace an error.
    left: VecDeque<Arc<Entry>>,
    ids: VecDeque<Id>,
    pub(crate) timeline: Timeline,
    /// The number of entries that were stored so far.
    pub(crate) count: u64,
}

/// The part of a record that is still kept when the whole record is no longer stored.
#[derive(Clone, Debug)]
pub(crate) struct Id {
    pub(crate) id: RequestId,
    pub(crate) at: u64,
    pub(crate) place: Place,
    pub(crate) service: Option<UpstreamUrl>,
    pub(crate) kind: Arc<Kind>,
}

impl RecentErrors {
    /// Counts a record. Also stores it, unless the layer did not examine its error.
    pub(crate) fn insert(&mut self, seen: ErrorRecord) -> Option<Arc<Entry>> {
        let (place, kind) = (seen.place.clone(), seen.kind.clone());
        self.timeline.count(minute(seen.at), &place, &kind);
        kind.origin?;
        let ring = if kind.outcome == Outcome::ClientLeft { &mut self.left } else { &mut self.entries };
        let service = seen.request.service.clone();
        push(&mut self.ids, MOST_IDS, Id { id: seen.id, at: seen.at, place, service, kind });
        self.count += 1;
        let entry = Arc::new(Entry::new(self.count, seen));
        push(ring, MOST_ENTRIES, entry.clone());
        Some(entry)
    }

    /// Returns the last errors, the newest first.
    pub(crate) fn errors(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.entries.iter().rev()
    }

    /// Returns the last requests whose client left, the newest first.
    pub(crate) fn left(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.left.iter().rev()
    }

    /// Returns the stored records with this request id, the newest first, and the number of all such records. At most
    /// [`MOST_ENTRIES`] records are returned. Several requests may have the same id if clients' ids are trusted.
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
pub(super) mod tests;
