//! One connection of a client, from its handshake to its end: HTTP/1 with upgrades and HTTP/2 on one port.
//!
//! Every wait for a client has a cap here, since no layer sees it: the handshake, the first byte, a request head, a pause
//! within a body, an answer that is not read. What hyper answers by itself (a malformed head 400, too large a one 431) has
//! no envelope and no id (rule F5).

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Extensions, Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tower::BoxError;
use tower::{Service, ServiceExt};
use tower_error_envelope::auth::ClientCertificate;

use super::abort::ResetOnBreak;
use super::access::{AccessRecord, ClientRecords};
use super::delivery::Deliveries;
use super::idle::Activity;
use super::in_flight::{RequestTracker, Stage, reached};
use super::limits::ClientLimits;
use super::linger::{ConnectionSlot, Lingering, LingeringBody};
use super::pace::ClientBody;
use super::tls::{self, ServerTls};
use super::{count, headers, keep_alive};

const LOG: &str = "error_envelope::gateway::connection";

/// How long a stop waits, once and at most twice, for a client that has begun a head or a handshake: more than what is on
/// its way takes, and less than a stop may.
const LAST_HEAD: Duration = Duration::from_secs(1);

/// The request that the layer wraps around: hyper's, with a client's pauses capped.
pub(crate) type Inbound = Request<ClientBody>;

/// What all connections share.
#[derive(Clone)]
pub(super) struct Shared {
    // Each connection moves this from wait to wait: what is in it is not worth a copy.
    server: Arc<Builder<TokioExecutor>>,
    limits: Arc<ClientLimits>,
    stage: watch::Receiver<Stage>,
    clients: count::Clients,
}

impl Shared {
    pub(super) fn new(limits: ClientLimits, stage: watch::Receiver<Stage>) -> Self {
        let clients = count::Clients::new();
        Self { server: Arc::new(server(&limits)), limits: Arc::new(limits), stage, clients }
    }
}

/// What is done with a connection.
pub(super) struct Connection<S> {
    shared: Shared,
    service: S,
    abort: ResetOnBreak,
    activity: Activity,
    deliveries: Deliveries,
    records: ClientRecords,
}

impl<S> Connection<S> {
    /// Its requests are put to `service`; what of their answers is lost is told to `tracker`.
    pub(super) fn new(shared: Shared, service: S, tracker: Arc<RequestTracker>, records: ClientRecords) -> Self {
        let (abort, activity) = Default::default();
        Self { shared, service, abort, activity, deliveries: Deliveries::new(tracker), records }
    }
}

