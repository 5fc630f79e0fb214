//! Listening sockets that outlive a process: systemd keeps them, or a gateway hands them to the one that takes its place.
//!
//! 1. A gateway with an [`UpgradeSocket`] listens there for its successor, of the same user or root.
//! 2. The successor connects ([`Takeover::begin`]), and gets the listening sockets themselves (`SCM_RIGHTS`): what waits in
//!    their queues stays there. The old gateway serves on.
//! 3. The successor reads all that it needs ([`Takeover::prepare`]), and makes its gateway with its threads. Then it reports that
//!    it is ready ([`Gateway::take_over`](crate::Gateway::take_over)). The old gateway stops accepting, and only then replies.
//! 4. The successor accepts, and reports that. The old gateway stands by for two seconds, with its sockets open, and then lets its
//!    connections end.
//! 5. The kernel closes the connection of a process that ends, whatever ended it. The old gateway then accepts again; the
//!    successor serves with the sockets that it has, or binds its own where it has none yet.
//!
//! The upgrade socket is handed over as well, so that the next process finds the serving gateway. Nothing else is: neither
//! connections nor what is kept in memory. [`sockets`] are those that a process inherits, [`message`] is the protocol,
//! [`predecessor`] and [`upgrade_socket`] are its two ends, and [`neighbours`] are both for one gateway.

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
