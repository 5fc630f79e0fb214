//! One client, around the layer: its name in the log and for the service, and the end of its requests that the gateway ends.
//!
//! The log has its address as the field `client.address` of a span. HTTP/1 runs on the task of its connection, which the span is
//! around; each HTTP/2 stream has a task of its own, so that the span is around its future and its body as well. A disabled span
//! costs nothing. [`date`] adds the `date` of a response without one.

pub(crate) mod date;

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{CONNECTION, HeaderValue};
use http::{Request, Response, StatusCode, Version};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower::Service;
use tracing::Span;

use self::date::add_date;
use super::client_body::ClientBody;
use super::forwarded::{Forwarding, Hop};
use super::in_flight::{self, InFlight, RequestTracker};

/// The request that the layer wraps around: hyper's, with a client's pauses capped.
pub(crate) type Inbound = Request<ClientBody>;

/// A connected client.
pub(super) struct Client {
    span: Span,
    hop: Hop,
    tracker: Arc<RequestTracker>,
}

impl Client {
    pub(super) fn new(peer: SocketAddr, forwarding: Forwarding, tls: bool, tracker: Arc<RequestTracker>) -> Self {
        // On a socket for both, IPv4 looks like IPv6.
        let address: IpAddr = peer.ip().to_canonical();
        let span = tracing::info_span!(target: "tower_error_envelope::client", "client", client.address = %address);
        Self { span, hop: Hop::new(forwarding, address, tls), tracker }
    }

    pub(super) fn span(&self) -> Span {
        self.span.clone()
    }
}

/// The layer, for the requests of one client.
#[derive(Clone)]
pub(super) struct ClientService<S> {
    service: S,
    client: Arc<Client>,
}

impl<S> ClientService<S> {
    pub(super) fn new(client: Client, service: S) -> Self {
        Self { service, client: Arc::new(client) }
    }
}

impl<S, B> Service<Inbound> for ClientService<S>
where
    S: Service<Inbound, Response = Response<B>>,
    B: Body<Data = Bytes>,
{
    type Response = Response<ResponseBody<B>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, mut request: Inbound) -> Self::Future {
        self.client.hop.apply(request.headers_mut());
        let has_own_task = request.version() == Version::HTTP_2;
        let span = if has_own_task { self.client.span() } else { Span::none() };
        let future = span.in_scope(|| self.service.call(request));
        ResponseFuture {
            future: Some(future),
            own: Some(RequestState { span, has_own_task, going: self.client.tracker.begin() }),
        }
    }
}

/// The state of one request.
struct RequestState {
    span: Span,
    has_own_task: bool,
    going: InFlight,
}

impl RequestState {
    /// Drops unfinished requests, with a log entry that names the cause.
    fn end(&self, unfinished: impl FnOnce()) {
        let _client = self.span.enter();
        let stopped =
            self.going.why_it_ends().map(|by| tracing::error_span!(target: "tower_error_envelope", "stopped", by));
        let _stopped = stopped.as_ref().map(Span::enter);
        unfinished();
    }
}

pin_project! {
    /// A request before its answer's head.
    pub(super) struct ResponseFuture<F> {
        #[pin]
        future: Option<F>,
        own: Option<RequestState>,
    }

    impl<F> PinnedDrop for ResponseFuture<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Some(own) = this.own {
                own.end(|| this.future.set(None));
            }
        }
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
{
    type Output = Result<Response<ResponseBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let (Some(own), Some(future)) = (&*this.own, this.future.as_mut().as_pin_mut()) else { return Poll::Pending };
        let answered = ready!(own.span.in_scope(|| future.poll(cx)));
        this.future.set(None);
        let Some(own) = this.own.take() else { return Poll::Pending };
        Poll::Ready(answered.map(|mut response| {
            // HTTP/2 gets GOAWAY, once no new client is accepted.
            if own.going.is_closing() && !own.has_own_task && response.status() != StatusCode::SWITCHING_PROTOCOLS {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            add_date(response.headers_mut());
            let id = in_flight::loggable_request_id(response.headers());
            response.map(|body| ResponseBody { body: Some(body), id, ended: false, own })
        }))
    }
}

pin_project! {
    /// An answer's body.
    pub(super) struct ResponseBody<B: Body> {
        #[pin]
        body: Option<B>,
        id: Option<HeaderValue>,
        ended: bool,
        own: RequestState,
    }

    impl<B: Body> PinnedDrop for ResponseBody<B> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let whole = *this.ended || this.body.as_ref().as_pin_ref().is_none_or(|body| body.is_end_stream());
            // A client that leaves within a body has its reasons; a gateway that ends it has to log it.
            let lost = this.id.as_ref().filter(|_| !whole && this.own.going.why_it_ends().is_some());
            this.own.end(|| {
                this.body.set(None);
                if let Some(id) = lost {
                    this.own.going.not_taken(id);
                }
            });
        }
    }
}

impl<B: Body> ResponseBody<B> {
    /// The request id to log if the answer is lost.
    pub(super) fn id(&self) -> Option<&HeaderValue> {
        self.id.as_ref()
    }
}

impl<B: Body> Body for ResponseBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let Some(body) = this.body.as_pin_mut() else { return Poll::Ready(None) };
        let _client = this.own.span.enter();
        let frame = ready!(body.poll_frame(cx));
        *this.ended = !matches!(frame, Some(Ok(_)));
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or(SizeHint::with_exact(0), Body::size_hint)
    }
}
