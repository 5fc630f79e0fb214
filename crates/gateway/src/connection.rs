//! One connection of a client, from its handshake to its end: HTTP/1 with upgrades and HTTP/2 on one port.
//!
//! Every wait for a client has a cap here, since no layer sees it: the handshake, the first byte, a request head, a pause within
//! a body, an unread answer. hyper's own answers (a malformed head 400, too large a one 431) have no envelope and no id (rule
//! F5).

use std::convert::Infallible;
use std::future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use http::header::{CONNECTION, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body::Body;
use hyper::body::Incoming;
use hyper::service::Service;
use pin_project_lite::pin_project;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tower::util::Oneshot;
use tower::{BoxError, Service as _, ServiceExt};
use tower_error_envelope::auth::ClientCertificate;
use tracing::{Instrument, Span};

use super::abort::BreakDetectingBody;
use super::access::{AccessRecord, ClientRecords};
use super::client::{ClientService, Inbound, ResponseBody, ResponseFuture};
use super::client_body::ClientBody;
use super::connection_state::{ActiveRequest, ConnectionState};
use super::deadlines::{Deadlines, End, LAST_HEAD};
use super::in_flight::{RequestTracker, Stage, reached};
use super::limits::ClientLimits;
use super::linger::{ConnectionSlot, Lingering};
use super::pace::UnsentBody;
use super::served::{Served, Servers, Step};
use super::tls::{self, ServerTls};
use super::{count, headers, keep_alive};

const LOG: &str = "error_envelope::gateway::connection";

/// How many headers a request gets here: an id, and three that name the client.
const ADDED: usize = 4;

/// The state that all connections share.
#[derive(Clone)]
pub(super) struct Shared {
    // Each connection moves this from wait to wait: its fields are not worth a copy.
    server: Arc<Servers>,
    limits: Arc<ClientLimits>,
    stage: watch::Receiver<Stage>,
    clients: count::Clients,
}

impl Shared {
    pub(super) fn new(limits: ClientLimits, stage: watch::Receiver<Stage>) -> Self {
        let clients = count::Clients::new();
        Self { server: Arc::new(Servers::new(&limits)), limits: Arc::new(limits), stage, clients }
    }
}

/// The handling of a connection.
pub(super) struct Connection<S> {
    shared: Shared,
    service: ClientService<S>,
    state: Arc<ConnectionState>,
    records: ClientRecords,
}

impl<S> Connection<S> {
    /// Sends its requests to `service`, and reports lost responses to `tracker`.
    pub(super) fn new(
        shared: Shared,
        service: ClientService<S>,
        tracker: Arc<RequestTracker>,
        records: ClientRecords,
    ) -> Self {
        let state = ConnectionState::new(shared.clients.clone(), tracker);
        Self { shared, service, state, records }
    }
}

impl<S, B> Connection<S>
where
    S: tower::Service<Inbound, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError> + Send,
{
    /// Serves it to its end, on a task of its own, within `span`.
    pub(super) fn spawn(
        self,
        stream: TcpStream,
        place: Option<ConnectionSlot>,
        tls: Option<Arc<ServerTls>>,
        span: Span,
    ) {
        set_socket_options(&stream);
        let stream = Lingering::new(stream, place, self.state.open(), Arc::clone(&self.shared.limits));
        let Some(tls) = tls else {
            // In the task itself: a box would be one more piece of memory that each request touches.
            tokio::spawn(self.serve(stream, None, false).instrument(span));
            return;
        };
        // Boxed: the state of one takes no room in the other.
        let handshake = Box::pin(self.shake_hands(stream, tls));
        let served = async move {
            if let Some(served) = handshake.await {
                served.await;
            }
        };
        tokio::spawn(served.instrument(span));
    }

    async fn shake_hands(self, stream: Lingering, tls: Arc<ServerTls>) -> Option<Serving> {
        let mut stage = self.shared.stage.clone();
        let in_time = tokio::time::timeout(self.shared.limits.tls_handshake_timeout, tls.acceptor().accept(stream));
        // It owns the stream, which learns below how it ends.
        let mut in_time = pin!(in_time);
        let handshake = tokio::select! {
            handshake = &mut in_time => handshake,
            () = async { reached(&mut stage, Stage::Stopping).await; tokio::time::sleep(LAST_HEAD).await } => return None,
        };
        match handshake {
            Ok(Ok(stream)) => {
                let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
                let certificate = shown.map(tls::clients::certificate_name);
                let alpn_is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                return Some(Box::pin(self.serve(stream, certificate, alpn_is_http2)));
            }
            Ok(Err(error)) => tls.record_failed_handshake(&error),
            Err(_) => {
                self.state.reset.reset();
                tls::count::record_failed_handshake(tls::count::TOO_SLOW);
                tracing::debug!(target: LOG, "TLS handshake with a client timed out");
            }
        }
        None
    }

    fn serve(
        self,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        certificate: Option<ClientCertificate>,
        alpn_is_http2: bool,
    ) -> impl Future<Output = ()> + Send {
        let Self { shared: Shared { server, limits, stage, .. }, service, state, records } = self;
        let deadlines = Deadlines { limits: Arc::clone(&limits), stage, state: Arc::clone(&state), alpn_is_http2 };
        let requests = Requests { service, certificate, records, limits, state: Arc::clone(&state) };
        let mut served = Served::new(server, stream, requests, state, deadlines.clone().first());
        // For the end alone: each poll reads the memory beside it.
        let deadlines = Box::new(deadlines);
        // Polled by hand: an async function has a state of its own, and keeps it apart from the memory of each poll.
        future::poll_fn(move |cx| {
            let ended = loop {
                match ready!(served.poll_step(cx)) {
                    Step::Ended(ended) => break ended,
                    Step::Deadline(End::Closed) => return Poll::Ready(()),
                    Step::Deadline(End::Graceful) => served.graceful_shutdown((*deadlines).clone().last()),
                }
            };
            if let Err(error) = ended {
                tracing::debug!(target: LOG, %error, "client connection ended with an error");
            }
            Poll::Ready(())
        })
    }
}

/// A connection that is served, in a box of its own size.
type Serving = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The requests of a connection, on their way to the layer.
struct Requests<S> {
    service: ClientService<S>,
    certificate: Option<ClientCertificate>,
    records: ClientRecords,
    limits: Arc<ClientLimits>,
    state: Arc<ConnectionState>,
}

impl<S> Requests<S> {
    fn inbound(&self, mut request: Request<Incoming>) -> (Inbound, Option<AccessRecord>) {
        if let Some(certificate) = &self.certificate {
            request.extensions_mut().insert(certificate.clone());
        }
        let record = self.records.begin(&mut request);
        let (mut head, body) = request.into_parts();
        self.state.reset.saw_request(head.version);
        self.state.bind(&mut head);
        // The layer and the gateway add this many: reserved at once, the map grows once.
        head.headers.reserve(ADDED);
        headers::drop_named(&mut head.headers);
        let body = ClientBody::new(body, &head, &self.limits, &self.state, record.clone());
        (Request::from_parts(head, body), record)
    }
}

impl<S, B> Service<Request<Incoming>> for Requests<S>
where
    S: tower::Service<Inbound, Response = Response<B>, Error = Infallible> + Clone,
    B: Body<Data = Bytes>,
{
    type Response = Response<BreakDetectingBody<ResponseBody<B>>>;
    type Error = Infallible;
    type Future =
        Answer<Called<ResponseFuture<S::Future>, Pin<Box<Oneshot<ClientService<S>, Inbound>>>>, ResponseBody<B>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let active = self.state.begin(request.version());
        let (request, record) = self.inbound(request);
        let around = AnswerContext { active, record };
        let mut service = self.service.clone();
        // Most services are ready; the request's task polls one that is not again.
        let response = match service.poll_ready(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => Called::AtOnce { response: service.call(request) },
            Poll::Pending => Called::OnceReady { response: Box::pin(service.oneshot(request)) },
        };
        Answer { response, around: Some(around), unread: None }
    }
}

