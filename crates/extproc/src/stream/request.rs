//! The request: the guards check its head, and its body is counted where a limit needs it (G0–G5, V4).

use std::pin::Pin;

use error_envelope_core::exchange::{
    Admission, BodyFailure, Exchange, FirstByte, KnownMethod, MeterAction, PendingVerification, keep_checksums,
};
use error_envelope_core::request_id::RequestId;
use error_envelope_runtime as runtime;
use error_envelope_runtime::KeyFetcher;
use error_envelope_runtime::envoy::{self, HeaderLines as _};
use http::request;
use tonic::Status;

use super::state::{ProcessingStream, Reply, State, Verifying};
use super::timers::Wait;
use crate::message::{self, Lines};
use crate::proto::HeaderMap as EnvoyHeaders;
use crate::proto::{HttpHeaders, HttpTrailers, ProcessingResponse};

impl ProcessingStream {
    pub(super) fn request_head(&mut self, message: HttpHeaders, protocol: Option<&str>) -> Reply {
        if !matches!(self.state, State::New) {
            // The guards have checked the first head: another one would reach the service unchecked.
            return Err(Status::failed_precondition("a second request head in one stream"));
        }
        let config = self.config();
        let lines = Lines::new(message.headers.as_ref());
        let all = config.reads_any()
            || cfg!(feature = "panics")
            || lines.count() > envoy::MAX_COPIED_LINES
            || envoy::has_removed(lines);
        let read = envoy::request(lines, envoy::version(protocol.map(str::as_bytes)), all);
        self.facts = envoy::request_facts(&read.parts, message.end_of_stream);
        self.head = read.parts;
        if let Some(cause) = read.unread {
            let exchange = self.unread();
            return self.answer(exchange.malformed(cause.into()));
        }
        inject(&self.head, "request_headers");
        let begin = if all { Exchange::begin } else { Exchange::begin_copy };
        let id = &mut self.id;
        let admission = begin(config, &mut self.head, self.facts, || *id.insert(runtime::new_request_id()));
        self.begin_timer(&admission);
        self.admitted(admission, message.headers, all)
    }

    fn begin_timer(&mut self, admission: &Admission) {
        self.id = Some(admission.request_id());
        let method = KnownMethod::from(&self.head.method);
        let labels = || (admission.scope(), admission.shared_route());
        self.timer = self.started.take().map(|started| self.metrics.begin(started, method, labels));
    }

    /// Carries out the guards' decision. `all` means that the head was parsed with all its lines, so that its changes
    /// can be applied.
    fn admitted(&mut self, admission: Admission, lines: Option<EnvoyHeaders>, all: bool) -> Reply {
        match admission {
            Admission::Forward(exchange, meter, unenforced) => {
                runtime::log_unenforced(unenforced);
                let (id, declared) = (exchange.request_id(), self.facts.upper.is_some());
                self.meter = meter.filter(|meter| meter.needs_data(declared));
                self.mode.counts_request = self.meter.is_some();
                self.enter_called(exchange);
                self.forward(lines.as_ref(), all, id)
            }
            Admission::Answer(answered) => self.answer(*answered),
            Admission::Verify(pending, timeout) => {
                self.timers.start(Wait::Verify, timeout);
                let fetched = keys_fetched(&pending);
                self.state = State::Verifying(Box::new(Verifying { pending, lines, all, fetched }));
                Ok(Some(message::wait_for(timeout)))
            }
            Admission::Peek(pending, timeout) => {
                let id = pending.request_id();
                self.mode.counts_request = true;
                self.timers.start(Wait::Peek, timeout);
                self.state = State::Peeking(Box::new(pending));
                self.forward(lines.as_ref(), all, id)
            }
        }
    }

    /// Forwards the request's head, and sets which messages Envoy sends after it.
    fn forward(&self, lines: Option<&EnvoyHeaders>, all: bool, id: RequestId) -> Reply {
        let changes =
            if all { message::changes(Lines::new(lines), &self.head.headers) } else { message::only_request_id(id) };
        Ok(Some(message::with_note(message::request_head(changes, self.mode), id, None)))
    }

    fn enter_called(&mut self, exchange: Exchange) {
        if let Some(time) = exchange.deadline() {
            self.timers.start(Wait::Deadline, time);
        }
        self.state = State::Called(Box::new(exchange));
    }

    /// The keys were fetched, or the wait for them timed out: the guards decide with the keys that are there.
    pub(super) fn verified(&mut self) -> Reply {
        let State::Verifying(verifying) = self.take_state() else { return Ok(None) };
        self.timers.stop();
        let Verifying { pending, lines, all, .. } = *verifying;
        let outcome = Err("the processor has no verifier for this scheme".into());
        let admission = pending.verified(&mut self.head, outcome);
        self.admitted(admission, lines, all)
    }

