//! The data that a session receives about bodies, and the data that it returns: an adapter acts on the latter.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, response};

use super::event::EventLabel;
use super::{BoxError, Cause, DrainBudget, Event, EventFields, Origin, SessionConfig};
use crate::code::ErrorCode;
use crate::dialect::status::Status;
use crate::fault::Fault;
use crate::request_id::RequestId;

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
#[derive(Clone, Debug)]
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

    /// The failure of a body that has begun. It only distinguishes failures of the upstream from those of this process:
    /// finer distinctions (F1) would not help a client.
    pub(super) fn of_begun_body(self) -> Self {
        if self.origin == Origin::Fault {
            return self;
        }
        let is_upstreams = [ErrorCode::OTHER, ErrorCode::GATEWAY_TIMEOUT].contains(self.fault.code());
        let code = if is_upstreams { ErrorCode::OTHER } else { ErrorCode::INTERNAL_ERROR };
        Self::new(Fault::new(code), if self.origin == Origin::Panic { Origin::Panic } else { Origin::Error })
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

    /// A body ended with an error or a panic after its head had been sent (F4).
    pub(super) fn broke_off(self, failure: &Failure, cause: BoxError) -> Event {
        let code = failure.fault.code().clone();
        Event { code: Some(code), cause: Some(Cause::Error(cause)), ..self.event(failure.origin) }
    }

    /// An event with nothing but its origin set.
    #[inline]
    pub(super) fn event(self, origin: Origin) -> Event {
        self.event_with(origin, None, None, ErrorFacts::default())
    }

    /// Creates an event, with all its fields at once, because an event is large to copy.
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
            would_fill: false,
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
