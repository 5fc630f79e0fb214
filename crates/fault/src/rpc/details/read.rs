//! google.rpc.Status, read.

use std::time::Duration;

use prost::Message;

use super::{BAD_REQUEST, ERROR_INFO, REQUEST_INFO, RETRY_INFO, RpcDetails, Violation, wire};
use crate::rpc::status::Status;

impl RpcDetails {
    /// Parses the bytes; `None` if they are no google.rpc.Status. Details that are unknown or cannot be read are
    /// skipped.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if bytes.is_empty() {
            return None;
        }
        let wire::Status { code, message, details } = wire::Status::decode(bytes).ok()?;
        let status = u8::try_from(code).map_or(Status::UNKNOWN, Status::new);
        let mut rich = Self::new(status, message);
        for wire::Any { type_url, value } in details {
            rich.add(&type_url, &value);
        }
        Some(rich)
    }

    /// Adds a detail by its type's name, whatever prefix the name has.
    pub fn add(&mut self, type_url: &str, value: &[u8]) {
        match type_url.rsplit('/').next().unwrap_or_default() {
            ERROR_INFO => self.add_info(value),
            REQUEST_INFO => {
                self.request_id = wire::RequestInfo::decode(value).unwrap_or_default().request_id;
            }
            RETRY_INFO => {
                let info = wire::RetryInfo::decode(value).unwrap_or_default();
                self.retry_delay = info.retry_delay.as_ref().and_then(delay_of);
            }
            BAD_REQUEST => {
                let request = wire::BadRequest::decode(value).unwrap_or_default();
                self.violations.extend(request.field_violations.into_iter().map(Violation::from));
            }
            _ => {}
        }
    }

    /// The first one counts: a service that passes on another's error puts its own before it.
    fn add_info(&mut self, value: &[u8]) {
        if let Some(info) = wire::ErrorInfo::decode(value).ok().filter(|_| self.reason.is_empty()) {
            self.reason = info.reason;
            self.domain = info.domain;
            self.metadata = info.metadata.into_iter().map(|wire::Entry { key, value }| (key, value)).collect();
        }
    }
}

impl From<wire::FieldViolation> for Violation {
    fn from(violation: wire::FieldViolation) -> Self {
        let wire::FieldViolation { field, description, reason } = violation;
        Self { field, description, reason }
    }
}

/// A negative delay counts as none.
fn delay_of(delay: &wire::Duration) -> Option<Duration> {
    let nanos = u32::try_from(delay.nanos).ok().filter(|nanos| *nanos < 1_000_000_000)?;
    Some(Duration::new(u64::try_from(delay.seconds).ok()?, nanos))
}