    /// Counts a piece of the request's body before the service gets it.
    pub(super) fn request_body(&mut self, data: &[u8], end: bool) -> Reply {
        inject(&self.head, "request_body");
        let pass_reply = Some(message::request_body());
        let Some(meter) = &mut self.meter else {
            return match (data.is_empty(), end) {
                (true, false) => Ok(pass_reply),
                (true, true) => self.first_byte(FirstByte::End, pass_reply),
                (false, _) => self.first_byte(FirstByte::Data, pass_reply),
            };
        };
        let counted = meter.request_data(data);
        if end {
            meter.body_ended();
        }
        match counted {
            MeterAction::Within => Ok(pass_reply),
            MeterAction::Over(_) => self.overran(),
        }
    }

    /// The body ran over its limit (G4): the answer, if no response has begun.
    fn overran(&mut self) -> Reply {
        self.meter = None;
        match self.take_state() {
            State::Called(exchange) => self.answer(exchange.overran()),
            State::Collecting(collecting) => self.answer(collecting.exchange.overran()),
            State::Watching(call) => cut_off(call.overran()),
            // Here request and response share one stream: if one ends, the response breaks off, too.
            _ => Err(Status::resource_exhausted("the request body exceeded its limit after a response")),
        }
    }

    /// The body has ended. Of its trailers, only checksums reach the service (R6); none do if a line cannot be parsed.
    pub(super) fn request_trailers(&mut self, message: &HttpTrailers) -> Reply {
        if let Some(meter) = &mut self.meter {
            meter.body_ended();
        }
        let lines = Lines::new(message.trailers.as_ref());
        let mut trailers = envoy::trailers(lines).unwrap_or_default();
        keep_checksums(&mut trailers);
        self.first_byte(FirstByte::End, Some(message::request_trailers(message::changes(lines, &trailers))))
    }

    /// The first piece of a body came, or its end, or neither in time: whether the body is empty decides about the
    /// request (G3). If no decision is due, `pass_reply` lets the message pass.
    pub(super) fn first_byte(&mut self, first: FirstByte, pass_reply: Option<ProcessingResponse>) -> Reply {
        let pending = match self.take_state() {
            State::Peeking(pending) => pending,
            state => {
                self.state = state;
                return Ok(pass_reply);
            }
        };
        self.timers.stop();
        match pending.first_byte(first) {
            Admission::Forward(exchange, _, unenforced) => {
                runtime::log_unenforced(unenforced);
                self.enter_called(exchange);
                Ok(pass_reply)
            }
            Admission::Answer(answered) => self.answer(*answered),
            // The peek is the last step: after it, the exchange requests neither another peek nor a verifier.
            Admission::Peek(pending, _) => self.answer(pending.panicked("a second peek".into())),
            Admission::Verify(pending, _) => self.answer(pending.panicked("a verifier after the peek".into())),
        }
    }

    /// Ends a call whose client's deadline has passed (P1).
    pub(super) fn end_at_call_deadline(&mut self) -> Reply {
        match self.take_state() {
            State::Called(exchange) => self.answer(exchange.timed_out()),
            State::Collecting(collecting) => self.answer(collecting.exchange.timed_out()),
            State::Watching(call) if !call.has_ended() => cut_off(call.timed_out()),
            state => {
                self.state = state;
                Ok(None)
            }
        }
    }
}

/// Ends a call after its head was sent (F4): Envoy resets it, and its client gets no last message.
fn cut_off(failure: BodyFailure) -> Reply {
    runtime::log_event(failure.event);
    Err(Status::aborted("a call has failed behind its head"))
}

/// Is ready once the keys that a request waits for are fetched. The processor has no custom verifiers, so it does not
/// wait for one.
fn keys_fetched(pending: &PendingVerification) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    match pending.keys() {
        Some(keys) => Box::pin(KeyFetcher::fetched(keys)),
        None => Box::pin(std::future::ready(())),
    }
}

/// Panics if the request names this message, for tests.
pub(super) fn inject(head: &request::Parts, message: &str) {
    assert!(!is_named(head, message), "the panic that the request names, in {message}");
}

/// Whether the request names this message in `x-panic-in`; always false except in builds for tests.
pub(super) fn is_named(head: &request::Parts, message: &str) -> bool {
    cfg!(feature = "panics") && head.headers.get("x-panic-in").is_some_and(|value| value == message)
}
