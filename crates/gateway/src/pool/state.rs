//! A pool's state: the idle connections, the requests in line, and how many connections there are.

use std::collections::VecDeque;

use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tower::BoxError;

use super::connection::Connection;
use super::idle::Idle;
use super::line::{Granted, Outcome, Waiter};

pub(super) struct State<C: Connection> {
    pub(super) idle: Idle<C>,
    /// The requests in line, the first one first.
    line: VecDeque<Waiter<C>>,
    last_waiter: u64,
    /// The number of connections whose socket is not closed yet, including those that are being opened.
    pub(super) slots: usize,
    /// The connections that are being opened, by id, each with its task once that runs. An opening that was given up is
    /// removed.
    openings: Vec<(u64, Option<AbortHandle>)>,
    last_opening: u64,
}

impl<C: Connection> Default for State<C> {
    fn default() -> Self {
        let (idle, line) = (Idle::default(), VecDeque::new());
        Self { idle, line, last_waiter: 0, slots: 0, openings: Vec::new(), last_opening: 0 }
    }
}

impl<C: Connection> State<C> {
    /// Puts a request at the end of the line, or at its front if it has waited before.
    pub(super) fn join_line(&mut self, needs_fresh: bool) -> (u64, oneshot::Receiver<Outcome<C>>) {
        self.last_waiter += 1;
        let (waiter, receiver) = Waiter::new(self.last_waiter, needs_fresh);
        if needs_fresh {
            self.line.push_front(waiter);
        } else {
            self.line.push_back(waiter);
        }
        (self.last_waiter, receiver)
    }

    /// Removes a request that has given up. The connection that is being opened for it is no longer needed.
    pub(super) fn leave_line(&mut self, id: u64) {
        let Some(index) = self.line.iter().position(|waiter| waiter.id == id) else { return };
        self.line.remove(index);
        if self.openings.len() > self.needed_connections()
            && let Some((_, Some(newest))) = self.openings.pop()
        {
            newest.abort();
        }
    }

    /// Gives a connection to the first request in line that may have a used one, or keeps it for the next request. Adds
    /// connections to close to `unfit`: this one if all slots are taken and the first request in line needs a fresh
    /// connection.
    pub(super) fn give_back(&mut self, connection: C, bound: usize, unfit: &mut Vec<C>) {
        let needs_place = self.openings.is_empty() && self.slots >= bound;
        if needs_place && self.line.front().is_some_and(|first| first.needs_fresh) {
            return unfit.push(connection);
        }
        self.grant(connection, true);
    }

    /// Notes that a request on a shared connection has ended, and gives its room to the first request in line.
    pub(super) fn end_use(&mut self, connection: &C, unfit: &mut Vec<C>) {
        self.idle.end_use(connection);
        self.grant_shared(true, unfit);
    }

    /// Gives a connection to the first request in line that may have it, or keeps it for the next one that comes.
    fn grant(&mut self, mut connection: C, is_used: bool) {
        while let Some(waiter) = self.next(is_used) {
            match waiter.grant(Ok(Granted { connection, is_used })) {
                Some(Ok(refused)) => connection = refused.connection,
                _ => return,
            }
        }
        self.idle.put(connection);
    }

    /// Gives the free room on shared connections to as many requests in line as may use it.
    pub(super) fn grant_shared(&mut self, is_used: bool, unfit: &mut Vec<C>) {
        while self.place_of_next(is_used).is_some()
            && let Some(connection) = self.idle.take(unfit)
            && let Some(waiter) = self.next(is_used)
        {
            if let Some(Ok(refused)) = waiter.grant(Ok(Granted { connection, is_used })) {
                self.idle.end_use(&refused.connection);
                unfit.push(refused.connection);
            }
        }
    }

    /// Takes from the line the first request that may have this kind of connection, used or fresh.
    fn next(&mut self, is_used: bool) -> Option<Waiter<C>> {
        self.line.remove(self.place_of_next(is_used)?)
    }

    fn place_of_next(&self, is_used: bool) -> Option<usize> {
        self.line.iter().position(|waiter| !is_used || !waiter.needs_fresh)
    }

    /// Returns the ids of the connections to open now, and counts them as slots.
    pub(super) fn begin_opening(&mut self, bound: usize) -> Vec<u64> {
        let missing =
            self.needed_connections().saturating_sub(self.openings.len()).min(bound.saturating_sub(self.slots));
        let first = self.last_opening + 1;
        self.last_opening += missing as u64;
        self.slots += missing;
        let begun = first..=self.last_opening;
        self.openings.extend(begun.clone().map(|id| (id, None)));
        begun.collect()
    }

    /// Stores the task that opens a connection, or aborts it if the opening was given up meanwhile.
    pub(super) fn store_opening_task(&mut self, id: u64, task: AbortHandle) {
        match self.openings.iter_mut().find(|(opening, _)| *opening == id) {
            Some((_, running)) => *running = Some(task),
            None => task.abort(),
        }
    }

    /// Handles the end of an opening: the connection goes to as many requests in line as it takes, or the error to the
    /// first of them. If the opening was given up, no request waits for it.
    ///
    /// Connections to close go to `unfit`.
    pub(super) fn opened(&mut self, id: u64, outcome: Result<C, BoxError>, unfit: &mut Vec<C>) {
        let was_wanted = self.end_opening(id);
        match outcome {
            Ok(connection) => self.hand_out(connection, unfit),
            Err(error) if was_wanted => self.fail_first(error),
            Err(_) => {}
        }
    }

    /// Handles the end of an opening without an outcome: it was given up, or the runtime ends.
    pub(super) fn opening_was_dropped(&mut self, id: u64) {
        if self.end_opening(id) {
            self.fail_first("connecting to the service was cancelled".into());
        }
    }

    /// Removes an opening. Returns whether it was still wanted, and not given up.
    fn end_opening(&mut self, id: u64) -> bool {
        let index = self.openings.iter().position(|(opening, _)| *opening == id);
        index.map(|index| self.openings.remove(index)).is_some()
    }

    /// Whether a connection is being opened that goes to this request.
    pub(super) fn is_served_by_opening(&self, id: u64) -> bool {
        let ahead = self.line.iter().take_while(|waiter| waiter.id != id).count();
        if C::IS_SHARED { !self.openings.is_empty() } else { ahead < self.openings.len() }
    }

    /// How many connections the queued requests need.
    fn needed_connections(&self) -> usize {
        if C::IS_SHARED { self.line.len().min(1) } else { self.line.len() }
    }

    fn hand_out(&mut self, connection: C, unfit: &mut Vec<C>) {
        if C::IS_SHARED {
            self.idle.put(connection);
            self.grant_shared(false, unfit);
        } else {
            self.grant(connection, false);
        }
    }

    fn fail_first(&mut self, error: BoxError) {
        let mut outcome = Err(error);
        while let Some(waiter) = self.line.pop_front() {
            match waiter.grant(outcome) {
                None => return,
                Some(refused) => outcome = refused,
            }
        }
    }
}
