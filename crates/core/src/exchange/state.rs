//! The state of a request between two decisions.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue};

use super::auth::PendingAuth;
use super::event::EventLabel;
use super::head::{self, X_REQUEST_ID, X_UPSTREAM_REQUEST_ID};
use super::request::{ColdState, GuardOutcome, RequestFlags, printable};
use super::{BodyContext, Cause, Event, EventFields, ExchangeConfig, KnownMethod, Origin};
use crate::fault::Fault;
use crate::fields;
use crate::guard::body_limit::BodyFlags;
use crate::policy::{Mode, Policy, ResponseSettings};
use crate::request_id::RequestId;

/// One request.
///
/// Every future of the layer carries one: it is small, and rarely used state is boxed.
#[derive(Debug)]
pub struct Exchange {
    pub(super) config: Arc<ExchangeConfig>,
    /// The settings of the path in its normal form.
    pub(super) settings: ResponseSettings,
    pub(super) id: RequestId,
    pub(super) id_header: HeaderValue,
    pub(super) request: RequestFlags,
    pub(super) method: KnownMethod,
    pub(super) framework_route: Option<Arc<str>>,
    pub(super) flags: Option<BodyFlags>,
    pub(super) cold: Option<Box<ColdState>>,
}

/// A request whose first body byte decides.
#[derive(Debug)]
pub struct PendingPeek {
    pub(super) exchange: Exchange,
    pub(super) refusal: Fault,
}

/// A request that depends on a verifier of the user's own (G2).
#[derive(Debug)]
pub struct PendingVerification {
    pub(super) exchange: Exchange,
    pub(super) pending: Box<PendingAuth>,
    /// The decisions of the other guards.
    pub(super) guarded: Box<GuardOutcome>,
}

impl Exchange {
    /// The request's id.
    #[must_use]
    #[inline]
    pub fn request_id(&self) -> RequestId {
        self.id
    }

    /// The request's id as `x-request-id` has it.
    #[must_use]
    #[inline]
    pub fn id_header(&self) -> &HeaderValue {
        &self.id_header
    }

    /// The request's route, as its events have it (L1): the framework's, else the policy's pattern.
    #[must_use]
    #[inline]
    pub fn shared_route(&self) -> Option<&Arc<str>> {
        let pattern = || self.policy().route_pattern(self.settings.label()).map(|pattern| pattern.shared());
        self.framework_route.as_ref().or_else(pattern)
    }

    /// How long the client of a call waits for all of it (`grpc-timeout`, `connect-timeout-ms`). After that an adapter calls
    /// [`Exchange::timed_out`], or [`RpcResponse::timed_out`](super::RpcResponse::timed_out) behind the head.
    #[must_use]
    #[inline]
    pub fn deadline(&self) -> Option<Duration> {
        if changes_responses(self.settings.mode) { self.cold.as_ref()?.deadline } else { None }
    }

    #[inline]
    pub(super) fn policy(&self) -> &Policy {
        self.config.policy()
    }

    pub(super) fn notes_mut(&mut self) -> &mut EventFields {
        self.cold.get_or_insert_default().notes.get_or_insert_default()
    }

    pub(super) fn event_of(&self, origin: Origin) -> Event {
        let notes = self.cold.as_ref().and_then(|cold| cold.event_notes());
        Event { notes, ..self.body_context().event(origin) }
    }

    #[inline]
    pub(super) fn event(self, origin: Origin, cause: Option<Cause>) -> Event {
        let notes = self.cold.as_ref().and_then(|cold| cold.event_notes());
        Event { cause, notes, ..self.into_context_and_fields().0.event(origin) }
    }

    /// What a late body failure logs, while the exchange goes on.
    pub(super) fn body_context(&self) -> BodyContext {
        BodyContext { config: self.config.clone(), id: self.id, label: self.label() }
    }

    /// Adds the layer's headers to a response that passes. Returns what a late body failure logs, and the extra log fields.
    #[inline(always)]
    pub(super) fn finish_head(self, headers: &mut HeaderMap) -> (BodyContext, Option<Box<EventFields>>) {
        expose(self.settings, headers);
        self.hand_on_id(headers);
        let (body_context, mut notes, id) = self.into_parts();
        if let Some(theirs) = identify(headers, id) {
            notes.get_or_insert_default().upstream_request_id = Some(theirs);
        }
        (body_context, notes)
    }

