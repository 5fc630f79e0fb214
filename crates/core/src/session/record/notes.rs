//! Defines the fields of a record other than the sent response. They contain the origin of the error, the reason why the
//! error's body was not read completely, and notes on the request.

use std::num::NonZeroU8;
use std::time::SystemTime;

use http::uri::PathAndQuery;
use http::{HeaderValue, Method, StatusCode};

use super::body_capture::BodyCapture;
use crate::code::ErrorCode;
use crate::guard::auth::Identity;
use crate::message::is_unprintable;
use crate::policy::{BodyLimitPer, MatchedReading};
use crate::request_id;
use crate::table::named;

/// The maximum number of characters that are logged of an id from a client or a service (I2).
const MAX_NOTE: usize = 128;

named! {
    "Returns the word for the log."
    /// The origin of an error.
    #[non_exhaustive]
    pub enum Origin {
        /// A guard refused the request.
        Guard = "guard",
        /// The service returned a typed [`Fault`](crate::fault::Fault).
        Fault = "fault",
        /// An error value of the inner service, or of the body of its response.
        Error = "error",
        /// User code panicked.
        Panic = "panic",
        /// A 4xx or 5xx that the inner service sent.
        Inner = "inner",
        /// A response of the proxy itself (V2).
        Proxy = "proxy",
        /// There is no error. The client disconnected before the response head (F2), cancelled a call, or read nothing
        /// for too long. Or the process stopped.
        Abandoned = "abandoned",
    }
}

named! {
    "Returns the word for the metrics."
    /// The reason why the body of an inner error was not read to its end. If the body was not read to its end, only the
    /// status decides the code (R4).
    #[non_exhaustive]
    pub enum UnreadReason {
        /// The body is longer than `inspect.max_bytes`.
        TooLong = "too_long",
        /// The body took longer than `inspect.timeout`.
        TooLate = "too_late",
        /// The body failed, or (in `observe`) the client stopped reading.
        BrokeOff = "broke_off",
        /// The adapter does not get the body.
        NotShown = "not_shown",
    }
}

/// Further log fields of a request: ids that clients and services sent, and the parts of an error that were lost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordFields {
    /// The first 128 printable characters of the `x-request-id` that the client sent, if it was not kept (I2).
    pub client_request_id: Option<Box<str>>,
    /// The first 128 printable characters of the inner response's `x-request-id`, if it differed from the request's
    /// id (I3).
    pub upstream_request_id: Option<Box<str>>,
    /// The names of the request headers that were removed, separated by commas. A service that works like CGI would
    /// confuse these headers with other headers (G1).
    pub removed_headers: Option<Box<str>>,
    /// True if the routes of the policy match only the path that the request had before a framework stripped a
    /// prefix, and not the path that the layer receives (G0). Only one record of each policy has this value.
    pub only_original_path: bool,
    /// The names of the fields of a foreign 4xx body that no rule reads, separated by commas. These fields are
    /// dropped unless `keep_fields` names them (R14). The text contains at most 16 names of 64 characters each, and
    /// no values.
    pub dropped_fields: Option<Box<str>>,
    /// The unknown code of an inner error, if it looks like the name of an error: `seat_taken`, `SEAT_TAKEN`,
    /// `SeatTaken` or `E1001`, with at most 64 characters. A `[[map]]` rule can map this code. Any other text, such
    /// as a single word in small letters, may be a secret (L3).
    pub unknown_code: Option<Box<str>>,
    pub(in crate::session) caller: Option<Identity>,
    pub(in crate::session) shown_path: Option<PathAndQuery>,
    /// The request's only `traceparent`, whether valid or not. The value is parsed only if the request leads to an
    /// error.
    pub(in crate::session) traceparent: Option<HeaderValue>,
    pub(in crate::session) readings: Vec<MatchedReading>,
    pub(in crate::session) counts_whole: bool,
    /// The status that the policy sets for the code of the error, if a service's [`Fault`](crate::fault::Fault) has
    /// another status. The client gets the fault's status. For each code of a policy, only one record has this
    /// value.
    pub policy_status: Option<StatusCode>,
    /// The code of the service's error, if a guard that only observes would have refused the request before the
    /// service was called (M1).
    pub service_code: Option<ErrorCode>,
    /// The codes of the refusals that the request would also have got, from guards that only observe (M1).
    pub also: Vec<ErrorCode>,
    /// True if a check of the credentials would have refused the request.
    pub(in crate::session) observes_credentials: bool,
    /// The facts for an observer, or `None` if no observer is registered.
    pub(in crate::session) request: Option<RequestFacts>,
    pub(in crate::session) captured: Option<BodyCapture>,
}

