//! The steps that a session returns for a request and for its response.
//!
//! The enums are closed on purpose, because an adapter that does not handle every step must not compile.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;

use super::follow::Follow;
use super::reading::Reading;
use crate::guard::body_limit::BodyMeter;
use crate::session::answer::outcome::{Failure, LocalReply, RewrittenBody};
use crate::session::record::request_record::BoxError;

/// The next step for a request.
#[derive(Debug)]
#[must_use]
pub enum RequestStep {
    /// Forward the request. If there is a meter, pass the chunks of the body to the meter.
    Forward(Option<BodyMeter>),
    /// Run the verifier, or fetch the keys, of
    /// [`Session::verification`](crate::session::request::state::Session::verification), but no longer than this time.
    /// Then call [`Session::verified`](crate::session::request::state::Session::verified) (G2).
    Verify(Duration),
    /// Wait at most this long for the first byte of the body, then call
    /// [`Session::first_byte`](crate::session::request::state::Session::first_byte) (G3).
    Peek(Duration),
    /// Send this response, without calling the inner service.
    Send(Box<LocalReply>),
    /// The adapter made a call that the session did not expect. The session has not changed.
    Broken,
}

/// The next step for a response, whose head has been changed in place.
#[derive(Debug)]
#[must_use]
pub enum ResponseStep {
    /// Send the head and the body. Pass the body's frames to the [`Follow`].
    Pass(Follow),
    /// Send only the head, because this status allows no body (E5). The [`Follow`] notes a panic when the body is
    /// dropped.
    Strip(Follow),
    /// Send the head with this body instead.
    Write(RewrittenBody),
    /// Drop the response, and send this response instead.
    Send(Box<LocalReply>),
    /// Read the body into this value first, then call
    /// [`Session::decide`](crate::session::request::state::Session::decide) (R4).
    Read(Reading),
    /// Send the head, these bytes, and then the rest of the body, because the error keeps its shape (R10, M1).
    Resume(Bytes, Rest, Follow),
    /// The adapter made a call that the session did not expect. The session has not changed.
    Broken,
}

/// The part of a body that follows the bytes that were read.
#[derive(Debug)]
pub enum Rest {
    /// The rest of the body follows, or the error with which the body ended.
    Body,
    /// Only these trailers follow, because the body was read to its end.
    Trailers(Option<Box<HeaderMap>>),
}

/// The reason why a request ends without a response of the service.
#[derive(Debug)]
pub enum Ending {
    /// The service failed (F1). [`Session::classify`](crate::session::request::state::Session::classify) returns the
    /// failure.
    Failed(Failure, BoxError),
    /// User code panicked with this text (F2).
    Panicked(Box<str>),
    /// The service was not ready, so the request was not forwarded (F3).
    Unready(Failure, BoxError),
    /// A panic with this text kept the request from being forwarded (F2).
    UnreadyPanicked(Box<str>),
    /// The call took longer than its client waits (P1).
    TimedOut,
    /// The meter reported [`MeterAction::Over`](crate::guard::body_limit::MeterAction::Over), and no response has begun
    /// (G4). Only an adapter that need not wait for the service's response uses this value.
    Overran,
    /// The head cannot be read. The client gets 400 in any mode, because no guard could run (V4).
    Malformed(BoxError),
}

impl RequestStep {
    pub(in crate::session) fn reply(&self) -> Option<&LocalReply> {
        if let Self::Send(reply) = self { Some(reply) } else { None }
    }
}

impl ResponseStep {
    /// Notes a panic of the error's body in the record (F2).
    pub fn note_panic(&mut self, text: Option<Box<str>>) {
        match self {
            Self::Write(written) => written.record.note_panic(text),
            Self::Send(reply) => reply.record.note_panic(text),
            Self::Resume(_, _, follow) | Self::Pass(follow) => follow.note_panic(text),
            Self::Strip(_) | Self::Read(_) | Self::Broken => {}
        }
    }
}
