//! One stream: the messages of one request. Its session decides; a phase shows which message is due.
//!
//! | phase | meaning |
//! |---|---|
//! | `New` | no message has come |
//! | `Verifying` | keys are fetched before the guards can decide (G2) |
//! | `Peeking` | the request's first body byte decides (G3) |
//! | `Called` | the request is on its way to the service |
//! | `Collecting` | Envoy buffers an error's body (R4) |
//! | `Passing` | the response's head has been sent, its body passes in pieces |
//! | `Done` | no message changes anything any more |
//!
//! A message takes the phase and leaves another one. Envoy waits for the reply to each message, but accepts an
//! immediate response at any time. So a time limit ends a wait with an immediate response.

mod request;
mod response;
mod state;
#[cfg(test)]
mod tests;
mod timers;
mod wait;

use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request as Received;
use envoy_types::pb::envoy::service::ext_proc::v3::{ProcessingRequest, ProcessingResponse};
use error_envelope_core::session::{Ending, Event, FirstByte, UnreadReason};
use error_envelope_runtime as runtime;
use futures_util::Stream;
use tonic::Status;

pub(crate) use self::state::ProcessingStream;
use self::state::{Phase, Reply, now};
use self::timers::Wait;
use self::wait::Input;
use crate::message;

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
            Input::KeysFetched | Input::Elapsed(Wait::Verify) => self.verified(),
            Input::Elapsed(Wait::Peek) => self.first_byte(FirstByte::TooSlow, None),
            Input::Elapsed(Wait::Collect) => {
                self.collected(|reading| reading.stop(UnreadReason::TooLate), message::passed_head)
            }
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

    /// The handling of a message panicked: the client gets 500, or, if the response's head has been sent, the stream
    /// ends as an error (F2, F4, V4).
    pub(super) fn panicked(&mut self, text: Box<str>) -> Reply {
        let phase = self.take_phase();
        let _ = runtime::catch(|| drop(phase));
        self.unread();
        if self.is_head_sent {
            self.session.end(Ending::Panicked(text)).into_iter().for_each(|reply| runtime::log_event(reply.event));
            return Err(Status::internal("the processor panicked after the response's head"));
        }
        self.end(Ending::UnreadyPanicked(text)).unwrap_or(Ok(None))
    }

    fn last_event(&mut self) -> Option<Event> {
        // Envoy does not show how the body of a call or of an event stream has ended.
        let left = |phase| if let Phase::Passing(mut follow) = phase { follow.dropped(true, now) } else { None };
        self.session.abandon().or_else(|| left(self.take_phase()))
    }
}

/// A stream has ended, wherever it was: a request whose end is not logged yet is logged now (F2).
impl Drop for ProcessingStream {
    fn drop(&mut self) {
        let event = runtime::catch(|| self.last_event()).unwrap_or_default();
        event.into_iter().for_each(runtime::log_event);
    }
}
