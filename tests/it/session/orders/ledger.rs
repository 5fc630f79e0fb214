//! Records what has happened to the request so far.

use bytes::Bytes;
use error_envelope_core::session::{LocalReply, RequestRecord, RewrittenBody};
use http::HeaderMap;

use super::response::is_secret_in;

#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) forwards: u8,
    /// The number of replies, and of responses that pass.
    pub(super) answers: u8,
    pub(super) abandoned: bool,
    records: u8,
    has_error: bool,
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

    pub(super) fn abandon(&mut self, record: &RequestRecord) {
        assert!(self.has_no_end(), "claim 1, it is answered: {self:?}");
        self.abandoned = true;
        self.record(record);
    }

    pub(super) fn reply(&mut self, reply: &LocalReply) {
        self.answer();
        self.record(&reply.record);
        let (headers, body) = (reply.reply.headers(), reply.reply.body());
        assert!(!is_secret_in(body) && !is_secret_in_any(headers), "claim 3, a reply: {reply:?}");
    }

    /// Records a written body. With `speaks`, the body may contain the message of the service's error (R3).
    pub(super) fn written(&mut self, headers: &HeaderMap, written: &RewrittenBody, speaks: bool) {
        self.answer();
        self.record(&written.record);
        assert!(speaks || !is_secret_in(&written.body), "claim 3, a rewritten body: {:?}", written.body);
        assert!(speaks || !is_secret_in_any(headers), "claim 3, a rewritten head: {headers:?}");
    }

    pub(super) fn record(&mut self, record: &RequestRecord) {
        self.records += 1;
        self.has_error |= record.origin().is_some();
        assert!(self.records == 1, "claim 2, one record: {self:?}, {record:?}");
    }

    pub(super) fn has_no_end(&self) -> bool {
        self.answers == 0 && !self.abandoned
    }

    pub(super) fn has_an_error(&self) -> bool {
        self.has_error
    }
}

pub(super) fn is_secret_in_any(fields: &HeaderMap) -> bool {
    fields.values().any(|value| is_secret_in(&Bytes::copy_from_slice(value.as_bytes())))
}
