//! The response: passed on, read first, or answered instead (R1–R14, E5, V2, V3).

use std::time::Duration;

use bytes::Bytes;
use error_envelope_core::exchange::{
    Collected, CollectedAction, Event, EventFields, Exchange, ObservedError, ResponsePlan, RewrittenBody,
};
use error_envelope_runtime as runtime;
use error_envelope_runtime::envoy;
use http::{Response, StatusCode, response};

use super::failed::{ReplyOrigin, failed_status};
use super::request::inject;
use super::state::{Collecting, Copying, ProcessingStream, Reply, State};
use super::timers::Wait;
use crate::message::{self, Lines};
use crate::mode::ResponseMode;
use crate::proto::{HeaderMutation, HttpHeaders, HttpTrailers, ProcessingResponse};

impl ProcessingStream {
    pub(super) fn response_head(&mut self, message: &HttpHeaders, details: Option<&str>) -> Reply {
        inject(&self.head, "response_headers");
        let origin = match self.take_state() {
            State::New => ReplyOrigin::Exchange(self.unread()),
            State::Verifying(verifying) => ReplyOrigin::Verifying(verifying.pending),
            State::Peeking(pending) => ReplyOrigin::Peeking(*pending),
            State::Called(exchange) => ReplyOrigin::Exchange(*exchange),
            State::Collecting(collecting) => {
                return self.failed(ReplyOrigin::Exchange(collecting.exchange), message, "a second head");
            }
            state => {
                self.state = state;
                return Ok(Some(message::passed_head(Default::default())));
            }
        };
        match (origin, details.filter(|details| *details != VIA_UPSTREAM)) {
            (ReplyOrigin::Exchange(exchange), None) => self.service_head(exchange, message),
            (origin, details) => self.failed(origin, message, details.unwrap_or("a response before the guards")),
        }
    }

    /// Envoy itself made this head, or the head cannot be used.
    fn failed(&mut self, origin: ReplyOrigin, message: &HttpHeaders, details: &str) -> Reply {
        let read = envoy::response(Lines::new(message.headers.as_ref()));
        let status = read.as_ref().map_or(Some(StatusCode::BAD_GATEWAY), |head| failed_status(head, details));
        let Some(status) = status else { return self.succeeded(origin, message) };
        let mut head = read.unwrap_or_else(|| http::Response::new(()).into_parts().0);
        head.status = status;
        let cause = envoy::local_reply_cause(Some(status), details.to_owned());
        let plan = origin.proxy_failed(&mut head, cause);
        self.carry_out(plan, head, message)
    }

    /// A redirect or another success that Envoy itself made keeps its shape, and gets the request's id.
    fn succeeded(&mut self, origin: ReplyOrigin, message: &HttpHeaders) -> Reply {
        let id = match origin {
            ReplyOrigin::Exchange(exchange) => return self.service_head(exchange, message),
            ReplyOrigin::Peeking(pending) => pending.request_id(),
            ReplyOrigin::Verifying(pending) => pending.request_id(),
        };
        Ok(Some(message::passed_head(message::only_request_id(id))))
    }

    /// Handles a head from the service.
    fn service_head(&mut self, exchange: Exchange, message: &HttpHeaders) -> Reply {
        let lines = Lines::new(message.headers.as_ref());
        let mut sent = None;
        if envoy::can_pass_unparsed(lines, |status| exchange.passes_unparsed(*sent.insert(status)))
            && let Some(status) = sent
        {
            let changes = message::only_request_id(exchange.request_id());
            let (_, notes) = exchange.finish_unparsed();
            self.log_notes(notes);
            self.note_head_sent(status);
            return Ok(Some(message::passed_head(changes)));
        }
        let Some(mut head) = envoy::response(lines) else {
            return self.failed(ReplyOrigin::Exchange(exchange), message, "no proper head");
        };
        let facts = envoy::facts(&head.headers, message.end_of_stream);
        let plan = exchange.response_head(&mut head, || facts);
        self.carry_out(plan, head, message)
    }

