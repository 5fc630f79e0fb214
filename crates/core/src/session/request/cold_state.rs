//! Request state that few requests have.

use std::time::{Duration, SystemTime};

use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Method};

use super::identity::TRACEPARENT;
use super::{HeaderFlags, RequestView};
use crate::fault::Fault;
use crate::fields;
use crate::policy::{BodyLimitPer, RouteSettings};
use crate::session::{EventFields, RequestFacts, SessionConfig};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// State that few requests need. It is boxed, so that all other requests stay small.
#[derive(Debug, Default)]
pub(in crate::session) struct ColdState {
    pub(in crate::session) notes: Option<Box<EventFields>>,
    /// The method and the path, if a rule of the policy compares them.
    pub(in crate::session) target: Option<(Method, PathAndQuery)>,
    /// The scheme of `authorization`, if it is not Bearer.
    pub(in crate::session) scheme: Option<Box<str>>,
    /// The fault with which a guard that only observes would have refused the request, until it is logged (M1).
    pub(in crate::session) observed: Option<Fault>,
    /// The same, if the first byte of the body decides (G3).
    pub(in crate::session) observed_peek: Option<Fault>,
    /// When the request began, if the dialect writes that time.
    pub(in crate::session) began: Option<SystemTime>,
    /// The request claims to be a stream of messages, but the limit counts its whole body (P1).
    pub(in crate::session) counts_whole: bool,
    /// How long the client waits for the whole call.
    pub(in crate::session) deadline: Option<Duration>,
    /// The origin whose scripts may read the answers that the layer itself makes (R6a), as the client sent it.
    pub(in crate::session) origin: Option<HeaderValue>,
    /// The header as received, valid or not.
    traceparent: Option<HeaderValue>,
}

impl ColdState {
    /// The fields of an event that do not depend on its error.
    pub(in crate::session) fn event_notes(&self) -> Option<Box<EventFields>> {
        self.completed(self.notes.clone())
    }

    /// The log fields of the error that ends the session.
    pub(in crate::session) fn into_event_notes(mut self: Box<Self>) -> Option<Box<EventFields>> {
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
    pub(in crate::session) fn new(
        view: &RequestView<'_>,
        notes: Option<Box<EventFields>>,
        settings: &RouteSettings,
        config: &SessionConfig,
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
        Self::with_notes(view, notes, settings, config)
    }

    #[inline(never)]
    fn with_notes(
        view: &RequestView<'_>,
        mut notes: Option<Box<EventFields>>,
        settings: &RouteSettings,
        config: &SessionConfig,
    ) -> Option<Box<Self>> {
        if config.observer().is_some() {
            let path = view.head.uri.path_and_query().cloned();
            let forwarded_for = view.head.headers.get_all(X_FORWARDED_FOR).into_iter().next_back().cloned();
            let began = (config.clock)();
            notes.get_or_insert_default().request = Some(RequestFacts { path, forwarded_for, began });
        }
        let uses_path = config.policy().rules_use_path(settings);
        let has_time = settings.dialect.spec().has_time;
        let deadline = view.sent.call.and_then(|call| call.timeout);
        let counts_whole = view.stream_limit_per == Some(BodyLimitPer::Body);
        let is_traced = view.sent.has(HeaderFlags::TRACED);
        let traceparent =
            if is_traced { fields::single_value(&view.head.headers, &TRACEPARENT).cloned() } else { None };
        let origin = config.policy().cors().and_then(|cors| cors.allowed(&view.head.headers));
        let is_plain = origin.is_none() && notes.is_none() && deadline.is_none() && traceparent.is_none();
        if is_plain && !uses_path && !has_time && !counts_whole {
            return None;
        }
        let target = uses_path.then(|| {
            // A target that is not a path is guarded like the root (G0).
            let path = view.head.uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
            (view.head.method.clone(), path)
        });
        let began = has_time.then(config.clock);
        Some(Box::new(Self { notes, target, began, counts_whole, deadline, origin, traceparent, ..Self::default() }))
    }
}
