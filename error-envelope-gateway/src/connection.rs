//! One connection of a client, from its handshake to its end: HTTP/1 with upgrades and HTTP/2 on one port.
//!
//! Every wait for a client has a cap here, since no layer sees it: the handshake, the first byte, a request head, a pause
//! within a body, an answer that is not read. What hyper answers by itself (a malformed head 400, too large a one 431) has
//! no envelope and no id (rule F5).

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
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

use super::abort::{BreakDetectingBody, ResetOnBreak};
use super::access::{AccessRecord, ClientRecords};
use super::client::{ClientService, Inbound, ResponseBody, ResponseFuture};
use super::count::GaugeGuard;
use super::delivery::Deliveries;
use super::idle::{ActiveRequest, Activity};
use super::in_flight::{RequestTracker, Stage, reached};
use super::limits::ClientLimits;
use super::linger::{ConnectionSlot, Lingering, LingeringBody};
use super::pace::ClientBody;
use super::rarely::Rarely;
use super::served::{Served, Servers};
use super::tls::{self, ServerTls};
use super::{count, headers, keep_alive};

const LOG: &str = "error_envelope::gateway::connection";

/// How long a stop waits, once and at most twice, for a client that has begun a head or a handshake: more than what is on
/// its way takes, and less than a stop may.
const LAST_HEAD: Duration = Duration::from_secs(1);

/// How many headers a request gets here: an id, and who asked in three words.
const ADDED: usize = 4;

/// What all connections share.
#[derive(Clone)]
pub(super) struct Shared {
    // Each connection moves this from wait to wait: what is in it is not worth a copy.
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

/// What is done with a connection.
pub(super) struct Connection<S> {
    shared: Shared,
    service: ClientService<S>,
    abort: ResetOnBreak,
    activity: Activity,
    deliveries: Deliveries,
    records: ClientRecords,
}

impl<S> Connection<S> {
    /// Its requests are put to `service`; what of their answers is lost is told to `tracker`.
    pub(super) fn new(
        shared: Shared,
        service: ClientService<S>,
        tracker: Arc<RequestTracker>,
        records: ClientRecords,
    ) -> Self {
        let (abort, activity, deliveries) = (ResetOnBreak::default(), Activity::new(), Deliveries::new(tracker));
        Self { shared, service, abort, activity, deliveries, records }
    }
}

impl<S, B> Connection<S>
where
    S: tower::Service<Inbound, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError> + Send,
{
    /// Serves it to its end.
    pub(super) async fn answer(self, stream: TcpStream, place: Option<ConnectionSlot>, tls: Option<Arc<ServerTls>>) {
        let counted = count::Connection::new(self.shared.clients.clone());
        let held = (place, counted.clone());
        let limits = &self.shared.limits;
        set_socket_options(&stream);
        let stream = Lingering::new(stream, held, self.abort.clone(), self.deliveries.clone(), limits);
        // In a box of its own size: TLS's is larger.
        let Some(tls) = tls else { return Box::pin(self.serve(stream, None, false, counted)).await };
        let mut stage = self.shared.stage.clone();
        let handshake = Box::pin(tls.acceptor().accept(stream));
        let in_time = tokio::time::timeout(limits.tls_handshake_timeout, handshake);
        let handshake = tokio::select! {
            handshake = in_time => handshake,
            () = async { reached(&mut stage, Stage::Stopping).await; tokio::time::sleep(LAST_HEAD).await } => return,
        };
        match handshake {
            Ok(Ok(stream)) => {
                let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
                let certificate = shown.map(tls::clients::certificate_name);
                let alpn_is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                Box::pin(self.serve(stream, certificate, alpn_is_http2, counted)).await;
            }
            Ok(Err(error)) => tls.record_failed_handshake(&error),
            Err(_) => {
                self.abort.reset();
                tls::count::record_failed_handshake(tls::count::TOO_SLOW);
                tracing::debug!(target: LOG, "TLS handshake with a client timed out");
            }
        }
    }

    async fn serve(
        self,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        certificate: Option<ClientCertificate>,
        alpn_is_http2: bool,
        counted: count::Connection,
    ) {
        let Self { shared: Shared { server, limits, stage, .. }, service, abort, activity, deliveries, records } = self;
        let connected = counted.clone();
        let requests = Requests {
            service,
            certificate,
            records,
            counted,
            limits: Arc::clone(&limits),
            abort: abort.clone(),
            activity: activity.clone(),
            deliveries: deliveries.clone(),
        };
        // On the task it would be there three times, as it moves from here into each wait.
        let mut connection = Box::pin(Served::new(server, stream, requests, activity.clone()));
        let (mut leave, mut stop) = (stage.clone(), stage);
        let why = pin!(Rarely::new(async {
            tokio::select! {
                () = deliveries.stall_for(limits.write_timeout) => End::Stalled,
                () = wait_to_leave(&mut leave, &connected) => End::Leaves,
                () = activity.stops_for(limits.idle_timeout) => End::Idle,
            }
        }));
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            why = why => {
                match why {
                    End::Stalled => return reset_stalled(&deliveries, &abort),
                    // The rest of a head that came in half is not waited for.
                    End::Idle if !alpn_is_http2 && !connected.is_http2() => return,
                    End::Idle | End::Leaves => connection.as_mut().graceful_shutdown(),
                }
                // HTTP/2 says goodbye and waits for an answer, which a rude client does not give.
                tokio::select! {
                    ended = connection => ended,
                    () = deliveries.stall_for(limits.write_timeout) => return reset_stalled(&deliveries, &abort),
                    () = activity.stops_for(limits.idle_timeout) => return,
                    // A head that came in half is no request yet: nobody waits for the rest of it.
                    () = async { reached(&mut stop, Stage::Stopping).await; activity.stops_for(LAST_HEAD).await } => return,
                }
            }
        };
        if let Err(error) = ended {
            tracing::debug!(target: LOG, %error, "client connection ended with an error");
        }
    }
}