pin_project! {
    /// An answer before its head.
    struct Answer<F, B> {
        #[pin]
        response: F,
        around: Option<AnswerContext>,
        unread: Option<Box<UnreadRest<B>>>,
    }
}

pin_project! {
    /// A call of a service.
    #[project = CalledProj]
    enum Called<F, W> {
        AtOnce { #[pin] response: F },
        // Boxed: the other variant takes no room for it.
        OnceReady { response: W },
    }
}

impl<F: Future, W: Future<Output = F::Output> + Unpin> Future for Called<F, W> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        match self.project() {
            CalledProj::AtOnce { response } => response.poll(cx),
            CalledProj::OnceReady { response } => Pin::new(response).poll(cx),
        }
    }
}

/// A response to a request whose body was not read to its end. If the rest is there already, it is skipped, and the connection
/// stays open; otherwise the response has `connection: close`.
struct UnreadRest<B> {
    response: Response<B>,
    rest: Incoming,
    polls: u8,
    bytes: usize,
}

impl<B> UnreadRest<B> {
    /// hyper reads once more between two of them.
    const MOST_POLLS: u8 = 3;
    const MOST_BYTES: usize = 64 * 1024;

    /// Whether the rest was read; pending until that is certain.
    fn poll_skip(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        loop {
            match Pin::new(&mut self.rest).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    self.bytes += frame.data_ref().map_or(0, Bytes::len);
                    if self.rest.is_end_stream() {
                        return Poll::Ready(true);
                    }
                    if self.bytes > Self::MOST_BYTES {
                        return Poll::Ready(false);
                    }
                }
                Poll::Ready(ended) => return Poll::Ready(ended.is_none()),
                Poll::Pending if self.polls == Self::MOST_POLLS => return Poll::Ready(false),
                Poll::Pending => {
                    self.polls += 1;
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
            }
        }
    }
}

