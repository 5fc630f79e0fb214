//! Listening sockets that outlive a process: systemd keeps them, or a gateway hands them to its successor.
//!
//! 1. A gateway with an [`UpgradeSocket`] listens there for its successor, which must run as the same user.
//! 2. The successor connects ([`Takeover::begin`]), and gets the listening sockets themselves (`SCM_RIGHTS`):
//!    waiting connections stay in their queues. The old gateway keeps serving.
//! 3. The successor reads its files ([`Takeover::prepare`]), and creates its gateway with its threads. Then it
//!    reports that it is ready ([`Gateway::take_over`](crate::Gateway::take_over)). The old gateway stops accepting,
//!    and only then replies.
//! 4. The successor accepts, and reports that. The old gateway waits for two seconds, with its sockets open, and
//!    then lets its connections end.
//! 5. If one of the two processes ends, the kernel closes the connection between them. The old gateway then accepts
//!    again. The successor serves with the sockets that it has, or binds its own if it has none yet.
//!
//! The upgrade socket is handed over as well, so that the next process finds the serving gateway. Nothing else is
//! handed over: neither connections nor data in memory. [`sockets`] are those that a process inherits, [`message`] is
//! the protocol, [`predecessor`] and [`upgrade_socket`] are its two ends, and [`neighbours`] has both ends of one
//! gateway.

mod message;
mod neighbours;
mod predecessor;
mod sockets;
mod takeover;
mod upgrade_socket;

pub use self::sockets::{ListeningSockets, SocketPurpose};
pub use self::takeover::Takeover;
pub use self::upgrade_socket::UpgradeSocket;

pub(crate) use self::neighbours::Handover;
