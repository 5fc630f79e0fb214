//! The admin address of a gateway. It is served until the last request has ended.

use error_envelope_admin::Admin;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// Serves the admin address, if there is one.
pub(crate) struct AdminServer(pub(crate) Option<(Admin, TcpListener)>);

impl AdminServer {
    /// Returns `stop` changed so that `/readyz` returns 503 from then on.
    pub(crate) fn drains_at<F: Future<Output = ()>>(&self, stop: F) -> impl Future<Output = ()> + use<F> {
        let admin = self.0.as_ref().map(|(admin, _)| admin.clone());
        async move {
            stop.await;
            if let Some(admin) = admin {
                admin.drain();
            }
        }
    }

    /// Runs the gateway, and serves the admin address until the gateway has ended.
    pub(crate) async fn run_with<G: Future>(self, gateway: G) -> G::Output {
        let Some((admin, listener)) = self.0 else { return gateway.await };
        let (ends, ended) = oneshot::channel::<()>();
        let gateway = async {
            let output = gateway.await;
            drop(ends);
            output
        };
        tokio::join!(admin.serve(&listener, async { drop(ended.await) }), gateway).1
    }
}