/// Why a connection ends.
enum End {
    /// Its client takes nothing.
    Stalled,
    /// The gateway stops, or another process accepts clients.
    Leaves,
    /// Nothing was asked for a while.
    Idle,
}

/// The requests of a connection, on their way to the layer.
struct Requests<S> {
    service: ClientService<S>,
    certificate: Option<ClientCertificate>,
    records: ClientRecords,
    counted: count::Connection,
    limits: Arc<ClientLimits>,
    abort: ResetOnBreak,
    activity: Activity,
    deliveries: Deliveries,
}

impl<S> Requests<S> {
    fn inbound(&self, mut request: Request<Incoming>) -> (Inbound, Option<AccessRecord>) {
        if let Some(certificate) = &self.certificate {
            request.extensions_mut().insert(certificate.clone());
        }
        let record = self.records.begin(&mut request);
        let (mut head, body) = request.into_parts();
        self.abort.saw_request(head.version);
        // The layer and the gateway add so many: at once, the map grows once.
        head.headers.reserve(ADDED);
        headers::drop_named(&mut head.headers);
        let body = LingeringBody::new(body, head.version, &self.limits, &self.activity);
        let body = ClientBody::new(body, self.limits.client_timeout, record.clone());
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
    type Future = Answer<Called<ResponseFuture<S::Future>, Oneshot<ClientService<S>, Inbound>>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let running = (self.activity.begin(), self.counted.request_started(request.version()));
        let (request, record) = self.inbound(request);
        let around = AnswerContext { running, record, abort: self.abort.clone(), deliveries: self.deliveries.clone() };
        let mut service = self.service.clone();
        // Most services are ready: one that is not is asked again by its request's task.
        let response = match service.poll_ready(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => Called::AtOnce { response: service.call(request) },
            Poll::Pending => Called::OnceReady { response: service.oneshot(request) },
        };
        Answer { response, around: Some(around) }
    }
}

pin_project! {
    /// An answer before its head.
    struct Answer<F> {
        #[pin]
        response: F,
        around: Option<AnswerContext>,
    }
}

pin_project! {
    /// A call of a service.
    #[project = CalledProj]
    enum Called<F, W> {
        AtOnce { #[pin] response: F },
        OnceReady { #[pin] response: W },
    }
}

impl<F: Future, W: Future<Output = F::Output>> Future for Called<F, W> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        match self.project() {
            CalledProj::AtOnce { response } => response.poll(cx),
            CalledProj::OnceReady { response } => response.poll(cx),
        }
    }
}

/// What a request has around the layer.
struct AnswerContext {
    running: (ActiveRequest, GaugeGuard),
    record: Option<AccessRecord>,
    abort: ResetOnBreak,
    deliveries: Deliveries,
}

impl<F, B> Future for Answer<F>
where
    F: Future<Output = Result<Response<ResponseBody<B>>, Infallible>>,
    B: Body<Data = Bytes>,
{
    type Output = Result<Response<BreakDetectingBody<ResponseBody<B>>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Ok(response) = ready!(this.response.poll(cx));
        let Some(AnswerContext { running, record, abort, deliveries }) = this.around.take() else {
            return Poll::Pending;
        };
        if let Some(record) = &record {
            record.answered(&response);
        }
        let delivery = deliveries.begin(response.body().id().cloned(), running, record);
        Poll::Ready(Ok(response.map(|body| abort.watch(body, delivery))))
    }
}

/// Waits until the connection should end: HTTP/2 at a hand-over, as it announces its end; HTTP/1 at the stop, as a close may
/// meet a new request.
async fn wait_to_leave(stage: &mut watch::Receiver<Stage>, connected: &count::Connection) {
    reached(stage, Stage::HandedOver).await;
    if !connected.is_http2() {
        reached(stage, Stage::Stopping).await;
    }
}

/// Sets the socket options of a client's connection.
fn set_socket_options(stream: &TcpStream) {
    // Without it the kernel holds a small write back until the last one is acknowledged.
    let _ = stream.set_nodelay(true);
    // A socket that is gone by now says so when it is read.
    let _ = keep_alive::enable(stream);
}

/// Resets a connection whose client does not read: else the kernel would keep the unread bytes.
fn reset_stalled(deliveries: &Deliveries, abort: &ResetOnBreak) {
    deliveries.give_up();
    abort.reset();
}
