//! What an exchange is told of a body, and what it answers: data, for an adapter to act on.
//!
//! The enums are closed on purpose: an adapter that does not act on every outcome must not compile.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Response;

use super::event::{Event, Notes, Origin};
use super::{BoxError, Exchange, Linger, Meter, Observed, Pending, Terms, Unverified, Watch};
use crate::code::ErrorCode;
use crate::fault::Fault;
use crate::policy::Label;
use crate::request_id::RequestId;

/// What is known of a body before a byte of it is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BodyFacts {
    /// There is none, or it has ended.
    pub ended: bool,
    /// At least so many bytes come.
    pub lower: u64,
    /// At most so many bytes come, where that is known.
    pub upper: Option<u64>,
}

/// What to do with a request.
#[derive(Debug)]
#[must_use]
pub enum Admission {
    /// Forward it. The meter, where there is one, counts the body; the event, where there is one, says what would have
    /// refused the request (M1), and is to be logged.
    Forward(Exchange, Option<Meter>, Option<Box<Event>>),
    /// Answer it: the inner service is not called.
    Answer(Box<Answered>),
    /// Ask the verifier of the scheme that [`Unverified::scheme`] names, for at most so long, then tell
    /// [`Unverified::verified`] (G2).
    Verify(Unverified, Duration),
    /// Wait this long for the first body byte, then tell [`Pending::first_byte`] (G3).
    Peek(Pending, Duration),
}

/// What the first byte of a body was.
#[derive(Debug)]
pub enum FirstByte {
    /// There is a body.
    Data,
    /// There is none.
    End,
    /// It did not come in time.
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

/// An answer of the layer's own, and what to log of it.
#[derive(Debug)]
#[must_use]
pub struct Answered {
    /// The whole response. On HEAD its body is empty, its `content-length` that of GET (E5).
    pub reply: Response<Bytes>,
    /// What to read and drop of the request after the head and before the body (G5).
    pub linger: Option<Linger>,
    /// What to log.
    pub event: Event,
    /// What `auth_observe` has not let refuse the request (M1), to be logged, too.
    pub unenforced: Option<Box<Event>>,
}

/// What to do with an inner response.
#[derive(Debug)]
#[must_use]
pub enum ResponsePlan {
    /// Pass the body as it comes.
    Pass(Tail, Option<Box<Notes>>),
    /// Pass an error that keeps its shape (R9, R10), and log it.
    Keep(Tail, Box<Event>),
    /// Pass the head alone: this status has no body (E5).
    Strip(Tail, Option<Box<Notes>>),
    /// The head is rewritten: send it with this body instead.
    Rewrite(Written),
    /// Drop the response and send this instead.
    Replace(Box<Answered>),
    /// Read the body first, at most so many bytes and so long, then tell [`Exchange::response_body`] (R4).
    Collect(Exchange, u64, Duration),
    /// Pass the body as it comes, and keep a copy of at most so many bytes. At its end, or where it is dropped, tell
    /// [`Observed::seen`] what came of it within that time (M1).
    Tee(Tail, Box<Observed>, u64, Duration),
    /// Pass the body of an RPC call as it comes, and show it to the watch (section P).
    Watch(Box<Watch>),
}

/// What was read of an error's body.
#[derive(Clone, Copy, Debug)]
pub enum Collected<'a> {
    /// All of it.
    Whole(&'a [u8]),
    /// It was too long, came too late, or broke off after these bytes: the status decides.
    Unreadable(&'a [u8]),
}

/// What to do with a body that was collected.
#[derive(Debug)]
#[must_use]
pub enum Rewritten {
    /// The head is rewritten: send it with this body instead.
    Rewrite(Written),
    /// Drop the response and send this instead.
    Replace(Box<Answered>),
    /// Send what was read as it was, and then what was not read: it keeps its shape (R10, M1).
    Restore(Tail, Box<Event>),
}

/// The body of a rewritten error, and what to log of it.
#[derive(Debug)]
#[must_use]
pub struct Written {
    /// The body; empty on HEAD.
    pub body: Bytes,
    /// What to log.
    pub event: Event,
}

/// What outlives the exchange: enough to log a body that fails after its head left (F4).
#[derive(Debug)]
pub struct Tail {
    pub(super) terms: Arc<Terms>,
    pub(super) id: RequestId,
    pub(super) label: Label,
}

impl Tail {
    /// A body that had begun ended with an error or a panic (F4). The head has left with `status`.
    pub fn broke_off(self, origin: Origin, cause: BoxError) -> Event {
        Event {
            request_id: self.id,
            code: Some(ErrorCode::INTERNAL_ERROR),
            status: None,
            would_be: None,
            grpc: None,
            origin,
            dialect: None,
            unread: None,
            by: None,
            rule: None,
            cause: Some(cause),
            notes: None,
            terms: self.terms,
            label: self.label,
        }
    }
}

impl Terms {
    /// A client did not take its answer. No exchange is left to tell it, and with it went the route.
    pub fn untaken(self: Arc<Self>, request_id: RequestId) -> Event {
        Event {
            request_id,
            code: None,
            status: None,
            would_be: None,
            grpc: None,
            origin: Origin::Abandoned,
            dialect: None,
            unread: None,
            by: None,
            rule: None,
            cause: None,
            notes: None,
            label: self.policy().own_label(),
            terms: self,
        }
    }
}

impl Rewritten {
    /// What is to be logged of it.
    #[inline]
    pub fn event_mut(&mut self) -> &mut Event {
        match self {
            Self::Rewrite(written) => &mut written.event,
            Self::Replace(answered) => &mut answered.event,
            Self::Restore(_, event) => event,
        }
    }
}

impl BodyFacts {
    /// Whether there is nothing to come.
    #[inline]
    pub(super) fn is_empty(self) -> bool {
        self.ended || self.upper == Some(0)
    }
}
