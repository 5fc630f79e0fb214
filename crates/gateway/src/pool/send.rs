//! Sends a request. As long as the service cannot have processed it, it is sent over further connections. Once the
//! service may have processed it, it is sent again only once, and only if it may be repeated (F7).

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use error_envelope_core::session::{NotCalled, ProxyError, ProxyFailure};
use http::{Method, Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use tokio::sync::oneshot::Receiver;
use tokio::time::Instant;
use tower::BoxError;
use tower::load_shed::error::Overloaded;

use super::bound::Binding;
use super::outgoing::{Exchange, ForwardBody, Outgoing};
use super::reply::{GiveBack, Lease, UpstreamBody};
use super::shared::Pool;
use super::state::{Connection, Granted, Outcome};
use crate::access::Exchanged;
use crate::count::GaugeGuard;

/// A connection over which requests can be sent.
pub(crate) trait Sends<B>: Connection {
    /// Sends the request at once. The returned future waits for the response.
    fn send(
        &mut self,
        request: Request<Outgoing<B>>,
    ) -> impl Future<Output = Result<Response<Incoming>, Unanswered<B>>> + Send;

    /// Returns the state of the requests on a connection that is used by one request at a time.
    fn exchange(&self) -> Option<Arc<Exchange>> {
        None
    }

    /// Called when a response has come.
    fn received(&self, _: &Response<Incoming>) {}

    /// Returns how far a failed request got. It is called if hyper does not return the request.
    fn reached(&self, error: &hyper::Error) -> Reached;
}

/// The error of a request without a response. It contains the request if no byte of it was written.
pub(crate) type Unanswered<B> = TrySendError<Request<Outgoing<B>>>;

/// How far a request got before it failed.
pub(crate) enum Reached {
    /// The service has reported that it did not process the request.
    Unprocessed,
    /// The service may have processed the request, but no byte of a response came.
    Service,
    /// A response began.
    Response,
}

/// Sends the request over a connection of `pool`. `record` notes whether the request was handed to a connection.
///
/// # Errors
///
/// Returns an error if the request gets no connection, or if the last attempt failed.
pub(crate) async fn send<B, C>(
    pool: &Pool<C>,
    mut request: Request<Outgoing<B>>,
    binding: Option<Binding>,
    record: Option<&Exchanged>,
) -> Result<Response<UpstreamBody>, BoxError>
where
    B: ForwardBody,
    C: Connection + Sends<B>,
{
    // A request is repeated only once. Otherwise, if a service closes each connection, the request would be repeated
    // for ever.
    let mut may_repeat = true;
    let is_head = request.method() == Method::HEAD;
    let mut queue_time = pool.0.bounds.queue_time;
    let (response, mut lease) = loop {
        let own_connection = binding.as_ref().filter(|_| may_repeat).and_then(|binding| binding.take(pool));
        let is_own = own_connection.is_some();
        let mut lease = if let Some(own_connection) = own_connection {
            Lease::new(own_connection, true, pool.clone())
        } else if may_repeat {
            pool.take_within(&mut queue_time).await?
        } else {
            pool.take_fresh_within(&mut queue_time).await?
        };
        lease.bound = binding.as_ref().and_then(|binding| binding.bind(is_own));
        let was_used = lease.is_used;
        let Some(connection) = &mut lease.connection else { continue };
        let is_repeatable = request.method().is_idempotent() && request.body().is_end_stream();
        if was_used && !is_repeatable && connection.has_ended() {
            continue;
        }
        let may_be_copied = may_repeat && (C::IS_SHARED || (was_used && is_repeatable));
        let copy = if may_be_copied { copy(&request) } else { None };
        // The service may have received an earlier attempt. Only a body ends a request before it is written.
        let watches = may_repeat && !request.body().is_end_stream();
        let exchange = if watches { connection.exchange() } else { None };
        let mut handed = record.map(|record| Handed::new(record, exchange));
        let mut failed = match connection.send(request).await {
            Ok(response) => break (response, lease),
            Err(failed) => failed,
        };
        // If the client's body is not the cause, the service is the one that failed.
        if !failed.error().is_user() {
            handed.iter_mut().for_each(|handed| handed.exchange = None);
        }
        let unwritten = failed.take_message();
        // The service may have received an earlier attempt.
        if let Some(record) = record.filter(|_| may_repeat && unwritten.is_some()) {
            record.set_waiting(true);
        }
        let again = match (unwritten, copy) {
            (Some(unwritten), _) if was_used => {
                request = unwritten;
                continue;
            }
            (Some(unwritten), _) => Some(unwritten).filter(|_| may_repeat),
            (None, Some(copy)) => match connection.reached(failed.error()) {
                Reached::Unprocessed => Some(copy),
                Reached::Service => (was_used && is_repeatable).then_some(copy),
                Reached::Response => None,
            },
            (None, None) => None,
        };
        let error = failed.into_error();
        let Some(again) = again else { return Err(with_advice(error)) };
        request = again;
        tracing::debug!(target: "error_envelope::gateway::pool::send", %error, "retrying a request on a new connection");
        may_repeat = false;
    };
    if let Some(connection) = &lease.connection {
        connection.received(&response);
    }
    let has_no_body = UpstreamBody::has_no_body(&response, is_head);
    if has_no_body {
        poll_fn(|cx| lease.poll_give_back(cx)).await;
    }
    Ok(UpstreamBody::receive(response, has_no_body, lease))
}

/// A request that was handed to a connection. If the connection has written no byte of it when this value is dropped,
/// the service was not called.
struct Handed<'r> {
    record: &'r Exchanged,
    exchange: Option<Arc<Exchange>>,
}