    fn carry_out(&mut self, plan: ResponsePlan, head: response::Parts, message: &HttpHeaders) -> Reply {
        match plan {
            ResponsePlan::Pass(_, notes) => {
                self.log_notes(notes);
                self.pass(&head, message, ResponseMode::Head, None)
            }
            ResponsePlan::Keep(_, event) => self.pass(&head, message, ResponseMode::Head, Some(*event)),
            ResponsePlan::Strip(_, notes) => {
                self.log_notes(notes);
                self.strip(head, message)
            }
            ResponsePlan::Rewrite(written) => self.rewritten(head, written),
            ResponsePlan::Replace(answered) => self.answer(*answered),
            ResponsePlan::Collect(exchange, max_bytes, timeout) => {
                self.collect(exchange, head, message, max_bytes, timeout)
            }
            ResponsePlan::Tee(_, observed, max_bytes, timeout) => {
                self.observe(observed, &head, message, max_bytes, timeout)
            }
            ResponsePlan::Watch(watch) => {
                self.log_notes(watch.notes());
                let mode = if watch.reads_data() { ResponseMode::Streamed } else { ResponseMode::Trailers };
                let passed = self.pass(&head, message, mode, None);
                if !message.end_of_stream {
                    self.state = State::Watching(watch);
                }
                passed
            }
            ResponsePlan::Stream(events, event) => {
                if event.is_none() {
                    self.log_notes(events.notes());
                }
                let passed = self.pass(&head, message, ResponseMode::Streamed, event.map(|event| *event));
                self.state = State::Streaming(events);
                passed
            }
        }
    }

    fn log_notes(&self, notes: Option<Box<EventFields>>) {
        if let Some(id) = self.id {
            runtime::log_notes(id, notes);
        }
    }

    /// Passes the response on with the changes of its head. Notes and logs the event, if there is one.
    fn pass(
        &mut self,
        head: &response::Parts,
        message: &HttpHeaders,
        mode: ResponseMode,
        event: Option<Event>,
    ) -> Reply {
        let changes = message::response_changes(Lines::new(message.headers.as_ref()), head);
        self.mode.response = mode;
        let changes_mode = mode != ResponseMode::Head && !message.end_of_stream;
        let passed = message::response_head(changes, changes_mode.then_some(self.mode));
        self.pass_with_event(passed, head.status, event)
    }

    fn pass_with_event(&mut self, passed: ProcessingResponse, status: StatusCode, event: Option<Event>) -> Reply {
        self.note_head_sent(status);
        let Some(event) = event else { return Ok(Some(passed)) };
        let noted = message::with_note(passed, event.request_id(), Some(&event));
        runtime::log_event(event);
        Ok(Some(noted))
    }

    /// Passes on the head without a body (E5).
    fn strip(&mut self, head: response::Parts, message: &HttpHeaders) -> Reply {
        if message.end_of_stream || head.status.as_u16() != 205 {
            return self.pass(&head, message, ResponseMode::Head, None);
        }
        self.note_head_sent(head.status);
        let reply = Response::from_parts(head, Bytes::new());
        Ok(Some(message::immediate(reply, "none", &self.head)))
    }

    fn rewritten(&mut self, head: response::Parts, mut written: RewrittenBody) -> Reply {
        runtime::log_unenforced(written.unenforced.take());
        let sent = self.send(Response::from_parts(head, written.body), &written.event);
        runtime::log_event(written.event);
        sent
    }

    /// Reads an error's body (R4). Envoy buffers the body if its length is declared, or if the route's setting requires
    /// it.
    fn collect(
        &mut self,
        exchange: Exchange,
        head: response::Parts,
        message: &HttpHeaders,
        max_bytes: u64,
        timeout: Duration,
    ) -> Reply {
        let lines = message.headers.clone().unwrap_or_default();
        let buffers = declares_at_most(&head, BUFFER) || exchange.buffers_unsized_errors();
        // If the body may have to be sent unchanged, the processor waits for it: an immediate response could not send
        // it.
        let is_awaited = exchange.may_restore();
        self.state = State::Collecting(Box::new(Collecting { exchange, head, lines, max_bytes }));
        if message.end_of_stream {
            return self.collected(Collected::Whole(&[]), message::passed_head);
        }
        if !buffers {
            return self.collected(Collected::Unreadable(&[]), message::passed_head);
        }
        if !is_awaited {
            self.timers.start(Wait::Collect, timeout);
        }
        self.mode.response = ResponseMode::Buffered;
        Ok(Some(message::response_head(Default::default(), Some(self.mode))))
    }

