//! The connections to the service. The pool decides how many connections it opens, which request gets which connection,
//! and which requests are repeated (F7).
//!
//! 1. A request takes the newest idle connection that can be used. If there is no such connection, the request waits in
//!    line ([`state`]). A connection is opened for it, as long as there are fewer than `--upstream-connections`
//!    ([`shared`]).
//! 2. The first request in line gets the first available connection, whether this connection was newly opened or given
//!    back.
//! 3. A connection is given back before the client gets the last byte of its response ([`reply`]). So the client's next
//!    request can use the same connection, and one client never needs two connections.
//! 4. A connection whose response began before its request was sent to the end is not given back ([`outgoing`]).
//! 5. A connection that carried NTLM or Negotiate is given back only to its client's connection ([`bound`]). While the
//!    connection is idle, it is closed if another request waits for a connection. The connection that has been idle
//!    longest is closed first.
//! 6. If the service cannot have processed a request, the request is sent over another connection. If a request may be
//!    repeated, it is sent once more, over a fresh connection ([`mod@send`]).
//!
//! hyper-util's pools cannot implement these rules. Its client repeats only requests that were never written, limits
//! only idle connections, and has no queue. Its `pool::cache` has no limit, and cannot be told to open a fresh
//! connection. If a connection is returned while another is being opened, `pool::cache` also keeps the new connection.
//! So a client that sends again at once gets a second connection.

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
pub(crate) use self::reply::is_bodiless;
pub(super) use self::send::{Reached, Sends, Unanswered, send};
pub(super) use self::shared::{Bounds, Pool, PoolSlot};
pub(super) use self::state::Connection;
