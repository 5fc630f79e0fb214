//! The facts of a body that an exchange takes, and its outcomes: data, for an adapter to act on.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Response};

use super::event::EventLabel;
use super::{BoxError, Cause, DrainBudget, Event, ExchangeConfig, Origin};
use crate::code::ErrorCode;
use crate::fault::Fault;
use crate::request_id::RequestId;

/// The facts of a body before a byte of it is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BodyFacts {
    /// There is no body, or it has ended.
    pub ended: bool,
    /// The least number of bytes that come.
    pub lower: u64,
    /// The greatest number of bytes that come, where that is known.
    pub upper: Option<u64>,
}

/// What the first byte of a body was.
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

/// What an error is, and where it came from.
#[derive(Debug)]
#[must_use]
pub struct Failure {
    pub(super) fault: Fault,
    pub(super) origin: Origin,
}

/// An answer of the layer's own, and the event to log.
#[derive(Debug)]
#[must_use]
pub struct LocalReply {
    /// The whole response. On HEAD its body is empty, its `content-length` that of GET (E5).
    pub reply: Response<Bytes>,
    /// How much of the request to read and drop after the head and before the body (G5).
    pub drain: Option<DrainBudget>,
    /// The event to log.
    pub event: Event,
    /// The refusal that `auth_observe` suppressed (M1), to be logged as well.
    pub unenforced: Option<Box<Event>>,
}

/// The part of an error's body that was read.
#[derive(Clone, Copy, Debug)]
pub enum Collected<'a> {
    /// All of it.
    Whole(&'a [u8]),
    /// The body was too long, came too late, or broke off after these bytes: the status decides.
    Unreadable(&'a [u8]),
}

/// What to do with a body that was collected.
#[derive(Debug)]
#[must_use]
pub enum CollectedAction {
    /// The head is rewritten: send it with this body instead.
    Rewrite(RewrittenBody),
    /// Drop the response and send this instead.
    Replace(Box<LocalReply>),
    /// Send what was read unchanged, and then the rest: the error keeps its shape (R10, M1).
    Restore(BodyContext, Box<Event>),
}

/// The body of a rewritten error, and the event to log.
#[derive(Debug)]
#[must_use]
pub struct RewrittenBody {
    /// The body; empty on HEAD.
    pub body: Bytes,
    /// The event to log.
    pub event: Event,
    /// What would have refused the request in another mode than `observe` (M1), to be logged, too.
    pub unenforced: Option<Box<Event>>,
}

/// The end of a body that failed.
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
    /// No frame: the body cannot end properly, so it breaks off (F4).
    BrokenOff,
}

/// What outlives the exchange: enough to log a body that fails after its head left (F4).
#[derive(Debug)]
pub struct BodyContext {
    pub(super) config: Arc<ExchangeConfig>,
    pub(super) id: RequestId,
    pub(super) label: EventLabel,
}

impl Failure {
    pub(super) fn new(fault: Fault, origin: Origin) -> Self {
        Self { fault, origin }
    }

    /// A panic (F2).
    pub fn panicked() -> Self {
        Self::new(Fault::new(ErrorCode::INTERNAL_ERROR), Origin::Panic)
    }
}

impl BodyContext {
    /// A body that had begun ended with an error or a panic (F4). The head has left with `status`.
    pub fn broke_off(self, origin: Origin, cause: BoxError) -> Event {
        Event { code: Some(ErrorCode::INTERNAL_ERROR), cause: Some(Cause::Error(cause)), ..self.event(origin) }
    }

    /// An event that has only its origin yet.
    #[inline]
    pub(super) fn event(self, origin: Origin) -> Event {
        let Self { config, id: request_id, label } = self;
        Event {
            request_id,
            code: None,
            status: None,
            would_be: None,
            grpc: None,
            origin,
            dialect: None,
            unread: None,
            by: None,
            rule: None,
            cause: None,
            notes: None,
            config,
            label,
        }
    }
}

impl CollectedAction {
    /// The log fields; `None` if there are none.
    #[inline]
    pub fn event_mut(&mut self) -> &mut Event {
        match self {
            Self::Rewrite(written) => &mut written.event,
            Self::Replace(local) => &mut local.event,
            Self::Restore(_, event) => event,
        }
    }
}

impl BodyFacts {
    /// Whether no byte is to come.
    #[inline]
    pub(super) fn is_empty(self) -> bool {
        self.ended || self.upper == Some(0)
    }
}
