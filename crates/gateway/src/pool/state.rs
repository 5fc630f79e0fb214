//! A pool's state: the idle connections, the requests in line, and the number of connections.

use std::collections::{BTreeMap, VecDeque};
use std::task::{Context, Poll};

use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tower::BoxError;

pub(super) struct State<C: Connection> {
    pub(super) idle: Idle<C>,
    /// The idle connections that are bound to a client, by number. The first entry has been idle longest.
    bound: BTreeMap<u64, C>,
    last_bound: u64,
    /// The requests in line, in their order.
    line: VecDeque<Waiter<C>>,
    last_waiter: u64,
    /// The number of connections whose socket is not closed yet, including those that are being opened.
    pub(super) slots: usize,
    /// The number of connections that were closed to free their slots, and whose slots are not free yet.
    closing: usize,
    /// The connections that are being opened, by id. Each entry contains the task that opens the connection, once the
    /// task has been spawned. If an opening is given up, its entry is removed.
    openings: Vec<(u64, Option<AbortHandle>)>,
    last_opening: u64,
}

impl<C: Connection> Default for State<C> {
    fn default() -> Self {
        let (idle, bound, line, openings) = (Idle::default(), BTreeMap::new(), VecDeque::new(), Vec::new());
        Self { idle, bound, last_bound: 0, line, last_waiter: 0, slots: 0, closing: 0, openings, last_opening: 0 }
    }
}

impl<C: Connection> State<C> {
    /// Puts a request at the end of the line. A request that needs a fresh connection goes to the front, because it has
    /// waited before.
    pub(super) fn join_line(&mut self, needs_fresh: bool) -> (u64, oneshot::Receiver<Outcome<C>>) {
        self.last_waiter += 1;
        // Requests for which connections are being closed may have left the line in the meantime.
        self.closing = self.closing.min(self.unserved());
        let (waiter, receiver) = Waiter::new(self.last_waiter, needs_fresh);
        if needs_fresh {
            self.line.push_front(waiter);
        } else {
            self.line.push_back(waiter);
        }
        (self.last_waiter, receiver)
    }

    /// Removes a request that has given up. If more connections are being opened than are still needed, the newest
    /// opening is aborted.
    pub(super) fn leave_line(&mut self, id: u64) {
        let Some(index) = self.line.iter().position(|waiter| waiter.id == id) else { return };
        self.line.remove(index);
        if self.openings.len() > self.needed_connections()
            && let Some((_, Some(newest))) = self.openings.pop()
        {
            newest.abort();
        }
    }

    /// Gives a connection to the first waiting request that accepts a used connection. If there is no such request,
    /// keeps the connection. If all slots are taken and the first request in line needs a fresh connection, the
    /// connection is added to `unfit`, which the caller closes.
    pub(super) fn give_back(&mut self, connection: C, bound: usize, unfit: &mut Vec<C>) {
        let needs_place = self.openings.is_empty() && self.slots >= bound && self.closing == 0;
        if needs_place && self.line.front().is_some_and(|first| first.needs_fresh) {
            self.closing += 1;
            return unfit.push(connection);
        }
        self.grant(connection, true);
    }

    /// Records that a request on a shared connection has ended, and gives the free room to requests in line.
    pub(super) fn end_use(&mut self, connection: &C, unfit: &mut Vec<C>) {
        self.idle.end_use(connection);
        self.grant_shared(true, unfit);
    }

    /// Gives a connection to the first request in line that accepts it, or keeps it for the next request.
    fn grant(&mut self, mut connection: C, is_used: bool) {
        while let Some(waiter) = self.next(is_used) {
            match waiter.grant(Ok(Granted { connection, is_used })) {
                Some(Ok(refused)) => connection = refused.connection,
                _ => return,
            }
        }
        self.idle.put(connection);
    }

    /// Gives the free room on shared connections to as many requests in line as it allows.
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

