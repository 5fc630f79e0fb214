//! The admin address beside the gateway: up until the last request is through.

use std::convert::Infallible;
use std::pin::pin;

use error_envelope_admin::Admin;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// The admin address, or none.
pub(crate) struct AdminServer(pub(crate) Option<(Admin, TcpListener)>);

impl AdminServer {
    /// `/readyz` is 503 from the moment that the gateway is to stop.
    pub(crate) fn drains_at<F: Future<Output = ()>>(&self, stop: F) -> impl Future<Output = ()> + use<F> {
        let admin = self.0.as_ref().map(|(admin, _)| admin.clone());
        async move {
            stop.await;
            if let Some(admin) = admin {
                admin.drain();
            }
        }
    }

    /// Serves it until the gateway has ended, or has dropped what it was given.
    pub(crate) async fn run_with<G: Future>(self, gateway: impl FnOnce(AdminOpen) -> G) -> G::Output {
        let (ended, end) = oneshot::channel();
        let gateway = gateway(AdminOpen { _ended: ended });
        let Some((admin, listener)) = self.0 else { return gateway.await };
        let admin = pin!(admin.serve(listener, async { drop(end.await) }));
        tokio::join!(admin, gateway).1
    }
}

/// The admin address is served until this is dropped.
pub(crate) struct AdminOpen {
    _ended: oneshot::Sender<Infallible>,
}
