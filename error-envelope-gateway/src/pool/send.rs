//! One request, sent until the service may have processed it, and once more if it may be repeated (rule F7).

use http::{Method, Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use tower::BoxError;
use tower::util::BoxCloneSyncService;

use super::connection::Connection;
use super::outgoing::Outgoing;
use super::reply::Reply;
use super::shared::Pool;

/// A service that is another one, over the network. It is always ready.
pub(crate) type Remote<B> = BoxCloneSyncService<Request<B>, Response<Reply>, BoxError>;

/// Sends requests over a connection.
pub(crate) trait Sends<B>: Connection {
    fn send(
        &mut self,
        request: Request<Outgoing<B>>,
    ) -> impl Future<Output = Result<Response<Incoming>, Failed<B>>> + Send;
}

/// A request that got no response.
pub(crate) struct Failed<B> {
    pub(crate) error: BoxError,
    pub(crate) reached: Reached<B>,
}

/// How far a request got.
pub(crate) enum Reached<B> {
    /// Nothing of it was written, and here it is.
    Nowhere(Box<Request<Outgoing<B>>>),
    /// The service says that it has not processed it.
    Unprocessed,
    /// It may have been processed. No byte of a response came.
    Service,
    /// A response began.
    Response,
}

/// Sends a request over a connection of `pool`.
///
/// # Errors
///
/// Why there is no connection, or why the last one that was tried failed.
pub(crate) async fn send<B, C>(pool: &Pool<C>, mut request: Request<Outgoing<B>>) -> Result<Response<Reply>, BoxError>
where
    B: Body + Unpin,
    C: Connection + Sends<B>,
{
    // Once: a service that closes each connection would be asked for ever.
    let mut may_repeat = true;
    let mut queue_time = pool.queue_time();
    loop {
        let mut lease = if may_repeat {
            pool.take_within(&mut queue_time).await?
        } else {
            pool.take_fresh_within(&mut queue_time).await?
        };
        let was_used = lease.is_used();
        let Some(connection) = lease.connection() else { continue };
        let is_repeatable = is_idempotent(request.method()) && request.body().is_end_stream();
        if was_used && !is_repeatable && connection.has_ended() {
            continue;
        }
        let may_be_copied = C::IS_SHARED || (was_used && is_repeatable);
        let copy = if may_repeat && may_be_copied { copy(&request) } else { None };
        let failed = match connection.send(request).await {
            Ok(response) => return Ok(Reply::receive(response, lease).await),
            Err(failed) => failed,
        };
        drop(lease);
        let again = match failed.reached {
            Reached::Nowhere(unsent) if was_used => {
                request = *unsent;
                continue;
            }
            Reached::Nowhere(unsent) => Some(*unsent).filter(|_| may_repeat),
            Reached::Unprocessed => copy,
            Reached::Service => copy.filter(|_| was_used && is_repeatable),
            Reached::Response => None,
        };
        match again {
            Some(again) => request = again,
            None => return Err(failed.error),
        }
        tracing::debug!(target: "error_envelope::gateway::pool::send", error = %failed.error, "retrying a request on a new connection");
        may_repeat = false;
    }
}

/// RFC 9110 §9.2.2.
fn is_idempotent(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE | Method::PUT | Method::DELETE)
}

/// A request without a body, again.
fn copy<B: Body + Unpin>(request: &Request<Outgoing<B>>) -> Option<Request<Outgoing<B>>> {
    request.body().is_end_stream().then(|| {
        let mut copy = Request::new(Outgoing::empty());
        copy.method_mut().clone_from(request.method());
        copy.uri_mut().clone_from(request.uri());
        *copy.version_mut() = request.version();
        copy.headers_mut().clone_from(request.headers());
        copy
    })
}
