//! A line of the ledger: what a client and a service saw of one request, and what follows from that by the contract
//! alone.

use serde_json::Value;

use super::client::Got;
use super::plan::{AnswerEnd, Kind, Upload};
use super::service::Served;
use super::wire::value;

#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) kind: Kind,
    pub(crate) mode: &'static str,
    pub(crate) path: String,
    pub(crate) got: Got,
    pub(crate) served: Served,
    /// True if the kill switch was on.
    pub(crate) is_switched: bool,
}

/// The numbers of Connect's codes.
const CONNECT: [&str; 17] = [
    "",
    "canceled",
    "unknown",
    "invalid_argument",
    "deadline_exceeded",
    "not_found",
    "already_exists",
    "permission_denied",
    "resource_exhausted",
    "failed_precondition",
    "aborted",
    "out_of_range",
    "unimplemented",
    "internal",
    "unavailable",
    "data_loss",
    "unauthenticated",
];

impl Entry {
    pub(crate) fn id(&self) -> Option<&str> {
        value(&self.got.headers, "x-request-id").or(self.served.id.as_deref())
    }

    pub(crate) fn name(&self) -> String {
        let switch = if self.is_switched { " (switched off)" } else { "" };
        format!("{} {}{switch}", self.mode, self.kind.name)
    }

    pub(crate) fn route(&self) -> String {
        format!("/{}/{}/{{*rest}}", self.mode, self.kind.place)
    }

    pub(crate) fn is_called(&self) -> bool {
        self.served.calls > 0
    }

    /// Returns the mode that the request met.
    pub(crate) fn effective(&self) -> &'static str {
        if self.is_switched { "off" } else { self.mode }
    }

    /// Returns the code in the head or the trailers.
    pub(crate) fn code(&self) -> Option<&str> {
        value(&self.got.headers, "x-error-code").or(value(&self.got.trailers, "x-error-code"))
    }

    /// Returns the label of the gRPC status that the client got.
    pub(crate) fn grpc(&self) -> String {
        self.grpc_number().map_or("none".to_owned(), |number| number.to_string())
    }

    /// The label of the gRPC status that the client got.
    pub(crate) fn grpc_label(&self) -> String {
        match self.grpc_number() {
            Some(17..) => "other".to_owned(),
            _ => self.grpc(),
        }
    }

    fn grpc_number(&self) -> Option<u32> {
        if self.kind.is_connect() {
            let status = self.got.status?;
            if status == 200 {
                return Some(0);
            }
            // Only these modes read the error of a service.
            if self.is_called() && !matches!(self.effective(), "observe" | "enforce") {
                return None;
            }
            let body: Value = serde_json::from_slice(&self.got.body).ok()?;
            let code = body["code"].as_str()?;
            return CONNECT.iter().position(|own| *own == code).map(|number| number as u32);
        }
        if !self.kind.is_grpc() && !self.kind.is_grpc_web() {
            return None;
        }
        let in_body = || {
            let text = String::from_utf8_lossy(&self.got.body).into_owned();
            let (_, rest) = text.split_once("grpc-status:")?;
            rest.trim_start().split(|it: char| !it.is_ascii_digit()).next()?.parse().ok()
        };
        let said = value(&self.got.trailers, "grpc-status").or(value(&self.got.headers, "grpc-status"));
        said.and_then(|said| said.parse().ok()).or_else(in_body)
    }

    /// Returns how the request ended for the client (L2).
    pub(crate) fn outcome(&self) -> &'static str {
        if self.got.has_left {
            return "client_left";
        }
        if self.is_malformed() {
            return "client_error";
        }
        if self.is_broken() {
            return "broken";
        }
        match (self.grpc_number(), self.got.status.unwrap_or(0)) {
            (Some(2 | 4 | 12..=15 | 17..), _) => "server_error",
            (Some(1..), _) => "client_error",
            (_, 500..) => "server_error",
            (_, 400..) => "client_error",
            _ => "ok",
        }
    }

    pub(crate) fn class(&self) -> String {
        self.got.status.map_or("none".to_owned(), |status| format!("{}xx", status / 100))
    }

    pub(crate) fn status(&self) -> String {
        self.got.status.map_or("none".to_owned(), |status| status.to_string())
    }

    /// Returns true if the request was malformed, so that its stream was reset before a response.
    pub(crate) fn is_malformed(&self) -> bool {
        matches!(self.kind.upload, Upload::Contradicts(..))
    }

    /// Returns true if the response broke off for the client. This includes a response that the service broke off after
    /// the head and that the layer ended: an event stream with a last event, a call with a status (F6).
    pub(crate) fn is_broken(&self) -> bool {
        let is_cut = self.kind.answer.end == AnswerEnd::Cut && self.is_called();
        self.got.is_broken && !self.is_malformed()
            || is_cut && self.kind.answer.status < 400 && self.got.status == Some(200)
    }

    /// Returns true if a guard refused the request: before the service was called, or during a body that exceeds its
    /// limit.
    pub(crate) fn is_refused(&self) -> bool {
        let is_uncalled = !self.is_called() && !self.is_malformed() && !matches!(self.outcome(), "ok" | "client_left");
        self.got.status == Some(413) || is_uncalled
    }

    /// Returns true if the service was called, and did not respond.
    pub(crate) fn is_unanswered(&self) -> bool {
        self.is_called() && matches!(self.kind.answer.end, AnswerEnd::Drops | AnswerEnd::Silent)
    }
}
