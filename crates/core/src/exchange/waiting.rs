//! Requests that wait for their first body byte (G3), or for a verifier's result (G2).

use std::error::Error;
use std::sync::Arc;

use http::request::Parts;
use http::{HeaderValue, response};

use super::admission::{admit_after_auth, forward};
use super::reply::ErrorReply;
use super::{
    Admission, BodyMeter, BoxError, Event, Exchange, Failure, FirstByte, LocalReply, PendingPeek, PendingVerification,
    ResponsePlan,
};
use crate::code::ErrorCode;
use crate::fault::Fault;
#[cfg(feature = "jwt")]
use crate::guard::auth::RemoteKeys;
use crate::guard::auth::Verified;
use crate::request_id::RequestId;

impl PendingPeek {
    /// Like [`Exchange::id_header`](super::Exchange::id_header).
    #[must_use]
    pub fn id_header(&self) -> &HeaderValue {
        self.exchange.id_header()
    }

    /// A panic ended the wait for the first byte, so the request is not forwarded (F2). `text` is that of the panic.
    pub fn panicked(self, text: Box<str>) -> LocalReply {
        self.exchange.unready_panicked(text)
    }

    /// The client disconnected (F2).
    pub fn abandoned(self) -> Event {
        self.exchange.abandoned()
    }

    /// Returns the failure for an error that came instead of the first byte. Marks the body of the request as too slow
    /// or broken.
    ///
    /// # Panics
    ///
    /// If the error's `source` does.
    pub fn failure_of(&self, error: &(dyn Error + 'static)) -> Failure {
        if let Some(flags) = &self.exchange.state.flags {
            BodyMeter::new(flags.clone()).body_failed(error);
        }
        self.exchange.failure_of(error)
    }

    /// Continues after the wait for the first byte (G3).
    pub fn first_byte(self, first: FirstByte) -> Admission {
        let Self { mut exchange, refusal } = self;
        // Waiting for the byte has requested the body, so a `100 Continue` was sent (G5).
        exchange.state.request.expects_no_more();
        let (fault, cause) = match first {
            FirstByte::End => {
                if let Some(flags) = &exchange.state.flags {
                    BodyMeter::new(flags.clone()).body_ended();
                }
                return forward(exchange.state);
            }
            FirstByte::Data => (refusal, None),
            FirstByte::TooSlow => {
                (Fault::new(ErrorCode::REQUEST_TIMEOUT), Some("the first byte of the body came too late".into()))
            }
            FirstByte::Failed(failure, error) => (failure.fault, Some(error)),
        };
        Admission::Answer(ErrorReply { state: exchange.state }.refuse(fault, cause))
    }

    pub(crate) fn scope(&self) -> Option<&str> {
        self.exchange.scope()
    }

    /// The request's id.
    #[must_use]
    pub fn request_id(&self) -> RequestId {
        self.exchange.state.id
    }

    /// Like [`Exchange::shared_route`](super::Exchange::shared_route).
    #[must_use]
    pub fn shared_route(&self) -> Option<&Arc<str>> {
        self.exchange.shared_route()
    }

    /// The proxy itself sent a response before the first byte came: see
    /// [`Exchange::proxy_failed`](super::Exchange::proxy_failed).
    pub fn proxy_failed(self, head: &mut response::Parts, cause: BoxError) -> ResponsePlan {
        self.exchange.proxy_failed(head, cause)
    }
}

impl PendingVerification {
    /// The name of the scheme whose verifier is to run next.
    #[must_use]
    pub fn scheme(&self) -> &str {
        self.pending.next().map_or("", |scheme| scheme.name())
    }

    /// The keys that must be fetched; `None` if a verifier must run instead.
    #[cfg(feature = "jwt")]
    #[must_use]
    pub fn keys(&self) -> Option<&RemoteKeys> {
        self.pending.next()?.remote_keys()
    }

    /// Continues with the result of the verifier, or with the reason why it has none: an error, a panic or a time-out.
    /// After waiting for keys, `outcome` is ignored: the token is checked with the keys that are there now.
    pub fn verified(self, head: &mut Parts, outcome: Result<Verified, BoxError>) -> Admission {
        let Self { exchange, pending, guarded } = self;
        let Exchange { state } = exchange;
        let now = state.config.clock;
        let decision = pending.verified(outcome.map_err(Into::into), state.policy(), head, &now);
        admit_after_auth(state, decision, *guarded)
    }

    /// A panic ended the wait for the verifier, so the request is not forwarded (F2). `text` is that of the panic.
    pub fn panicked(self, text: Box<str>) -> LocalReply {
        self.exchange.unready_panicked(text)
    }

    /// The client disconnected (F2).
    pub fn abandoned(self) -> Event {
        self.exchange.abandoned()
    }

    pub(crate) fn scope(&self) -> Option<&str> {
        self.exchange.scope()
    }

    /// The request's id.
    #[must_use]
    pub fn request_id(&self) -> RequestId {
        self.exchange.state.id
    }

    /// Like [`Exchange::shared_route`](super::Exchange::shared_route).
    #[must_use]
    pub fn shared_route(&self) -> Option<&Arc<str>> {
        self.exchange.shared_route()
    }

    /// The proxy itself sent a response before the verifier had a result: see
    /// [`Exchange::proxy_failed`](super::Exchange::proxy_failed).
    pub fn proxy_failed(self, head: &mut response::Parts, cause: BoxError) -> ResponsePlan {
        self.exchange.proxy_failed(head, cause)
    }
}