    /// Finishes an error whose body was read, completely or in part. `pass_reply` makes the reply to the last message
    /// if the error passes unchanged.
    pub(super) fn collected(
        &mut self,
        body: Collected<'_>,
        pass_reply: impl FnOnce(HeaderMutation) -> ProcessingResponse,
    ) -> Reply {
        let collecting = match self.take_state() {
            State::Collecting(collecting) => *collecting,
            state => {
                self.state = state;
                return Ok(None);
            }
        };
        self.timers.clear();
        let Collecting { exchange, mut head, lines, .. } = collecting;
        match exchange.response_body(&mut head, body) {
            CollectedAction::Rewrite(written) => self.rewritten(head, written),
            CollectedAction::Replace(answered) => self.answer(*answered),
            CollectedAction::Restore(_, event) => {
                let changes = message::response_changes(Lines::new(Some(&lines)), &head);
                self.pass_with_event(pass_reply(changes), head.status, Some(*event))
            }
        }
    }

    /// Lets an error pass, and copies its body in those cases in which it would otherwise be buffered and read (M1).
    fn observe(
        &mut self,
        observed: Box<ObservedError>,
        head: &response::Parts,
        message: &HttpHeaders,
        max_bytes: u64,
        timeout: Duration,
    ) -> Reply {
        if message.end_of_stream || !declares_at_most(head, u64::MAX) {
            let body = if message.end_of_stream { Collected::Whole(&[]) } else { Collected::Unreadable(&[]) };
            return self.pass(head, message, ResponseMode::Head, Some(observed.finish(body)));
        }
        let until = tokio::time::Instant::now() + timeout;
        self.state = State::Copying(Box::new(Copying { observed, copy: Vec::new(), passed: 0, max_bytes, until }));
        self.pass(head, message, ResponseMode::Streamed, None)
    }

    pub(super) fn response_body(&mut self, data: Vec<u8>, end: bool) -> Reply {
        inject(&self.head, "response_body");
        let mut changed = None;
        match &mut self.state {
            State::Collecting(collecting) => {
                let too_long = data.len() as u64 > collecting.max_bytes;
                let body = if too_long { Collected::Unreadable(&data) } else { Collected::Whole(&data) };
                return self.collected(body, message::buffered_response);
            }
            State::Copying(copying) => copying.push(&data),
            State::Watching(watch) => {
                let before = Bytes::from(data);
                let mut after = before.clone();
                watch.response_data(&mut after).into_iter().for_each(runtime::log_event);
                changed = (after != before).then_some(after);
            }
            State::Streaming(events) => changed = events.response_data(&data),
            _ => {}
        }
        if end {
            self.copied();
        }
        Ok(Some(message::response_body(changed)))
    }

    /// The body of an error that passes has ended: the error is logged.
    fn copied(&mut self) {
        match self.take_state() {
            State::Copying(copying) => runtime::log_event(copying.finish()),
            state => self.state = state,
        }
    }

    pub(super) fn response_trailers(&mut self, message: &HttpTrailers) -> Reply {
        let lines = Lines::new(message.trailers.as_ref());
        let mut changes = HeaderMutation::default();
        match &mut self.state {
            State::Watching(watch) => {
                if let Some(mut trailers) = envoy::trailers(lines) {
                    watch.response_trailers(&mut trailers).into_iter().for_each(runtime::log_event);
                    changes = message::changes(lines, &trailers);
                }
            }
            State::Streaming(events) => events.response_trailers(),
            _ => self.copied(),
        }
        Ok(Some(message::response_trailers(changes)))
    }
}

impl Copying {
    fn push(&mut self, data: &[u8]) {
        self.passed = self.passed.saturating_add(data.len() as u64);
        if self.passed <= self.max_bytes {
            self.copy.extend_from_slice(data);
        }
    }

    fn finish(self) -> Event {
        let is_whole = self.passed <= self.max_bytes && tokio::time::Instant::now() < self.until;
        let body = if is_whole { Collected::Whole(&self.copy) } else { Collected::Unreadable(&self.copy) };
        self.observed.finish(body)
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
