//! `observe` (rule M1): what `enforce` would have done, written to the log alone.
//!
//! The response passes as it is, but for the id. Where a guard would have refused the request, that is logged; else what
//! an inner error would have become. Its body is copied as it passes: nothing waits for it.

use std::fmt;

use http::{HeaderMap, StatusCode};

use super::reply::cause_of;
use super::{CapturedBody, Cause, Collected, Event, Exchange, Origin};
use crate::classify::{Rewrite, RewriteDecision};
use crate::fault::Fault;
use crate::guard::body_limit::BodyFlags;
use crate::policy::Mode;

/// An inner error that passes on a route in `observe` while a copy of its body is kept.
pub struct ObservedError {
    pub(super) exchange: Exchange,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// The text in the status line of a response without a body.
    pub(super) reason: Option<Box<str>>,
}

/// The service's headers may carry values that no log may have (L3).
impl fmt::Debug for ObservedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { exchange, status, .. } = self;
        f.debug_struct("Observed").field("id", &exchange.id).field("status", status).finish_non_exhaustive()
    }
}

impl Exchange {
    /// The fault that would have refused the request on a route in `observe`, if any.
    #[inline]
    pub(super) fn observed_refusal(&mut self, status: StatusCode) -> Option<Event> {
        if self.settings.mode == Mode::Observe { self.would_refuse(status) } else { None }
    }

    fn would_refuse(&mut self, status: StatusCode) -> Option<Event> {
        let fault = self.refusal()?;
        let mut event = self.would_be(status, &fault, fault.status_code(), Origin::Guard, false);
        event.grpc = self.writer().grpc_of(&fault, fault.status_code(), true);
        Some(event)
    }

    /// The fault that would have refused the request.
    fn refusal(&mut self) -> Option<Fault> {
        let (observed, peeked) = match &mut self.cold {
            Some(cold) => (cold.observed.take(), cold.observed_peek.take()),
            None => (None, None),
        };
        let flags = self.flags.as_ref();
        let begun = flags.is_some_and(|flags| flags.has(BodyFlags::BEGUN));
        let too_large = || flags.and_then(BodyFlags::noted).map(|limit| self.config.policy().too_large(limit));
        observed.or(peeked.filter(|_| begun)).or_else(too_large)
    }

    /// A response passes that would have been written anew as an error of the status `rewritten`.
    pub(super) fn would_be(
        &self,
        status: StatusCode,
        fault: &Fault,
        rewritten: StatusCode,
        origin: Origin,
        kept: bool,
    ) -> Event {
        Event {
            status: Some(status),
            would_be: Some(self.writer().leaving_status(fault, rewritten, kept)),
            code: Some(fault.code().clone()),
            cause: if origin == Origin::Fault { Some(Cause::Fault(fault.clone())) } else { cause_of(fault) },
            ..self.event_of(origin)
        }
    }
}

impl ObservedError {
    /// The body has ended, or will be read no further: the bytes that came decide, as they would have.
    pub fn finish(self, body: Collected<'_>) -> Event {
        let Self { exchange, status, headers, reason } = self;
        let decoded = exchange.decoded(&headers, body);
        if let Some(reported) = exchange.connect_status(decoded.as_deref()) {
            return exchange.reported_status(&reported);
        }
        match exchange.classify(status, &headers, decoded.as_deref(), reason.as_deref()) {
            RewriteDecision::Rewrite(rewrite) => {
                let mut rewrite = rewrite;
                let lost = (rewrite.dropped.take(), rewrite.unknown_code.take());
                let lenient = rewrite.lenient.take();
                let Rewrite { shape, own, named, by, rule, .. } = rewrite;
                let fault = rewrite.into_fault();
                let grpc = exchange.writer().grpc_of(&fault, status, named);
                let captured = exchange.captures_bodies().then(|| {
                    let read = decoded.as_deref().unwrap_or_default();
                    let before = CapturedBody::new(status, &headers, read);
                    let kept = lenient.as_deref().unwrap_or(read);
                    let (mut headers, own) = (headers.clone(), own.as_ref().map(|own| (*own, kept)));
                    let written = exchange.writer().rewritten(&mut headers, status, &fault, named, own);
                    (before, CapturedBody::new(written.sent, &headers, &written.body))
                });
                let mut event = exchange.would_be(status, &fault, status, Origin::Inner, own.is_some());
                (event.dialect, event.grpc) = (shape, grpc);
                event.note_lost(lost);
                event.decided(by, exchange.settings.part(), rule);
                let (before, after) = captured.unzip();
                event.show(before, after);
                event
            }
            RewriteDecision::Pass(rewrite) => Event { code: Some(rewrite.code().clone()), ..exchange.passed(status) },
        }
    }
}
