//! Connections that nobody uses: the newest is used next, and what was not used for a while is closed.
//!
//! Time is counted in rounds of one task, so that taking a connection and giving it back read no clock.

use std::collections::VecDeque;

use super::connection::Connection;
use crate::workers;

/// How many rounds a connection may be idle. A connection is closed up to one round early, never late.
pub(super) const ROUNDS: u32 = 8;

pub(super) struct Idle<C> {
    /// The newest last.
    connections: VecDeque<Unused<C>>,
    round: u32,
}

struct Unused<C> {
    connection: C,
    /// How many requests may be sent over it now.
    room: usize,
    since: u32,
}

impl<C> Default for Idle<C> {
    fn default() -> Self {
        Self { connections: VecDeque::new(), round: 0 }
    }
}

impl<C: Connection> Idle<C> {
    /// The newest that is fit, of this worker's if there is one. What is not fit on the way to it goes to `unfit`: it is not for dropping under a lock.
    pub(super) fn take(&mut self, unfit: &mut Vec<C>) -> Option<C> {
        while let Some(mut newest) = self.take_nearest() {
            if !newest.connection.is_fit() {
                unfit.push(newest.connection);
                continue;
            }
            if newest.room > 1
                && let Some(shared) = newest.connection.share()
            {
                newest.room -= 1;
                self.connections.push_back(newest);
                return Some(shared);
            }
            return Some(newest.connection);
        }
        None
    }

    fn take_nearest(&mut self) -> Option<Unused<C>> {
        let here = workers::here();
        let nearest = self.connections.iter().rposition(|each| each.connection.worker() == here);
        let newest = self.connections.len().checked_sub(1)?;
        self.connections.remove(nearest.unwrap_or(newest))
    }

    /// There is room for so many requests more on this connection.
    pub(super) fn put(&mut self, connection: C, room: usize) {
        let since = self.round;
        match self.connections.back_mut() {
            Some(newest) if newest.connection.is_same(&connection) => {
                newest.room = newest.room.saturating_add(room);
                newest.since = since;
            }
            _ => self.connections.push_back(Unused { connection, room, since }),
        }
    }

    /// Takes out the oldest, for its place.
    pub(super) fn take_oldest(&mut self) -> Option<C> {
        self.connections.pop_front().map(|oldest| oldest.connection)
    }

    /// Takes out what nobody has used for as long as a connection may be idle.
    pub(super) fn end_round(&mut self) -> Vec<C> {
        self.round = self.round.wrapping_add(1);
        let kept = usize::from(C::IS_SHARED);
        let removable = self.connections.len().saturating_sub(kept);
        let unused = |each: &&Unused<C>| self.round.wrapping_sub(each.since) >= ROUNDS;
        let unused = self.connections.iter().take(removable).take_while(unused).count();
        self.connections.drain(..unused).map(|each| each.connection).collect()
    }
}
