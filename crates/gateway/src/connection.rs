//! One connection of a client, from the TLS handshake to the end of the connection. One port serves HTTP/1, HTTP/2 and
//! upgrades.
//!
//! This module limits every wait for a client, because the layer cannot limit these waits. A client may delay its
//! handshake, its first byte, a request head or a part of a body, or may not read its response. The responses that
//! hyper makes itself (400 for a malformed head, 431 for a head that is too large) have no envelope and no id (F5).

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http_body::Body;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tower::{BoxError, Service};
use tracing::Instrument;

use super::access::Recording;
use super::client::{Client, Inbound};
use super::config::ClientLimits;
use super::connect::set_socket_options;
use super::connection_state::ConnectionState;
use super::count;
use super::deadlines::{Deadlines, LAST_HEAD};
use super::forwarded::Forwarding;
use super::in_flight::{RequestTracker, Stage, stopping};
use super::linger::{ConnectionSlot, Lingering};
use super::requests::Requests;
use super::served::{Servers, serve};
use super::tls::{self, ServerTls};

const LOG: &str = "error_envelope::gateway::connection";

/// The parts that all client connections share.
#[derive(Clone)]
pub(super) struct Connections<S> {
    pub(super) service: S,
    pub(super) tls: Option<Arc<ServerTls>>,
    pub(super) forwarding: Forwarding,
    pub(super) recording: Recording,
    pub(super) tracker: Arc<RequestTracker>,
    pub(super) stage: watch::Receiver<Stage>,
    pub(super) servers: Arc<Servers>,
    pub(super) limits: Arc<ClientLimits>,
    pub(super) clients: Arc<count::Clients>,
}

impl<S, B> Connections<S>
where
    S: Service<Inbound, Response = Response<B>, Error = Infallible, Future: Send> + Clone + Send + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError> + Send> + Send + 'static,
{
    /// Serves a client until its connection ends. This runs on a separate task, which also waits for the TLS handshake.
    pub(super) fn serve(&self, stream: TcpStream, peer: SocketAddr, slot: Option<ConnectionSlot>) {
        // This fails if the socket is already closed. The first read then returns an error, so the result is ignored.
        let _ = set_socket_options(&stream);
        let client = Client::new(peer, self.forwarding, self.tls.is_some(), Arc::clone(&self.tracker));
        let span = client.span();
        let state = ConnectionState::new(Arc::clone(&self.clients));
        let stream = Lingering::new(stream, slot, state.open(), Arc::clone(&self.limits));
        let requests = Requests {
            service: self.service.clone(),
            client: Box::new(client),
            certificate: None,
            recording: self.recording.clone(),
            address: peer.ip().to_canonical(),
            limits: Arc::clone(&self.limits),
            state,
        };
        let connection = Connection { servers: Arc::clone(&self.servers), stage: self.stage.clone(), requests };
        let Some(tls) = self.tls.clone() else {
            tokio::spawn(connection.serve(stream, false).instrument(span));
            return;
        };
        // The handshake's future is boxed, so that its memory is freed before the connection is served.
        let handshake = Box::pin(connection.shake_hands(stream, tls));
        let served = async move {
            if let Some(served) = handshake.await {
                served.await;
            }
        };
        tokio::spawn(served.instrument(span));
    }
}

/// One client's connection, with the settings and state to serve it.
struct Connection<S> {
    servers: Arc<Servers>,
    stage: watch::Receiver<Stage>,
    requests: Requests<S>,
}

impl<S, B> Connection<S>
where
    S: Service<Inbound, Response = Response<B>, Error = Infallible, Future: Send> + Clone + Send + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError> + Send> + Send + 'static,
{
    async fn shake_hands(mut self, stream: Lingering, tls: Arc<ServerTls>) -> Option<Serving> {
        let mut stage = self.stage.clone();
        let in_time = tokio::time::timeout(self.requests.limits.tls_handshake_timeout, tls.acceptor().accept(stream));
        // This future owns the stream. How the stream is closed below depends on how the connection ends.
        let mut in_time = pin!(in_time);
        let handshake = tokio::select! {
            handshake = &mut in_time => handshake,
            () = async { stopping(&mut stage).await; tokio::time::sleep(LAST_HEAD).await } => return None,
        };
        match handshake {
            Ok(Ok(stream)) => {
                let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
                self.requests.certificate = shown.map(tls::pair::certificate_name);
                let alpn_is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                return Some(Box::pin(self.serve(stream, alpn_is_http2)));
            }
            Ok(Err(error)) => tls.record_failed_handshake(&error),
            Err(_) => {
                self.requests.state.reset.reset();
                tls::count::record_failed_handshake(tls::count::TOO_SLOW);
                tracing::debug!(target: LOG, "TLS handshake with a client timed out");
            }
        }
        None
    }

    fn serve(
        self,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        alpn_is_http2: bool,
    ) -> impl Future<Output = ()> + Send {
        let Self { servers, stage, requests } = self;
        let (limits, state) = (Arc::clone(&requests.limits), Arc::clone(&requests.state));
        serve(servers, stream, requests, Deadlines { limits, stage, state, alpn_is_http2 })
    }
}

/// A connection that is being served.
type Serving = Pin<Box<dyn Future<Output = ()> + Send>>;
