//! What a session returns: what to do with a request, and with its response.
//!
//! The enums are closed on purpose: an adapter that does not handle every step must not compile.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;

use super::{BodyMeter, BoxError, Event, EventFields, Failure, Follow, LocalReply, Reading, RewrittenBody};

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
