//! The next input of a stream: a message of Envoy's, or the end of a wait.

use futures_util::{Stream, StreamExt};
use tokio::time::sleep_until;
use tonic::Status;

use super::state::{Phase, ProcessingStream};
use super::timers::Wait;
use crate::proto::ProcessingRequest;

/// An input of a stream.
pub(super) enum Input {
    Message(Box<ProcessingRequest>),
    KeysFetched,
    Elapsed(Wait),
}

impl ProcessingStream {
    /// Returns the next input, or `None` once Envoy has ended the stream.
    pub(super) async fn input<S>(&mut self, messages: &mut S) -> Option<Input>
    where
        S: Stream<Item = Result<ProcessingRequest, Status>> + Unpin,
    {
        // Envoy resets a stream that it no longer needs. So an error here means that the stream has ended.
        let received =
            |received: Option<Result<ProcessingRequest, Status>>| received?.ok().map(Box::new).map(Input::Message);
        let next = self.timers.next();
        let Some((at, wait)) = next else { return received(messages.next().await) };
        let fetched = match &mut self.phase {
            Phase::Verifying(verifying) => Some(verifying.fetched.as_mut()),
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
