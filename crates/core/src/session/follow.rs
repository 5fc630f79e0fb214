//! A body that passes (M1, F4, F6, section P).

use std::error::Error;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use super::reading::Pieces;
use super::reply::failure_by_kind;
use super::request::RequestFlags;
use super::{
    BodyContext, BodyFailure, BoxError, Event, EventStream, Failure, FinalFrame, ObservedError, Origin, ReadBytes,
    RpcResponse, UnreadReason,
};
use crate::code::ErrorCode;
use crate::fault::Fault;
use crate::request_id::RequestId;

/// Follows a body that passes, until it ends or is dropped. The default is a body that has ended.
#[derive(Debug, Default)]
pub struct Follow {
    kind: Kind,
}

#[derive(Debug, Default)]
enum Kind {
    Tail(BodyContext),
    Copy(Box<Copy>),
    Call(Box<RpcResponse>),
    Events(Box<EventStream>),
    #[default]
    Ended,
}

/// The copy of an error that passes (M1).
#[derive(Debug)]
struct Copy {
    tail: BodyContext,
    observed: Option<Box<ObservedError>>,
    pieces: Pieces,
    passed: u64,
    max_bytes: u64,
    time: Duration,
    length: Option<u64>,
    until: Option<Instant>,
}

/// Which parts of the body must go through the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Only its failure.
    Nothing,
    /// Its data and trailers.
    Data,
    /// Its trailers.
    Trailers,
}

impl Follow {
    #[inline(always)]
    pub(super) fn tail(tail: BodyContext) -> Self {
        Self::new(Kind::Tail(tail))
    }

    /// The rest of an error whose event is logged with its head.
    pub(super) fn after_error(tail: BodyContext) -> Self {
        let mut follow = Self::tail(tail);
        follow.note_error_event();
        follow
    }

    #[inline(always)]
    fn new(kind: Kind) -> Self {
        Self { kind }
    }

    pub(super) fn copy(tail: BodyContext, observed: Box<ObservedError>, max_bytes: u64, time: Duration) -> Self {
        let pieces = Pieces::default();
        let observed = Some(observed);
        Self::new(Kind::Copy(Box::new(Copy {
            tail,
            observed,
            pieces,
            passed: 0,
            max_bytes,
            time,
            length: None,
            until: None,
        })))
    }

    pub(super) fn call(call: Box<RpcResponse>) -> Self {
        Self::new(Kind::Call(call))
    }

    pub(super) fn events(events: Box<EventStream>) -> Self {
        Self::new(Kind::Events(events))
    }

    /// The client gets a head with this status.
    #[inline]
    pub(super) fn sent(&mut self, status: StatusCode) {
        match &mut self.kind {
            Kind::Tail(tail) => tail.label.sent = Some(status),
            Kind::Copy(copy) => copy.tail.label.sent = Some(status),
            Kind::Call(_) | Kind::Events(_) | Kind::Ended => {}
        }
    }

    /// The request's id, as long as the body passes.
    #[must_use]
    pub fn request_id(&self) -> Option<RequestId> {
        match &self.kind {
            Kind::Tail(tail) => Some(tail.request_id()),
            Kind::Copy(copy) => Some(copy.tail.request_id()),
            Kind::Call(call) => Some(call.request_id()),
            Kind::Events(events) => Some(events.request_id()),
            Kind::Ended => None,
        }
    }

    /// Which parts of the body must go through this value.
    #[must_use]
    pub fn needs(&self) -> Needs {
        match &self.kind {
            Kind::Tail(_) | Kind::Ended => Needs::Nothing,
            Kind::Call(call) if !call.reads_data() => Needs::Trailers,
            Kind::Copy(_) | Kind::Call(_) | Kind::Events(_) => Needs::Data,
        }
    }

    /// The head leaves: the body's time begins. `length` is what the body reports exactly.
    pub fn begin(&mut self, length: impl FnOnce() -> Option<u64>, now: impl FnOnce() -> Instant) {
        if let Kind::Copy(copy) = &mut self.kind {
            (copy.until, copy.length) = (Some(now() + copy.time), length());
        }
    }

    /// Whether the client's time for the call still ends it.
    #[must_use]
    pub fn can_time_out(&self) -> bool {
        if let Kind::Call(call) = &self.kind { call.can_end() } else { false }
    }

    /// The client's time for the call has passed: how the call ends, if it can still end properly.
    pub fn timed_out(&mut self) -> Option<BodyFailure> {
        let call = self.take_call(|call| !call.has_ended())?;
        Some(call.timed_out())
    }

