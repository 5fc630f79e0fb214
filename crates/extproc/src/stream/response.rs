//! The response: passed on, read first, or answered instead (R1–R14, E5, V2, V3).

use bytes::Bytes;
use envoy_types::pb::envoy::service::ext_proc::v3::{HeaderMutation, HttpHeaders, HttpTrailers, ProcessingResponse};
use error_envelope_core::session::{Follow, Needs, Note, Read, Reading, ResponseStep, Session};
use error_envelope_core::session::{RewrittenBody, UnreadReason};
use error_envelope_runtime as runtime;
use error_envelope_runtime::envoy;
use http::{Response, StatusCode, response};
use tonic::Status;

use super::failed::failed_status;
use super::request::inject;
use super::state::{Collecting, Phase, ProcessingStream, Reply, now};
use super::timers::Wait;
use crate::message::{self, Lines};
use crate::mode::ResponseMode;

impl ProcessingStream {
    pub(super) fn response_head(&mut self, message: &HttpHeaders, details: Option<&str>) -> Reply {
        inject(&self.head, "response_headers");
        let details = details.filter(|details| *details != VIA_UPSTREAM);
        match (self.take_phase(), details) {
            (phase @ (Phase::Passing(_) | Phase::Done), _) => {
                self.phase = phase;
                return Ok(Some(message::passed_head(Default::default())));
            }
            (Phase::Collecting(_), _) => return self.failed(message, "a second head", true),
            (Phase::New, _) => self.unread(),
            (Phase::Called, _) => {}
            (Phase::Verifying(_) | Phase::Peeking, details) => {
                return self.failed(message, details.unwrap_or("a response before the guards"), false);
            }
        }
        match details {
            None => self.service_head(message),
            Some(details) => self.failed(message, details, true),
        }
    }

    /// Envoy itself made this head, or the head cannot be used.
    fn failed(&mut self, message: &HttpHeaders, details: &str, is_called: bool) -> Reply {
        let read = envoy::response(Lines::new(message.headers.as_ref()));
        let status = read.as_ref().map_or(Some(StatusCode::BAD_GATEWAY), |head| failed_status(head, details));
        match status {
            // A redirect or another success that Envoy itself made keeps its shape, and gets the request's id.
            None if is_called => return self.service_head(message),
            None => {
                self.session = Session::default();
                let changes = self.id.map(message::only_request_id).unwrap_or_default();
                return Ok(Some(message::passed_head(changes)));
            }
            Some(_) => {}
        }
        let mut head = read.unwrap_or_else(|| http::Response::new(()).into_parts().0);
        head.status = status.unwrap_or(StatusCode::BAD_GATEWAY);
        let cause = envoy::local_reply_cause(status, details.to_owned());
        let step = self.session.proxy_failed(&mut head, cause);
        self.carry_out(step, head, message)
    }

    /// Handles a head from the service.
    fn service_head(&mut self, message: &HttpHeaders) -> Reply {
        let lines = Lines::new(message.headers.as_ref());
        let mut sent = None;
        if envoy::can_pass_unparsed(lines, |status| self.session.passes_unparsed(*sent.insert(status)))
            && let Some(status) = sent
            && let Some((_, note)) = self.session.finish_unparsed()
        {
            self.pass_with(
                message::passed_head(self.id.map(message::only_request_id).unwrap_or_default()),
                status,
                note,
            )
        } else if let Some(mut head) = envoy::response(lines) {
            let facts = envoy::facts(&head.headers, message.end_of_stream);
            let step = self.session.respond(&mut head, || facts);
            self.carry_out(step, head, message)
        } else {
            self.failed(message, "no proper head", true)
        }
    }

    fn carry_out(&mut self, step: ResponseStep, head: response::Parts, message: &HttpHeaders) -> Reply {
        match step {
            ResponseStep::Pass(follow, note) => self.pass(&head, message, follow, note),
            ResponseStep::Strip(_, note) => self.strip(head, message, note),
            ResponseStep::Write(written) => self.rewritten(head, written),
            ResponseStep::Send(reply) => self.answer(*reply),
            ResponseStep::Read(reading) => self.collect(reading, head, message),
            ResponseStep::Resume(..) | ResponseStep::Broken => Err(Status::internal("an input in a wrong state")),
        }
    }

    /// Passes the response on with the changes of its head, and follows its body as far as Envoy shows it.
    fn pass(&mut self, head: &response::Parts, message: &HttpHeaders, mut follow: Follow, note: Note) -> Reply {
        let mut mode = match follow.needs() {
            Needs::Nothing => ResponseMode::Head,
            Needs::Data => ResponseMode::Streamed,
            Needs::Trailers => ResponseMode::Trailers,
        };
        follow.begin(|| None, now);
        let ended = message.end_of_stream;
        if ended || follow.is_copy() && !declares_at_most(head, u64::MAX) {
            // What Envoy would have to buffer is not read (M1).
            let event = if ended { follow.end(now) } else { follow.unreadable() };
            event.into_iter().for_each(runtime::log_event);
            mode = if ended { mode } else { ResponseMode::Head };
        } else if mode != ResponseMode::Head {
            self.phase = Phase::Passing(follow);
        }
        let changes = message::response_changes(Lines::new(message.headers.as_ref()), head);
        self.mode.response = mode;
        let changes_mode = mode != ResponseMode::Head && !message.end_of_stream;
        let passed = message::response_head(changes, changes_mode.then_some(self.mode));
        self.pass_with(passed, head.status, note)
    }

