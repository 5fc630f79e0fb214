//! Inner errors that pass on a route in mode `observe` (rule M1). Their bodies are copied without delaying them.

use std::fmt;

use http::{HeaderMap, StatusCode};

use super::body::RetainedBody;
use super::inner_error::InnerErrorReader;
use super::observe::would_be;
use super::state::RequestState;
use super::writer::ErrorWriter;
use super::{CapturedBody, Event, Origin, ReadBytes, rpc};
use crate::classify::{ChangedBody, Rewrite, RewriteDecision};

/// An inner error that passes on a route in mode `observe` while its body is copied.
pub(super) struct ObservedError {
    pub(super) state: RequestState,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// The text in the status line, if the response has no body.
    pub(super) reason: Option<Box<str>>,
}

/// The service's headers may have values that must not be logged (L3).
impl fmt::Debug for ObservedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { state, status, .. } = self;
        f.debug_struct("Observed").field("id", &state.id).field("status", status).finish_non_exhaustive()
    }
}

impl ObservedError {
    /// The body has ended, or is not to be read further. The bytes that were received decide, as they would in
    /// `enforce`.
    pub(super) fn finish(self, body: ReadBytes<'_>) -> Event {
        let Self { state, status, headers, reason } = &self;
        let reader = InnerErrorReader { state };
        let decoded = reader.decoded(headers, body);
        if let Some(reported) = reader.connect_status(decoded.as_deref()) {
            return reader.rpc_event(&reported);
        }
        let changed = ChangedBody::default();
        match reader.decision(*status, headers, (decoded.as_deref(), &changed), reason.as_deref()) {
            RewriteDecision::Rewrite(rewrite) => self.would_rewrite(rewrite, decoded.as_deref().unwrap_or_default()),
            RewriteDecision::Pass(rewrite) => {
                let code = Some(rewrite.code().clone());
                Event { code, ..self.state.event(Origin::Inner).preserved(*status) }
            }
        }
    }

    fn would_rewrite(&self, mut rewrite: Rewrite<'_>, read: &[u8]) -> Event {
        let Self { state, status, headers, .. } = self;
        let lost = (rewrite.dropped.take(), rewrite.unknown_code.take());
        let Rewrite { shape, retained, is_code_named, by, rule, to_status, body, .. } = rewrite;
        let sent = to_status.unwrap_or(*status);
        let fault = rewrite.into_fault();
        let captured = state.captures_bodies().then(|| {
            let before = CapturedBody::new(*status, headers, read);
            let mut headers = headers.clone();
            let retained = retained.map(|part| RetainedBody { part, body, status: *status });
            let written = ErrorWriter::new(state).rewritten(&mut headers, sent, &fault, is_code_named, retained);
            (before, CapturedBody::new(written.sent, &headers, &written.body))
        });
        let mut event = would_be(state, *status, &fault, sent, Origin::Inner, retained.is_some());
        event.grpc = state.request.rpc.map(|rpc| rpc::grpc_status(rpc, &fault, sent, is_code_named));
        event.dialect = shape;
        event.note_lost(lost);
        event.note_decision(by, state.settings.part(), rule);
        let (before, after) = captured.unzip();
        event.note_bodies(before, after);
        event
    }
}
