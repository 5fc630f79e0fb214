//! Request state that few requests have.

use std::time::{Duration, SystemTime};

use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Method};

use super::identity::TRACEPARENT;
use super::{HeaderFlags, RequestView};
use crate::exchange::{Event, EventFields, ExchangeConfig, RequestFacts};
use crate::fault::Fault;
use crate::fields;
use crate::policy::{BodyLimitPer, ResponseSettings};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Rarely used state, boxed so that other requests stay small.
#[derive(Debug, Default)]
pub(in crate::exchange) struct ColdState {
    pub(in crate::exchange) notes: Option<Box<EventFields>>,
    /// Method and path, where a rule of the policy reads them.
    pub(in crate::exchange) target: Option<(Method, PathAndQuery)>,
    /// The name of a scheme that is not Bearer, where `authorization` has one.
    pub(in crate::exchange) scheme: Option<Box<str>>,
    /// What would have refused the request on a route in `observe` (M1), and what would have if its body had a byte.
    pub(in crate::exchange) observed: Option<Fault>,
    pub(in crate::exchange) observed_peek: Option<Fault>,
    /// When the request began, where its dialect has a time.
    pub(in crate::exchange) began: Option<SystemTime>,
    /// The refusal that `auth_observe` suppressed, until it is logged.
    pub(in crate::exchange) unenforced: Option<Box<Event>>,
    /// The limit counts the whole body of a request that claims to be a stream of messages (P1).
    pub(in crate::exchange) counts_whole: bool,
    /// How long the client waits for the whole call.
    pub(in crate::exchange) deadline: Option<Duration>,
    /// The origin whose scripts may read the layer's own answers (R6a), as the answer names it.
    pub(in crate::exchange) origin: Option<HeaderValue>,
    /// The header as it came, valid or not.
    traceparent: Option<HeaderValue>,
}

impl ColdState {
    /// The log fields of an error, apart from those of the error itself.
    pub(in crate::exchange) fn event_notes(&self) -> Option<Box<EventFields>> {
        self.completed(self.notes.clone())
    }

    /// The log fields of the error that ends the exchange.
    pub(in crate::exchange) fn into_event_notes(mut self: Box<Self>) -> Option<Box<EventFields>> {
        let notes = self.notes.take();
        self.completed(notes)
    }

    fn completed(&self, mut notes: Option<Box<EventFields>>) -> Option<Box<EventFields>> {
        if self.counts_whole {
            notes.get_or_insert_default().counts_whole = true;
        }
        if self.traceparent.is_some() {
            notes.get_or_insert_default().traceparent = self.traceparent.clone();
        }
        notes
    }

    #[inline]
    pub(in crate::exchange) fn new(
        view: &RequestView<'_>,
        notes: Option<Box<EventFields>>,
        settings: &ResponseSettings,
        config: &ExchangeConfig,
    ) -> Option<Box<Self>> {
        let is_traced = view.sent.has(HeaderFlags::TRACED);
        if notes.is_none()
            && !is_traced
            && !config.policy().needs_request_facts()
            && view.sent.call.is_none()
            && config.observer().is_none()
        {
            return None;
        }
        Self::noted(view, notes, settings, config)
    }

    #[inline(never)]
    fn noted(
        view: &RequestView<'_>,
        mut notes: Option<Box<EventFields>>,
        settings: &ResponseSettings,
        config: &ExchangeConfig,
    ) -> Option<Box<Self>> {
        if config.observer().is_some() {
            let path = view.head.uri.path_and_query().cloned();
            let forwarded_for = view.head.headers.get_all(X_FORWARDED_FOR).into_iter().next_back().cloned();
            let began = (config.clock)();
            notes.get_or_insert_default().request = Some(RequestFacts { path, forwarded_for, began });
        }
        let uses_path = config.policy().rules_use_path(settings);
        let has_time = config.policy().dialect(settings).spec().has_time;
        let deadline = view.sent.call.and_then(|call| call.timeout);
        let counts_whole = view.stream_limit_per == Some(BodyLimitPer::Body);
        let is_traced = view.sent.has(HeaderFlags::TRACED);
        let traceparent = if is_traced { fields::only(&view.head.headers, &TRACEPARENT).cloned() } else { None };
        let origin = config.policy().cors().and_then(|cors| cors.allowed(&view.head.headers));
        let is_plain = origin.is_none() && notes.is_none() && deadline.is_none() && traceparent.is_none();
        if is_plain && !uses_path && !has_time && !counts_whole {
            return None;
        }
        let target = uses_path.then(|| {
            // A target that is no path is guarded as the root is (G0).
            let path = view.head.uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
            (view.head.method.clone(), path)
        });
        let began = has_time.then(config.clock);
        Some(Box::new(Self { notes, target, began, counts_whole, deadline, origin, traceparent, ..Self::default() }))
    }
}
