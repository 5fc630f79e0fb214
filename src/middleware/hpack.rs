//! The id's name in HPACK's table.
//!
//! Ids are marked as never indexed, so that they do not drive recurring fields out: each takes its name along, too. A
//! table that holds one id has the name, and every other id refers to it (RFC 7541 §6.2.3): thirteen bytes less.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use error_envelope_core::request_id::RequestId;

/// How long one id is assumed to stay in a table, in milliseconds. The `date` of each second takes the room of one, and a
/// table of 4 KiB has some sixty.
const STAYS: u64 = 30_000;

/// When an id was last let into the table of a connection.
///
/// A connection is identified by its service: servers clone one for each, and that one for each request. Where that does
/// not hold, as inside a middleware that clones its service or behind a layer applied to each route, no id is let in.
/// Nor is the id of a request that waited for a verifier or for its first byte.
pub(super) struct Indexed {
    siblings: Arc<Siblings>,
    among_clones: OnceLock<Arc<Siblings>>,
}

/// The clones of one service.
struct Siblings {
    /// How many services the layer has made.
    layered: Arc<AtomicUsize>,
    /// The time of the id that was let in, in milliseconds; for an id that a trusted peer made, the time in that id.
    last: AtomicU64,
}

/// No clone was used yet.
const UNUSED: u64 = 0;

/// One was used: it may be the only one, and belong to no connection.
const USED: u64 = 1;

impl Indexed {
    /// Of a service that the layer made, whose connection is not known.
    pub(super) fn new(layered: Arc<AtomicUsize>) -> Self {
        layered.fetch_add(1, Ordering::Relaxed);
        let siblings = Arc::new(Siblings { layered, last: AtomicU64::new(u64::MAX) });
        Self { siblings, among_clones: OnceLock::new() }
    }

    /// Whether this id is the next to be let in.
    pub(super) fn is_due(&self, id: RequestId) -> bool {
        let Siblings { layered, last } = &*self.siblings;
        let (before, now) = (last.load(Ordering::Relaxed), id.timestamp_ms());
        if before == UNUSED {
            last.store(USED, Ordering::Relaxed);
            return false;
        }
        let due = now.saturating_sub(before) > STAYS && layered.load(Ordering::Relaxed) == 1;
        if due {
            last.store(now, Ordering::Relaxed);
        }
        due
    }
}

impl Clone for Indexed {
    fn clone(&self) -> Self {
        let siblings = self.among_clones.get_or_init(|| {
            let layered = self.siblings.layered.clone();
            Arc::new(Siblings { layered, last: AtomicU64::new(UNUSED) })
        });
        Self { siblings: siblings.clone(), among_clones: OnceLock::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(seconds: u64) -> RequestId {
        RequestId::from_parts(1_700_000_000_000 + seconds * 1000, 1)
    }

    #[test]
    fn the_requests_of_a_connection_let_one_id_in_at_a_time() {
        let server = Indexed::new(Arc::default());
        assert!(!server.is_due(id(0)), "nobody knows whose connection it is");
        let (one, other) = (server.clone(), server.clone());
        assert!(!one.clone().is_due(id(0)), "it may be the only one");
        assert!(one.clone().is_due(id(0)));
        assert!(!one.clone().is_due(id(0)) && !one.clone().is_due(id(30)));
        assert!(!other.clone().is_due(id(1)) && other.clone().is_due(id(1)));
        assert!(one.clone().is_due(id(31)));
        assert!(!one.clone().is_due(id(5)), "the clock went back");
    }

    #[test]
    fn clones_of_a_requests_service_let_none_in() {
        let connection = Indexed::new(Arc::default()).clone();
        assert!((0..4).all(|_| !connection.clone().clone().is_due(id(0))));
    }

    #[test]
    fn services_of_a_layer_that_made_several_let_none_in() {
        let layered = Arc::default();
        let routes = [Indexed::new(Arc::clone(&layered)), Indexed::new(layered)];
        assert!((0..4).all(|at| !routes[at % 2].clone().is_due(id(0))));
    }
}