/// Facts about a request for an observer, but not for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::session) struct RequestFacts {
    pub(in crate::session) path: Option<PathAndQuery>,
    pub(in crate::session) forwarded_for: Option<HeaderValue>,
    pub(in crate::session) began: SystemTime,
}

/// The `[[map]]` rule that decided the code of an inner error. `PolicyFile::map_rule` (feature `policy-file`) returns
/// the line of the rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MapRuleId {
    /// The index of the rule's scope, where 0 is the policy itself.
    pub(crate) part: u32,
    /// The index of the rule in a list: the rules of its scope, followed by the rules of the scopes around it.
    pub(crate) index: u32,
}

impl MapRuleId {
    pub(in crate::session) fn new(part: u32, index: usize) -> Self {
        Self { part, index: u32::try_from(index).unwrap_or(u32::MAX) }
    }
}

impl RecordFields {
    /// Returns the id of the caller that the credentials name, even if they were refused, for example because their key
    /// has expired. The result is never the credential itself.
    #[must_use]
    pub fn caller(&self) -> Option<&str> {
        self.caller.as_ref()?.id()
    }

    /// Returns the trace id of the request's `traceparent`, if it is valid.
    #[must_use]
    pub fn trace_id(&self) -> Option<&str> {
        request_id::trace_id_of(self.traceparent.as_ref()?.as_bytes())
    }

    /// Returns [`BodyLimitPer::Body`] if the body limit counted the whole body, although the content type of the
    /// request claims an RPC stream (P1).
    #[must_use]
    pub fn body_limit_per(&self) -> Option<BodyLimitPer> {
        self.counts_whole.then_some(BodyLimitPer::Body)
    }

    /// Returns the request's path as it was sent, without its query. The path is set only if an observer is registered,
    /// and must not be logged.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        Some(self.request.as_ref()?.path.as_ref()?.path())
    }

    /// Returns the client's address as the nearest hop reports it. The result is the last address in `x-forwarded-for`,
    /// which a gateway sets. A client that reaches a service directly can send any address. The address is set only if
    /// an observer is registered, and must not be logged.
    #[must_use]
    pub fn client(&self) -> Option<&str> {
        let addresses = self.request.as_ref()?.forwarded_for.as_ref()?.to_str().ok()?;
        addresses.rsplit(',').next().map(str::trim).filter(|address| !address.is_empty())
    }

    /// Returns when the request arrived. The time is set only if an observer is registered.
    #[must_use]
    pub fn began(&self) -> Option<SystemTime> {
        self.request.as_ref().map(|request| request.began)
    }
}

/// A method of RFC 9110, or PATCH (RFC 5789). All other methods share one value, `other`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
// The number begins at 1, so that an `Option` of this type is one byte. Values that outlive a session thus stay small.
pub struct KnownMethod(NonZeroU8);

/// The names of the methods. The last name is used for all other methods.
const NAMES: [&str; KnownMethod::COUNT] =
    ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "other"];

impl KnownMethod {
    /// The number of methods, including `other`.
    pub const COUNT: usize = 10;

    /// The value for all other methods.
    pub const OTHER: Self = Self(NonZeroU8::MIN.saturating_add(Self::COUNT as u8 - 1));

    /// Returns the number of the method, from 0, for use as an index into counters.
    #[must_use]
    #[inline]
    pub fn index(self) -> usize {
        usize::from(self.0.get() - 1)
    }

    /// Returns the word in the log and in the metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        NAMES[self.index()]
    }
}

impl From<&Method> for KnownMethod {
    #[inline]
    fn from(method: &Method) -> Self {
        let index = match *method {
            Method::GET => 0,
            Method::HEAD => 1,
            Method::POST => 2,
            Method::PUT => 3,
            Method::DELETE => 4,
            Method::CONNECT => 5,
            Method::OPTIONS => 6,
            Method::TRACE => 7,
            Method::PATCH => 8,
            _ => return Self::OTHER,
        };
        Self(NonZeroU8::MIN.saturating_add(index))
    }
}

/// Returns the printable characters of a foreign id, at most [`MAX_NOTE`].
pub(in crate::session) fn printable(value: &[u8]) -> Box<str> {
    let text = String::from_utf8_lossy(value);
    text.chars().filter(|character| !is_unprintable(*character)).take(MAX_NOTE).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l2_a_method_is_itself_where_it_is_known_and_other_where_not() {
        for name in NAMES {
            let method = Method::from_bytes(name.as_bytes()).unwrap();
            assert_eq!(KnownMethod::from(&method).as_str(), name);
        }
        for unknown in ["get", "PROPFIND", "QUERY", "X"] {
            assert_eq!(KnownMethod::from(&Method::from_bytes(unknown.as_bytes()).unwrap()), KnownMethod::OTHER);
        }
    }
}
