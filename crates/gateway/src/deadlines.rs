//! The reasons to end a connection that its client has not closed: an unread response, a long pause between requests,
//! and the end of the gateway.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::config::ClientLimits;
use super::connection_state::ConnectionState;
use super::in_flight::{Stage, stopping};

/// The time for which a stop waits for a client that has begun a head or a handshake. It waits at most twice as long.
/// The time is longer than data takes over the network, and shorter than a stop may take.
pub(crate) const LAST_HEAD: Duration = Duration::from_secs(1);

pub(crate) struct Deadlines {
    pub(crate) limits: Arc<ClientLimits>,
    pub(crate) stage: watch::Receiver<Stage>,
    pub(crate) state: Arc<ConnectionState>,
    pub(crate) alpn_is_http2: bool,
}

/// The way in which a connection ends.
#[derive(Debug)]
pub(crate) enum End {
    /// The connection closes at once.
    Closed,
    /// The connection closes after the requests in flight.
    Graceful,
}

impl Deadlines {
    /// Resolves once the connection is to end.
    pub(crate) async fn first(&self) -> End {
        let mut stage = self.stage.clone();
        tokio::select! {
            () = self.state.stall_for(self.limits.write_timeout) => {
                self.state.give_up();
                End::Closed
            }
            () = self.wait_to_leave(&mut stage) => End::Graceful,
            // The connection ends even if a part of a head has arrived.
            () = self.state.activity.stops_for(self.limits.idle_timeout) => {
                if self.alpn_is_http2 || self.state.is_http2() { End::Graceful } else { End::Closed }
            }
        }
    }

    /// Resolves once the wait for an ending connection is over. The wait has a limit, because over HTTP/2 hyper sends
    /// GOAWAY and waits for a reply, which not every client sends.
    pub(crate) async fn last(&self) {
        let mut stage = self.stage.clone();
        // An incomplete head is not a request yet, so the gateway does not wait for its rest.
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

    /// Waits until the connection can close. A client that has connected just now may have sent a request that nothing
    /// has read yet.
    async fn wait_to_leave(&self, stage: &mut watch::Receiver<Stage>) {
        stopping(stage).await;
        self.state.activity.first_request_or(LAST_HEAD).await;
    }
}