    /// The meter has reported that the request's body is over its limit: a call ends with that (G4).
    pub fn overran(&mut self) -> Option<BodyFailure> {
        let call = self.take_call(|_| true)?;
        Some(call.overran())
    }

    fn take_call(&mut self, is_due: impl FnOnce(&RpcResponse) -> bool) -> Option<Box<RpcResponse>> {
        match std::mem::replace(&mut self.kind, Kind::Ended) {
            Kind::Call(call) if is_due(&call) => Some(call),
            kind => {
                self.kind = kind;
                None
            }
        }
    }

    /// A chunk, which may be changed. `last` means that the body reports its end, so that nothing polls for it.
    #[inline]
    pub fn data(&mut self, data: &mut Bytes, last: bool, now: impl FnOnce() -> Instant) -> Option<Event> {
        let event = match &mut self.kind {
            Kind::Tail(_) | Kind::Ended => None,
            Kind::Copy(copy) => {
                copy.passed = copy.passed.saturating_add(data.len() as u64);
                if copy.passed <= copy.max_bytes {
                    copy.pieces.push(data.clone());
                }
                if last || copy.length == Some(copy.passed) { copy.end(true, now) } else { None }
            }
            Kind::Call(call) => call.response_data(data),
            Kind::Events(events) => {
                if let Some(changed) = events.response_data(data) {
                    *data = changed;
                }
                None
            }
        };
        self.once(event)
    }

    /// The trailers, which may be changed.
    pub fn trailers(&mut self, trailers: &mut HeaderMap, now: impl FnOnce() -> Instant) -> Option<Event> {
        let event = match &mut self.kind {
            Kind::Tail(_) | Kind::Ended => None,
            Kind::Copy(copy) => copy.end(true, now),
            Kind::Call(call) => call.response_trailers(trailers),
            Kind::Events(events) => {
                events.response_trailers();
                None
            }
        };
        self.once(event)
    }

    /// The body has ended.
    pub fn end(&mut self, now: impl FnOnce() -> Instant) -> Option<Event> {
        let event = match &mut self.kind {
            Kind::Copy(copy) => copy.end(true, now),
            Kind::Call(call) if !call.state.request.has_error_event() => call.end(),
            Kind::Tail(_) | Kind::Call(_) | Kind::Events(_) | Kind::Ended => None,
        };
        self.once(event)
    }

    /// The event of an error that is copied, and whose whole body is in memory.
    #[must_use]
    pub fn whole(&mut self, body: &Bytes) -> Option<Event> {
        let Kind::Copy(copy) = &mut self.kind else { return None };
        copy.passed = body.len() as u64;
        let read = if copy.passed > copy.max_bytes { ReadBytes::Part(body) } else { ReadBytes::Whole(body) };
        let event = copy.observed.take()?.finish(read);
        self.once(Some(event))
    }

    /// Whether the body is an error that is copied.
    #[must_use]
    pub fn is_copy(&self) -> bool {
        matches!(self.kind, Kind::Copy(_))
    }

    /// The event of an error that should be copied, but whose body the adapter does not get.
    pub fn unreadable(&mut self) -> Option<Event> {
        let Kind::Copy(copy) = &mut self.kind else { return None };
        let event = copy.observed.take()?.finish(ReadBytes::Part(&[]));
        self.once(Some(event))
    }

