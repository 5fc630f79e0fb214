//! An inner error as received, and the facts that are needed to read it.

use std::cell::OnceCell;
use std::sync::Arc;

use http::{HeaderMap, Method, StatusCode};

use super::credentials::Credentials;
use super::rule::Rule;
use crate::code::CodeSet;
use crate::dialect::custom::CustomShape;
use crate::dialect::protocol::{Protocol, ProtocolType};
use crate::dialect::{Dialect, Readable};

/// What replaces the received body while an error is read: it is kept here, because results borrow from it.
#[derive(Default)]
pub(crate) struct ChangedBody {
    /// Repaired for the parser (R3).
    pub(super) repaired: OnceCell<Vec<u8>>,
    /// Without its secrets (R17), and the text in the status line.
    #[cfg(feature = "redact")]
    pub(super) redacted: OnceCell<(Vec<u8>, Option<String>)>,
}

/// An inner error response.
#[derive(Clone)]
pub(crate) struct Inner<'h, 'b> {
    pub(crate) status: StatusCode,
    pub(crate) headers: &'h HeaderMap,
    /// The whole body. `None` if it cannot be read: it is the response to HEAD, too long, too late, cut off or encoded.
    pub(crate) body: Option<&'b [u8]>,
    /// The text of an error with an empty body: the [words of the service's own](super::reason::own_words) in the
    /// status line.
    pub(crate) reason: Option<&'b str>,
}

impl<'h, 'b> Inner<'h, 'b> {
    /// The body; empty if it cannot be read.
    pub(super) fn bytes(&self) -> &'b [u8] {
        self.body.unwrap_or_default()
    }

    /// Whether the response has nothing but its status: no headers, no body and no words of its own in the status line.
    pub(super) fn is_status_alone(&self) -> bool {
        self.bytes().is_empty() && self.reason.is_none() && self.headers.is_empty()
    }

    /// The same error with another body.
    pub(super) fn with_body<'o>(&self, body: &'o [u8]) -> Inner<'h, 'o> {
        Inner { status: self.status, headers: self.headers, body: Some(body), reason: None }
    }
}

/// The facts about the request that the answer to it depends on.
pub(crate) struct RequestContext<'a> {
    pub(crate) credentials: Credentials<'a>,
    pub(crate) method: &'a Method,
    pub(crate) path: Option<&'a str>,
    pub(crate) body_format: BodyFormat,
}

/// The format of a request's body: of those that an OAuth server accepts (R10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyFormat {
    /// A form, as RFC 6749 and its extensions require.
    Form,
    /// JSON, as RFC 7591 requires.
    Json,
    /// Anything else, or no body.
    Other,
}

/// Which protocols keep the shape of their errors (R10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeptProtocols {
    All,
    /// Only those that keep it even under `protocols = "rewrite"`.
    Some,
    /// None, because the client of an RPC call reads only the call's own protocol.
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

    /// Whether an error of that media type keeps its shape.
    pub(crate) fn keep_type(self, named: ProtocolType) -> bool {
        named.of_json().map_or(self != Self::Nothing, |protocol| self.keep(protocol))
    }
}

/// The parts of the policy that are needed to read an error.
pub(crate) struct PolicyView<'a> {
    pub(crate) codes: &'a CodeSet,
    /// The policy's own shapes (R15).
    pub(crate) shapes: &'a [CustomShape],
    pub(crate) rules: &'a [Arc<Rule>],
    /// If a canonical code is unknown, the status decides instead (E2).
    pub(crate) by_status: bool,
    pub(crate) protocols: KeptProtocols,
    /// Secrets in texts are to be replaced (R17).
    #[cfg(feature = "redact")]
    pub(crate) redact: bool,
    /// The names of the fields that may pass into the details (R14).
    pub(crate) kept: &'a [Box<str>],
    /// The client's dialect.
    pub(crate) dialect: Dialect,
    /// The client chose this dialect with its `accept` (R11): even a body already in it is rewritten.
    pub(crate) negotiated: bool,
    /// The client gets an HTML page (R16).
    pub(crate) page: bool,
}

impl<'a> PolicyView<'a> {
    pub(super) fn readable(&self) -> Readable<'a> {
        Readable { codes: self.codes, shapes: self.shapes, dialect: self.dialect }
    }

    /// Whether an error of that protocol keeps its shape for this request (R10).
    pub(super) fn keeps(&self, protocol: Protocol, request: &RequestContext<'_>) -> bool {
        let is_requested = match (protocol, request.body_format) {
            (Protocol::OAuth { is_registration }, BodyFormat::Json) => is_registration,
            (Protocol::OAuth { .. }, body_format) => body_format == BodyFormat::Form,
            _ => true,
        };
        is_requested && self.protocols.keep(protocol)
    }
}
