//! The next input of a stream: a message of Envoy's, or the end of a wait.

use std::time::Duration;

use envoy_types::pb::envoy::service::ext_proc::v3::ProcessingRequest;
use futures_util::{Stream, StreamExt};
use tokio::time::{Instant, sleep_until};
use tonic::Status;

use super::state::{ProcessingStream, State};

/// What came.
pub(super) enum Input {
    Message(Box<ProcessingRequest>),
    KeysFetched,
    Elapsed(Wait),
}

/// What a time limit is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    Verify,
    Peek,
    Collect,
    /// The whole call (P1).
    Deadline,
}

/// The ends of the waits: one of the waiting state, one of the whole call.
#[derive(Default)]
pub(super) struct Timers {
    state: Option<(Instant, Wait)>,
    call: Option<Instant>,
}

/// Longer waits are cut to this: clocks end.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

impl Timers {
    pub(super) fn start(&mut self, wait: Wait, time: Duration) {
        self.state = Some((Instant::now() + time.min(LONGEST), wait));
    }

    pub(super) fn start_call(&mut self, time: Duration) {
        self.call = Some(Instant::now() + time.min(LONGEST));
    }

    /// The state waits no longer.
    pub(super) fn stop(&mut self) {
        self.state = None;
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    fn next(&self) -> Option<(Instant, Wait)> {
        let call = self.call.map(|at| (at, Wait::Deadline));
        self.state.into_iter().chain(call).min_by_key(|(at, _)| *at)
    }
}

impl ProcessingStream {
    /// The next input; `None` once Envoy has ended the stream.
    pub(super) async fn input<S>(&mut self, messages: &mut S) -> Option<Input>
    where
        S: Stream<Item = Result<ProcessingRequest, Status>> + Unpin,
    {
        // Envoy resets a stream that it needs no more: an error here is its end.
        let received =
            |received: Option<Result<ProcessingRequest, Status>>| received?.ok().map(Box::new).map(Input::Message);
        let next = self.timers.next();
        let Some((at, wait)) = next else { return received(messages.next().await) };
        let fetched = match &mut self.state {
            State::Verifying(verifying) => Some(verifying.fetched.as_mut()),
            _ => None,
        };
        tokio::select! {
            biased;
            message = messages.next() => received(message),
            () = async { match fetched { Some(fetched) => fetched.await, None => std::future::pending().await } } => {
                Some(Input::KeysFetched)
            }
            () = sleep_until(at) => {
                self.timers.elapsed(wait);
                Some(Input::Elapsed(wait))
            }
        }
    }
}

impl Timers {
    fn elapsed(&mut self, wait: Wait) {
        match wait {
            Wait::Deadline => self.call = None,
            Wait::Verify | Wait::Peek | Wait::Collect => self.state = None,
        }
    }
}
