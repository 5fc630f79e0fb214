//! Listening sockets that outlive a process: systemd keeps them, or a gateway hands them to the one that takes its place.
//!
//! 1. A gateway with an [`UpgradeSocket`] listens there for its successor, of the same user or root.
//! 2. The successor connects ([`Takeover::begin`]), and gets the listening sockets themselves (`SCM_RIGHTS`): what waits in
//!    their queues stays there. The old gateway serves on.
//! 3. When all that it needs is read, the successor says so ([`Takeover::finish`]). The old gateway stops accepting, and only
//!    then replies; the successor begins to accept, and the old gateway lets its connections end.
//! 4. A successor that ends before, or takes longer than a minute, changes nothing. An old gateway that ends meanwhile leaves the
//!    sockets to the successor.
//!
//! The upgrade socket is handed over as well, so that the next process finds whoever serves. Nothing else is: neither
//! connections nor what is kept in memory. [`sockets`] is what was given, [`message`] is what is said.

mod message;
mod sockets;
mod takeover;
mod upgrade_socket;

pub use self::sockets::{ListeningSockets, SocketPurpose};
pub use self::takeover::Takeover;
pub use self::upgrade_socket::UpgradeSocket;

pub(crate) use self::upgrade_socket::{Offer, Successor};