/// The context of a request around the layer.
struct AnswerContext {
    active: ActiveRequest,
    record: Option<AccessRecord>,
}

impl<F, B> Future for Answer<F, ResponseBody<B>>
where
    F: Future<Output = Result<Response<ResponseBody<B>>, Infallible>>,
    B: Body<Data = Bytes>,
{
    type Output = Result<Response<BreakDetectingBody<ResponseBody<B>>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if this.unread.is_none() {
            let Ok(response) = ready!(this.response.poll(cx));
            let active = this.around.as_ref().map(|around| &around.active);
            match active.filter(|active| active.leaves_body_unread(|| false)).and_then(ActiveRequest::take_rest) {
                Some(rest) => *this.unread = Some(Box::new(UnreadRest { response, rest, polls: 0, bytes: 0 })),
                None => return Self::leave(this.around, response),
            }
        }
        let Some(unread) = this.unread else { return Poll::Pending };
        let was_read = ready!(unread.poll_skip(cx));
        if let (true, Some(around)) = (was_read, this.around.as_ref()) {
            around.active.rest_was_read();
        }
        match this.unread.take() {
            Some(unread) => Self::leave(this.around, unread.response),
            None => Poll::Pending,
        }
    }
}

impl<F, B> Answer<F, ResponseBody<B>>
where
    F: Future<Output = Result<Response<ResponseBody<B>>, Infallible>>,
    B: Body<Data = Bytes>,
{
    fn leave(
        around: &mut Option<AnswerContext>,
        mut response: Response<ResponseBody<B>>,
    ) -> Poll<<Self as Future>::Output> {
        let Some(AnswerContext { active, record }) = around.take() else { return Poll::Pending };
        let is_unsent = || response.extensions().get::<UnsentBody>().is_some();
        if active.leaves_body_unread(is_unsent) && response.status() != StatusCode::SWITCHING_PROTOCOLS {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if let Some(record) = &record {
            record.answered(&response);
        }
        let progress = active.begin_response(response.body().id().cloned(), record);
        Poll::Ready(Ok(response.map(|body| progress.watch(body))))
    }
}

/// Sets the socket options of a client's connection.
fn set_socket_options(stream: &TcpStream) {
    // Without it the kernel holds a small write back until the last one is acknowledged.
    let _ = stream.set_nodelay(true);
    // A socket that is gone by now returns an error when it is read.
    let _ = keep_alive::enable(stream);
}
