//! Handles the response, which is passed on, read first, or replaced (R1–R14, E5, V2, V3).

use bytes::Bytes;
use error_envelope_core::session::{Follow, Needs, Read, Reading, ResponseStep, UnreadReason};
use error_envelope_runtime::envoy::{self, EnvoyReply, HeadDecision};
use http::{Response, StatusCode, response};
use tonic::Status;

use super::request::inject;
use super::state::{Collecting, Phase, ProcessingStream, Reply, now};
use super::timers::Wait;
use crate::message::{self, Lines};
use crate::mode::ResponseMode;
use crate::proto::{HeaderMutation, HttpHeaders, HttpTrailers, ProcessingResponse};

impl ProcessingStream {
    pub(super) fn response_head(&mut self, message: &HttpHeaders, details: Option<&str>) -> Reply {
        inject(&self.head, "response_headers");
        let details = details.filter(|details| *details != VIA_UPSTREAM);
        let details = match self.take_phase() {
            phase @ (Phase::Passing | Phase::Done) => {
                self.phase = phase;
                return Ok(Some(message::passed_head(Default::default())));
            }
            Phase::New => {
                self.unread();
                details
            }
            Phase::Called => details,
            Phase::Collecting(_) => Some("a second head arrived"),
            Phase::Verifying(_) | Phase::Peeking => {
                details.or(Some("a response arrived before the guards had finished"))
            }
        };
        let lines = Lines::new(message.headers.as_ref());
        let decision = envoy::respond(&mut self.session, lines, message.end_of_stream, details.map(EnvoyReply::new));
        self.carry_out(decision, message, message::passed_head)
    }

    /// Carries out the decision about the response with the head in this message. If an error passes unchanged after
    /// its body was read, `pass_reply` makes the reply to the last message.
    fn carry_out(
        &mut self,
        HeadDecision { step, head, id }: HeadDecision,
        message: &HttpHeaders,
        pass_reply: fn(HeaderMutation) -> ProcessingResponse,
    ) -> Reply {
        let changes = || match id {
            Some(id) => message::only_request_id(id.as_bytes()),
            None => message::response_changes(Lines::new(message.headers.as_ref()), &head),
        };
        match step {
            ResponseStep::Pass(follow) => self.pass(changes(), &head, follow, message.end_of_stream),
            ResponseStep::Strip(follow) if message.end_of_stream || head.status != StatusCode::RESET_CONTENT => {
                self.send(message::passed_head(changes()), follow)
            }
            ResponseStep::Strip(follow) => {
                let reply = Response::from_parts(head, Bytes::new());
                self.send(message::immediate(reply, "none", &self.head.parts), follow)
            }
            ResponseStep::Write(written) => self.answer(written.into_reply(head)),
            ResponseStep::Send(reply) => self.answer(*reply),
            ResponseStep::Read(reading) => self.collect(reading, head, message),
            ResponseStep::Resume(_, _, follow) => self.send(pass_reply(changes()), follow),
            ResponseStep::Broken => Err(Status::internal("an input in a wrong state")),
        }
    }

    /// Passes the response on with the changes of its head, and follows the part of its body that Envoy sends to the
    /// processor.
    fn pass(&mut self, changes: HeaderMutation, head: &response::Parts, mut follow: Follow, ended: bool) -> Reply {
        follow.begin(|| None, now);
        // The prediction follows from what `enforce` would read (M1).
        let is_hidden = follow.needs_length() && !declares_at_most(head, u64::MAX);
        match () {
            () if ended => follow.end(now),
            () if is_hidden => follow.unreadable(),
            () => {}
        }
        self.mode.response = match follow.needs() {
            _ if ended || is_hidden => ResponseMode::Head,
            Needs::Nothing => ResponseMode::Head,
            Needs::Data => ResponseMode::Streamed,
            Needs::Trailers => ResponseMode::Trailers,
        };
        let is_followed = self.mode.response != ResponseMode::Head;
        if is_followed {
            self.phase = Phase::Passing;
        }
        self.send(message::response_head(changes, is_followed.then_some(self.mode)), follow)
    }

    /// Reads an error's body (R4). Envoy buffers the body if its length is declared, or if the route's setting requires
    /// it.
    fn collect(&mut self, mut reading: Reading, head: response::Parts, message: &HttpHeaders) -> Reply {
        let buffers = declares_at_most(&head, BUFFER) || self.session.buffers_unsized_errors();
        let until = reading.waits(now);
        // If the body may have to be sent unchanged, the processor waits for it, because an immediate response could
        // not contain it.
        let is_awaited = reading.keeps;
        self.phase = Phase::Collecting(Box::new(Collecting { reading, head, message: message.clone() }));
        if message.end_of_stream {
            return self.collected(Reading::end, message::passed_head);
        }
        if !buffers {
            return self.collected(|reading| reading.stop(UnreadReason::NotShown), message::passed_head);
        }
        if !is_awaited {
            self.timers.start(Wait::Collect, until.saturating_duration_since(now()));
        }
        self.mode.response = ResponseMode::Buffered;
        Ok(Some(message::response_head(Default::default(), Some(self.mode))))
    }

    /// Finishes an error whose body was read, completely or in part.
    pub(super) fn collected(
        &mut self,
        read: impl FnOnce(Reading) -> Read,
        pass_reply: fn(HeaderMutation) -> ProcessingResponse,
    ) -> Reply {
        let collecting = match self.take_phase() {
            Phase::Collecting(collecting) => *collecting,
            phase => {
                self.phase = phase;
                return Ok(None);
            }
        };
        self.timers.clear();
        let Collecting { reading, mut head, message } = collecting;
        let step = self.session.decide(&mut head, read(reading));
        self.carry_out(HeadDecision { step, head, id: None }, &message, pass_reply)
    }

    pub(super) fn response_body(&mut self, data: Vec<u8>, end: bool) -> Reply {
        inject(&self.head, "response_body");
        if let Phase::Collecting(_) = &self.phase {
            return self.collected(|reading| reading.whole(data.into()), message::buffered_response);
        }
        if !matches!(self.phase, Phase::Passing) {
            return Ok(Some(message::response_body(None)));
        }
        let before = Bytes::from(data);
        let mut after = before.clone();
        self.follow.data(&mut after, end, now);
        Ok(Some(message::response_body((after != before).then_some(after))))
    }

    pub(super) fn response_trailers(&mut self, message: &HttpTrailers) -> Reply {
        if !matches!(self.phase, Phase::Passing) {
            return Ok(Some(message::response_trailers(Default::default())));
        }
        let lines = Lines::new(message.trailers.as_ref());
        let changes = match envoy::trailers(lines) {
            Some(mut trailers) => {
                self.follow.trailers(&mut trailers, now);
                message::changes(lines, &trailers)
            }
            None => {
                self.follow.end(now);
                HeaderMutation::default()
            }
        };
        Ok(Some(message::response_trailers(changes)))
    }
}

/// Envoy's details of a response that the service made.
const VIA_UPSTREAM: &str = "via_upstream";

/// The maximum number of bytes of a response that Envoy buffers, as set in the generated configuration. For a larger
/// response Envoy itself sends 500.
const BUFFER: u64 = 1024 * 1024;

fn declares_at_most(head: &response::Parts, bytes: u64) -> bool {
    envoy::facts(&head.headers, false).upper.is_some_and(|length| length <= bytes)
}
