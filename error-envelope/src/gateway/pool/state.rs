//! What a pool knows: the idle connections, the requests in line, and how many connections there are.

use std::collections::VecDeque;

use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use super::idle::Idle;
use super::line::{Granted, Outcome, Waiter};
use super::{BoxError, Connection};

pub(super) struct State<C: Connection> {
    pub(super) idle: Idle<C>,
    /// The first request first.
    line: VecDeque<Waiter<C>>,
    last_waiter: u64,
    /// Connections whose socket is not closed yet, with those that are being opened.
    pub(super) places: usize,
    opening: usize,
    /// Those that were given up and have not ended yet.
    aborted: usize,
    /// Of those that are being opened, and of some that are through.
    pub(super) openings: Vec<AbortHandle>,
}

impl<C: Connection> Default for State<C> {
    fn default() -> Self {
        let (idle, line) = (Idle::default(), VecDeque::new());
        Self { idle, line, last_waiter: 0, places: 0, opening: 0, aborted: 0, openings: Vec::new() }
    }
}

impl<C: Connection> State<C> {
    /// The end of the line, or its front for a request that has been through it before.
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

    /// A request that has given up: the connection that is being opened for it is not needed.
    pub(super) fn leave_line(&mut self, id: u64) {
        let Some(index) = self.line.iter().position(|waiter| waiter.id == id) else { return };
        self.line.remove(index);
        if self.opening > self.wanted() {
            self.openings.retain(|task| !task.is_finished());
            if let Some(newest) = self.openings.pop() {
                newest.abort();
                self.opening -= 1;
                self.aborted += 1;
            }
        }
    }

    /// For the first request in line that may have a used connection, else for the next one that comes. Returns the
    /// connection if it has to be closed: all places are taken, and the first request in line needs a fresh one.
    pub(super) fn give_back(&mut self, mut connection: C, bound: usize) -> Option<C> {
        let needs_place = self.opening == 0 && self.places >= bound;
        if needs_place && self.line.front().is_some_and(|first| first.needs_fresh) {
            return Some(connection);
        }
        while let Some(index) = self.line.iter().position(|waiter| !waiter.needs_fresh) {
            let Some(waiter) = self.line.remove(index) else { break };
            match waiter.grant(Ok(Granted { connection, is_used: true })) {
                Some(Ok(refused)) => connection = refused.connection,
                _ => return None,
            }
        }
        self.idle.put(connection, 1);
        None
    }

    /// How many connections are to be opened now; counted as if they were there.
    pub(super) fn begin_opening(&mut self, bound: usize) -> usize {
        let wanted = self.wanted().saturating_sub(self.opening).min(bound.saturating_sub(self.places));
        self.opening += wanted;
        self.places += wanted;
        wanted
    }

    /// Opening one has ended, with a connection for as many in line as it takes, or with an error for the first of them.
    pub(super) fn opened(&mut self, outcome: Result<C, BoxError>) {
        self.end_opening();
        match outcome {
            Ok(connection) => self.hand_out(connection),
            Err(error) => self.fail_first(error),
        }
    }

    /// Opening one has ended without an outcome: it was given up, or the runtime ends.
    pub(super) fn opening_was_dropped(&mut self) {
        let was_given_up = self.aborted > 0;
        self.end_opening();
        if !was_given_up {
            self.fail_first("connecting was broken off".into());
        }
    }

    fn end_opening(&mut self) {
        match self.aborted.checked_sub(1) {
            Some(others) => self.aborted = others,
            None => self.opening -= 1,
        }
        self.openings.retain(|task| !task.is_finished());
    }

    /// Whether a connection is being opened that goes to this request.
    pub(super) fn is_served_by_opening(&self, id: u64) -> bool {
        let ahead = self.line.iter().take_while(|waiter| waiter.id != id).count();
        if C::IS_SHARED { self.opening > 0 } else { ahead < self.opening }
    }

    /// How many connections the line needs.
    fn wanted(&self) -> usize {
        if C::IS_SHARED { self.line.len().min(1) } else { self.line.len() }
    }

    fn hand_out(&mut self, connection: C) {
        let mut room = connection.room();
        while room > 1
            && let Some(shared) = connection.share()
            && let Some(waiter) = self.line.pop_front()
        {
            if waiter.grant(Ok(Granted { connection: shared, is_used: false })).is_none() {
                room -= 1;
            }
        }
        let mut last = connection;
        while room == 1
            && let Some(waiter) = self.line.pop_front()
        {
            match waiter.grant(Ok(Granted { connection: last, is_used: false })) {
                Some(Ok(refused)) => last = refused.connection,
                _ => return,
            }
        }
        self.idle.put(last, room);
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
