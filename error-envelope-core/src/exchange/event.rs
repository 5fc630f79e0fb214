//! What is logged (rules L1, I2, I3, F2).

use std::sync::Arc;

use http::StatusCode;

use super::explain::MapRuleId;
use super::request::printable;
use super::{BoxError, Terms};
use crate::classify::decided::DecidedBy;
use crate::code::ErrorCode;
use crate::dialect::Shape;
use crate::dialect::status::Status;
use crate::policy::{BodyLimitPer, Label, Reading};
use crate::request_id::RequestId;

/// One error, or one abandoned request: an adapter logs it once.
#[derive(Debug)]
#[must_use]
pub struct Event {
    pub(super) request_id: RequestId,
    pub(super) code: Option<ErrorCode>,
    pub(super) status: Option<StatusCode>,
    pub(super) would_be: Option<StatusCode>,
    pub(super) grpc: Option<Status>,
    pub(super) origin: Origin,
    pub(super) dialect: Option<Shape>,
    pub(super) unread: Option<Unread>,
    pub(super) by: Option<DecidedBy>,
    pub(super) rule: Option<MapRuleId>,
    pub(super) cause: Option<BoxError>,
    pub(super) notes: Option<Box<Notes>>,
    pub(super) terms: Arc<Terms>,
    pub(super) label: Label,
}

/// Where an error came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Origin {
    /// A guard refused the request.
    Guard,
    /// A typed [`Fault`](crate::fault::Fault).
    Fault,
    /// An error of the inner service, or of its response's body.
    Error,
    /// A panic.
    Panic,
    /// An inner 4xx or 5xx.
    Inner,
    /// The proxy around the service answered by itself (V2).
    Proxy,
    /// No error: the client went away before its head (F2), or cancelled a call before its end.
    Abandoned,
}

/// Why an inner error's body was not read to its end, so that its status alone decided (R4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unread {
    /// It has more than `inspect.max_bytes`.
    TooLong,
    /// It took longer than `inspect.timeout`.
    TooLate,
    /// It failed, or in `observe` nobody wanted more of it.
    BrokeOff,
}

/// What else the log says of a request: ids that others gave to it, and what was lost of an error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    pub(super) client_request_id: Option<Box<str>>,
    pub(super) upstream_request_id: Option<Box<str>>,
    pub(super) dropped_members: Option<Box<str>>,
    pub(super) unknown_code: Option<Box<str>>,
    pub(super) readings: Vec<Reading>,
    pub(super) counts_whole: bool,
    pub(super) policy_status: Option<StatusCode>,
    pub(super) exhibit: Option<super::Exhibit>,
}

impl Event {
    /// The request's id.
    #[must_use]
    pub fn request_id(&self) -> RequestId {
        self.request_id
    }

    /// The readings of the request that met guards of their own beside those of the route, each as `METHOD PATH meets ROUTE`
    /// (G0): at most four, of at most 128 printable characters of the path. The query is not among them.
    #[must_use]
    pub fn readings(&self) -> Option<String> {
        /// More of them say nothing that the first ones do not.
        const MOST: usize = 4;

        let readings = &self.notes.as_ref()?.readings;
        let line = |reading: &Reading| {
            let route = self.terms.policy().route_label(reading.settings.label()).unwrap_or("no route");
            format!("{} {} meets {route}", reading.method, printable(&reading.path))
        };
        (!readings.is_empty()).then(|| readings.iter().take(MOST).map(line).collect::<Vec<_>>().join(", "))
    }

    /// Notes what was lost of a foreign body: members by their names (R14), and a code that nobody knows here.
    #[inline]
    pub(super) fn note_lost(&mut self, (names, code): (Option<Box<str>>, Option<Box<str>>)) {
        if names.is_some() || code.is_some() {
            let notes = self.notes.get_or_insert_default();
            (notes.dropped_members, notes.unknown_code) = (names, code);
        }
    }

    /// Notes what decided the code of an inner error.
    #[inline]
    pub(super) fn decided(&mut self, by: Option<DecidedBy>, part: u32, rule: Option<usize>) {
        self.by = by;
        self.rule = rule.map(|index| MapRuleId { part, index: u32::try_from(index).unwrap_or(u32::MAX) });
    }

    /// The canonical code; `None` for an abandoned request.
    #[must_use]
    pub fn code(&self) -> Option<&ErrorCode> {
        self.code.as_ref()
    }