    /// Removes from the line the first request that accepts this kind of connection, used or fresh.
    fn next(&mut self, is_used: bool) -> Option<Waiter<C>> {
        self.line.remove(self.place_of_next(is_used)?)
    }

    fn place_of_next(&self, is_used: bool) -> Option<usize> {
        self.line.iter().position(|waiter| !is_used || !waiter.needs_fresh)
    }

    /// Stores an idle connection that is bound to a client. Returns the connection's number.
    pub(super) fn keep_bound(&mut self, connection: C) -> u64 {
        self.last_bound += 1;
        self.bound.insert(self.last_bound, connection);
        self.last_bound
    }

    /// Takes a bound connection. Returns `None` if it was closed for another request.
    pub(super) fn take_bound(&mut self, number: u64) -> Option<C> {
        self.bound.remove(&number)
    }

    /// Records that the socket of a connection is closed, so that its slot is free.
    pub(super) fn free_slot(&mut self) {
        self.slots -= 1;
        self.closing = self.closing.saturating_sub(1);
    }

    /// Returns the ids of the connections to open now, and counts their slots as used. If there are too few free slots,
    /// adds idle connections to `unfit`, which the caller closes.
    pub(super) fn begin_opening(&mut self, bound: usize, unfit: &mut Vec<C>) -> Vec<u64> {
        let missing =
            self.needed_connections().saturating_sub(self.openings.len()).min(bound.saturating_sub(self.slots));
        let first = self.last_opening + 1;
        self.last_opening += missing as u64;
        self.slots += missing;
        let begun = first..=self.last_opening;
        self.openings.extend(begun.clone().map(|id| (id, None)));
        if !C::IS_SHARED {
            self.make_room(unfit);
        }
        begun.collect()
    }

    /// Adds to `unfit` an idle connection for each request that waits for a slot. Connections that are not bound to a
    /// client are closed first.
    fn make_room(&mut self, unfit: &mut Vec<C>) {
        while self.closing < self.unserved()
            && let Some(oldest) = self.idle.take_oldest().or_else(|| self.bound.pop_first().map(|(_, oldest)| oldest))
        {
            // The slot of a connection that has ended is already free, or becomes free without being closed here.
            self.closing += usize::from(oldest.is_fit());
            unfit.push(oldest);
        }
    }

    /// Returns the number of requests in line for which no connection is being opened.
    fn unserved(&self) -> usize {
        self.line.len().saturating_sub(self.openings.len())
    }

    /// Stores the task that opens a connection. Aborts the task if the opening was given up in the meantime.
    pub(super) fn store_opening_task(&mut self, id: u64, task: AbortHandle) {
        match self.openings.iter_mut().find(|(opening, _)| *opening == id) {
            Some((_, running)) => *running = Some(task),
            None => task.abort(),
        }
    }

    /// Handles the result of opening a connection. A connection goes to as many requests in line as it accepts. An
    /// error goes to the first request in line, unless the opening was given up.
    ///
    /// Adds to `unfit` the connections that the caller must close.
    pub(super) fn opened(&mut self, id: u64, outcome: Result<C, BoxError>, unfit: &mut Vec<C>) {
        let was_wanted = self.end_opening(id);
        match outcome {
            Ok(connection) => self.hand_out(connection, unfit),
            Err(error) if was_wanted => self.fail_first(error),
            Err(_) => {}
        }
    }

    /// Handles an opening that ended without a result, because it was given up or the runtime ends.
    pub(super) fn opening_was_dropped(&mut self, id: u64) {
        if self.end_opening(id) {
            self.fail_first("connecting to the service was cancelled".into());
        }
    }

    /// Removes an opening. Returns true if the opening was still wanted, and false if it was given up.
    fn end_opening(&mut self, id: u64) -> bool {
        let index = self.openings.iter().position(|(opening, _)| *opening == id);
        index.map(|index| self.openings.remove(index)).is_some()
    }

