//! Connections to services that are reserved for a single connection of a client.

use std::any::Any;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use error_envelope_core::session::lines;
use http::Extensions;
use http::header::{AUTHORIZATION, HeaderMap, HeaderValue};

use super::shared::{Pool, Shared};
use super::state::Connection;

/// The idle connections to services that are reserved for one client's connection. Each entry is a [`BoundIdle`] with
/// the id of its pool.
///
/// NTLM and Negotiate authenticate a connection instead of a request. The next request on the connection then runs as
/// the user who logged in. After a connection to a service has carried such credentials, it serves only the same
/// client's connection, and is closed together with it. While the connection to the service is idle, its pool owns it
/// and may close it. Otherwise idle clients could use up all connections that the service allows.
#[derive(Default)]
pub(crate) struct BoundConnections(Mutex<Vec<(u64, Box<dyn Any + Send>)>>);

/// A request extension. It means that the client's connection has its own connections to services, or needs one.
#[derive(Clone)]
pub(crate) struct Binding {
    connections: Arc<BoundConnections>,
    /// True if the request contains credentials that authenticate its connection.
    authenticates: bool,
}

impl Binding {
    /// Puts the binding into a request's extensions.
    pub(crate) fn insert(connections: &Arc<BoundConnections>, authenticates: bool, extensions: &mut Extensions) {
        extensions.insert(Self { connections: Arc::clone(connections), authenticates });
    }

    /// Removes the binding from the request's extensions, and returns it for the pool that sends the request.
    #[inline]
    pub(crate) fn take_from(extensions: &mut Extensions) -> Option<Self> {
        extensions.remove()
    }

    /// Takes an idle connection of this pool that is reserved for the client.
    pub(super) fn take<C: Connection>(&self, pool: &Pool<C>) -> Option<C> {
        loop {
            let mut connections = self.connections.lock();
            let index = connections.iter().rposition(|(id, _)| *id == pool.0.id)?;
            let (_, idle) = connections.remove(index);
            drop(connections);
            let idle = idle.downcast::<BoundIdle<C>>().ok()?;
            if let Some(connection) = idle.take().filter(C::is_fit) {
                return Some(connection);
            }
        }
    }

    /// Returns the connections of the client to which this request's connection must be given back, or `None` if the
    /// connection is not bound. A connection that is already the client's own (`is_own`) remains bound. Any other
    /// connection becomes bound if the request contains such credentials.
    pub(super) fn bind(&self, is_own: bool) -> Option<Arc<BoundConnections>> {
        (is_own || self.authenticates).then(|| Arc::clone(&self.connections))
    }
}

impl BoundConnections {
    /// Stores a connection that has served its request, for the client's next request.
    pub(super) fn put<C: Connection>(&self, pool: &Pool<C>, connection: C) {
        let number = pool.state().keep_bound(connection);
        self.lock().push((pool.0.id, Box::new(BoundIdle::<C> { pool: pool.downgrade(), number })));
        // If a request waits for a connection, this idle connection is closed at once.
        pool.open_missing_connections();
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(u64, Box<dyn Any + Send>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A bound connection that waits in its pool for its client's next request. The connection is closed when this value is
/// dropped.
struct BoundIdle<C: Connection> {
    pool: Weak<Shared<C>>,
    number: u64,
}

impl<C: Connection> BoundIdle<C> {
    /// Takes the connection. Returns `None` if the pool has closed it for another request.
    fn take(&self) -> Option<C> {
        Pool::upgrade(&self.pool)?.state().take_bound(self.number)
    }
}

impl<C: Connection> Drop for BoundIdle<C> {
    fn drop(&mut self) {
        drop(self.take());
    }
}

/// Returns true if the headers contain credentials that authenticate the connection instead of the request.
pub(crate) fn authenticates_connection(headers: &HeaderMap) -> bool {
    let is_such = |value: &HeaderValue| {
        let scheme = value.as_bytes().trim_ascii_start().split(|byte| matches!(byte, b' ' | b'\t')).next();
        scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"ntlm") || scheme.eq_ignore_ascii_case(b"negotiate"))
    };
    lines(headers, &AUTHORIZATION).any(is_such)
}
