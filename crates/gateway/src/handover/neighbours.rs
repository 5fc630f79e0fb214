//! The gateways before and after this one.

use std::sync::Arc;
use std::{future, io, mem};

use tokio::net::TcpListener;

use super::predecessor::Predecessor;
use super::upgrade_socket::{Offer, Successor, UpgradeSocket};
use crate::error::Error;

const LOG: &str = "error_envelope::gateway::handover";

/// Descriptors for the first client, its service and the files that both need, and as many again for simultaneous
/// clients.
const FIRST_DESCRIPTORS: usize = 16;

/// The hand-overs of one gateway: from its predecessor, and to its successor; by default there is neither.
#[derive(Default)]
pub(crate) struct Handover {
    predecessor: Option<Arc<Predecessor>>,
    has_taken_over: bool,
    offer: Option<Offer>,
}

impl Handover {
    pub(crate) fn new(
        socket: Option<UpgradeSocket>,
        clients: &TcpListener,
        admin: Option<&TcpListener>,
    ) -> io::Result<Self> {
        let Some(UpgradeSocket { listener, predecessor }) = socket else { return Ok(Self::default()) };
        let offer = Some(Offer::new(listener, clients, admin)?);
        Ok(Self { predecessor: predecessor.map(Arc::new), has_taken_over: false, offer })
    }

    /// Makes the predecessor stop accepting. A second call does nothing.
    ///
    /// # Errors
    /// The predecessor continues to serve.
    pub(crate) async fn take_over(&mut self) -> Result<(), Error> {
        if mem::replace(&mut self.has_taken_over, true) {
            return Ok(());
        }
        let (Some(predecessor), Some(offer)) = (&self.predecessor, &self.offer) else { return Ok(()) };
        // Without descriptors the gateway would start, and fail at its first client.
        offer.reserve_descriptors(FIRST_DESCRIPTORS).map_err(|error| {
            Error::unreadable(format!("no descriptors are left for clients ({error}); the other gateway keeps serving"))
                .with_advice("raise the limit of open files (ulimit -n, LimitNOFILE)")
        })?;
        if !predecessor.stop_accepting().await? {
            self.predecessor = None;
        }
        Ok(())
    }

    /// As [`take_over`](Self::take_over), but returns whether that succeeded, and logs the error.
    pub(crate) async fn take_over_or_log(&mut self) -> bool {
        is_done(self.take_over().await)
    }

    /// Reports that this gateway accepts clients. If the predecessor continues to serve, returns false and logs why.
    pub(crate) async fn report_serving(&self) -> bool {
        match &self.predecessor {
            Some(predecessor) => is_done(predecessor.report_serving().await),
            None => true,
        }
    }

    /// Waits for a process that is ready to take over. Without an upgrade socket it waits for ever.
    pub(crate) async fn successor(&self) -> Successor {
        match &self.offer {
            Some(offer) => offer.wait_for_successor().await,
            None => future::pending().await,
        }
    }

    /// Returns a function that lets the predecessor end, whatever happens to this gateway.
    pub(crate) fn releaser(&self) -> impl FnOnce() + use<> {
        let predecessor = self.predecessor.clone();
        move || predecessor.iter().for_each(|predecessor| predecessor.release())
    }
}

fn is_done(outcome: Result<(), Error>) -> bool {
    if let Err(error) = &outcome {
        tracing::error!(target: LOG, %error, "cannot take over from the running gateway");
    }
    outcome.is_ok()
}