impl<'r> Handed<'r> {
    fn new(record: &'r Exchanged, exchange: Option<Arc<Exchange>>) -> Self {
        record.set_waiting(false);
        Self { record, exchange }
    }
}

impl Drop for Handed<'_> {
    fn drop(&mut self) {
        if self.exchange.as_ref().is_some_and(|exchange| !exchange.is_written()) {
            self.record.note_unwritten();
        }
    }
}

fn with_advice(error: hyper::Error) -> BoxError {
    if !error.is_parse_too_large() {
        return error.into();
    }
    // The text names both limits, because hyper returns the same error for too many header lines and for too many bytes.
    let text = "the service's response has more header lines than --upstream-headers or a larger head than --upstream-buffer allows";
    ProxyFailure::new(ProxyError::HttpResponseHeaderSectionSize, text).with_source(error).into()
}

/// Copies a request that has no body. Returns `None` for a request with a body.
fn copy<B: ForwardBody>(request: &Request<Outgoing<B>>) -> Option<Request<Outgoing<B>>> {
    request.body().is_end_stream().then(|| {
        let mut copy = Request::new(Outgoing::empty());
        copy.method_mut().clone_from(request.method());
        copy.uri_mut().clone_from(request.uri());
        *copy.version_mut() = request.version();
        copy.headers_mut().clone_from(request.headers());
        copy
    })
}

/// The shortest interval at which a request checks whether a connection is still being opened for it. Each check locks
/// the pool and walks through the line. The queue time can be far shorter than this interval, but opening a connection
/// over a network takes at least milliseconds.
const SHORTEST_ROUND: Duration = Duration::from_millis(10);

/// The interval at which a request in line checks whether the service now accepts more requests on a shared connection.
/// No event reports this.
const ROOM_ROUND: Duration = Duration::from_millis(50);

impl<C: Connection> Pool<C> {
    /// Takes an idle connection. If there is none, waits until a connection is returned or opened. `queue_time` is the
    /// remaining queue time of the request. A wait that ends with a used connection reduces it.
    ///
    /// # Errors
    ///
    /// Returns the error if a connection could not be opened. Returns tower's `Overloaded` if no connection became free
    /// within the queue time.
    pub(super) async fn take_within(&self, queue_time: &mut Duration) -> Result<Lease<C>, BoxError> {
        let mut unfit = Vec::new();
        let turn = {
            let mut state = self.state();
            if let Some(connection) = state.idle.take(&mut unfit) {
                return Ok(Lease::new(connection, true, self.clone()));
            }
            state.join_line(false)
        };
        drop(unfit);
        self.wait_in_line(turn, queue_time).await
    }

    /// Works like [`Pool::take_within`], but takes a connection over which no request was sent yet.
    pub(super) async fn take_fresh_within(&self, queue_time: &mut Duration) -> Result<Lease<C>, BoxError> {
        let turn = {
            let mut state = self.state();
            // Closing a shared connection would free no slot while other requests use it. So if all slots are taken,
            // the request accepts any shared connection, even a used one.
            let takes_any = C::IS_SHARED && state.slots >= self.0.bounds.connections;
            state.join_line(!takes_any)
        };
        self.wait_in_line(turn, queue_time).await
    }

    async fn wait_in_line(
        &self,
        (id, receiver): (u64, Receiver<Outcome<C>>),
        queue_time: &mut Duration,
    ) -> Result<Lease<C>, BoxError> {
        let turn = Turn { id, receiver, pool: self.clone(), _counted: self.0.metrics.queued() };
        self.open_missing_connections();
        turn.wait(queue_time).await
    }
}

/// A request that waits in line. It leaves the line when this value is dropped.
struct Turn<C: Connection> {
    id: u64,
    receiver: Receiver<Outcome<C>>,
    pool: Pool<C>,
    _counted: GaugeGuard,
}

impl<C: Connection> Turn<C> {
    /// Waits for a connection. While a connection is being opened for this request, the queue time does not end the
    /// wait. A slow network does not mean that the service lacks connections, and the time limit for the response head
    /// also applies to it.
    ///
    /// `left` is the remaining queue time of the request. A request that joins the line again continues with the
    /// remaining time. A wait that ends with a newly opened connection does not reduce `left`.
    async fn wait(mut self, left: &mut Duration) -> Result<Lease<C>, BoxError> {
        let mut began = Instant::now();
        loop {
            let (now, until) = (Instant::now(), began + *left);
            let look = if C::IS_SHARED { until.min(now + ROOM_ROUND) } else { until };
            match tokio::time::timeout_at(look, &mut self.receiver).await {
                Ok(Ok(outcome)) => {
                    let Granted { connection, is_used } = outcome?;
                    if is_used {
                        *left = left.saturating_sub(began.elapsed());
                    }
                    return Ok(Lease::new(connection, is_used, self.pool.clone()));
                }
                Ok(Err(_)) => return Err("the pool of connections to the service was closed".into()),
                Err(_) if look < until => self.pool.look_for_room(),
                Err(_) if self.pool.state().is_served_by_opening(self.id) => {
                    began = Instant::now();
                    *left = self.pool.0.bounds.queue_time.max(SHORTEST_ROUND);
                }
                Err(_) => return Err(NotCalled::new(Overloaded::new()).into()),
            }
        }
    }
}

impl<C: Connection> Drop for Turn<C> {
    fn drop(&mut self) {
        self.receiver.close();
        // The request got a connection, but its client left before the request could use it.
        if let Ok(Ok(granted)) = self.receiver.try_recv() {
            self.pool.give_back(granted.connection);
        }
        self.pool.state().leave_line(self.id);
    }
}
