//! What to do with a request, and with its response.
//!
//! The enums are closed on purpose: an adapter that does not act on every plan must not compile.

use std::sync::Arc;
use std::time::Duration;

use super::state::RequestState;
use super::{
    BodyContext, BodyMeter, Event, EventFields, EventStream, Exchange, LocalReply, ObservedError, PendingPeek,
    PendingVerification, RewrittenBody, RpcResponse,
};
use crate::request_id::RequestId;

/// What to do with a request.
#[derive(Debug)]
#[must_use]
pub enum Admission {
    /// Forward it. The meter, if any, counts the body. The event, if any, is the refusal that the request would have
    /// got (M1); log it.
    Forward(Exchange, Option<BodyMeter>, Option<Box<Event>>),
    /// Answer it: the inner service is not called.
    Answer(Box<LocalReply>),
    /// Run the verifier of the scheme [`PendingVerification::scheme`], or wait for keys (`PendingVerification::keys`),
    /// for at most this long, then call [`PendingVerification::verified`] (G2).
    Verify(PendingVerification, Duration),
    /// Wait this long for the first body byte, then call [`PendingPeek::first_byte`] (G3).
    Peek(PendingPeek, Duration),
}

impl Admission {
    /// The request's id.
    #[must_use]
    pub fn request_id(&self) -> RequestId {
        self.state().map_or_else(|reply| reply.event.request_id(), |state| state.id)
    }

    /// The request's route, as its events have it (L1): the framework's, else the policy's pattern.
    #[must_use]
    #[inline]
    pub fn shared_route(&self) -> Option<&Arc<str>> {
        self.state().map_or_else(|reply| reply.event.route_ref(), RequestState::route)
    }

    /// The name of the policy's scope that the request is in, as its events have it (L1): its first host and its
    /// prefix.
    #[must_use]
    #[inline]
    pub fn scope(&self) -> Option<&str> {
        self.state().map_or_else(|reply| reply.event.scope(), RequestState::scope)
    }

    /// The request that goes on, or the answer that ended it.
    #[inline(always)]
    pub(super) fn state(&self) -> Result<&RequestState, &LocalReply> {
        match self {
            Self::Answer(reply) => Err(reply),
            Self::Forward(exchange, ..) => Ok(&exchange.state),
            Self::Verify(pending, _) => Ok(&pending.exchange.state),
            Self::Peek(pending, _) => Ok(&pending.exchange.state),
        }
    }
}

/// What to do with an inner response.
#[derive(Debug)]
#[must_use]
pub enum ResponsePlan {
    /// Pass the body as it comes.
    Pass(BodyContext, Option<Box<EventFields>>),
    /// Pass an error that keeps its shape (R9, R10), and log it.
    Keep(BodyContext, Box<Event>),
    /// Pass only the head: this status has no body (E5).
    Strip(BodyContext, Option<Box<EventFields>>),
    /// The head is rewritten: send it with this body instead.
    Rewrite(RewrittenBody),
    /// Drop the response and send this instead.
    Replace(Box<LocalReply>),
    /// Read the body first, at most this many bytes and this long, then call [`Exchange::response_body`] (R4).
    Collect(Exchange, u64, Duration),
    /// Pass the body as it comes, and keep a copy of at most this many bytes. When it ends or is dropped, call
    /// [`ObservedError::finish`] with the bytes that came within that time (M1).
    Tee(BodyContext, Box<ObservedError>, u64, Duration),
    /// Pass the body of an RPC call as it comes, and give it to the [`RpcResponse`] (section P).
    Watch(Box<RpcResponse>),
    /// Pass an event stream as it comes, and give it to the [`EventStream`] (F6). The event, if any, is an error that
    /// keeps its shape; log it.
    Stream(Box<EventStream>, Option<Box<Event>>),
}
