//! One request from its head to the last decision about its response, without I/O (a sketch).
//!
//! An adapter owns the heads, the bodies, the timers and everything that user code can panic in. A [`Session`] decides,
//! and three values do the counting that adapters would otherwise each write anew. They are values, because on HTTP
//! servers they live in other tasks than the session:
//!
//! | value | lives with | from | until |
//! |---|---|---|---|
//! | [`BodyMeter`] | the request's body | `RequestStep::Forward` | the body's end |
//! | [`Reading`] | an inner error's body | `ResponseStep::Read` | [`Session::decide`] |
//! | [`Follow`] | a body that passes | `ResponseStep::Pass` | its end or drop |
//!
//! | state | input | leads to |
//! |---|---|---|
//! | – | [`Session::begin`] | Called, Peeking, Verifying, Ended (guard) |
//! | Verifying | [`Session::verified`] | Called, Peeking, Verifying, Ended |
//! | Peeking | [`Session::first_byte`] | Called, Ended |
//! | Called | [`Session::respond`] | Ended (pass, write, send), Called (`Read`) |
//! | Called | [`Session::decide`] | Ended |
//! | any but Ended | [`Session::end`], [`Session::proxy_failed`], [`Session::abandon`] | Ended |
//! | Ended | any | Ended, with `None` or `Broken` |

mod follow;
mod reading;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, request, response};

pub use self::follow::{Follow, Needs};
pub use self::reading::{Budget, Read, Reading};
use crate::exchange::{
    Admission, BodyFacts, BodyMeter, BoxError, Collected, CollectedAction, Event, EventFields, Exchange,
    ExchangeConfig, Failure, FirstByte, LocalReply, PendingPeek, PendingVerification, ResponsePlan, RewrittenBody,
};
use crate::guard::auth::Verified;
use crate::request_id::RequestId;

/// One request.
#[derive(Debug, Default)]
pub struct Session {
    state: State,
}

#[derive(Debug, Default)]
enum State {
    Called(Exchange),
    // Cold: boxed, so that the session is no larger than an exchange.
    Peeking(Box<PendingPeek>),
    Verifying(Box<PendingVerification>),
    #[default]
    Ended,
}

/// What to do with a request.
#[derive(Debug)]
#[must_use]
pub enum RequestStep {
    /// Call the service. The meter goes with the request's body. Log the refusal that was not enforced (M1).
    Forward(Option<BodyMeter>, Option<Box<Event>>),
    /// Run the verifier, or fetch the keys, of [`Session::verification`], no longer than this; then [`Session::verified`].
    Verify(Duration),
    /// Wait for the first byte no longer than this; then [`Session::first_byte`].
    Peek(Duration),
    /// Send this instead.
    Send(Box<LocalReply>),
    /// The input was not for this state: cut the request off.
    Broken,
}

/// What to do with a response, whose head has been changed in its place.
#[derive(Debug)]
#[must_use]
pub enum ResponseStep {
    /// Send the head and the body, which the value follows.
    Pass(Follow, Note),
    /// Send the head alone (E5).
    Strip(Follow, Note),
    /// Send the head with these bytes instead.
    Write(RewrittenBody),
    /// Drop the head, too, and send this.
    Send(Box<LocalReply>),
    /// Read the body into this; then [`Session::decide`].
    Read(Reading),
    /// Send the head, these bytes, and then the rest, or these trailers.
    Resume(Bytes, Rest, Box<Event>),
    /// The input was not for this state: cut the response off.
    Broken,
}

impl ResponseStep {
    /// Notes a panic of the error's body in the event of the error (F2).
    pub fn note_panic(&mut self, text: Option<Box<str>>) {
        match self {
            Self::Write(written) => written.event.note_panic(text),
            Self::Send(reply) => reply.event.note_panic(text),
            Self::Resume(_, _, event) | Self::Pass(_, Note::Event(event)) => event.note_panic(text),
            Self::Pass(..) | Self::Strip(..) | Self::Read(_) | Self::Broken => {}
        }
    }
}

/// What follows the part of a body that was read.
#[derive(Debug)]
pub enum Rest {
    /// The rest of the body, or the error that came instead.
    Body(Follow),
    /// The body was read to its end.
    Trailers(Option<Box<HeaderMap>>),
}

