//! The connections to the service. The pool decides how many there are, which request gets which connection, and which
//! requests are repeated (F7).
//!
//! 1. A request takes the newest idle connection that is fit. If there is no such connection, the request waits in line
//!    for its turn ([`state`]). A connection is opened for it, as long as there are fewer than `--upstream-connections`
//!    ([`shared`]).
//! 2. The first request in line gets the first available connection: a newly opened one, or one that was given back.
//! 3. A connection is given back before the client gets the last byte of its response ([`reply`]). So the client's next
//!    request finds it, and one client never holds two.
//! 4. A connection whose response began before its request was sent to the end is not given back ([`outgoing`]).
//! 5. A connection that carried NTLM or Negotiate is given back only to its client's connection ([`bound`]). While it
//!    is idle, it gives way to a request that waits for a place. The connection that has been idle longest gives way
//!    first.
//! 6. A request that the service cannot have processed is sent over another connection. A request that may be repeated
//!    is sent once more, over a fresh connection ([`mod@send`]).
//!
//! hyper-util's pools do not express these rules. Its ready-made client repeats only requests that were never written,
//! limits only idle connections, and has no queue. Its `pool::cache` checks no bound, and cannot open a fresh
//! connection on request. It also keeps the connection that lost the race against a returned one, so a client that
//! sends again at once gets a second connection.

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
