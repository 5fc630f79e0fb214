//! Serves a service on a socket, with or without the layer.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tower::Service;
use tower_error_envelope::session::BoxError;
use tower_error_envelope::{ErrorEnvelopeLayer, Policy};

use super::Round;
use super::ask::Ask;

/// The same service three times.
#[derive(Clone, Copy)]
pub(super) struct Sites {
    pub(super) bare: SocketAddr,
    pub(super) observed: SocketAddr,
    pub(super) enforced: SocketAddr,
}

/// Makes a layer with this policy, and replaces `MODE` and `OBSERVED` in it.
pub(super) fn layer(policy: &str, observe: bool) -> ErrorEnvelopeLayer {
    let (mode, observed) = if observe { ("observe", "true") } else { ("enforce", "false") };
    let policy = policy.replace("MODE", mode).replace("OBSERVED", observed);
    ErrorEnvelopeLayer::new().policy(Policy::from_toml("policy.toml", &policy).unwrap())
}

/// Serves until the runtime ends.
pub(super) async fn serve<S, B>(service: S) -> SocketAddr
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let service = TowerToHyperService::new(service.clone());
            tokio::spawn(async move {
                // The client judges how a connection ends.
                let server = Builder::new(TokioExecutor::new());
                let _ = server.serve_connection_with_upgrades(TokioIo::new(socket), service).await;
            });
        }
    });
    address
}

impl Sites {
    /// Sends the request to each service, all at once.
    pub(super) async fn round(self, ask: Ask) -> Round {
        let (bare, observed, enforced) =
            tokio::join!(ask.send(self.bare), ask.send(self.observed), ask.send(self.enforced));
        Round { ask, bare, observed, enforced }
    }
}
