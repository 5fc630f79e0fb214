//! The admin address of a gateway. It is served until the last request has ended.

use error_envelope_admin::Admin;
use tokio::net::TcpListener;
use tokio::sync::watch;

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

    /// Runs the gateway, and serves the admin address until the gateway has ended or has dropped its `AdminOpen`.
    pub(crate) async fn run_with<G: Future>(self, gateway: impl FnOnce(AdminOpen) -> G) -> G::Output {
        let (open, state) = watch::channel(true);
        let gateway = gateway(AdminOpen(open));
        let Some((admin, listener)) = self.0 else { return gateway.await };
        tokio::join!(serve_while_open(&admin, listener, state), gateway).1
    }
}

/// Keeps the admin address served until this is dropped, except during pauses.
pub(crate) struct AdminOpen(watch::Sender<bool>);

impl AdminOpen {
    /// Stops accepting: clients wait in the queue, for another process that takes over.
    pub(crate) fn pause(&self) {
        self.0.send_replace(false);
    }

    pub(crate) fn resume(&self) {
        self.0.send_replace(true);
    }
}

impl Drop for AdminOpen {
    fn drop(&mut self) {
        self.pause();
    }
}

async fn serve_while_open(admin: &Admin, listener: TcpListener, mut open: watch::Receiver<bool>) {
    while open.wait_for(|open| *open).await.is_ok() {
        let mut state = open.clone();
        admin.serve(&listener, async move { drop(state.wait_for(|open| !*open).await) }).await;
    }
}
