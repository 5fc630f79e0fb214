//! Handles the request. The guards check its head, and its body is counted if a limit needs it (G0–G5, V4).

use std::pin::Pin;

use error_envelope_core::code::ErrorCode;
use error_envelope_core::fault::Fault;
use error_envelope_core::session::{Ending, FirstByte, KnownMethod, MeterAction, RequestStep, Session, keep_checksums};
use error_envelope_runtime::envoy::{self, RequestHead};
use error_envelope_runtime::{self as runtime, KeyFetcher};
use tonic::Status;

use super::state::{KeyWait, Phase, ProcessingStream, Reply, now};
use super::timers::Wait;
use crate::message::{self, Lines};
use crate::proto::{HeaderMap as EnvoyHeaders, HttpHeaders, HttpTrailers, ProcessingResponse};

impl ProcessingStream {
    pub(super) fn request_head(&mut self, message: HttpHeaders, protocol: Option<&str>) -> Reply {
        if !matches!(self.phase, Phase::New) {
            // The guards have checked only the first head, so another one would reach the service unchecked.
            return Err(Status::failed_precondition("a second request head in one stream"));
        }
        let config = self.config();
        let (lines, version) = (Lines::new(message.headers.as_ref()), envoy::version(protocol.map(str::as_bytes)));
        let reads_all = config.reads_any() || cfg!(feature = "panics");
        self.head = RequestHead::parse(lines, version, message.end_of_stream, reads_all);
        inject(&self.head, "request_headers");
        let (session, step) = self.head.begin(config, runtime::new_request_id);
        self.session = session;
        self.begin_timer(&step);
        self.admitted(step, message.headers, None)
    }

    fn begin_timer(&mut self, step: &RequestStep) {
        self.id = self.session.request_id(step);
        let method = KnownMethod::from(&self.head.parts.method);
        let labels = || self.session.labels(step);
        self.timer = self.started.take().map(|started| self.metrics.begin(started, method, labels));
    }

    /// Carries out the guards' decision about a head with these lines. If the head is already forwarded, `pass_reply`
    /// lets the message pass for which the guards waited.
    fn admitted(
        &mut self,
        step: RequestStep,
        lines: Option<EnvoyHeaders>,
        pass_reply: Option<ProcessingResponse>,
    ) -> Reply {
        match step {
            RequestStep::Forward(meter) => {
                let declared = self.head.facts.upper.is_some();
                self.meter = meter.filter(|meter| meter.needs_data(declared));
                self.mode.counts_request = self.meter.is_some();
                if let Some(time) = self.session.call_time() {
                    self.timers.start(Wait::Deadline, time);
                }
                self.phase = Phase::Called;
                pass_reply.map_or_else(|| self.forward(lines.as_ref()), |pass| Ok(Some(pass)))
            }
            RequestStep::Send(reply) => self.answer(*reply),
            RequestStep::Verify(time) => {
                self.timers.start(Wait::Verify, time);
                let fetched = keys_fetched(&self.session);
                self.phase = Phase::Verifying(Box::new(KeyWait { lines, fetched }));
                Ok(Some(message::wait_for(time)))
            }
            RequestStep::Peek(time) => {
                self.mode.counts_request = true;
                self.timers.start(Wait::Peek, time);
                self.phase = Phase::Peeking;
                self.forward(lines.as_ref())
            }
            RequestStep::Broken => Err(Status::internal("an input in a wrong state")),
        }
    }

    /// Forwards the request's head, and sets which messages Envoy sends after it.
    fn forward(&self, lines: Option<&EnvoyHeaders>) -> Reply {
        let Some(id) = self.session.id() else { return Ok(None) };
        let changes = if self.head.has_all {
            message::changes(Lines::new(lines), &self.head.parts.headers)
        } else {
            message::only_request_id(&id.text())
        };
        Ok(Some(message::with_note(message::request_head(changes, self.mode), id, None)))
    }

    /// Called when the keys were fetched, or when the wait for them timed out. The guards decide with the available
    /// keys.
    pub(super) fn verified(&mut self) -> Reply {
        let Phase::Verifying(waited) = self.take_phase() else { return Ok(None) };
        self.timers.stop();
        let result = Err("the processor has no verifier for this scheme".into());
        let step = self.session.verified(&mut self.head.parts, result);
        self.admitted(step, waited.lines, None)
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

    /// Called when the body exceeded its limit (G4). If no response has begun, returns the processor's own response.
    fn overran(&mut self) -> Reply {
        const CAUSE: &str = "the request body exceeded its limit after a response";

        self.meter = None;
        if let Some(reply) = self.end(Ending::Overran) {
            return reply;
        }
        self.phase = Phase::Done;
        if self.follow.overran().is_some() {
            return cut_off();
        }
        // The request and the response share one stream here, so the response breaks off, too.
        if self.follow.record().is_none() {
            let failure = self.follow.classify(&Fault::new(ErrorCode::PAYLOAD_TOO_LARGE));
            let _ = self.follow.failed(failure, CAUSE.into(), now);
        }
        Err(Status::resource_exhausted(CAUSE))
    }

    /// Called when the body has ended. Of the body's trailers, only checksums reach the service (R6). If a line cannot
    /// be parsed, no trailer reaches the service.
    pub(super) fn request_trailers(&mut self, message: &HttpTrailers) -> Reply {
        if let Some(meter) = &mut self.meter {
            meter.body_ended();
        }
        let lines = Lines::new(message.trailers.as_ref());
        let mut trailers = envoy::trailers(lines).unwrap_or_default();
        keep_checksums(&mut trailers);
        self.first_byte(FirstByte::End, Some(message::request_trailers(message::changes(lines, &trailers))))
    }

    /// Called at the first piece or at the end of a body, or when neither came in time. G3 depends on whether the body
    /// is empty. If no decision is due, `pass_reply` lets the message pass.
    pub(super) fn first_byte(&mut self, first: FirstByte, pass_reply: Option<ProcessingResponse>) -> Reply {
        if !matches!(self.phase, Phase::Peeking) {
            return Ok(pass_reply);
        }
        self.timers.stop();
        let step = self.session.first_byte(first);
        self.admitted(step, None, pass_reply)
    }

    /// Ends a call whose client's deadline has passed (P1).
    pub(super) fn end_at_call_deadline(&mut self) -> Reply {
        if let Some(reply) = self.end(Ending::TimedOut) {
            return reply;
        }
        self.follow.timed_out().map_or(Ok(None), |_| cut_off())
    }
}

/// Ends a call after its head was sent (F4). Envoy resets the call, and its client gets no last message.
fn cut_off() -> Reply {
    Err(Status::aborted("a call has failed behind its head"))
}

/// Returns a future that is ready once the keys for which a request waits are fetched. The processor has no custom
/// verifiers, so it never waits for a verifier.
fn keys_fetched(session: &Session) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    match session.verification().and_then(|waiting| waiting.keys()) {
        Some(keys) => Box::pin(KeyFetcher::fetched(keys)),
        None => Box::pin(std::future::ready(())),
    }
}

/// Panics if the request names this message, for tests.
pub(super) fn inject(head: &RequestHead, message: &str) {
    assert!(!is_named(head, message), "the panic that the request names, in {message}");
}

/// Returns true if the request names this message in `x-panic-in`. The result is always false except in builds for
/// tests.
pub(super) fn is_named(head: &RequestHead, message: &str) -> bool {
    cfg!(feature = "panics") && head.parts.headers.get("x-panic-in").is_some_and(|value| value == message)
}
