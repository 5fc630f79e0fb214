//! The request: the guards check its head, and its body is counted (G0–G5, V4).

use error_envelope_core::session::{
    Admission, BodyMeter, DrainBudget, Exchange, FirstByte, MeterAction, PendingPeek, RpcResponse, keep_checksums,
};
use error_envelope_runtime as runtime;
use error_envelope_runtime::envoy::HeaderLines as _;
use http::Version;

use super::redirect;
use super::state::{BodyStatus, Collecting, Draining, Filter, HeadStatus, State, Wait};
use crate::abi::{Body, Head, HeaderList, Stream};
use crate::heads::{self, HeaderMutations};
use crate::timer::Timer;

impl Filter {
    pub(crate) fn request_head(&self, stream: &Stream<'_>, end: bool) -> HeadStatus {
        if !matches!(*self.state.borrow(), State::New) {
            // A second head would reach the service unchecked: the guards checked the first one.
            stream.reset("error_envelope_second_head");
            return HeadStatus::Stop;
        }
        self.request_ended.set(end);
        self.inject(stream, "request_headers");
        let version = self.read_version(stream);
        let (admission, changes) = stream.lines(Head::Request, |lines| self.admit(lines, version, end));
        match admission {
            Admission::Forward(exchange, meter, unenforced) => {
                runtime::log_unenforced(unenforced);
                changes.apply(stream, Head::Request);
                self.forward(stream, exchange, meter);
                return HeadStatus::Continue;
            }
            Admission::Answer(answered) => {
                self.id.set(Some(answered.event.request_id()));
                self.answer(stream, *answered);
            }
            Admission::Verify(unverified, _) => {
                self.answer(stream, unverified.panicked("a verifier inside Envoy".into()));
            }
            Admission::Peek(pending, timeout) => {
                changes.apply(stream, Head::Request);
                self.id.set(Some(pending.request_id()));
                self.replace_state(State::Peeking(Box::new(pending)));
                self.start_timer(stream, Wait::Peek, timeout);
            }
        }
        HeadStatus::Stop
    }

    /// Passes the head to the guards; returns their decision and the changed head.
    fn admit(&self, lines: HeaderList<'_>, version: Version, end: bool) -> (Admission, HeaderMutations) {
        let config = self.config();
        let all = config.reads_any() || lines.count() > heads::MAX_COPIED_LINES || heads::has_removed(lines);
        let mut head = heads::request(lines, version, all);
        let followed = redirect::follow(self.followed.take(), &mut head.parts.headers);
        let id = || followed.unwrap_or_else(runtime::new_request_id);
        let facts = heads::request_facts(&head.parts, end);
        if let Some(cause) = head.unread {
            let exchange = Exchange::unread(config, &head.parts, facts, id);
            return (Admission::Answer(Box::new(exchange.malformed(cause.into()))), HeaderMutations::default());
        }
        let mut parts = head.parts;
        let fresh = || {
            let id = id();
            self.id.set(Some(id));
            id
        };
        let mut admission = if all {
            Exchange::begin(config, &mut parts, facts, fresh)
        } else {
            Exchange::begin_copy(config, &mut parts, facts, fresh)
        };
        // An accepted policy has no scheme with a verifier; such a scheme would refuse every request (G2).
        while let Admission::Verify(unverified, _) = admission {
            admission = unverified.verified(&mut parts, Err("custom verifiers are not available inside Envoy".into()));
        }
        let id = match &admission {
            Admission::Forward(exchange, ..) => Some(exchange.id_header()),
            Admission::Peek(pending, _) => Some(pending.id_header()),
            Admission::Answer(_) | Admission::Verify(..) => None,
        };
        let changes = match id {
            Some(_) if all => HeaderMutations::from_lines(lines, &parts.headers),
            Some(id) => HeaderMutations::only_request_id(id.clone(), head.has_id),
            None => HeaderMutations::default(),
        };
        (admission, changes)
    }

    /// The request is on its way.
    fn forward(&self, stream: &Stream<'_>, exchange: Exchange, meter: Option<BodyMeter>) {
        self.id.set(Some(exchange.request_id()));
        *self.meter.borrow_mut() = meter;
        if let Some(time) = exchange.deadline() {
            let timer = Timer::after(stream, Wait::Deadline as u64, time);
            *self.deadline.borrow_mut() = timer;
        }
        self.replace_state(State::Called(Box::new(exchange)));
    }

    pub(crate) fn request_body(&self, stream: &Stream<'_>, end: bool) -> BodyStatus {
        self.request_ended.set(self.request_ended.get() || end);
        self.inject(stream, "request_body");
        match self.replace_state(State::New) {
            // The guards have not checked a head yet.
            State::New => BodyStatus::Stop,
            State::Peeking(pending) => self.peeked(stream, pending, end),
            state => self.later_data(stream, state, end).unwrap_or_else(|| self.count_chunk(stream, end)),
        }
    }

    /// What to do with data or trailers that come after our answer; `None` if the request goes on.
    fn later_data(&self, stream: &Stream<'_>, state: State, end: bool) -> Option<BodyStatus> {
        let is_dropped = matches!(state, State::Lingering(_) | State::Draining(_));
        let is_answered = matches!(state, State::Answered);
        self.replace_state(state);
        if is_dropped {
            self.drop_request(stream, end);
        }
        // If the service's response was passed on, the request goes on.
        let stops = is_dropped || self.is_head_sent.get();
        (is_dropped || is_answered).then_some(if stops { BodyStatus::Stop } else { BodyStatus::Continue })
    }