    /// Returns true if one of the connections that are being opened will serve this request.
    pub(super) fn is_served_by_opening(&self, id: u64) -> bool {
        let ahead = self.line.iter().take_while(|waiter| waiter.id != id).count();
        if C::IS_SHARED { !self.openings.is_empty() } else { ahead < self.openings.len() }
    }

    /// Returns the number of connections that the queued requests need.
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

/// A request that waits in line.
pub(super) struct Waiter<C> {
    pub(super) id: u64,
    pub(super) needs_fresh: bool,
    sender: oneshot::Sender<Outcome<C>>,
}

/// A connection for a request. `is_used` is true if other requests were sent over it before.
pub(super) struct Granted<C> {
    pub(super) connection: C,
    pub(super) is_used: bool,
}

pub(super) type Outcome<C> = Result<Granted<C>, BoxError>;

impl<C> Waiter<C> {
    pub(super) fn new(id: u64, needs_fresh: bool) -> (Self, oneshot::Receiver<Outcome<C>>) {
        let (sender, receiver) = oneshot::channel();
        (Self { id, needs_fresh, sender }, receiver)
    }

    /// Sends the outcome to the request. Returns the outcome if the request no longer waits.
    pub(super) fn grant(self, outcome: Outcome<C>) -> Option<Outcome<C>> {
        self.sender.send(outcome).err()
    }
}

/// The number of rounds for which a connection may be idle. A connection may be closed up to one round early, but never
/// late.
pub(super) const ROUNDS: u32 = 8;

/// The idle connections. The newest connection is used first. Connections that were unused for a while are closed.
///
/// Time is counted in rounds of the task `tend`, so that taking or returning a connection needs no clock.
pub(super) struct Idle<C> {
    /// The connections, with the newest at the end.
    connections: VecDeque<Unused<C>>,
    round: u32,
}

struct Unused<C> {
    connection: C,
    /// The number of requests that use the connection now. A shared connection remains in this list while it is in use.
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
    /// Takes the newest connection that can be used and has room. Connections that can no longer be used are added to
    /// `unfit`, because they must not be dropped under the pool's lock.
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

    /// Records that a request on a shared connection has ended.
    pub(super) fn end_use(&mut self, connection: &C) {
        if let Some(used) = self.connections.iter_mut().find(|each| each.connection.is_same(connection)) {
            (used.in_use, used.since) = (used.in_use.saturating_sub(1), self.round);
        }
    }

    /// Takes the oldest connection, so that the caller can close it and use its slot for another connection.
    pub(super) fn take_oldest(&mut self) -> Option<C> {
        self.connections.pop_front().map(|oldest| oldest.connection)
    }

    /// Ends a round. Removes and returns the connections that were unused for [`ROUNDS`] rounds.
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
                // All further connections were used more recently.
                break;
            }
        }
        unused
    }
}

/// A connection to the service.
pub(crate) trait Connection: Sized + Send + 'static {
    /// True if a connection accepts several requests at once. Then only one connection is opened at a time, and the
    /// newest idle connection is never closed.
    const IS_SHARED: bool;

    /// Returns true if the next request can use the connection, as far as is known without a system call.
    fn is_fit(&self) -> bool;

    /// Returns true if the connection has ended. Because the check may need a system call, it is made only before a
    /// request that cannot be repeated.
    fn has_ended(&self) -> bool;

    /// Returns the number of requests that the connection currently accepts at once. A service may change this number
    /// at any time.
    fn room(&self) -> usize {
        1
    }

    /// Returns a second handle to the same connection, or `None` if the connection accepts only one request at a time.
    fn share(&self) -> Option<Self> {
        None
    }

    fn is_same(&self, _: &Self) -> bool {
        false
    }

    /// Called after a response. Is ready once it is certain whether the next request may be sent over this connection,
    /// and then returns true if it may.
    fn poll_reusable(&mut self, cx: &mut Context<'_>) -> Poll<bool>;
}
