//! Connections to services that serve only one client's connection.

use std::any::Any;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use error_envelope_core::session::lines;
use http::Extensions;
use http::header::{AUTHORIZATION, HeaderMap, HeaderValue};

use super::shared::{Pool, Shared};
use super::state::Connection;

/// The idle connections to services that serve one client's connection. Each is a [`BoundIdle`] with the id of its
/// pool.
///
/// NTLM and Negotiate authenticate a connection instead of a request, so the next request on it runs as the user who
/// logged in. After a connection to a service has carried such credentials, it serves only that client's connection,
/// and ends with it. While it is idle, its pool owns it, and may close it. Otherwise clients that do nothing would hold
/// every place of the service.
#[derive(Default)]
pub(crate) struct BoundConnections(Mutex<Vec<(u64, Box<dyn Any + Send>)>>);

/// Marks a request whose client's connection has, or needs, its own connections to services.
#[derive(Clone)]
pub(crate) struct Binding {
    connections: Arc<BoundConnections>,
    /// True if the request has credentials that authenticate its connection.
    authenticates: bool,
}

/// True if any request of the process had a binding. Otherwise requests are not searched for one.
static BINDINGS: AtomicBool = AtomicBool::new(false);

impl Binding {
    /// Puts the binding into a request's extensions.
    pub(crate) fn insert(connections: &Arc<BoundConnections>, authenticates: bool, extensions: &mut Extensions) {
        BINDINGS.store(true, Relaxed);
        extensions.insert(Self { connections: Arc::clone(connections), authenticates });
    }

    /// Returns the binding of a request, for the pool that sends it.
    #[inline]
    pub(crate) fn take_from(extensions: &mut Extensions) -> Option<Self> {
        // If another thread set the flag, passing the request to this thread has made it visible here.
        if BINDINGS.load(Relaxed) { extensions.remove() } else { None }
    }

    /// Takes one of the client's own connections that is not in use.
    pub(super) fn take<C: Connection>(&self, pool: &Pool<C>) -> Option<C> {
        loop {
            let mut connections = self.connections.lock();
            let index = connections.iter().rposition(|(id, _)| *id == pool.id())?;
            let (_, idle) = connections.remove(index);
            drop(connections);
            let idle = idle.downcast::<BoundIdle<C>>().ok()?;
            if let Some(connection) = idle.take().filter(C::is_fit) {
                return Some(connection);
            }
        }
    }

    /// Returns the owner to which this request's connection is bound, if there is one. The client's own connection
    /// stays bound, and another connection becomes bound if the request has such credentials.
    pub(super) fn bind(&self, is_own: bool) -> Option<Arc<BoundConnections>> {
        (is_own || self.authenticates).then(|| Arc::clone(&self.connections))
    }
}

impl BoundConnections {
    /// Takes back a connection after its request.
    pub(super) fn put<C: Connection>(&self, pool: &Pool<C>, connection: C) {
        let number = pool.state().keep_bound(connection);
        self.lock().push((pool.id(), Box::new(BoundIdle::<C> { pool: pool.downgrade(), number })));
        // The connection gives way at once if a request waits for its place.
        pool.open_missing_connections();
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(u64, Box<dyn Any + Send>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A bound connection that waits in its pool for its client's next request. The connection ends when this is dropped.
struct BoundIdle<C: Connection> {
    pool: Weak<Shared<C>>,
    number: u64,
}

impl<C: Connection> BoundIdle<C> {
    /// Takes the connection. Returns `None` if it gave way to another request.
    fn take(&self) -> Option<C> {
        Pool::upgrade(&self.pool)?.state().take_bound(self.number)
    }
}

impl<C: Connection> Drop for BoundIdle<C> {
    fn drop(&mut self) {
        drop(self.take());
    }
}

/// Returns true if a request has credentials that authenticate its connection.
pub(crate) fn authenticates_connection(headers: &HeaderMap) -> bool {
    let is_such = |value: &HeaderValue| {
        let scheme = value.as_bytes().trim_ascii_start().split(|byte| matches!(byte, b' ' | b'\t')).next();
        scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"ntlm") || scheme.eq_ignore_ascii_case(b"negotiate"))
    };
    lines(headers, &AUTHORIZATION).any(is_such)
}
