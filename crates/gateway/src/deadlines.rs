//! Reasons to end a connection besides its client: an unread response, a pause between requests, and the gateway's own
//! end.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::connection_state::ConnectionState;
use super::in_flight::{Stage, reached};
use super::limits::ClientLimits;

/// How long a stop waits, once and at most twice, for a client that has begun a head or a handshake: it is longer than
/// data takes on its way, and shorter than a stop may take.
pub(crate) const LAST_HEAD: Duration = Duration::from_secs(1);

#[derive(Clone)]
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
    /// Resolves once the connection is to end.
    pub(crate) async fn first(self) -> End {
        let mut stage = self.stage.clone();
        tokio::select! {
            () = self.state.stall_for(self.limits.write_timeout) => {
                self.state.give_up();
                End::Closed
            }
            () = self.wait_to_leave(&mut stage) => End::Graceful,
            // The rest of half a head is not waited for.
            () = self.state.activity.stops_for(self.limits.idle_timeout) => {
                if self.alpn_is_http2 || self.state.is_http2() { End::Graceful } else { End::Closed }
            }
        }
    }

    /// Resolves once the wait for an ending connection is over. HTTP/2 sends GOAWAY and waits for an answer, which not
    /// every client sends.
    pub(crate) async fn last(self) -> End {
        let mut stage = self.stage.clone();
        // An incomplete head is not a request yet, so nothing waits for its rest.
        let last_head = pin!(async {
            reached(&mut stage, Stage::Stopping).await;
            self.state.activity.stops_for(LAST_HEAD).await;
        });
        tokio::select! {
            () = self.state.stall_for(self.limits.write_timeout) => self.state.give_up(),
            () = self.state.activity.stops_for(self.limits.idle_timeout) => {}
            () = last_head => {}
        }
        End::Closed
    }

    /// An idle HTTP/1 connection that is closed may meet a request; HTTP/2 announces first that it ends.
    async fn wait_to_leave(&self, stage: &mut watch::Receiver<Stage>) {
        reached(stage, Stage::HandedOver).await;
        if !self.state.is_http2() {
            reached(stage, Stage::Stopping).await;
        }
    }
}
