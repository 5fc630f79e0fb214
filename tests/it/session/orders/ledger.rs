//! What has become of the request so far.

use bytes::Bytes;
use error_envelope_core::session::{Event, LocalReply, Origin, RewrittenBody};
use http::HeaderMap;

use super::response::is_secret_in;

#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) forwards: u8,
    /// Replies, and responses that pass.
    pub(super) answers: u8,
    pub(super) abandoned: bool,
    errors: u8,
    breaks: u8,
    let_through: u8,
}

impl Ledger {
    pub(super) fn answer(&mut self) {
        self.answers += 1;
        assert!(self.answers == 1 && !self.abandoned, "claim 1, one answer: {self:?}");
    }

    pub(super) fn forward(&mut self) {
        self.forwards += 1;
        assert!(self.forwards == 1 && self.has_no_end(), "claim 1, one forward: {self:?}");
    }

    pub(super) fn abandon(&mut self, event: &Event) {
        assert!(self.has_no_end(), "claim 1, it is answered: {self:?}");
        self.abandoned = true;
        self.event(event);
    }

    pub(super) fn reply(&mut self, reply: &LocalReply) {
        self.answer();
        self.event(&reply.event);
        self.let_through(reply.unenforced.as_deref());
        let (headers, body) = (reply.reply.headers(), reply.reply.body());
        assert!(!is_secret_in(body) && !is_secret_in_any(headers), "claim 3, a reply: {reply:?}");
    }

    /// `speaks`: the message of the service's error may be in it (R3).
    pub(super) fn written(&mut self, headers: &HeaderMap, written: &RewrittenBody, speaks: bool) {
        self.answer();
        self.event(&written.event);
        self.let_through(written.unenforced.as_deref());
        assert!(speaks || !is_secret_in(&written.body), "claim 3, a rewritten body: {:?}", written.body);
        assert!(speaks || !is_secret_in_any(headers), "claim 3, a rewritten head: {headers:?}");
    }

    pub(super) fn event(&mut self, event: &Event) {
        let is_of_an_end = event.status().is_some() || event.grpc_status().is_some();
        let count = if is_of_an_end || event.origin() == Origin::Abandoned { &mut self.errors } else { &mut self.breaks };
        *count += 1;
        // After a break, nothing is left that could be an error.
        let is_behind_a_break = self.breaks == 1 && is_of_an_end;
        assert!(self.errors <= 1 && self.breaks <= 1 && !is_behind_a_break, "claim 2, one event: {self:?}, {event:?}");
    }

    pub(super) fn let_through(&mut self, event: Option<&Event>) {
        self.let_through += u8::from(event.is_some());
        assert!(self.let_through <= 1, "claim 2, one refusal that was let through: {self:?}, {event:?}");
    }

    pub(super) fn has_no_end(&self) -> bool {
        self.answers == 0 && !self.abandoned
    }

    pub(super) fn has_an_error(&self) -> bool {
        self.errors == 1
    }
}

pub(super) fn is_secret_in_any(fields: &HeaderMap) -> bool {
    fields.values().any(|value| is_secret_in(&Bytes::copy_from_slice(value.as_bytes())))
}