    /// The status that the client gets; `None` where none left. Of a gRPC call, whose HTTP status is always 200, the one
    /// that other clients would get.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.status
    }

    /// The status that the client would get if the route's mode were `enforce`, or its credentials enforced (M1);
    /// `None` where it gets it already.
    #[must_use]
    pub fn would_be(&self) -> Option<StatusCode> {
        self.would_be
    }

    /// The status of an RPC error (0–16), as gRPC numbers them (section P).
    #[must_use]
    pub fn grpc_status(&self) -> Option<u8> {
        self.grpc.map(Status::number)
    }

    /// Where it came from.
    #[must_use]
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// The shape that an inner error was read in, where it was known.
    #[must_use]
    pub fn dialect(&self) -> Option<Shape> {
        self.dialect
    }

    /// Why the body of an inner error was not read to its end (R4); `None` where it was, and where it was not to be read at
    /// all. Where the adapter reads bodies in its own way it may be `None` as well.
    #[must_use]
    pub fn unread(&self) -> Option<Unread> {
        self.unread
    }

    /// Notes why the body was not read to its end.
    #[inline]
    pub fn note_unread(&mut self, why: Unread) {
        self.unread = Some(why);
    }

    /// What decided the code of an inner error (R1). `None` for all other errors, for what keeps its shape (R9, R10), and
    /// for the statuses of RPC protocols.
    #[must_use]
    pub fn decided_by(&self) -> Option<DecidedBy> {
        self.by
    }

    /// The rule that decided, where one did.
    #[must_use]
    pub fn map_rule(&self) -> Option<MapRuleId> {
        self.rule
    }

    /// The pattern of the most specific route that matched: never a path (L2).
    #[must_use]
    pub fn route(&self) -> Option<&str> {
        self.terms.policy().route_label(self.label)
    }

    /// The same text as the policy has it.
    pub fn shared_route(&self) -> Option<Arc<str>> {
        self.terms.policy().route_pattern(self.label).map(|pattern| pattern.shared().clone())
    }

    /// The route's mode.
    #[must_use]
    pub fn mode(&self) -> crate::policy::Mode {
        self.label.mode
    }

    /// What failed, for the log alone. Its `Display` may be the user's own code.
    #[must_use]
    pub fn cause(&self) -> Option<&BoxError> {
        self.cause.as_ref()
    }

    /// What failed, once it is logged: its drop may be the user's own code, too.
    pub fn take_cause(&mut self) -> Option<BoxError> {
        self.cause.take()
    }

    /// What else there is to say of the request.
    #[must_use]
    pub fn notes(&self) -> &Notes {
        const NONE: &Notes = &Notes {
            client_request_id: None,
            upstream_request_id: None,
            dropped_members: None,
            unknown_code: None,
            readings: Vec::new(),
            counts_whole: false,
            policy_status: None,
            exhibit: None,
        };

        self.notes.as_deref().unwrap_or(NONE)
    }
}

impl Origin {
    /// The word in the log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Guard => "guard",
            Self::Fault => "fault",
            Self::Error => "error",
            Self::Panic => "panic",
            Self::Inner => "inner",
            Self::Proxy => "proxy",
            Self::Abandoned => "abandoned",
        }
    }
}

impl Unread {
    /// The word in the metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooLong => "too_long",
            Self::TooLate => "too_late",
            Self::BrokeOff => "broke_off",
        }
    }
}

impl Notes {
    /// The client's own `x-request-id`, where it was not kept (I2): at most 128 printable characters.
    #[must_use]
    pub fn client_request_id(&self) -> Option<&str> {
        self.client_request_id.as_deref()
    }

    /// The inner response's own `x-request-id`, where it was another (I3): at most 128 printable characters.
    #[must_use]
    pub fn upstream_request_id(&self) -> Option<&str> {
        self.upstream_request_id.as_deref()
    }

    /// The names of the members of a foreign 4xx body that no rule reads, with commas between them: they are dropped unless
    /// `keep_members` names them (R14). At most 16 of 64 characters; never a value.
    #[must_use]
    pub fn dropped_members(&self) -> Option<&str> {
        self.dropped_members.as_deref()
    }

    /// The code of an inner error that nobody knows here, where it is formed as names of errors are: `seat_taken`,
    /// `SEAT_TAKEN`, `SeatTaken`, `E1001`, of at most 64 characters. A `[[map]]` rule gives it a meaning; anything else that
    /// stands in its place, a single word in small letters among it, may be a secret (L3).
    #[must_use]
    pub fn unknown_code(&self) -> Option<&str> {
        self.unknown_code.as_deref()
    }

    /// What the body limit counted of a request whose content type claims an RPC stream, where it was not each message:
    /// [`BodyLimitPer::Body`] (P1).
    #[must_use]
    pub fn body_limit_per(&self) -> Option<BodyLimitPer> {
        self.counts_whole.then_some(BodyLimitPer::Body)
    }

    /// The status that the policy gives the error's code, where a service's [`Fault`](crate::fault::Fault) had another, which
    /// stays. It is noted once for each code of a policy.
    #[must_use]
    pub fn policy_status(&self) -> Option<StatusCode> {
        self.policy_status
    }

    /// Whether there is nothing to say in the log.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self {
            client_request_id,
            upstream_request_id,
            dropped_members,
            unknown_code,
            readings,
            counts_whole,
            policy_status,
            exhibit: _,
        } = self;
        let texts = [client_request_id, upstream_request_id, dropped_members, unknown_code];
        texts.iter().all(|note| note.is_none()) && readings.is_empty() && !counts_whole && policy_status.is_none()
    }
}
