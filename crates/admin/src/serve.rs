//! Serves the admin address: HTTP/1.1, one response a connection.
//!
//! It shares its process with the traffic, and must never harm it: heads, waits and connections are limited.

use std::borrow::Borrow;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tower_service::Service;

use crate::admin::Admin;
use crate::small_server::SmallServer;

/// 64 places: a person's pages, a scraper and an orchestrator's probes need only a few. A head of 16 KiB need not have
/// room for the cookies of other sites. A stop waits for 1 s.
const SERVER: SmallServer = SmallServer::new(64, 16 * 1024, Duration::from_secs(1));

impl Admin {
    /// Serves until `stop`, at the end of the process. Call [`drain`](Self::drain) before that.
    ///
    /// It serves HTTP/1.1, with one response per connection, and at most 64 connections. A further one takes the place
    /// of the one that has been silent longest. If the address is not loopback, it logs a warning, and accepts no
    /// change without a [token](Self::token_file). A borrowed listener can be served again later. Until then, its
    /// clients wait.
    pub async fn serve(&self, listener: impl Borrow<TcpListener>, stop: impl Future<Output = ()>) {
        let mut served = self.clone();
        if let Ok(address) = listener.borrow().local_addr() {
            served.is_exposed = !address.ip().is_loopback();
            served.announce(address);
        }
        SERVER.serve(listener, self.tls.clone(), move |request| served.service().call(request), stop).await;
    }

    /// Serves until `work` has ended, and returns its output. Call [`drain`](Self::drain) once it begins to end.
    pub async fn serve_with<T>(&self, listener: &TcpListener, work: impl Future<Output = T>) -> T {
        let (ends, ended) = oneshot::channel::<()>();
        let work = async {
            let output = work.await;
            drop(ends);
            output
        };
        tokio::join!(self.serve(listener, async { drop(ended.await) }), work).1
    }

    fn announce(&self, address: SocketAddr) {
        tracing::info!(%address, "serving the admin address");
        if self.is_read_only() {
            tracing::warn!(
                %address,
                "the admin address is not loopback: anyone who can reach it can read errors; changes are refused, since no \
                 token file is set"
            );
        }
    }
}
