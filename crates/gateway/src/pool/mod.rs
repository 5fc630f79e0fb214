//! Connections to the service: how many there are, which request gets which connection, and which
//! requests are repeated (F7).
//!
//! 1. A request takes the newest idle connection that is fit. If there is none, it waits in line
//!    for its turn ([`state`]), and a connection is opened for it, as long as fewer than `--upstream-connections` are
//!    there ([`shared`]).
//! 2. Whichever comes first goes to the first request in line: a connection that was opened, or one that came back.
//! 3. A connection comes back before the client gets the last byte of its response ([`reply`]). So the client's next
//!    request finds it, and one client never holds two.
//! 4. A connection whose response began before its request was sent to the end does not come back ([`outgoing`]).
//! 5. A connection that carried NTLM or Negotiate goes back to its client's connection alone ([`bound`]). While it is
//!    idle, it gives way to a request that waits for a place, the one that has been idle longest first.
//! 6. A request that the service cannot have processed is sent to another connection, and one that may be repeated
//!    is sent once more, on a fresh one ([`mod@send`]).
//!
//! hyper-util's pools do not express these rules. Its ready-made client repeats only requests that were never written,
//! limits only idle connections, and has no queue. Its `pool::cache` checks no bound, cannot open a fresh connection on
//! request, and keeps the connection that lost the race against one that came back: a client that sends again at once
//! gets a second one.

mod bound;
mod outgoing;
mod reply;
mod send;
mod shared;
mod state;
#[cfg(test)]
mod tests;

pub(crate) use self::bound::{Binding, BoundConnections, authenticates_connection};
pub(super) use self::outgoing::{Exchange, ForwardBody, Observed, Outgoing};
pub use self::reply::UpstreamBody;
pub(super) use self::send::{Reached, Sends, Unanswered, send};
pub(super) use self::shared::{Bounds, Pool, PoolSlot};
pub(super) use self::state::Connection;
