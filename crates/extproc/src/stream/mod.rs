//! Handles one stream, which has the messages of one request. The stream's session decides, and a phase shows which
//! message is due.
//!
//! | phase | meaning |
//! |---|---|
//! | `New` | no message has come |
//! | `Verifying` | keys are fetched before the guards can decide (G2) |
//! | `Peeking` | the request's first body byte decides (G3) |
//! | `Called` | the request is on its way to the service |
//! | `Collecting` | Envoy buffers an error's body (R4) |
//! | `Passing` | the response's head has been sent, and its body passes in pieces |
//! | `Done` | everything is decided, and further messages change nothing |
//!
//! The handling of a message takes the phase, and stores the next phase. Envoy waits for the reply to each message, but
//! accepts an immediate response at any time. So a time limit ends a wait with an immediate response.

mod request;
mod response;
mod state;
#[cfg(test)]
mod tests;
mod timers;
mod wait;

use error_envelope_core::session::{Delivery, End, Ending, Failure, FirstByte, Follow, UnreadReason};
use error_envelope_runtime::{self as runtime, Watch};
use futures_util::Stream;
use tonic::Status;

pub(crate) use self::state::ProcessingStream;
use self::state::{Reply, now};
use self::timers::Wait;
use self::wait::Input;
use crate::message;
use crate::proto::processing_request::Request as Received;
use crate::proto::{ProcessingRequest, ProcessingResponse};

impl ProcessingStream {
    /// Returns the next message for Envoy, or `None` once Envoy has ended the stream.
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

    /// Handles an input. If the handling panics, the client gets an error (F2).
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

    /// Called when the handling of a message panicked. The client gets 500. If the response's head has been sent, the
    /// stream ends as an error (F2, F4, V4).
    pub(super) fn panicked(&mut self, text: Box<str>) -> Reply {
        let phase = self.take_phase();
        let _ = runtime::catch(|| drop(phase));
        if self.is_head_sent {
            let _ = self.follow.failed(Some(Failure::panicked()), String::from(text).into(), now);
            return Err(Status::internal("the processor panicked after the response's head"));
        }
        self.unread();
        self.end(Ending::UnreadyPanicked(text)).unwrap_or(Ok(None))
    }

    /// Closes the record of the request (L5). Envoy does not show whether its client got the response, or left.
    fn close(&mut self) {
        let mut follow = match self.session.abandon() {
            Some(unanswered) => Follow::decided(unanswered),
            None => std::mem::take(&mut self.follow),
        };
        // Envoy does not show whether the body broke off, or the client left.
        follow.broke_off_at_proxy(now);
        let watch = Watch { timer: self.timer.take(), ..Watch::default() };
        let (head_sent, end) = (self.is_head_sent, End::Unknown);
        let delivery = Delivery { head_sent, request_bytes: None, response_bytes: None, end };
        runtime::end(follow, watch, delivery, now);
    }
}

/// Closes the record when Envoy or the processor has ended the stream (F2).
impl Drop for ProcessingStream {
    fn drop(&mut self) {
        let _ = runtime::catch(|| self.close());
    }
}
