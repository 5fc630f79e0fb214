//! One request, sent until the service may have processed it, and once more if it may be repeated (rule F7).

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::{Method, Request, Response, Uri, Version};
use http_body::Body;
use hyper::body::Incoming;
use tower::BoxError;

use super::connection::Connection;
use super::outgoing::Outgoing;
use super::reply::Reply;
use super::shared::Pool;

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
    B: Body<Data = Bytes> + Unpin,
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
        let copy = if may_repeat && may_be_copied { Again::from_request(&request) } else { None };
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
            Reached::Unprocessed => copy.map(Again::request),
            Reached::Service => copy.filter(|_| was_used && is_repeatable).map(Again::request),
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

/// A request without a body, again. Hardly one is: its headers are in a list, which costs half of what a map does.
struct Again {
    method: Method,
    uri: Uri,
    version: Version,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Again {
    fn from_request<B: Body<Data = Bytes> + Unpin>(request: &Request<Outgoing<B>>) -> Option<Self> {
        request.body().is_end_stream().then(|| Self {
            method: request.method().clone(),
            uri: request.uri().clone(),
            version: request.version(),
            headers: request.headers().iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        })
    }

    fn request<B: Body<Data = Bytes> + Unpin>(self) -> Request<Outgoing<B>> {
        let mut request = Request::new(Outgoing::empty());
        (*request.method_mut(), *request.uri_mut(), *request.version_mut()) = (self.method, self.uri, self.version);
        for (name, value) in self.headers {
            request.headers_mut().append(name, value);
        }
        request
    }
}
