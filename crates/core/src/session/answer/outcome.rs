//! The values that a session receives about bodies, and the values that it returns, on which an adapter acts.

use std::error::Error;
use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, Response, response};

use crate::code::ErrorCode;
use crate::fault::Fault;
use crate::guard::body_limit::DrainBudget;
use crate::session::record::notes::Origin;
use crate::session::record::request_record::{BoxError, RequestRecord};

/// The bytes that were read of an inner error's body.
#[derive(Clone, Copy, Debug)]
pub(in crate::session) enum ReadBytes<'a> {
    /// The whole body.
    Whole(&'a [u8]),
    /// A part of the body, because the rest of the body was too long, came too late, or was cut off. If only a part was
    /// read, the status decides the code.
    Part(&'a [u8]),
}

/// The result of waiting for the first byte of a body.
#[derive(Debug)]
pub enum FirstByte {
    /// There is a body.
    Data,
    /// There is no body.
    End,
    /// The first byte did not arrive in time.
    TooSlow,
    /// Reading failed.
    Failed(Failure, BoxError),
}

/// The error of a proxy that did not call the service, because the proxy reached one of its own limits (F1). The source
/// of the error is the reason.
#[derive(Debug)]
pub struct NotCalled(BoxError);

impl NotCalled {
    /// Creates the error for a request that was not sent, with the reason.
    pub fn new(why: impl Into<BoxError>) -> Self {
        Self(why.into())
    }
}

impl fmt::Display for NotCalled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the service was not called")
    }
}

impl Error for NotCalled {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

/// The fault of a failure, and its origin.
#[derive(Clone, Debug)]
#[must_use]
pub struct Failure {
    pub(in crate::session) fault: Fault,
    pub(in crate::session) origin: Origin,
    /// True if the service did not get the request, because a limit of the proxy itself was reached.
    pub(in crate::session) is_uncalled: bool,
}

/// A response of the layer itself, and the record of its request.
#[derive(Debug)]
#[must_use]
pub struct LocalReply {
    /// The whole response. For HEAD, the body of the response is empty, but `content-length` has the value for GET
    /// (E5).
    pub reply: Response<Bytes>,
    /// The budget for reading and dropping the rest of the request, before the body of the response or after it (G5).
    pub drain: Option<DrainBudget>,
    /// The record of the request.
    pub record: RequestRecord,
}

/// The body of a rewritten error, and the record of its request.
#[derive(Debug)]
#[must_use]
pub struct RewrittenBody {
    /// The body, which is empty for HEAD.
    pub body: Bytes,
    /// The record of the request.
    pub record: RequestRecord,
}

/// The last frame of a body.
#[derive(Debug)]
pub enum FinalFrame {
    /// The last frame contains these trailers.
    Trailers(HeaderMap),
    /// The last frame contains these bytes.
    Data(Bytes),
    /// There is no last frame, because the body cannot end properly. The body is cut off (F4).
    BrokenOff,
}

impl Failure {
    pub(in crate::session) fn new(fault: Fault, origin: Origin) -> Self {
        Self { fault, origin, is_uncalled: false }
    }

    /// Returns the failure for a panic (F2).
    pub fn panicked() -> Self {
        Self::new(Fault::new(ErrorCode::INTERNAL_ERROR), Origin::Panic)
    }

    /// Returns the failure of a body that has begun. The result only distinguishes failures of the upstream from
    /// failures of this process, because finer distinctions (F1) would not help a client.
    pub(in crate::session) fn of_begun_body(self) -> Self {
        if self.origin == Origin::Fault {
            return self;
        }
        let is_upstreams = [ErrorCode::OTHER, ErrorCode::GATEWAY_TIMEOUT].contains(self.fault.code());
        let code = if is_upstreams { ErrorCode::OTHER } else { ErrorCode::INTERNAL_ERROR };
        Self::new(Fault::new(code), if self.origin == Origin::Panic { Origin::Panic } else { Origin::Error })
    }
}

impl RewrittenBody {
    /// Returns the whole response with its head, for an adapter that sends it like any other reply.
    pub fn into_reply(self, head: response::Parts) -> LocalReply {
        LocalReply { reply: Response::from_parts(head, self.body), drain: None, record: self.record }
    }
}
