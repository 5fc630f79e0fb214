//! An inner error as it came, and the facts needed to read it.

use std::borrow::Cow;
use std::sync::Arc;

use http::header::{CONTENT_SECURITY_POLICY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderName, Method, StatusCode};

use super::credentials::{self, Credentials};
use super::rule::Rule;
use crate::code::{CodeSet, ErrorCode};
use crate::dialect::custom::CustomShape;
use crate::dialect::protocol::{Protocol, ProtocolType};
use crate::dialect::standard::{self, Envelope};
use crate::dialect::{self, Dialect, Foreign, Readable};
use crate::page;
use crate::request_id::RequestId;

const X_ERROR_CODE: HeaderName = HeaderName::from_static("x-error-code");
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// An inner error response.
pub(crate) struct Inner<'h, 'b> {
    pub(crate) status: StatusCode,
    pub(crate) headers: &'h HeaderMap,
    /// The whole body, or `None` where there is none to read: HEAD, too long, too late, broken off, coded.
    pub(crate) body: Option<&'b [u8]>,
    /// The text of an empty body: the [own words](super::reason::own_words) of its status line.
    pub(crate) reason: Option<&'b str>,
}

/// The facts of the request that an answer to it depends on.
pub(crate) struct RequestContext<'a> {
    pub(crate) credentials: Credentials<'a>,
    pub(crate) method: &'a Method,
    pub(crate) path: Option<&'a str>,
    pub(crate) posted: Posted,
}

/// The form of a request's body, as far as an OAuth server accepts it (R10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Posted {
    /// A form, as RFC 6749 and its extensions define.
    Form,
    /// JSON, as RFC 7591 defines.
    Json,
    /// Anything else, or nothing.
    Other,
}

/// Which protocols keep their shape (R10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeptProtocols {
    All,
    /// Those that `protocols = "rewrite"` leaves.
    Some,
    /// None: a call's client reads only its own protocol.
    Nothing,
}

impl KeptProtocols {
    /// Whether an error of that protocol keeps its shape.
    pub(crate) fn keep(self, protocol: Protocol) -> bool {
        match self {
            Self::All => true,
            Self::Some => !protocol.is_rewritten(),
            Self::Nothing => false,
        }
    }

    /// The same check by its media type alone.
    pub(crate) fn keep_type(self, named: ProtocolType) -> bool {
        named.of_json().map_or(self != Self::Nothing, |protocol| self.keep(protocol))
    }
}

/// The policy's facts for reading an error.
pub(crate) struct PolicyView<'a> {
    pub(crate) codes: &'a CodeSet,
    /// The policy's own shapes (R15).
    pub(crate) shapes: &'a [CustomShape],
    pub(crate) rules: &'a [Arc<Rule>],
    /// The status replaces an unknown canonical code (E2).
    pub(crate) by_status: bool,
    pub(crate) protocols: KeptProtocols,
    /// Fields that pass into the details, by name (R14).
    pub(crate) kept: &'a [Box<str>],
    /// The client's dialect.
    pub(crate) dialect: Dialect,
    /// The client requested that dialect itself (R11): a body already in it is written anew all the same.
    pub(crate) negotiated: bool,
    /// It gets a page (R16).
    pub(crate) page: bool,
}

impl<'a> PolicyView<'a> {
    pub(super) fn readable(&self) -> Readable<'a> {
        Readable { codes: self.codes, shapes: self.shapes }
    }

    /// Whether an error of that protocol keeps its shape for this request (R10).
    pub(super) fn keeps(&self, protocol: Protocol, request: &RequestContext<'_>) -> bool {
        let is_asked = match (protocol, request.posted) {
            (Protocol::OAuth { is_registration }, Posted::Json) => is_registration,
            (Protocol::OAuth { .. }, posted) => posted == Posted::Form,
            _ => true,
        };
        is_asked && self.protocols.keep(protocol)
    }
}

/// The code of a layer inside, where no body has it (R1).
pub(super) fn of_header(inner: &Inner<'_, '_>, known: &PolicyView<'_>) -> Option<Envelope<'static>> {
    if inner.headers.is_empty() {
        return None;
    }
    let mut values = inner.headers.get_all(X_ERROR_CODE).iter();
    let (first, None) = (values.next()?, values.next()) else { return None };
    let (code, is_known) = standard::parse_code(first.to_str().ok()?, known.codes)?;
    Some(Envelope { code, known: is_known, message: Cow::Borrowed(""), details: None })
}

/// Whether the body is a page that a layer inside has written (R16).
pub(super) fn is_layers_page(headers: &HeaderMap) -> bool {
    let is_html = || dialect::media_type(headers).is_some_and(|it| it.eq_ignore_ascii_case("text/html"));
    headers.get(CONTENT_SECURITY_POLICY).is_some_and(|it| *it == page::CONTENT_SECURITY_POLICY)
        && is_html()
        && has_layers_head(headers)
}

/// Whether the head has what a layer puts into each that it writes (I1, E4): only a layer makes such an id.
pub(super) fn has_layers_head(headers: &HeaderMap) -> bool {
    let id = headers.get(X_REQUEST_ID).and_then(|id| id.to_str().ok());
    let is_ours = |id: &str| id.starts_with("req_") && id.parse::<RequestId>().is_ok();
    id.is_some_and(is_ours) && headers.get(X_CONTENT_TYPE_OPTIONS).is_some_and(|it| it == "nosniff")
}

/// Whether the body is in the client's own dialect.
pub(super) fn is_own(foreign: &Foreign<'_>, known: &PolicyView<'_>) -> bool {
    foreign.shape == known.dialect.shape()
}

/// Whether the body is kept as far as it may pass (R12).
pub(super) fn stays(foreign: &Foreign<'_>, known: &PolicyView<'_>) -> bool {
    is_own(foreign, known) && !known.negotiated
}

/// The code of the status, and on a 401 that of the credentials.
pub(super) fn code_of_status(inner: &Inner<'_, '_>, request: &RequestContext<'_>) -> ErrorCode {
    if inner.status == StatusCode::UNAUTHORIZED {
        credentials::code_of_401(&request.credentials, inner.headers)
    } else {
        ErrorCode::of_status(inner.status)
    }
}