impl<S, B> Connection<S>
where
    S: Service<Inbound, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError> + Send,
{
    /// Serves it to its end.
    pub(super) async fn answer(self, stream: TcpStream, place: Option<ConnectionSlot>, tls: Option<Arc<ServerTls>>) {
        let counted = count::Connection::new(self.shared.clients.clone());
        let held = (place, counted.clone());
        let limits = &self.shared.limits;
        tune(&stream, limits);
        let stream = Lingering::new(stream, held, self.abort.clone(), self.deliveries.clone(), limits);
        let Some(tls) = tls else { return self.serve(stream, None, counted).await };
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
                let certificate = shown.map(tls::clients::name_of);
                self.serve(stream, certificate, counted).await;
            }
            Ok(Err(error)) => tls.failed(&error),
            Err(_) => {
                self.abort.reset();
                tls::count::failed(tls::count::TOO_SLOW);
                tracing::debug!(target: LOG, "TLS handshake timed out");
            }
        }
    }

    async fn serve(
        self,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        certificate: Option<ClientCertificate>,
        counted: count::Connection,
    ) {
        let Self { shared: Shared { server, limits, stage, .. }, service, abort, activity, deliveries, records } = self;
        let asked = (abort.clone(), activity.clone(), deliveries.clone(), Arc::clone(&limits));
        let connected = counted.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().extend(extensions_of(certificate.as_ref()));
            let (abort, activity, deliveries, limits) = &asked;
            let running = (activity.begin(), counted.request_started(request.version()));
            let (abort, deliveries) = (abort.clone(), deliveries.clone());
            let record = records.begin(&mut request);
            let answer = service.clone().oneshot(inbound(request, &abort, limits, record.clone()));
            async move {
                let response = answer.await?;
                if let Some(record) = &record {
                    record.answered(&response);
                }
                let delivery = deliveries.begin(response.headers(), running, record);
                Ok::<_, Infallible>(response.map(|body| abort.watch(body, delivery)))
            }
        });
        // On the task it would be there three times, as it moves from here into each wait: 4 KiB of an idle connection.
        let mut connection = Box::pin(server.serve_connection_with_upgrades(TokioIo::new(stream), service));
        let (mut leave, mut stop) = (stage.clone(), stage);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = deliveries.stall_for(limits.write_timeout) => return let_go(&deliveries, &abort),
            () = async { tokio::select! {
                () = leaves(&mut leave, &connected) => {}
                () = activity.stops_for(limits.idle_timeout) => {}
            } } => {
                connection.as_mut().graceful_shutdown();
                // HTTP/2 says goodbye and waits for an answer, which a rude client does not give.
                tokio::select! {
                    ended = connection => ended,
                    () = deliveries.stall_for(limits.write_timeout) => return let_go(&deliveries, &abort),
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

/// An idle connection of HTTP/1 that is closed may meet a request; HTTP/2 says first that it ends.
async fn leaves(stage: &mut watch::Receiver<Stage>, connected: &count::Connection) {
    reached(stage, Stage::HandedOver).await;
    if !connected.is_http2() {
        reached(stage, Stage::Stopping).await;
    }
}

/// None where the client showed no certificate: nothing is allocated.
fn extensions_of(certificate: Option<&ClientCertificate>) -> Extensions {
    let mut extensions = Extensions::new();
    certificate.into_iter().for_each(|certificate| drop(extensions.insert(certificate.clone())));
    extensions
}

fn tune(stream: &TcpStream, limits: &ClientLimits) {
    // Without it the kernel holds a small write back until the last one is acknowledged.
    let _ = stream.set_nodelay(true);
    // A socket that is gone by now says so when it is read.
    let _ = keep_alive::enable(stream);
    // Else it takes megabytes for a client that reads slowly, and says nothing more until a third of them have left: a client
    // that stands still and one that is slow would look alike.
    #[cfg(target_os = "linux")]
    let _ = socket2::SockRef::from(stream).set_tcp_notsent_lowat(limits.stream_buffer);
}

/// A reset, or the kernel would keep what nobody reads.
fn let_go(deliveries: &Deliveries, abort: &ResetOnBreak) {
    deliveries.give_up();
    abort.reset();
}

/// `half_close` stays off: a client that has closed its writing side looks like one that is gone, and the service would
/// work on for nobody (rule F2 logs such a request as abandoned).
fn server(limits: &ClientLimits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.idle_timeout)
        .max_buf_size(limits.max_head as usize);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(limits.ping_interval)
        .keep_alive_timeout(limits.ping_timeout)
        .max_concurrent_streams(limits.max_streams)
        .max_send_buf_size(limits.stream_buffer as usize)
        .initial_stream_window_size(limits.stream_buffer)
        .initial_connection_window_size(limits.connection_window)
        .max_header_list_size(limits.max_head);
    builder
}

fn inbound(
    mut request: Request<Incoming>,
    abort: &ResetOnBreak,
    limits: &ClientLimits,
    record: Option<AccessRecord>,
) -> Inbound {
    let version = request.version();
    abort.saw_request(version);
    headers::drop_named(request.headers_mut());
    request.map(|body| ClientBody::new(LingeringBody::new(body, version, limits), limits.client_timeout, record))
}
