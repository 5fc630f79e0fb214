//! Idle connections: the newest is used first, and those that were unused for a while are closed.
//!
//! Time is counted in rounds of one task, so that no clock is read to take a connection or to give it back.

use std::collections::VecDeque;

use super::connection::Connection;

/// How many rounds a connection may be idle. A connection is closed up to one round early, never late.
pub(super) const ROUNDS: u32 = 8;

pub(super) struct Idle<C> {
    /// The connections, the newest last.
    connections: VecDeque<Unused<C>>,
    round: u32,
}

struct Unused<C> {
    connection: C,
    /// How many requests use the connection now. A shared connection stays in this list while it is used.
    in_use: usize,
    since: u32,
}

impl<C: Connection> Unused<C> {
    fn has_room(&self) -> bool {
        !C::IS_SHARED || self.in_use < self.connection.room()
    }
}

impl<C> Default for Idle<C> {
    fn default() -> Self {
        Self { connections: VecDeque::new(), round: 0 }
    }
}

impl<C: Connection> Idle<C> {
    /// Takes the newest connection that is fit and has room. Unfit connections that are found on the way go to `unfit`,
    /// because they must not be dropped under a lock.
    pub(super) fn take(&mut self, unfit: &mut Vec<C>) -> Option<C> {
        loop {
            let index = self.connections.iter().rposition(|each| each.has_room() || !each.connection.is_fit())?;
            let newest = self.connections.get_mut(index)?;
            if newest.connection.is_fit()
                && let Some(shared) = newest.connection.share()
            {
                newest.in_use += 1;
                return Some(shared);
            }
            let Unused { connection, .. } = self.connections.remove(index)?;
            if connection.is_fit() {
                return Some(connection);
            }
            unfit.push(connection);
        }
    }

    /// Stores a connection that is not in use.
    pub(super) fn put(&mut self, connection: C) {
        self.connections.push_back(Unused { connection, in_use: 0, since: self.round });
    }

    /// Notes that a request on a shared connection has ended.
    pub(super) fn end_use(&mut self, connection: &C) {
        if let Some(used) = self.connections.iter_mut().find(|each| each.connection.is_same(connection)) {
            (used.in_use, used.since) = (used.in_use.saturating_sub(1), self.round);
        }
    }

    /// Takes the oldest connection, to use its place for another one.
    pub(super) fn take_oldest(&mut self) -> Option<C> {
        self.connections.pop_front().map(|oldest| oldest.connection)
    }

    /// Ends a round. Takes the connections that were unused for as long as a connection may be idle.
    pub(super) fn end_round(&mut self) -> Vec<C> {
        self.round = self.round.wrapping_add(1);
        let (kept, mut unused, mut at) = (usize::from(C::IS_SHARED), Vec::new(), 0);
        while at + kept < self.connections.len() {
            let each = &self.connections[at];
            if each.in_use == 0 && self.round.wrapping_sub(each.since) >= ROUNDS {
                unused.extend(self.connections.remove(at).map(|each| each.connection));
            } else if C::IS_SHARED {
                at += 1;
            } else {
                // The connections after this one were used more recently.
                break;
            }
        }
        unused
    }
}