/// What to log with a response that passes.
#[derive(Debug)]
#[must_use]
pub enum Note {
    /// Nothing.
    Nothing,
    /// Fields without an error (I2, I3).
    Fields(Box<EventFields>),
    /// An error that keeps its shape.
    Event(Box<Event>),
}

impl From<Option<Box<EventFields>>> for Note {
    #[inline(always)]
    fn from(fields: Option<Box<EventFields>>) -> Self {
        fields.map_or(Self::Nothing, Self::Fields)
    }
}

/// Why a request ends without a response of the service.
#[derive(Debug)]
pub enum Ending {
    /// The service failed. [`Session::classify`] makes the failure, inside a catch.
    Failed(Failure, BoxError),
    /// User code panicked with this text.
    Panicked(Box<str>),
    /// The service was not ready.
    Unready(Failure, BoxError),
    /// User code panicked with this text before the request was forwarded.
    UnreadyPanicked(Box<str>),
    /// The client's time for the call has passed.
    TimedOut,
    /// The meter said `Over`, and no response has begun.
    Overran,
    /// The head cannot be read (V4).
    Malformed(BoxError),
}

impl Session {
    /// Begins with the head of a request, which gets the layer's headers if it is to be forwarded.
    #[inline(always)]
    pub fn begin(
        config: Arc<ExchangeConfig>,
        head: &mut request::Parts,
        body: BodyFacts,
        id: impl FnOnce() -> RequestId,
    ) -> (Self, RequestStep) {
        match Exchange::begin(config, head, body, id) {
            Admission::Forward(exchange, meter, unenforced) => {
                (Self { state: State::Called(exchange) }, RequestStep::Forward(meter, unenforced))
            }
            admission => {
                let mut session = Self { state: State::Ended };
                let step = session.admitted(admission);
                (session, step)
            }
        }
    }

    /// For an adapter whose proxy owns the heads: see `Exchange::begin_copy`.
    pub fn begin_copy(
        config: Arc<ExchangeConfig>,
        head: &mut request::Parts,
        body: BodyFacts,
        id: impl FnOnce() -> RequestId,
    ) -> (Self, RequestStep) {
        let mut session = Self { state: State::Ended };
        let step = session.admitted(Exchange::begin_copy(config, head, body, id));
        (session, step)
    }

    /// Whether a response with this status passes whatever its head.
    #[must_use]
    pub fn passes_unparsed(&self, status: http::StatusCode) -> bool {
        if let State::Called(exchange) = &self.state { exchange.passes_unparsed(status) } else { false }
    }

    /// Ends with such a response.
    pub fn finish_unparsed(&mut self) -> Note {
        if let State::Called(exchange) = self.take() { exchange.finish_unparsed().1.into() } else { Note::Nothing }
    }

    /// Whether an external processor on this route must read an error even if its length is not declared.
    #[must_use]
    pub fn buffers_unsized_errors(&self) -> bool {
        if let State::Called(exchange) = &self.state { exchange.buffers_unsized_errors() } else { false }
    }

    /// A request that must not be forwarded, because its head cannot be read (V4), or because it has failed elsewhere.
    pub fn unread(
        config: Arc<ExchangeConfig>,
        head: &request::Parts,
        body: BodyFacts,
        id: impl FnOnce() -> RequestId,
    ) -> Self {
        Self { state: State::Called(Exchange::unread(config, head, body, id)) }
    }

    #[inline(always)]
    fn admitted(&mut self, admission: Admission) -> RequestStep {
        match admission {
            Admission::Forward(exchange, meter, unenforced) => {
                self.state = State::Called(exchange);
                RequestStep::Forward(meter, unenforced)
            }
            Admission::Answer(reply) => RequestStep::Send(reply),
            Admission::Verify(pending, time) => {
                self.state = State::Verifying(Box::new(pending));
                RequestStep::Verify(time)
            }
            Admission::Peek(pending, time) => {
                self.state = State::Peeking(Box::new(pending));
                RequestStep::Peek(time)
            }
        }
    }

    #[inline(always)]
    fn take(&mut self) -> State {
        std::mem::replace(&mut self.state, State::Ended)
    }

    /// Puts back a state for which an input was not.
    fn ignore(&mut self, state: State) {
        self.state = state;
    }

