//! Decides when the gateway ends a connection that its client has not closed: because of an unread response, a long
//! pause between requests, or the end of the gateway.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::config::ClientLimits;
use super::connection_state::ConnectionState;
use super::in_flight::{Stage, stopping};

/// The time for which a stop waits for a client that has begun a head or a handshake. The total wait is at most twice
/// as long. The time is longer than data takes over the network, and much shorter than the time limit of a stop.
pub(crate) const LAST_HEAD: Duration = Duration::from_secs(1);

pub(crate) struct Deadlines {
    pub(crate) limits: Arc<ClientLimits>,
    pub(crate) stage: watch::Receiver<Stage>,
    pub(crate) state: Arc<ConnectionState>,
    pub(crate) alpn_is_http2: bool,
}

/// How a connection ends.
#[derive(Debug)]
pub(crate) enum End {
    /// The connection closes at once.
    Closed,
    /// The connection closes after the requests in flight.
    Graceful,
}

impl Deadlines {
    /// Resolves once the gateway should end the connection.
    pub(crate) async fn first(&self) -> End {
        let mut stage = self.stage.clone();
        tokio::select! {
            () = self.state.stall_for(self.limits.write_timeout) => {
                self.state.give_up();
                End::Closed
            }
            () = self.wait_to_leave(&mut stage) => End::Graceful,
            // The connection ends even if a part of a request head has arrived.
            () = self.state.activity.stops_for(self.limits.idle_timeout) => {
                if self.alpn_is_http2 || self.state.is_http2() { End::Graceful } else { End::Closed }
            }
        }
    }

    /// Resolves once the gateway should no longer wait for a connection that is ending. The wait has a limit, because
    /// over HTTP/2 hyper sends GOAWAY and waits for a reply, which not every client sends.
    pub(crate) async fn last(&self) {
        let mut stage = self.stage.clone();
        // An incomplete head is not a request yet, so the gateway does not wait long for the rest of the head.
        let last_head = pin!(async {
            stopping(&mut stage).await;
            self.state.activity.stops_for(LAST_HEAD).await;
        });
        tokio::select! {
            () = self.state.stall_for(self.limits.write_timeout) => self.state.give_up(),
            () = self.state.activity.stops_for(self.limits.idle_timeout) => {}
            () = last_head => {}
        }
    }

    /// Waits until the connection can be closed at a stop. If the client has just connected, it may have sent a request
    /// that the gateway has not read yet.
    async fn wait_to_leave(&self, stage: &mut watch::Receiver<Stage>) {
        stopping(stage).await;
        self.state.activity.first_request_or(LAST_HEAD).await;
    }
}
