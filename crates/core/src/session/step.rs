//! The data that a session receives, and what it returns: what to do with a request, and with its response.
//!
//! The enums are closed on purpose: an adapter that does not handle every step must not compile.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, response};

use super::event::EventLabel;
use super::{BodyMeter, BoxError, Cause, DrainBudget, Event, EventFields, Follow, Origin, Reading, SessionConfig};
use crate::code::ErrorCode;
use crate::dialect::status::Status;
use crate::fault::Fault;
use crate::request_id::RequestId;

/// What to do with a request.
#[derive(Debug)]
#[must_use]
pub enum RequestStep {
    /// Forward it. The meter, if there is one, counts the body.
    Forward(Option<BodyMeter>),
    /// Run the verifier, or fetch the keys, of [`Session::verification`](super::Session::verification), but no longer
    /// than this. Then call [`Session::verified`](super::Session::verified) (G2).
    Verify(Duration),
    /// Wait at most this long for the first byte of the body, then call
    /// [`Session::first_byte`](super::Session::first_byte) (G3).
    Peek(Duration),
    /// Send this, without calling the inner service.
    Send(Box<LocalReply>),
    /// The session expected another call: it has not changed.
    Broken,
}

/// What to do with a response, whose head has been changed in place.
#[derive(Debug)]
#[must_use]
pub enum ResponseStep {
    /// Send the head and the body, which the value follows.
    Pass(Follow, Note),
    /// Send only the head, because this status allows no body (E5). The value logs a panic of the body's drop.
    Strip(Follow, Note),
    /// Send the head with this body instead.
    Write(RewrittenBody),
    /// Drop the response, and send this one instead.
    Send(Box<LocalReply>),
    /// Read the body into this first, then call [`Session::decide`](super::Session::decide) (R4).
    Read(Reading),
    /// Send the head, these bytes, and then the rest: the error keeps its shape (R10, M1). Log the event.
    Resume(Bytes, Rest, Box<Event>),
    /// The session expected another call: it has not changed.
    Broken,
}

/// What follows the part of a body that was read.
#[derive(Debug)]
pub enum Rest {
    /// The rest of the body, or the error that came instead.
    Body(Follow),
    /// Nothing but these trailers: the body was read to its end.
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
    /// An error that keeps its shape (R9, R10), or a refusal by a guard that only observes (M1).
    Event(Box<Event>),
}

/// Why a request ends without a response of the service.
#[derive(Debug)]
pub enum Ending {
    /// The service failed (F1). [`Session::classify`](super::Session::classify) makes the failure.
    Failed(Failure, BoxError),
    /// User code panicked with this text (F2).
    Panicked(Box<str>),
    /// The service was not ready, so the request was not forwarded (F3).
    Unready(Failure, BoxError),
    /// A panic with this text kept the request from being forwarded (F2).
    UnreadyPanicked(Box<str>),
    /// The call took longer than its client waits (P1).
    TimedOut,
    /// The meter reported [`MeterAction::Over`](super::MeterAction::Over), and no response has begun (G4). Only for an
    /// adapter that need not wait for the service's response.
    Overran,
    /// The head cannot be read. The answer is 400 in any mode, because no guard could run (V4).
    Malformed(BoxError),
}

impl RequestStep {
    pub(super) fn reply(&self) -> Option<&LocalReply> {
        if let Self::Send(reply) = self { Some(reply) } else { None }
    }
}

impl ResponseStep {
    /// Passes a body whose head may be logged: what fails later is no second error (L1).
    pub(super) fn pass(mut follow: Follow, note: Note) -> Self {
        if matches!(note, Note::Event(_)) {
            follow.note_error_event();
        }
        Self::Pass(follow, note)
    }

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

impl From<Option<Box<EventFields>>> for Note {
    #[inline(always)]
    fn from(fields: Option<Box<EventFields>>) -> Self {
        fields.map_or(Self::Nothing, Self::Fields)
    }
}

/// What is known of a body before its first byte is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BodyFacts {
    /// There is no body, or all of it has been read.
    pub ended: bool,
    /// The minimum number of bytes that follow.
    pub lower: u64,
    /// The maximum number of bytes that follow, if known.
    pub upper: Option<u64>,
}