    /// The verifier to run, or the keys to fetch.
    #[must_use]
    pub fn verification(&self) -> Option<&PendingVerification> {
        if let State::Verifying(pending) = &self.state { Some(pending) } else { None }
    }

    /// The verifier's result, or why there is none.
    pub fn verified(&mut self, head: &mut request::Parts, result: Result<Verified, BoxError>) -> RequestStep {
        match self.take() {
            State::Verifying(pending) => self.admitted(pending.verified(head, result)),
            state => {
                self.ignore(state);
                RequestStep::Broken
            }
        }
    }

    /// The first byte of the request's body, its end, or why neither came. The failure is from [`Session::classify`].
    pub fn first_byte(&mut self, first: FirstByte) -> RequestStep {
        match self.take() {
            State::Peeking(pending) => self.admitted(pending.first_byte(first)),
            state => {
                self.ignore(state);
                RequestStep::Broken
            }
        }
    }

    /// The request's id.
    #[must_use]
    pub fn request_id(&self, step: &RequestStep) -> Option<RequestId> {
        match (&self.state, step) {
            (_, RequestStep::Send(reply)) => Some(reply.event.request_id()),
            (State::Called(exchange), _) => Some(exchange.request_id()),
            (State::Peeking(pending), _) => Some(pending.request_id()),
            (State::Verifying(pending), _) => Some(pending.request_id()),
            (State::Ended, _) => None,
        }
    }

    /// Whether nothing is left to decide or to log.
    #[must_use]
    #[inline]
    pub fn has_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// The id of a request that goes on.
    #[must_use]
    pub fn id(&self) -> Option<RequestId> {
        self.request_id(&RequestStep::Broken)
    }

