//! One stream: the messages of one request, and what was decided.
//!
//! | state | meaning |
//! |---|---|
//! | `New` | no message has come |
//! | `Verifying` | keys are fetched before the guards can decide (G2) |
//! | `Peeking` | the request's first body byte decides (G3) |
//! | `Called` | the request is on its way to the service |
//! | `Collecting` | Envoy buffers an error's body (R4) |
//! | `Copying`, `Watching`, `Streaming` | the response's head has been sent, its body passes in pieces |
//! | `Done` | no message changes anything any more |
//!
//! A message takes the state and leaves another one. Envoy waits for the reply to each message, but accepts an
//! immediate response at any time. So a time limit ends a wait with an immediate response.

mod failed;
mod request;
mod response;
mod state;
#[cfg(test)]
mod tests;
mod timers;
mod wait;

use error_envelope_core::exchange::{Collected, Event, FirstByte};
use error_envelope_runtime as runtime;
use futures_util::Stream;
use tonic::Status;

pub(crate) use self::state::ProcessingStream;
use self::state::{Reply, State};
use self::timers::Wait;
use self::wait::Input;
use crate::message;
use crate::proto::processing_request::Request as Received;
use crate::proto::{ProcessingRequest, ProcessingResponse};

impl ProcessingStream {
    /// The next message for Envoy; `None` once Envoy has ended the stream.
    pub(crate) async fn next<S>(&mut self, messages: &mut S) -> Option<Result<ProcessingResponse, Status>>
    where
        S: Stream<Item = Result<ProcessingRequest, Status>> + Unpin,
    {
        loop {
            let input = self.input(messages).await?;
            match self.handle(input).transpose() {
                _ if request::is_named(&self.head, "stream") => return None,
                None => {}
                reply => return reply,
            }
        }
    }

    /// Handles an input. If that panics, the client gets an error for it (F2).
    fn handle(&mut self, input: Input) -> Reply {
        runtime::catch(|| self.decide(input)).unwrap_or_else(|panic| {
            let answered = runtime::catch(|| self.panicked(panic));
            answered.unwrap_or_else(|_| Err(Status::internal("the processor panicked twice")))
        })
    }

    fn decide(&mut self, input: Input) -> Reply {
        match input {
            Input::Message(message) => self.received(*message),
            Input::KeysFetched => self.verified(),
            Input::Elapsed(Wait::Verify) => self.verified(),
            Input::Elapsed(Wait::Peek) => self.first_byte(FirstByte::TooSlow, None),
            Input::Elapsed(Wait::Collect) => self.collected(Collected::Unreadable(&[]), message::passed_head),
            Input::Elapsed(Wait::Deadline) => self.end_at_call_deadline(),
        }
    }

    fn received(&mut self, message: ProcessingRequest) -> Reply {
        let ProcessingRequest { request, attributes, .. } = message;
        let attribute = |name| message::attribute(&attributes, name);
        match request {
            Some(Received::RequestHeaders(head)) => self.request_head(head, attribute("request.protocol")),
            Some(Received::RequestBody(body)) => self.request_body(&body.body, body.end_of_stream),
            Some(Received::RequestTrailers(trailers)) => self.request_trailers(&trailers),
            Some(Received::ResponseHeaders(head)) => self.response_head(&head, attribute("response.code_details")),
            Some(Received::ResponseBody(body)) => self.response_body(body.body, body.end_of_stream),
            Some(Received::ResponseTrailers(trailers)) => self.response_trailers(&trailers),
            None => {
                Err(Status::invalid_argument("the message has no request that this processor supports; use Envoy 1.40"))
            }
        }
    }

    fn last_event(&mut self) -> Option<Event> {
        match self.take_state() {
            State::Verifying(verifying) => Some(verifying.pending.abandoned()),
            State::Peeking(pending) => Some(pending.abandoned()),
            State::Called(exchange) => Some(exchange.abandoned()),
            State::Collecting(collecting) => Some(collecting.exchange.abandoned()),
            State::Copying(copying) => Some(copying.observed.finish(Collected::Unreadable(&copying.copy))),
            // Envoy does not show how the body of a call or of an event stream has ended.
            State::New | State::Watching(_) | State::Streaming(_) | State::Done => None,
        }
    }
}

/// A stream has ended, wherever it was: a request whose end is not logged yet is logged now (F2).
impl Drop for ProcessingStream {
    fn drop(&mut self) {
        let event = runtime::catch(|| self.last_event()).unwrap_or_default();
        event.into_iter().for_each(runtime::log_event);
    }
}
