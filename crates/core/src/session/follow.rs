//! A body that passes (M1, F4, F6, section P).

use std::error::Error;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::HeaderMap;

use super::reading::Pieces;
use super::{
    BodyContext, BodyFailure, BoxError, Event, EventStream, Failure, FinalFrame, ObservedError, Origin, ReadBytes,
    RpcResponse, UnreadReason,
};
use crate::request_id::RequestId;

/// What a body that passes must be told of, until it ends or is dropped. The default is a body that has ended.
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
        Self { kind: Kind::Tail(tail) }
    }

    pub(super) fn copy(tail: BodyContext, observed: Box<ObservedError>, max_bytes: u64, time: Duration) -> Self {
        let pieces = Pieces::default();
        let observed = Some(observed);
        Self {
            kind: Kind::Copy(Box::new(Copy {
                tail,
                observed,
                pieces,
                passed: 0,
                max_bytes,
                time,
                length: None,
                until: None,
            })),
        }
    }

    pub(super) fn call(call: Box<RpcResponse>) -> Self {
        Self { kind: Kind::Call(call) }
    }

    pub(super) fn events(events: Box<EventStream>) -> Self {
        Self { kind: Kind::Events(events) }
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

    /// The client's time for the call has passed.
    pub fn timed_out(&mut self) -> Option<BodyFailure> {
        match std::mem::replace(&mut self.kind, Kind::Ended) {
            Kind::Call(call) if !call.has_ended() => Some(call.timed_out()),
            kind => {
                self.kind = kind;
                None
            }
        }
    }

    /// The meter said `Over` behind the head: a call ends with that.
    pub fn overran(&mut self) -> Option<BodyFailure> {
        match std::mem::replace(&mut self.kind, Kind::Ended) {
            Kind::Call(call) => Some(call.overran()),
            kind => {
                self.kind = kind;
                None
            }
        }
    }

    /// The drop of the body panicked with this text.
    pub fn drop_panicked(self, text: Box<str>) -> Option<Event> {
        let tail = match self.kind {
            Kind::Tail(tail) => tail,
            Kind::Copy(copy) => copy.tail,
            Kind::Call(call) => call.into_body_context(),
            Kind::Events(events) => events.into_body_context(),
            Kind::Ended => return None,
        };
        Some(tail.broke_off(Origin::Panic, String::from(text).into()))
    }

    /// A chunk, which may be changed. `last`: the body reports its end, so nobody polls for it.
    #[inline]
    pub fn data(&mut self, data: &mut Bytes, last: bool, now: impl FnOnce() -> Instant) -> Option<Event> {
        match &mut self.kind {
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
        }
    }

    /// The trailers, which may be changed.
    pub fn trailers(&mut self, trailers: &mut HeaderMap, now: impl FnOnce() -> Instant) -> Option<Event> {
        match &mut self.kind {
            Kind::Tail(_) | Kind::Ended => None,
            Kind::Copy(copy) => copy.end(true, now),
            Kind::Call(call) => call.response_trailers(trailers),
            Kind::Events(events) => {
                events.response_trailers();
                None
            }
        }
    }

    /// The body has ended.
    pub fn end(&mut self, now: impl FnOnce() -> Instant) -> Option<Event> {
        if let Kind::Copy(copy) = &mut self.kind { copy.end(true, now) } else { None }
    }

    /// The event of an error that is copied, and whose whole body is in memory.
    #[must_use]
    pub fn whole(&mut self, body: &Bytes) -> Option<Event> {
        let Kind::Copy(copy) = &mut self.kind else { return None };
        copy.passed = body.len() as u64;
        let read = if copy.passed > copy.max_bytes { ReadBytes::Part(body) } else { ReadBytes::Whole(body) };
        Some(copy.observed.take()?.finish(read))
    }

    /// Whether the body is an error that is copied.
    #[must_use]
    pub fn is_copy(&self) -> bool {
        matches!(self.kind, Kind::Copy(_))
    }

    /// The body of a copied error is not shown to the adapter.
    pub fn unreadable(&mut self) -> Option<Event> {
        let Kind::Copy(copy) = &mut self.kind else { return None };
        Some(copy.observed.take()?.finish(ReadBytes::Part(&[])))
    }

    /// Classifies the body's error. Runs user code.
    #[must_use]
    pub fn classify(&self, error: &(dyn Error + 'static)) -> Option<Failure> {
        match &self.kind {
            Kind::Call(call) => Some(call.failure_of(error)),
            Kind::Events(events) => Some(events.failure_of(error)),
            Kind::Tail(_) | Kind::Copy(_) | Kind::Ended => None,
        }
    }

    /// The body failed, or panicked (`Failure::panicked`): the last frame, and the events to log.
    pub fn failed(
        &mut self,
        origin: Origin,
        failure: Option<Failure>,
        cause: BoxError,
        now: impl FnOnce() -> Instant,
    ) -> (FinalFrame, [Option<Event>; 2]) {
        match (std::mem::replace(&mut self.kind, Kind::Ended), failure) {
            (Kind::Call(call), Some(failure)) => {
                let BodyFailure { last, event } = call.failed(failure, cause);
                (last, [Some(event), None])
            }
            (Kind::Events(events), Some(failure)) => {
                let BodyFailure { last, event } = events.failed(failure, cause);
                (last, [Some(event), None])
            }
            (Kind::Copy(mut copy), _) => {
                let observed = copy.end(false, now);
                (FinalFrame::BrokenOff, [observed, Some(copy.tail.broke_off(origin, cause))])
            }
            (Kind::Tail(tail), _) => (FinalFrame::BrokenOff, [Some(tail.broke_off(origin, cause)), None]),
            (Kind::Call(call), None) if call.has_ended() => (FinalFrame::BrokenOff, [None, None]),
            (Kind::Call(call), None) => {
                (FinalFrame::BrokenOff, [Some(call.into_body_context().broke_off(origin, cause)), None])
            }
            (Kind::Events(events), None) => {
                let BodyFailure { last, event } = events.upstream_failed(cause);
                (last, [Some(event), None])
            }
            (Kind::Ended, _) => (FinalFrame::BrokenOff, [None, None]),
        }
    }

    /// The body is about to be dropped. `ended`: the server was told of its end. Returns the event of a call that its
    /// client cancelled, or of an error that was copied. What is left logs a panic of the drop.
    pub fn dropped(&mut self, ended: bool, now: impl FnOnce() -> Instant) -> Option<Event> {
        if let Kind::Copy(copy) = &mut self.kind {
            return copy.end(false, now);
        }
        if let Kind::Call(call) = &self.kind
            && !ended
            && !call.has_ended()
            && let Kind::Call(call) = std::mem::replace(&mut self.kind, Kind::Ended)
        {
            return Some(call.abandoned());
        }
        None
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
