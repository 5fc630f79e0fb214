//! The small form of a record, for a request in which nothing has failed.

use std::sync::Arc;

use http::StatusCode;

use super::facts::ColdState;
use crate::request_id::RequestId;
use crate::session::record::delivery::SentStatus;
use crate::session::record::notes::{Origin, RecordFields};
use crate::session::record::request_record::{Cause, RecordLabel, RequestRecord, SessionConfig};

/// The record of a request in which nothing has failed so far. The value outlives the session, so it is small.
#[derive(Debug)]
pub(in crate::session) struct BodyContext {
    pub(in crate::session) config: Arc<SessionConfig>,
    pub(in crate::session) id: RequestId,
    pub(in crate::session) label: RecordLabel,
    pub(in crate::session) cold: Option<Box<ColdState>>,
}

impl BodyContext {
    /// Returns the status of a request whose record has no notes.
    pub(in crate::session) fn plain_status(&self) -> Option<StatusCode> {
        let service = self.label.service.filter(|service| service.grpc.is_none())?;
        self.cold.as_ref().is_none_or(|cold| cold.notes.is_none()).then_some(service.status)
    }

    /// Returns the record of a request without an error.
    pub(in crate::session) fn into_record(self) -> RequestRecord {
        let sent =
            self.label.service.map(|service| SentStatus { grpc: service.grpc, ..SentStatus::new(service.status) });
        self.record(None, None, sent)
    }

    /// Creates a record, with all its fields at once, because a record is large to copy.
    #[inline(always)]
    pub(in crate::session) fn record(
        self,
        origin: Option<Origin>,
        cause: Option<Cause>,
        sent: Option<SentStatus>,
    ) -> RequestRecord {
        let notes = self.cold.and_then(|mut cold| {
            let notes = cold.notes.take();
            cold.completed(notes)
        });
        RequestRecord::new(self.config, self.id, self.label, notes, (origin, cause, sent))
    }
}

impl RequestRecord {
    #[inline(always)]
    pub(in crate::session) fn new(
        config: Arc<SessionConfig>,
        request_id: RequestId,
        label: RecordLabel,
        notes: Option<Box<RecordFields>>,
        (origin, cause, sent): (Option<Origin>, Option<Cause>, Option<SentStatus>),
    ) -> Self {
        Self {
            request_id,
            config,
            label,
            origin,
            sent,
            would_be: None,
            rewriting: None,
            dialect: None,
            by: None,
            rule: None,
            cause,
            notes,
        }
    }
}
