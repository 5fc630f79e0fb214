//! The values of a request's record (L5): the response of the service, the status that was sent, and how the delivery
//! ended.

use http::StatusCode;

use super::notes::UnreadReason;
use crate::code::ErrorCode;
use crate::dialect::status::Status;
use crate::table::named;

/// The status that a client got, or would have got in another mode. Status and code are in one value, so that no view
/// combines the status of one response with the code of another response.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SentStatus {
    /// The HTTP status.
    pub status: StatusCode,
    /// The gRPC status of an RPC, as it was sent. A number above 255 is 255.
    pub grpc: Option<u8>,
    /// The code, or `None` if the response has none.
    pub code: Option<ErrorCode>,
}

/// The response of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServiceAnswer {
    /// The HTTP status.
    pub status: StatusCode,
    /// The gRPC status, if the call is an RPC and the service sent one. A number above 255 is 255.
    pub grpc: Option<u8>,
    /// How the body of the response ended.
    pub body: ServiceBody,
}

/// The way in which the body of a service's response ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceBody {
    /// The body was passed on or read to its end, or was not needed.
    Whole,
    /// The body failed before its end.
    BrokeOff,
    /// The body was not read to its end, for this reason (R4).
    Unread(UnreadReason),
}

/// The delivery of a response, after the session has decided about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// True if the head of the response was sent.
    pub head_sent: bool,
    /// The number of bytes of the request's body that were read, or `None` if the adapter does not count them.
    pub request_bytes: Option<u64>,
    /// The number of bytes of the response's body that the server took, or `None` if the adapter does not count them.
    pub response_bytes: Option<u64>,
    /// The way in which the delivery ended.
    pub end: End,
}

named! {
    "Returns the word for this value, which all views of a record use."
    /// The way in which the delivery of a response ended.
    pub enum End {
        /// The server took the last byte, or dropped a body that had ended.
        Complete = "complete",
        /// The client left before the response was complete.
        ClientLeft = "client_left",
        /// The service's body broke off after the head had been sent.
        ServiceBrokeOff = "service_broke_off",
        /// The client read nothing for too long.
        Stalled = "stalled",
        /// The server reset the stream, because the request was malformed (F1a).
        Malformed = "malformed",
        /// The process stopped.
        Stopped = "stopped",
        /// The adapter cannot observe the delivery.
        Unknown = "unknown",
    }
}

named! {
    "Returns the word for this value, which all views of a record use."
    /// The result of a request, as the metrics count it.
    pub enum Outcome {
        /// A success.
        Ok = "ok",
        /// An error that the client caused.
        ClientError = "client_error",
        /// An error that the client did not cause.
        ServerError = "server_error",
        /// A body broke off, or the process itself ended the response. The outcome does not depend on the status.
        Broken = "broken",
        /// The client left before the end of the response.
        ClientLeft = "client_left",
        /// The adapter noticed neither a head that was sent nor that the client left.
        Unknown = "unknown",
    }
}

impl End {
    /// Returns true if the delivery ended early, and the service did not cause this.
    #[must_use]
    pub fn is_early(self) -> bool {
        matches!(self, Self::ClientLeft | Self::Stalled | Self::Malformed | Self::Stopped)
    }
}

impl SentStatus {
    /// Creates the value for a response with this status that is not an RPC error and has no code.
    #[must_use]
    pub fn new(status: StatusCode) -> Self {
        Self { status, grpc: None, code: None }
    }

    /// Returns the outcome for the client. For an RPC, the gRPC status decides. For any other request, the HTTP status
    /// decides. As in OpenTelemetry, the gRPC statuses 2, 4, 12, 13, 14 and 15 are errors of the server.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match (self.grpc, self.status.as_u16()) {
            (Some(0), 0..400) => Outcome::Ok,
            // Clients treat a number that gRPC does not define as 2.
            (Some(2 | 4 | 12..=15 | 17..), _) => Outcome::ServerError,
            (Some(1..), _) => Outcome::ClientError,
            (_, 500..) => Outcome::ServerError,
            (_, 400..) => Outcome::ClientError,
            (_, _) => Outcome::Ok,
        }
    }

    /// Returns the HTTP status. For an RPC that failed, returns the HTTP status that corresponds to the gRPC status.
    #[must_use]
    pub fn as_http(&self) -> StatusCode {
        self.grpc.filter(|grpc| *grpc > 0).map_or(self.status, |grpc| Status::new(grpc).http())
    }
}

impl ServiceAnswer {
    pub(in crate::session) fn new(status: StatusCode) -> Self {
        Self { status, grpc: None, body: ServiceBody::Whole }
    }
}

impl Outcome {
    /// Returns the number of the outcome, from 0, for use as an index into counters.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}
