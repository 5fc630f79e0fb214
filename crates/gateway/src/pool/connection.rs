//! What the pool requires of a connection, in any version of HTTP.

use std::task::{Context, Poll};

/// A connection to the service.
pub(crate) trait Connection: Sized + Send + 'static {
    /// Whether a connection takes several requests at once. If so, only one is opened at a time, and the newest idle
    /// one is kept.
    const IS_SHARED: bool;

    /// Whether the next request can use the connection, by its stored state.
    fn is_fit(&self) -> bool;

    /// Whether the connection has ended. This makes a system call, for a request that cannot be sent again.
    fn has_ended(&self) -> bool;

    /// How many requests the connection takes at once now: a service may change that at any time.
    fn room(&self) -> usize;

    /// A second handle to the same connection; `None` if only one request at a time goes over it.
    fn share(&self) -> Option<Self>;

    fn is_same(&self, other: &Self) -> bool;

    /// After a response, waits until the next request can be sent. Returns whether it may be sent over this connection.
    fn poll_reusable(&mut self, cx: &mut Context<'_>) -> Poll<bool>;
}