    /// Returns what a late body failure logs, and the extra log fields.
    #[inline(always)]
    pub(super) fn into_context_and_fields(self) -> (BodyContext, Option<Box<EventFields>>) {
        let (body_context, notes, _) = self.into_parts();
        (body_context, notes)
    }

    #[inline(always)]
    fn into_parts(self) -> (BodyContext, Option<Box<EventFields>>, HeaderValue) {
        let Self { config, settings, id, id_header, method, framework_route, cold, .. } = self;
        let label = EventLabel { settings: settings.label(), method: Some(method), framework_route };
        (BodyContext { config, id, label }, cold.and_then(|cold| cold.notes), id_header)
    }

    fn label(&self) -> EventLabel {
        let framework_route = self.framework_route.clone();
        EventLabel { settings: self.settings.label(), method: Some(self.method), framework_route }
    }

    pub(super) fn expose(&self, headers: &mut HeaderMap) {
        expose(self.settings, headers);
    }

    pub(super) fn identify_response(&mut self, headers: &mut HeaderMap) {
        self.hand_on_id(headers);
        if let Some(theirs) = identify(headers, self.id_header.clone()) {
            self.notes_mut().upstream_request_id = Some(theirs);
        }
    }

    /// I3: the client gets the inner service's own id beside ours, in every mode, if the policy has that setting.
    #[inline(always)]
    fn hand_on_id(&self, headers: &mut HeaderMap) {
        if self.policy().ids().upstream {
            hand_on_id(headers, &self.id_header);
            if exposes(self.settings) {
                head::expose_upstream_id(headers);
            }
        }
    }
}

/// Whether this mode changes a response beside its ids.
pub(super) fn changes_responses(mode: Mode) -> bool {
    !matches!(mode, Mode::Off | Mode::Observe)
}

/// E4, in every mode but `off` and `observe`.
#[inline(always)]
pub(super) fn expose(settings: ResponseSettings, headers: &mut HeaderMap) {
    if exposes(settings) {
        head::expose(headers);
    }
}

#[inline(always)]
fn exposes(settings: ResponseSettings) -> bool {
    settings.expose_headers && changes_responses(settings.mode)
}

/// Keeps the inner service's id for the client, before ours takes its place (I3). One that a layer inside kept stays: it is
/// the id of the service whose operators can help.
fn hand_on_id(headers: &mut HeaderMap, ours: &HeaderValue) {
    let mut lines = headers.get_all(X_REQUEST_ID).iter();
    let (Some(theirs), None) = (lines.next(), lines.next()) else { return };
    // A proxy joins repeated lines by a comma.
    let is_repeated = theirs.as_bytes().contains(&b',');
    if is_repeated || theirs == ours || fields::has(headers, &X_UPSTREAM_REQUEST_ID) {
        return;
    }
    let kept = printable(theirs.as_bytes());
    if let Ok(kept) = HeaderValue::from_bytes(kept.trim().as_bytes())
        && !kept.is_empty()
    {
        headers.insert(X_UPSTREAM_REQUEST_ID, kept);
    }
}

/// I3: our id replaces the inner service's, which is noted where it differs.
#[inline(always)]
fn identify(headers: &mut HeaderMap, id: HeaderValue) -> Option<Box<str>> {
    let theirs = headers.insert(X_REQUEST_ID, id)?;
    let differs = headers.get(X_REQUEST_ID).is_some_and(|ours| *ours != theirs);
    differs.then(|| printable(theirs.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i3_the_services_id_goes_on_in_printable_form() {
        let handed_on = |lines: &[&[u8]]| {
            let line = |line: &&[u8]| (X_REQUEST_ID, HeaderValue::from_bytes(line).unwrap());
            let mut headers = HeaderMap::new();
            headers.extend(lines.iter().map(line));
            hand_on_id(&mut headers, &HeaderValue::from_static("req_1"));
            headers.get(X_UPSTREAM_REQUEST_ID).map(|id| String::from_utf8_lossy(id.as_bytes()).into_owned())
        };
        for (id, sent) in
            [(&b"a-1"[..], Some("a-1")), (b"req_1", None), (b"", None), (b" \t ", None), (b"a\tb ", Some("ab"))]
        {
            assert_eq!(handed_on(&[id]).as_deref(), sent, "{id:?}");
        }
        assert_eq!(handed_on(&["é".repeat(200).as_bytes()]), Some("é".repeat(128)));
        assert_eq!((handed_on(&[]), handed_on(&[b"a", b"a"])), (None, None));
    }
}
