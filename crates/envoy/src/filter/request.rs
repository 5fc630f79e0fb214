//! Handles the request. The guards check its head, and its body is counted (G0–G5, V4).

use error_envelope_core::code::ErrorCode;
use error_envelope_core::fault::Fault;
use error_envelope_core::session::{
    BodyMeter, DrainBudget, Ending, FirstByte, MeterAction, RequestStep, keep_checksums,
};
use error_envelope_runtime as runtime;
use error_envelope_runtime::envoy::{self, RequestHead};
use http::{Method, Version};

use super::redirect;
use super::state::{BodyStatus, Filter, HeadStatus, Phase, Wait};
use crate::abi::{Body, Head, Stream};
use crate::heads;
use crate::timer::Timer;

impl Filter {
    pub(crate) fn request_head(&self, stream: &Stream<'_>, end: bool) -> HeadStatus {
        if !matches!(*self.phase.borrow(), Phase::New) {
            // A second head would reach the service unchecked, because the guards have checked only the first one.
            stream.reset("error_envelope_second_head");
            return HeadStatus::Stop;
        }
        self.request_ended.set(end);
        self.inject(stream, "request_headers");
        let (version, config) = (self.read_version(stream), self.config());
        let reads_all = config.reads_any();
        let mut head = stream.lines(Head::Request, |lines| RequestHead::parse(lines, version, end, reads_all));
        self.tunnels.set(head.parts.method == Method::CONNECT);
        let followed = redirect::follow(self.followed.take(), &mut head.parts.headers);
        let (session, step) = head.begin(config, || followed.unwrap_or_else(runtime::new_request_id));
        self.id.set(session.request_id(&step));
        match session.id_header() {
            Some(_) if head.has_all => heads::apply(stream, Head::Request, &head.parts.headers),
            Some(id) => heads::set_request_id(stream, Head::Request, id, !head.has_id),
            None => {}
        }
        *self.session.borrow_mut() = session;
        self.admitted(stream, step).into()
    }

    /// Carries out the guards' decision.
    fn admitted(&self, stream: &Stream<'_>, step: RequestStep) -> BodyStatus {
        match step {
            RequestStep::Forward(meter) => {
                *self.meter.borrow_mut() = meter;
                let time = self.session.borrow().call_time();
                let deadline = time.and_then(|time| Timer::after(stream, Wait::Deadline as u64, time));
                *self.deadline.borrow_mut() = deadline;
                self.replace_phase(Phase::Called);
                return BodyStatus::Continue;
            }
            RequestStep::Send(reply) => self.answer(stream, *reply),
            RequestStep::Peek(time) => {
                self.replace_phase(Phase::Peeking);
                self.start_timer(stream, Wait::Peek, time);
            }
            // A policy whose scheme requires waiting is not accepted.
            RequestStep::Verify(_) | RequestStep::Broken => {
                self.end(stream, Ending::UnreadyPanicked("a step that is not possible inside Envoy".into()));
            }
        }
        BodyStatus::Stop
    }

    /// Ends the request without a response of the service. Returns false if the request has already ended.
    pub(super) fn end(&self, stream: &Stream<'_>, why: Ending) -> bool {
        let reply = self.session.borrow_mut().end(why);
        let is_ended = reply.is_some();
        if let Some(reply) = reply {
            self.answer(stream, reply);
        }
        is_ended
    }

    pub(crate) fn request_body(&self, stream: &Stream<'_>, end: bool) -> BodyStatus {
        self.request_ended.set(self.request_ended.get() || end);
        self.received.set(self.received.get() + stream.length(Body::Request) as u64);
        self.inject(stream, "request_body");
        self.request_data(stream, end)
    }

    pub(crate) fn request_trailers(&self, stream: &Stream<'_>) -> HeadStatus {
        self.request_ended.set(true);
        self.inject(stream, "request_trailers");
        // If a line cannot be parsed, none of the trailers reaches the service.
        let mut trailers = stream.lines(Head::RequestTrailers, |lines| envoy::trailers(lines)).unwrap_or_default();
        keep_checksums(&mut trailers);
        heads::apply(stream, Head::RequestTrailers, &trailers);
        self.request_data(stream, true).into()
    }