/// The result of waiting for the first byte of a body.
#[derive(Debug)]
pub enum FirstByte {
    /// There is a body.
    Data,
    /// There is no body.
    End,
    /// The first byte did not come in time.
    TooSlow,
    /// Reading failed.
    Failed(Failure, BoxError),
}

/// The fault of a failure, and where it comes from.
#[derive(Debug)]
#[must_use]
pub struct Failure {
    pub(super) fault: Fault,
    pub(super) origin: Origin,
}

/// A response of the layer itself, and the event to log.
#[derive(Debug)]
#[must_use]
pub struct LocalReply {
    /// The whole response. For HEAD its body is empty, but `content-length` is the one for GET (E5).
    pub reply: Response<Bytes>,
    /// How much of the request to read and drop, before the body of the response or after it (G5).
    pub drain: Option<DrainBudget>,
    /// The event to log.
    pub event: Event,
}

/// The body of a rewritten error, and the event to log.
#[derive(Debug)]
#[must_use]
pub struct RewrittenBody {
    /// The body; empty on HEAD.
    pub body: Bytes,
    /// The event to log.
    pub event: Event,
}

/// How to end a response body that failed after its head was sent, and what to log.
#[derive(Debug)]
#[must_use]
pub struct BodyFailure {
    /// The last frame for the client.
    pub last: FinalFrame,
    /// The event to log.
    pub event: Event,
}

/// The last frame of a body.
#[derive(Debug)]
pub enum FinalFrame {
    /// These trailers.
    Trailers(HeaderMap),
    /// These bytes.
    Data(Bytes),
    /// No frame: the body cannot end properly, so it is cut off (F4).
    BrokenOff,
}

/// The context that outlives the session. It is enough to log that a body failed after its head was sent (F4).
#[derive(Debug)]
pub(super) struct BodyContext {
    pub(super) config: Arc<SessionConfig>,
    pub(super) id: RequestId,
    pub(super) label: EventLabel,
}

/// The facts about the error of a reply, for its event; empty if no reply is sent.
#[derive(Default)]
pub(super) struct ErrorFacts {
    pub(super) status: Option<StatusCode>,
    pub(super) grpc: Option<Status>,
    pub(super) code: Option<ErrorCode>,
}

impl Failure {
    pub(super) fn new(fault: Fault, origin: Origin) -> Self {
        Self { fault, origin }
    }

    /// The failure for a panic (F2).
    pub fn panicked() -> Self {
        Self::new(Fault::new(ErrorCode::INTERNAL_ERROR), Origin::Panic)
    }
}

impl RewrittenBody {
    /// The whole response with its head, for an adapter that sends it as any other reply.
    pub fn into_reply(self, head: response::Parts) -> LocalReply {
        LocalReply { reply: Response::from_parts(head, self.body), drain: None, event: self.event }
    }
}

impl BodyContext {
    pub(super) fn request_id(&self) -> RequestId {
        self.id
    }

    /// A body ended with an error or a panic after its head had been sent with `status` (F4).
    pub(super) fn broke_off(self, origin: Origin, cause: BoxError) -> Event {
        Event { code: Some(ErrorCode::INTERNAL_ERROR), cause: Some(Cause::Error(cause)), ..self.event(origin) }
    }

    /// An event with nothing but its origin set.
    #[inline]
    pub(super) fn event(self, origin: Origin) -> Event {
        self.event_with(origin, None, None, ErrorFacts::default())
    }

    /// Creates an event. This is the only place that does, and it sets all fields at once, because an event is large to
    /// copy.
    #[inline(always)]
    pub(super) fn event_with(
        self,
        origin: Origin,
        cause: Option<Cause>,
        notes: Option<Box<EventFields>>,
        facts: ErrorFacts,
    ) -> Event {
        let Self { config, id: request_id, label } = self;
        let ErrorFacts { status, grpc, code } = facts;
        Event {
            request_id,
            code,
            status,
            would_be: None,
            grpc,
            origin,
            dialect: None,
            unread: None,
            by: None,
            rule: None,
            cause,
            notes,
            config,
            label,
        }
    }
}

impl BodyFacts {
    /// Whether not a single byte will come.
    #[inline]
    pub(super) fn is_empty(self) -> bool {
        self.ended || self.upper == Some(0)
    }
}
