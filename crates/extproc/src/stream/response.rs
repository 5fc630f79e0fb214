//! The response: passed on, read first, or answered instead (R1–R14, E5, V2, V3).

use std::time::Duration;

use bytes::Bytes;
use envoy_types::pb::envoy::service::ext_proc::v3::{HttpHeaders, HttpTrailers};
use error_envelope_core::exchange::{
    Collected, CollectedAction, Event, EventFields, Exchange, ObservedError, ResponsePlan, RewrittenBody,
};
use error_envelope_runtime as runtime;
use error_envelope_runtime::envoy;
use http::{Response, response};

use super::failed::ReplyOrigin;
use super::request::inject;
use super::state::{Collecting, Copying, ProcessingStream, Reply, State};
use super::timers::Wait;
use crate::message::{self, Lines};
use crate::mode::{Mode, ResponseMode};

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
                return Ok(Some(message::response_head(Default::default(), None)));
            }
        };
        match (origin, details.filter(|details| *details != VIA_UPSTREAM)) {
            (ReplyOrigin::Exchange(exchange), None) => self.service_head(exchange, message),
            (origin, details) => self.failed(origin, message, details.unwrap_or("a response before the guards")),
        }
    }

    /// The head is the service's.
    pub(super) fn service_head(&mut self, exchange: Exchange, message: &HttpHeaders) -> Reply {
        let lines = Lines::new(message.headers.as_ref());
        let mut sent = None;
        if envoy::can_pass_unparsed(lines, |status| exchange.passes_unparsed(*sent.insert(status)))
            && let Some(status) = sent
        {
            let changes = message::only_request_id(exchange.request_id());
            let (_, notes) = exchange.finish_unparsed();
            self.log_notes(notes);
            self.head_left(status);
            return Ok(Some(message::response_head(changes, None)));
        }
        let Some(mut head) = envoy::response(lines) else {
            return self.failed(ReplyOrigin::Exchange(exchange), message, "no proper head");
        };
        let facts = envoy::facts(&head.headers, message.end_of_stream);
        let plan = exchange.response_head(&mut head, || facts);
        self.carry_out(plan, head, message)
    }

    pub(super) fn carry_out(&mut self, plan: ResponsePlan, head: response::Parts, message: &HttpHeaders) -> Reply {
        match plan {
            ResponsePlan::Pass(_, notes) => {
                self.log_notes(notes);
                self.pass(&head, message, ResponseMode::Head, None)
            }
            ResponsePlan::Keep(_, event) => self.pass_logged(&head, message, ResponseMode::Head, *event),
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
                let passed = match event {
                    Some(event) => self.pass_logged(&head, message, ResponseMode::Streamed, *event),
                    None => {
                        self.log_notes(events.notes());
                        self.pass(&head, message, ResponseMode::Streamed, None)
                    }
                };
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

    /// The response goes on with the changes of its head.
    fn pass(
        &mut self,
        head: &response::Parts,
        message: &HttpHeaders,
        mode: ResponseMode,
        event: Option<&Event>,
    ) -> Reply {
        self.head_left(head.status);
        let changes = message::response_changes(Lines::new(message.headers.as_ref()), head);
        let passed = message::response_head(changes, self.next_mode(mode, message.end_of_stream));
        Ok(Some(match event {
            Some(event) => message::with_note(passed, event.request_id(), Some(event)),
            None => passed,
        }))
    }

    fn pass_logged(
        &mut self,
        head: &response::Parts,
        message: &HttpHeaders,
        mode: ResponseMode,
        event: Event,
    ) -> Reply {
        let passed = self.pass(head, message, mode, Some(&event));
        runtime::log_event(event);
        passed
    }

    /// The mode from now on, if it is another one.
    fn next_mode(&mut self, response: ResponseMode, ended: bool) -> Option<Mode> {
        let changes = response != ResponseMode::Head && !ended;
        changes.then(|| {
            self.mode = Mode { response, ..self.mode };
            self.mode
        })
    }

    /// The head alone goes on (E5).
    fn strip(&mut self, head: response::Parts, message: &HttpHeaders) -> Reply {
        if message.end_of_stream || head.status.as_u16() != 205 {
            return self.pass(&head, message, ResponseMode::Head, None);
        }
        self.head_left(head.status);
        let reply = Response::from_parts(head, Bytes::new());
        Ok(Some(message::immediate(reply, "none", &self.head)))
    }

    fn rewritten(&mut self, head: response::Parts, mut written: RewrittenBody) -> Reply {
        runtime::log_unenforced(written.unenforced.take());
        let sent = self.send(Response::from_parts(head, written.body), &written.event);
        runtime::log_event(written.event);
        sent
    }

    /// An error's body is to be read (R4): Envoy buffers one whose length is declared, or one of a route that has it do so.
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
        let collecting = Collecting { exchange, head, lines, max_bytes };
        if message.end_of_stream {
            return self.collected(collecting, Collected::Whole(&[]), Place::Head);
        }
        if !buffers {
            return self.collected(collecting, Collected::Unreadable(&[]), Place::Head);
        }
        // A body that may have to be sent unchanged is awaited: an immediate response could not send it.
        if !collecting.exchange.may_restore() {
            self.timers.start(Wait::Collect, timeout);
        }
        self.state = State::Collecting(Box::new(collecting));
        self.mode = Mode { response: ResponseMode::Buffered, ..self.mode };
        Ok(Some(message::response_head(Default::default(), Some(self.mode))))
    }

    pub(super) fn collected_too_late(&mut self) -> Reply {
        match self.take_state() {
            State::Collecting(collecting) => self.collected(*collecting, Collected::Unreadable(&[]), Place::Head),
            state => {
                self.state = state;
                Ok(None)
            }
        }
    }

    /// An error's body was read, whole or not.
    fn collected(&mut self, collecting: Collecting, body: Collected<'_>, place: Place) -> Reply {
        self.timers.clear();
        let Collecting { exchange, mut head, lines, .. } = collecting;
        match exchange.response_body(&mut head, body) {
            CollectedAction::Rewrite(written) => self.rewritten(head, written),
            CollectedAction::Replace(answered) => self.answer(*answered),
            CollectedAction::Restore(_, event) => {
                self.head_left(head.status);
                let changes = message::response_changes(Lines::new(Some(&lines)), &head);
                let passed = match place {
                    Place::Head => message::response_head(changes, None),
                    Place::Body => message::buffered_response(changes),
                };
                let passed = message::with_note(passed, event.request_id(), Some(&event));
                runtime::log_event(*event);
                Ok(Some(passed))
            }
        }
    }

    /// An error that passes, and whose body is copied where one that is read would be buffered (M1).
    fn observe(
        &mut self,
        observed: Box<ObservedError>,
        head: &response::Parts,
        message: &HttpHeaders,
        max_bytes: u64,
        timeout: Duration,
    ) -> Reply {
        let copies = declares_at_most(head, u64::MAX) && !message.end_of_stream;
        let mode = if copies { ResponseMode::Streamed } else { ResponseMode::Head };
        if copies {
            let until = tokio::time::Instant::now() + timeout;
            let passed = self.pass(head, message, mode, None);
            self.state = State::Copying(Box::new(Copying { observed, copy: Vec::new(), passed: 0, max_bytes, until }));
            return passed;
        }
        let body = if message.end_of_stream { Collected::Whole(&[]) } else { Collected::Unreadable(&[]) };
        let event = observed.finish(body);
        self.pass_logged(head, message, mode, event)
    }

    pub(super) fn response_body(&mut self, data: Vec<u8>, end: bool) -> Reply {
        inject(&self.head, "response_body");
        match self.take_state() {
            State::Collecting(collecting) => {
                let too_long = data.len() as u64 > collecting.max_bytes;
                let body = if too_long { Collected::Unreadable(&data) } else { Collected::Whole(&data) };
                self.collected(*collecting, body, Place::Body)
            }
            State::Copying(copying) => self.copy(copying, &data, end),
            State::Watching(mut watch) => {
                let mut changed = Bytes::from(data);
                let before = changed.clone();
                watch.response_data(&mut changed).into_iter().for_each(runtime::log_event);
                self.state = State::Watching(watch);
                Ok(Some(message::response_body((changed != before).then_some(changed))))
            }
            State::Streaming(mut events) => {
                let changed = events.response_data(&data);
                self.state = State::Streaming(events);
                Ok(Some(message::response_body(changed)))
            }
            state => {
                self.state = state;
                Ok(Some(message::response_body(None)))
            }
        }
    }

    fn copy(&mut self, mut copying: Box<Copying>, data: &[u8], end: bool) -> Reply {
        copying.passed = copying.passed.saturating_add(data.len() as u64);
        if copying.passed <= copying.max_bytes {
            copying.copy.extend_from_slice(data);
        }
        if end {
            self.copied(*copying)
        } else {
            self.state = State::Copying(copying)
        }
        Ok(Some(message::response_body(None)))
    }

    fn copied(&mut self, copying: Copying) {
        let Copying { observed, copy, passed, max_bytes, until } = copying;
        let in_time = passed <= max_bytes && tokio::time::Instant::now() < until;
        let collected = if in_time { Collected::Whole(&copy) } else { Collected::Unreadable(&copy) };
        runtime::log_event(observed.finish(collected));
    }

    pub(super) fn response_trailers(&mut self, message: &HttpTrailers) -> Reply {
        let lines = Lines::new(message.trailers.as_ref());
        match self.take_state() {
            State::Copying(copying) => self.copied(*copying),
            State::Watching(mut watch) => {
                if let Some(mut trailers) = envoy::trailers(lines) {
                    watch.response_trailers(&mut trailers).into_iter().for_each(runtime::log_event);
                    return Ok(Some(message::response_trailers(message::changes(lines, &trailers))));
                }
            }
            State::Streaming(mut events) => events.response_trailers(),
            state => self.state = state,
        }
        Ok(Some(message::response_trailers(Default::default())))
    }
}

/// Envoy's details of a response that the service made.
const VIA_UPSTREAM: &str = "via_upstream";

/// The message that is replied to.
#[derive(Clone, Copy)]
enum Place {
    Head,
    Body,
}

/// The most that Envoy buffers of a response, as the generated configuration has it. Over that Envoy answers 500 by itself.
const BUFFER: u64 = 1024 * 1024;

fn declares_at_most(head: &response::Parts, bytes: u64) -> bool {
    envoy::facts(&head.headers, false).upper.is_some_and(|length| length <= bytes)
}