    /// Called when chunks came, or the end of the body, or both.
    fn request_data(&self, stream: &Stream<'_>, end: bool) -> BodyStatus {
        let phase = self.phase.borrow();
        match *phase {
            // The guards have not checked a head yet, or the answer is sent.
            Phase::New | Phase::Answered => BodyStatus::Stop,
            Phase::Peeking => {
                drop(phase);
                self.peeked(stream, end)
            }
            Phase::Draining(..) | Phase::Lingering(_) => {
                drop(phase);
                self.drop_request(stream, end);
                BodyStatus::Stop
            }
            // If the service's response was passed on, the request continues.
            Phase::Called | Phase::Collecting(_) | Phase::Replacing(_) | Phase::Dropping | Phase::Passing => {
                drop(phase);
                self.count_chunk(stream, end)
            }
        }
    }

    /// Counts a chunk before the service gets it.
    fn count_chunk(&self, stream: &Stream<'_>, end: bool) -> BodyStatus {
        let Some(mut meter) = self.meter.take() else { return BodyStatus::Continue };
        let over = stream.chunks(Body::Request, |chunks| drain_if_over(&mut meter, chunks));
        if end {
            meter.body_ended();
        }
        if let Some(drain) = over {
            self.overran(stream, meter, drain);
            return BodyStatus::Stop;
        }
        *self.meter.borrow_mut() = Some(meter);
        BodyStatus::Continue
    }

    /// Called when the body exceeded its limit (G4). If no head has been sent, sends the layer's own response.
    /// Otherwise ends the response of the service.
    ///
    /// Over HTTP/1 the rest of the body is dropped first, so that the connection stays usable. On HTTP/2, a stream ends
    /// without its connection.
    fn overran(&self, stream: &Stream<'_>, meter: BodyMeter, drain: DrainBudget) {
        let drains = self.version.get() < Version::HTTP_2 && !self.request_ended.get() && drain.max_bytes > 0;
        match self.replace_phase(Phase::Answered) {
            Phase::Called if drains => {
                self.replace_phase(Phase::Draining(meter, drain.max_bytes));
                self.start_timer(stream, Wait::Linger, drain.timeout);
                return;
            }
            Phase::Passing => {
                let last = self.follow.borrow_mut().overran();
                if let Some(last) = last {
                    return self.end_body(stream, last, BROKEN_OFF);
                }
                self.replace_phase(Phase::Passing);
            }
            phase => drop(self.replace_phase(phase)),
        }
        // In the layer, the service would get a body that breaks off, and the client would still get the service's
        // reply. Here both share one stream.
        if !self.end(stream, Ending::Overran) && !self.response_ended.get() {
            let failure = self.follow.borrow().classify(&Fault::new(ErrorCode::PAYLOAD_TOO_LARGE));
            // An event stream gets no last event, because the client is still sending.
            let _ = self.break_off(stream, failure, "the request's body ran over its limit after a response".into());
            stream.reset("error_envelope_request_over_its_limit");
        }
    }

    /// Called at the first chunk or at the end of a body. G3 depends on whether the body is empty.
    fn peeked(&self, stream: &Stream<'_>, end: bool) -> BodyStatus {
        let empty = stream.chunks(Body::Request, |chunks| chunks.iter().all(|chunk| chunk.is_empty()));
        match (empty, end) {
            (true, false) => BodyStatus::Stop,
            (true, true) => self.first_byte(stream, FirstByte::End),
            (false, _) => self.first_byte(stream, FirstByte::Data),
        }
    }

    pub(super) fn peek_timed_out(&self, stream: &Stream<'_>) {
        if matches!(*self.phase.borrow(), Phase::Peeking) {
            self.first_byte(stream, FirstByte::TooSlow);
        }
    }

    fn first_byte(&self, stream: &Stream<'_>, first: FirstByte) -> BodyStatus {
        self.stop_timer();
        let step = self.session.borrow_mut().first_byte(first);
        self.admitted(stream, step)
    }

    /// Ends a call whose client's deadline has passed (P1).
    pub(super) fn end_at_call_deadline(&self, stream: &Stream<'_>) {
        if self.end(stream, Ending::TimedOut) {
            return;
        }
        let last = {
            let mut follow = self.follow.borrow_mut();
            // A call that cannot be ended properly continues, because the client also measures the deadline.
            if follow.can_time_out() { follow.timed_out() } else { None }
        };
        if let Some(last) = last {
            self.end_body(stream, last, BROKEN_OFF);
        }
    }
}

/// The details that Envoy shows for a call that is ended after its head.
const BROKEN_OFF: &str = "error_envelope_broken_off";

fn drain_if_over(meter: &mut BodyMeter, chunks: &[&[u8]]) -> Option<DrainBudget> {
    chunks.iter().find_map(|chunk| match meter.request_data(chunk) {
        MeterAction::Within => None,
        MeterAction::Over(drain) => Some(drain),
    })
}
