//! What to do with a request, and with its response.
//!
//! The enums are closed on purpose: an adapter that does not handle every plan must not compile.

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
    /// Forward it. The meter, if there is one, counts the body. The event, if there is one, is the refusal that the
    /// request would have got (M1); log it.
    Forward(Exchange, Option<BodyMeter>, Option<Box<Event>>),
    /// Answer it, without calling the inner service.
    Answer(Box<LocalReply>),
    /// Run the verifier of the scheme [`PendingVerification::scheme`], or wait until keys are fetched
    /// (`PendingVerification::keys`), but no longer than this. Then call [`PendingVerification::verified`] (G2).
    Verify(PendingVerification, Duration),
    /// Wait at most this long for the first byte of the body, then call [`PendingPeek::first_byte`] (G3).
    Peek(PendingPeek, Duration),
}

impl Admission {
    /// The request's id.
    #[must_use]
    pub fn request_id(&self) -> RequestId {
        self.state().map_or_else(|reply| reply.event.request_id(), |state| state.id)
    }

    /// The request's route, as events report it (L1): the framework's, else the pattern in the policy.
    #[must_use]
    #[inline]
    pub fn shared_route(&self) -> Option<&Arc<str>> {
        self.state().map_or_else(|reply| reply.event.route_ref(), RequestState::route)
    }

    /// The name of the policy's scope for the request, as events report it (L1): its first host and its prefix.
    #[must_use]
    #[inline]
    pub fn scope(&self) -> Option<&str> {
        self.state().map_or_else(|reply| reply.event.scope(), RequestState::scope)
    }

    /// The state of a request that goes on, or the answer to one that does not.
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
    /// Pass the body unchanged.
    Pass(BodyContext, Option<Box<EventFields>>),
    /// Pass an error that keeps its shape (R9, R10); log it.
    Keep(BodyContext, Box<Event>),
    /// Pass only the head, because this status allows no body (E5).
    Strip(BodyContext, Option<Box<EventFields>>),
    /// The head has been rewritten: send it with this body instead.
    Rewrite(RewrittenBody),
    /// Drop the response, and send this one instead.
    Replace(Box<LocalReply>),
    /// Read the body first, but no more than this many bytes and no longer than this. Then call
    /// [`Exchange::response_body`] (R4).
    Collect(Exchange, u64, Duration),
    /// Pass the body unchanged, and copy at most this many bytes of it. When it ends or is dropped, call
    /// [`ObservedError::finish`] with the bytes that came within that time (M1).
    Tee(BodyContext, Box<ObservedError>, u64, Duration),
    /// Pass the body of an RPC call unchanged, and let the [`RpcResponse`] inspect it (section P).
    Watch(Box<RpcResponse>),
    /// Pass an event stream unchanged, and let the [`EventStream`] inspect it (F6). The event, if there is one, is an
    /// error that keeps its shape; log it.
    Stream(Box<EventStream>, Option<Box<Event>>),
}