    pub(crate) fn request_trailers(&self, stream: &Stream<'_>) -> HeadStatus {
        self.request_ended.set(true);
        self.inject(stream, "request_trailers");
        Self::keep_checksums(stream);
        match self.replace_state(State::New) {
            State::New => HeadStatus::Stop,
            State::Peeking(pending) => self.first_byte(stream, *pending, FirstByte::End).into(),
            state => self.later_data(stream, state, true).map_or_else(|| self.count_end(), Into::into),
        }
    }

    /// Removes the trailers that must not reach the service. If a line cannot be parsed, none of them is kept.
    fn keep_checksums(stream: &Stream<'_>) {
        let changes = stream.lines(Head::RequestTrailers, |lines| {
            let mut trailers = heads::trailers(lines).unwrap_or_default();
            keep_checksums(&mut trailers);
            HeaderMutations::from_lines(lines, &trailers)
        });
        changes.apply(stream, Head::RequestTrailers);
    }

    fn count_end(&self) -> HeadStatus {
        if let Some(meter) = &mut *self.meter.borrow_mut() {
            meter.body_ended();
        }
        HeadStatus::Continue
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

    /// The body ran over its limit (G4): sends the answer if no head has been sent; otherwise ends the response.
    ///
    /// Over HTTP/1 the rest is dropped first, so that the connection stays usable; a stream of HTTP/2 ends by itself.
    fn overran(&self, stream: &Stream<'_>, meter: BodyMeter, drain: DrainBudget) {
        let drains = self.version.get() < Version::HTTP_2 && !self.request_ended.get() && drain.max_bytes > 0;
        match self.replace_state(State::Answered) {
            State::Called(exchange) if drains => {
                let draining = Draining { exchange: *exchange, meter, left: drain.max_bytes };
                self.replace_state(State::Draining(Box::new(draining)));
                self.start_timer(stream, Wait::Linger, drain.timeout);
            }
            State::Called(exchange) => self.answer(stream, exchange.overran()),
            State::Collecting(collecting) => {
                let Collecting { exchange, .. } = *collecting;
                self.answer(stream, exchange.overran());
            }
            State::Watching(watch) => self.end_watch(stream, *watch, RpcResponse::overran),
            state @ (State::Passing(_) | State::Copying(_) | State::Dropping | State::Replacing(_)) => {
                // Elsewhere the service would get a body that breaks off, and the client would still get the service's
                // reply. Here both share one stream.
                self.replace_state(state);
                if !self.response_ended.get() {
                    stream.reset("error_envelope_request_over_its_limit");
                }
            }
            state => drop(self.replace_state(state)),
        }
    }

    /// The first chunk of a body came, or its end: whether the body is empty decides about the request (G3).
    fn peeked(&self, stream: &Stream<'_>, pending: Box<PendingPeek>, end: bool) -> BodyStatus {
        let empty = stream.chunks(Body::Request, |chunks| chunks.iter().all(|chunk| chunk.is_empty()));
        match (empty, end) {
            (true, false) => {
                self.replace_state(State::Peeking(pending));
                BodyStatus::Stop
            }
            (true, true) => self.first_byte(stream, *pending, FirstByte::End),
            (false, _) => self.first_byte(stream, *pending, FirstByte::Data),
        }
    }

    pub(super) fn peek_timed_out(&self, stream: &Stream<'_>) {
        match self.replace_state(State::Answered) {
            State::Peeking(pending) => drop(self.first_byte(stream, *pending, FirstByte::TooSlow)),
            state => drop(self.replace_state(state)),
        }
    }

    fn first_byte(&self, stream: &Stream<'_>, pending: PendingPeek, first: FirstByte) -> BodyStatus {
        self.stop_timer();
        let answered = match pending.first_byte(first) {
            Admission::Forward(exchange, _, unenforced) => {
                runtime::log_unenforced(unenforced);
                self.forward(stream, exchange, None);
                return BodyStatus::Continue;
            }
            Admission::Answer(answered) => *answered,
            // The peek is the last step: after it, the session requests neither another peek nor a verifier.
            Admission::Peek(pending, _) => pending.panicked("a second peek".into()),
            Admission::Verify(unverified, _) => unverified.panicked("a verifier after the peek".into()),
        };
        self.answer(stream, answered);
        BodyStatus::Stop
    }

    /// Ends a call whose client's deadline has passed (P1).
    pub(super) fn end_at_call_deadline(&self, stream: &Stream<'_>) {
        match self.replace_state(State::Answered) {
            State::Called(exchange) => self.answer(stream, exchange.timed_out()),
            State::Draining(draining) => self.answer(stream, draining.exchange.timed_out()),
            State::Collecting(collecting) => self.answer(stream, collecting.exchange.timed_out()),
            // A call that cannot be ended properly goes on: the client measures the deadline, too.
            State::Watching(watch) if watch.can_end() => self.end_watch(stream, *watch, RpcResponse::timed_out),
            state => drop(self.replace_state(state)),
        }
    }
}

#[inline]
fn drain_if_over(meter: &mut BodyMeter, chunks: &[&[u8]]) -> Option<DrainBudget> {
    chunks.iter().find_map(|chunk| match meter.request_data(chunk) {
        MeterAction::Within => None,
        MeterAction::Over(drain) => Some(drain),
    })
}