    fn pass_with(&mut self, passed: ProcessingResponse, status: StatusCode, note: Note) -> Reply {
        self.note_head_sent(status);
        match note {
            Note::Nothing => Ok(Some(passed)),
            Note::Fields(fields) => {
                self.id.into_iter().for_each(|id| runtime::log_notes(id, Some(fields.clone())));
                Ok(Some(passed))
            }
            Note::Event(event) => {
                let noted = message::with_note(passed, event.request_id(), Some(&event));
                runtime::log_event(event);
                Ok(Some(noted))
            }
        }
    }

    /// Passes on the head without a body (E5).
    fn strip(&mut self, head: response::Parts, message: &HttpHeaders, note: Note) -> Reply {
        let changes = message::response_changes(Lines::new(message.headers.as_ref()), &head);
        let passed = self.pass_with(message::response_head(changes, None), head.status, note);
        if message.end_of_stream || head.status.as_u16() != 205 {
            return passed;
        }
        let reply = Response::from_parts(head, Bytes::new());
        Ok(Some(message::immediate(reply, "none", &self.head)))
    }

    fn rewritten(&mut self, head: response::Parts, written: RewrittenBody) -> Reply {
        let sent = self.send(Response::from_parts(head, written.body), &written.event);
        runtime::log_event(written.event);
        sent
    }

    /// Reads an error's body (R4). Envoy buffers the body if its length is declared, or if the route's setting requires
    /// it.
    fn collect(&mut self, mut reading: Reading, head: response::Parts, message: &HttpHeaders) -> Reply {
        let lines = message.headers.clone().unwrap_or_default();
        let buffers = declares_at_most(&head, BUFFER) || self.session.buffers_unsized_errors();
        let until = reading.waits(now);
        // If the body may have to be sent unchanged, the processor waits for it: an immediate response could not send
        // it.
        let is_awaited = reading.keeps;
        self.phase = Phase::Collecting(Box::new(Collecting { reading, head, lines }));
        if message.end_of_stream {
            return self.collected(Reading::end, message::passed_head);
        }
        if !buffers {
            return self.collected(|reading| reading.stop(UnreadReason::TooLong), message::passed_head);
        }
        if !is_awaited {
            self.timers.start(Wait::Collect, until.saturating_duration_since(now()));
        }
        self.mode.response = ResponseMode::Buffered;
        Ok(Some(message::response_head(Default::default(), Some(self.mode))))
    }

    /// Finishes an error whose body was read, completely or in part. `pass_reply` makes the reply to the last message
    /// if the error passes unchanged.
    pub(super) fn collected(
        &mut self,
        read: impl FnOnce(Reading) -> Read,
        pass_reply: impl FnOnce(HeaderMutation) -> ProcessingResponse,
    ) -> Reply {
        let collecting = match self.take_phase() {
            Phase::Collecting(collecting) => *collecting,
            phase => {
                self.phase = phase;
                return Ok(None);
            }
        };
        self.timers.clear();
        let Collecting { reading, mut head, lines } = collecting;
        match self.session.decide(&mut head, read(reading)) {
            ResponseStep::Write(written) => self.rewritten(head, written),
            ResponseStep::Send(reply) => self.answer(*reply),
            ResponseStep::Resume(_, _, event) => {
                let changes = message::response_changes(Lines::new(Some(&lines)), &head);
                self.pass_with(pass_reply(changes), head.status, Note::Event(event))
            }
            _ => Err(Status::internal("an input in a wrong state")),
        }
    }

    pub(super) fn response_body(&mut self, data: Vec<u8>, end: bool) -> Reply {
        inject(&self.head, "response_body");
        if let Phase::Collecting(_) = &self.phase {
            let read = |mut reading: Reading| match reading.data(data.into(), now) {
                Ok(()) => reading.end(),
                Err(why) => reading.stop(why),
            };
            return self.collected(read, message::buffered_response);
        }
        let Phase::Passing(follow) = &mut self.phase else { return Ok(Some(message::response_body(None))) };
        let before = Bytes::from(data);
        let mut after = before.clone();
        let event = follow.data(&mut after, end, now).or_else(|| if end { follow.end(now) } else { None });
        event.into_iter().for_each(runtime::log_event);
        Ok(Some(message::response_body((after != before).then_some(after))))
    }

    pub(super) fn response_trailers(&mut self, message: &HttpTrailers) -> Reply {
        let lines = Lines::new(message.trailers.as_ref());
        let mut changes = HeaderMutation::default();
        if let Phase::Passing(follow) = &mut self.phase
            && let Some(mut trailers) = envoy::trailers(lines)
        {
            follow.trailers(&mut trailers, now).into_iter().for_each(runtime::log_event);
            changes = message::changes(lines, &trailers);
        }
        Ok(Some(message::response_trailers(changes)))
    }
}

/// Envoy's details of a response that the service made.
const VIA_UPSTREAM: &str = "via_upstream";

/// The most bytes of a response that Envoy buffers, as set in the generated configuration. For a larger one Envoy
/// itself answers 500.
const BUFFER: u64 = 1024 * 1024;

fn declares_at_most(head: &response::Parts, bytes: u64) -> bool {
    envoy::facts(&head.headers, false).upper.is_some_and(|length| length <= bytes)
}