    /// The scope and the route, as events report them (L1).
    #[must_use]
    #[inline]
    pub fn labels<'a>(&'a self, step: &'a RequestStep) -> (Option<&'a str>, Option<&'a Arc<str>>) {
        match (&self.state, step) {
            (_, RequestStep::Send(reply)) => (reply.event.scope(), reply.event.route_ref()),
            (State::Called(exchange), _) => (exchange.scope(), exchange.shared_route()),
            (State::Peeking(pending), _) => (pending.scope(), pending.shared_route()),
            (State::Verifying(pending), _) => (pending.scope(), pending.shared_route()),
            (State::Ended, _) => (None, None),
        }
    }

    /// Classifies an error of the service, or of the request's body that is waited for. Runs user code: call it inside
    /// a catch. It does not change the state.
    #[must_use]
    pub fn classify(&self, error: &(dyn Error + 'static)) -> Option<Failure> {
        match &self.state {
            State::Called(exchange) => Some(exchange.failure_of(error)),
            State::Peeking(pending) => Some(pending.failure_of(error)),
            State::Verifying(_) | State::Ended => None,
        }
    }

    /// Classifies an error of `poll_ready`. Runs user code.
    #[must_use]
    pub fn classify_unready(&self, error: &(dyn Error + 'static)) -> Option<Failure> {
        if let State::Called(exchange) = &self.state { Some(exchange.unreadiness_of(error)) } else { None }
    }

    /// How long the client waits for the call (P1).
    #[must_use]
    pub fn call_time(&self) -> Option<Duration> {
        if let State::Called(exchange) = &self.state { exchange.deadline() } else { None }
    }

    /// Ends the request without a response of the service; `None` if it has ended already.
    pub fn end(&mut self, why: Ending) -> Option<Box<LocalReply>> {
        let exchange = match (self.take(), why) {
            (State::Called(exchange), why) => return Some(Box::new(ended(exchange, why))),
            (State::Peeking(pending), Ending::Panicked(text) | Ending::UnreadyPanicked(text)) => return Some(Box::new(pending.panicked(text))),
            (State::Verifying(pending), Ending::Panicked(text) | Ending::UnreadyPanicked(text)) => return Some(Box::new(pending.panicked(text))),
            (state, _) => state,
        };
        self.ignore(exchange);
        None
    }

    /// The client left. The event to log; `None` if the request has ended already.
    pub fn abandon(&mut self) -> Option<Event> {
        match self.take() {
            State::Called(exchange) => Some(exchange.abandoned()),
            State::Peeking(pending) => Some(pending.abandoned()),
            State::Verifying(pending) => Some(pending.abandoned()),
            State::Ended => None,
        }
    }

    /// The proxy itself answers with this head (V2), in any state.
    pub fn proxy_failed(&mut self, head: &mut response::Parts, cause: BoxError) -> ResponseStep {
        let plan = match self.take() {
            State::Called(exchange) => exchange.proxy_failed(head, cause),
            State::Peeking(pending) => pending.proxy_failed(head, cause),
            State::Verifying(pending) => pending.proxy_failed(head, cause),
            State::Ended => return ResponseStep::Broken,
        };
        self.planned(plan)
    }

    /// The head of the service's response. `body` is only called if facts about the body matter.
    #[inline(always)]
    pub fn respond(&mut self, head: &mut response::Parts, body: impl FnOnce() -> BodyFacts) -> ResponseStep {
        let State::Called(exchange) = self.take() else { return ResponseStep::Broken };
        match exchange.passed(head) {
            Ok((tail, fields)) => ResponseStep::Pass(Follow::tail(tail), fields.into()),
            Err(exchange) => self.planned(exchange.response_head_parsed(head, body)),
        }
    }

    #[inline(never)]
    fn planned(&mut self, plan: ResponsePlan) -> ResponseStep {
        match plan {
            ResponsePlan::Pass(tail, fields) => ResponseStep::Pass(Follow::tail(tail), fields.into()),
            ResponsePlan::Keep(tail, event) => ResponseStep::Pass(Follow::tail(tail), Note::Event(event)),
            ResponsePlan::Strip(tail, fields) => ResponseStep::Strip(Follow::tail(tail), fields.into()),
            ResponsePlan::Rewrite(written) => ResponseStep::Write(written),
            ResponsePlan::Replace(reply) => ResponseStep::Send(reply),
            ResponsePlan::Collect(exchange, max_bytes, time) => {
                let reading = Reading::new(max_bytes, time, exchange.may_restore());
                self.state = State::Called(exchange);
                ResponseStep::Read(reading)
            }
            ResponsePlan::Tee(tail, observed, max_bytes, time) => {
                ResponseStep::Pass(Follow::copy(tail, observed, max_bytes, time), Note::Nothing)
            }
            ResponsePlan::Watch(call) => {
                let note = call.notes().into();
                ResponseStep::Pass(Follow::call(call), note)
            }
            ResponsePlan::Stream(events, event) => {
                let note = event.map_or_else(|| events.notes().into(), Note::Event);
                ResponseStep::Pass(Follow::events(events), note)
            }
        }
    }

    /// Decides by the part of an inner error's body that was read.
    #[inline]
    pub fn decide(&mut self, head: &mut response::Parts, read: Read) -> ResponseStep {
        let State::Called(exchange) = self.take() else { return ResponseStep::Broken };
        let Read { bytes, trailers, unread } = read;
        let collected = if unread.is_none() { Collected::Whole(&bytes) } else { Collected::Unreadable(&bytes) };
        let mut action = exchange.response_body(head, collected);
        if let Some(why) = unread {
            action.event_mut().note_unread(why);
        }
        match action {
            CollectedAction::Rewrite(written) => ResponseStep::Write(written),
            CollectedAction::Replace(reply) => ResponseStep::Send(reply),
            CollectedAction::Restore(tail, event) => {
                // Nothing follows after trailers, however late they were.
                let rest = if unread.is_some() && trailers.is_none() {
                    Rest::Body(Follow::tail(tail))
                } else {
                    Rest::Trailers(trailers)
                };
                ResponseStep::Resume(bytes, rest, event)
            }
        }
    }
}

fn ended(exchange: Exchange, why: Ending) -> LocalReply {
    match why {
        Ending::Failed(failure, cause) => exchange.failed(failure, cause),
        Ending::Panicked(text) => exchange.panicked(text),
        Ending::Unready(failure, cause) => exchange.unready(failure, cause),
        Ending::UnreadyPanicked(text) => exchange.unready_panicked(text),
        Ending::TimedOut => exchange.timed_out(),
        Ending::Overran => exchange.overran(),
        Ending::Malformed(cause) => exchange.malformed(cause),
    }
}