    /// Classifies the body's error (F1). This runs user code; the error is borrowed because its drop may panic. The
    /// classifier is only called if the client may get its fault.
    ///
    /// # Panics
    ///
    /// If the classifier does, or the error's `source`.
    #[must_use]
    pub fn classify(&self, error: &(dyn Error + 'static)) -> Option<Failure> {
        match &self.kind {
            Kind::Call(call) => Some(call.failure_of(error)),
            Kind::Events(events) => Some(events.failure_of(error)),
            Kind::Tail(tail) => Some(failure_by_kind(&tail.config, error, None)),
            Kind::Copy(copy) => Some(failure_by_kind(&copy.tail.config, error, None)),
            Kind::Ended => None,
        }
    }

    /// The body failed, or panicked ([`Failure::panicked`]): the last frame, and the event to log. Without a failure, the
    /// upstream broke off.
    pub fn failed(
        &mut self,
        failure: Option<Failure>,
        cause: BoxError,
        now: impl FnOnce() -> Instant,
    ) -> (FinalFrame, Option<Event>) {
        let upstream = || Failure::new(Fault::new(ErrorCode::OTHER), Origin::Error);
        let begun = failure.clone().unwrap_or_else(upstream).of_begun_body();
        let broke_off = |context: BodyContext, cause| BodyFailure {
            last: FinalFrame::BrokenOff,
            event: context.broke_off(&begun, cause),
        };
        let failure = match (std::mem::replace(&mut self.kind, Kind::Ended), failure) {
            (Kind::Ended, _) => return (FinalFrame::BrokenOff, None),
            (Kind::Call(call), Some(failure)) => call.failed(failure, cause),
            (Kind::Call(call), None) => broke_off(call.into_body_context(), cause),
            (Kind::Events(events), _) => events.failed(begun, cause),
            (Kind::Tail(context), _) => broke_off(context, cause),
            (Kind::Copy(mut copy), _) => match copy.end(false, now) {
                // An error that is copied is logged once, also if it breaks off (L1).
                Some(event) => BodyFailure { last: FinalFrame::BrokenOff, event: event.broken_by(begun.origin, cause) },
                None => broke_off(copy.tail, cause),
            },
        };
        let BodyFailure { last, event } = failure;
        (last, Some(event))
    }

    /// The drop of the body panicked with this text.
    pub fn drop_panicked(self, text: Box<str>) -> Option<Event> {
        let context = match self.kind {
            Kind::Tail(context) => context,
            Kind::Copy(copy) => copy.tail,
            Kind::Call(call) => call.into_body_context(),
            Kind::Events(events) => events.into_body_context(),
            Kind::Ended => return None,
        };
        Some(context.broke_off(&Failure::panicked(), String::from(text).into()))
    }

    /// The body is about to be dropped. `ended` means that the server got a report of its end. Returns the event of a
    /// call that its client cancelled, of an error that was copied, or of a refusal by a guard that only observes.
    pub fn dropped(&mut self, ended: bool, now: impl FnOnce() -> Instant) -> Option<Event> {
        let event = match std::mem::replace(&mut self.kind, Kind::Ended) {
            Kind::Call(call) if !ended && !call.has_ended() => Some(call.abandoned()),
            kind => {
                self.kind = kind;
                match &mut self.kind {
                    Kind::Copy(copy) => copy.end(false, now),
                    _ => self.end(now),
                }
            }
        };
        self.once(event)
    }

    /// Lets an event pass, and notes it.
    #[inline]
    fn once(&mut self, event: Option<Event>) -> Option<Event> {
        if event.is_some() {
            self.note_error_event();
        }
        event
    }

    /// The request has its error event: that the body breaks off is no second one (L1).
    pub(super) fn note_error_event(&mut self) {
        match &mut self.kind {
            Kind::Tail(context) => context.label.bits |= RequestFlags::LATE_EVENT,
            Kind::Copy(copy) => copy.tail.label.bits |= RequestFlags::LATE_EVENT,
            Kind::Call(call) => call.state.request.note_error_event(),
            Kind::Events(events) => events.state.request.note_error_event(),
            Kind::Ended => {}
        }
    }

    /// Whether the call ends with trailers, so that the end must not be reported before.
    #[must_use]
    pub fn awaits_trailers(&self) -> bool {
        if let Kind::Call(call) = &self.kind { call.awaits_trailers() } else { false }
    }

    /// Whether the length that the body reports may be wrong, because something may be appended.
    #[must_use]
    pub fn has_no_length(&self) -> bool {
        match &self.kind {
            Kind::Call(call) => call.has_no_length(),
            Kind::Events(_) => true,
            Kind::Tail(_) | Kind::Copy(_) | Kind::Ended => false,
        }
    }
}

impl Copy {
    fn end(&mut self, whole: bool, now: impl FnOnce() -> Instant) -> Option<Event> {
        let observed = self.observed.take()?;
        let bytes = std::mem::take(&mut self.pieces).into_bytes();
        let unread = match () {
            () if self.passed > self.max_bytes => Some(UnreadReason::TooLong),
            () if !whole => Some(UnreadReason::BrokeOff),
            () if self.until.is_some_and(|until| now() >= until) => Some(UnreadReason::TooLate),
            () => None,
        };
        let read = if unread.is_none() { ReadBytes::Whole(&bytes) } else { ReadBytes::Part(&bytes) };
        let mut event = observed.finish(read);
        event.note_unread(unread);
        Some(event)
    }
}
