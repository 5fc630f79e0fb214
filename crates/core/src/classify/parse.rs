//! Step 1: parses an inner error (R1–R3, R10), and collects the facts that several later steps need. The
//! head shows whether an inner layer wrote the response (E4, R16).

use std::borrow::Cow;
use std::cell::OnceCell;
use std::sync::Arc;

use http::header::{CONTENT_SECURITY_POLICY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, Method, StatusCode};

use super::credentials::Credentials;
use crate::code::{CodeSet, ErrorCode};
use crate::dialect::custom::CustomShape;
use crate::dialect::protocol::{Protocol, ProtocolType};
use crate::dialect::standard::Envelope;
use crate::dialect::{Dialect, DialectCode, Foreign, ParsedBody, Readable, charset, json_rpc, standard};
use crate::fault::Advice;
use crate::fields::{self, X_ERROR_CODE, X_REQUEST_ID};
use crate::page::PageType;
use crate::policy::Policy;
use crate::policy::choice::UnknownCodes;
use crate::policy::keys::RouteSettings;
use crate::policy::rule::Rule;
use crate::request_id::is_of_layer;
use crate::target::Target;
use crate::{dialect, page};

/// A parsed inner error.
pub(super) struct Parsed<'c, 'b> {
    pub(super) status: StatusCode,
    pub(super) headers: &'c HeaderMap,
    pub(super) context: &'c ReadContext<'c>,
    /// The body.
    pub(super) bytes: &'b [u8],
    /// The service's own words in the status line (R3).
    pub(super) reason: Option<&'b str>,
    /// The content of the body, or the content that replaces it (see [`replace`]).
    pub(super) content: &'c ParsedBody<'b>,
    pub(super) kept: KeptForm,
    /// True if the body is in the format of a protocol, whether or not it keeps that format (R10).
    pub(super) is_protocol: bool,
    /// The body's media type, or `None` if no rule can compare it.
    pub(super) media_type: Option<&'c str>,
    /// The code in the head, if an inner layer may have written the body (E7).
    pub(super) head: Option<Envelope<'static>>,
    /// True if it is certain that a layer wrote the code in the head, so that the text of a 5xx may pass. Services may
    /// also send an `x-error-code`.
    pub(super) is_vouched: bool,
    /// True if the body is in the client's own dialect.
    pub(super) is_own: bool,
    /// True if the body keeps its shape. Parts that must not reach the client are removed or replaced (R12).
    pub(super) stays: bool,
    /// True if the body has an issue list, and the status allows one (E8).
    pub(super) lists_issues: bool,
}

/// The parts of its form that a body keeps, regardless of the client's dialect.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum KeptForm {
    /// The body keeps nothing and is rewritten.
    Nothing,
    /// A page that a layer wrote (R16, R18).
    Page(PageType),
    /// All of a JSON-RPC body that an inner layer wrote, except for the id (E7).
    LayersJsonRpc,
    /// The parts of a protocol's body that pass the filter (R10).
    Filtered(Protocol),
    /// All of a protocol's body, which passes unchanged (R10).
    Whole(Protocol),
}

/// Parses the body of an inner error.
#[inline]
pub(super) fn parse<'b>(inner: &Inner<'_, 'b>, context: &ReadContext<'_>) -> ParsedBody<'b> {
    match inner.bytes() {
        [] => ParsedBody::Nothing,
        body => {
            dialect::read(dialect::declared_type(inner.headers), body, &context.readable(inner.headers), inner.status)
        }
    }
}

/// Returns the error with the body as a more lenient parser reads it (R3), if the strict parser read nothing. The
/// lenient parser changes a text to UTF-8, and repairs JSON.
#[inline]
pub(super) fn lenient<'h, 'b>(body: &ParsedBody<'_>, inner: &Inner<'h, 'b>) -> Option<Inner<'h, 'b>> {
    let is_unread = matches!(body, ParsedBody::Nothing) && !inner.bytes().is_empty();
    let repaired = if is_unread { charset::lenient(inner.bytes()) } else { None }?;
    Some(inner.with_body(inner.changed.repaired.get_or_init(|| repaired)))
}

impl<'c, 'b> Parsed<'c, 'b> {
    #[inline]
    pub(super) fn new(body: &'c mut ParsedBody<'b>, inner: &Inner<'c, 'b>, context: &'c ReadContext<'c>) -> Self {
        let is_protocol = matches!(body, ParsedBody::Protocol(_));
        let kept = replace(body, inner, context);
        let content = &*body;
        let foreign = if let ParsedBody::Foreign(foreign) = content { Some(foreign) } else { None };
        // A list of one error is read as that error (R2), but no dialect writes a list.
        let is_object = || inner.bytes().trim_ascii_start().starts_with(b"{");
        let is_own = foreign.is_some_and(|foreign| foreign.shape == context.dialect.shape() && is_object());
        let lists_issues =
            dialect::tells_of_input(inner.status) && foreign.is_some_and(|foreign| foreign.parsed.has_issues());
        let media_type = if context.rules().is_empty() { None } else { dialect::media_type(inner.headers) };
        let head = foreign.filter(|foreign| may_be_layers(foreign, is_own, inner.status, context));
        let head = head.and_then(|_| envelope_in_head(inner.headers, context.codes()));
        Self {
            status: inner.status,
            headers: inner.headers,
            bytes: inner.bytes(),
            reason: inner.reason,
            context,
            kept,
            is_protocol,
            media_type,
            is_vouched: head.as_ref().is_some_and(|head| is_vouched(&head.code, inner)),
            head,
            is_own,
            stays: is_own && !context.negotiated,
            lists_issues,
            content,
        }
    }
}

/// Returns true if another layer may have written this body. A layer may have written the body if the body is in the
/// client's dialect and this dialect is not `standard`. A layer may also have written the body of a 5xx whose parsed
/// code is canonical (R15).
fn may_be_layers(foreign: &Foreign<'_>, is_own: bool, status: StatusCode, context: &ReadContext<'_>) -> bool {
    is_own && context.dialect != Dialect::Standard
        || status.is_server_error() && foreign.parsed.meaning == DialectCode::Canonical
}

fn is_vouched(code: &ErrorCode, inner: &Inner<'_, '_>) -> bool {
    let is_servers = *code == ErrorCode::INTERNAL_ERROR || inner.status.is_server_error();
    !is_servers || has_head_of_layer(inner.headers)
}

/// Replaces the content of a body that is in a protocol's format or could not be read. The other steps use the new
/// content.
#[inline]
fn replace<'b>(body: &mut ParsedBody<'b>, inner: &Inner<'_, 'b>, context: &ReadContext<'_>) -> KeptForm {
    let (content, kept) = match *body {
        // A Markdown page of an inner layer is parsed as a text.
        ParsedBody::Foreign(ref foreign) if !foreign.is_json() && page_of_layer(inner).is_some() => {
            content_without_body(inner, context)
        }
        ParsedBody::Envelope(_) | ParsedBody::Foreign(_) | ParsedBody::Unread(_) => return KeptForm::Nothing,
        ParsedBody::Protocol(protocol) => content_of_protocol(protocol, inner, context),
        ParsedBody::Nothing if inner.headers.is_empty() && inner.reason.is_none() => return KeptForm::Nothing,
        ParsedBody::Nothing => content_without_body(inner, context),
    };
    *body = content;
    kept
}

/// Returns the content of a body that is empty or could not be read. The head may contain its code, and the status line
/// its text.
fn content_without_body<'b>(inner: &Inner<'_, 'b>, context: &ReadContext<'_>) -> (ParsedBody<'b>, KeptForm) {
    let is_empty = inner.bytes().is_empty();
    let page = if is_empty { None } else { page_of_layer(inner) };
    let head = if is_empty || page.is_some() { envelope_in_head(inner.headers, context.codes()) } else { None };
    match (head, inner.reason) {
        (Some(head), _) => (ParsedBody::Envelope(head), page.map_or(KeptForm::Nothing, KeptForm::Page)),
        (None, Some(reason)) if is_empty => (ParsedBody::Foreign(Foreign::plain_text(reason)), KeptForm::Nothing),
        (None, _) => (ParsedBody::Nothing, KeptForm::Nothing),
    }
}

/// Returns the content of a protocol's body. If the body keeps its form, an inner layer may have put a code into the
/// head, and has then already reported the error (E7). Otherwise the body is read like any foreign body.
fn content_of_protocol<'b>(
    protocol: Protocol,
    inner: &Inner<'_, 'b>,
    context: &ReadContext<'_>,
) -> (ParsedBody<'b>, KeptForm) {
    // A client of JSON-RPC cannot parse a body that had to be repaired.
    let is_parsed = protocol != Protocol::JsonRpc || inner.changed.repaired.get().is_none();
    let kept =
        if is_parsed && context.keeps(protocol) { kept_form(protocol, inner, context) } else { KeptForm::Nothing };
    let content = if kept == KeptForm::Nothing {
        let foreign = dialect::read_rewritten(inner.bytes(), &context.readable(inner.headers), inner.status);
        foreign.map(|foreign| ParsedBody::Foreign(without_code_on_5xx(foreign, inner.status)))
    } else {
        let head = envelope_in_head(inner.headers, context.codes());
        head.filter(|_| has_head_of_layer(inner.headers)).map(ParsedBody::Envelope)
    };
    (content.unwrap_or(ParsedBody::Nothing), kept)
}

fn kept_form(protocol: Protocol, inner: &Inner<'_, '_>, context: &ReadContext<'_>) -> KeptForm {
    if protocol == Protocol::JsonRpc && has_head_of_layer(inner.headers) && json_rpc::is_layers(inner.bytes()) {
        return KeptForm::LayersJsonRpc;
    }
    match protocol.filtered(inner.bytes(), inner.status, "") {
        // The filtered body must still be recognisable, for a second layer outside this one (E7).
        Some(written) if matches!(parse(&inner.with_body(&written), context), ParsedBody::Protocol(_)) => {
            KeptForm::Filtered(protocol)
        }
        None if inner.status.is_client_error() => KeptForm::Whole(protocol),
        _ => KeptForm::Nothing,
    }
}

/// Removes the code from a protocol's body on a 5xx. A protocol's name for an error is not a canonical code, so the
/// name must not let the text of the 5xx pass.
fn without_code_on_5xx(mut foreign: Foreign<'_>, status: StatusCode) -> Foreign<'_> {
    if status.is_server_error() {
        (foreign.parsed.code, foreign.parsed.wider) = (None, None);
    }
    foreign
}

/// The bytes that replace the received body while an error is read. This value stores the bytes, because results borrow
/// from them.
#[derive(Default)]
pub(crate) struct ChangedBody {
    /// The body after it was repaired for the parser (R3).
    pub(super) repaired: OnceCell<Vec<u8>>,
    /// The body without its secrets (R17), and the text in the status line.
    #[cfg(feature = "redact")]
    pub(super) redacted: OnceCell<(Vec<u8>, Option<String>)>,
}

/// An inner error response.
#[derive(Clone)]
pub(crate) struct Inner<'h, 'b> {
    pub(crate) status: StatusCode,
    pub(crate) headers: &'h HeaderMap,
    /// The whole body, or `None` if the body cannot be read. A body cannot be read in a response to HEAD, or if the
    /// body is too long, too late, cut off or in an unknown coding.
    pub(crate) body: Option<&'b [u8]>,
    /// The text of an error whose body has no text: the [service's own words](super::reason::own_words) in the status
    /// line.
    pub(crate) reason: Option<&'b str>,
    pub(crate) changed: &'b ChangedBody,
}

impl<'h, 'b> Inner<'h, 'b> {
    /// Returns the body, or an empty text if the body cannot be read.
    pub(super) fn bytes(&self) -> &'b [u8] {
        self.body.unwrap_or_default()
    }

    /// Returns true if the response consists only of its status, without headers, a body or special words in the status
    /// line.
    pub(super) fn is_status_alone(&self) -> bool {
        self.bytes().is_empty() && self.reason.is_none() && self.headers.is_empty()
    }

    /// Returns this error with another body.
    pub(super) fn with_body<'o>(&self, body: &'o [u8]) -> Inner<'h, 'o>
    where
        'b: 'o,
    {
        Inner { body: Some(body), ..*self }
    }
}

/// The facts about the request, and the policy, on which the parsing of an inner error depends.
pub(crate) struct ReadContext<'a> {
    pub(crate) credentials: Credentials,
    /// The name of the credentials' scheme, if it is not `Bearer`.
    pub(crate) scheme: &'a str,
    pub(crate) method: &'a Method,
    pub(crate) is_post: bool,
    pub(crate) path: Option<&'a str>,
    /// The path and the query as sent. A part of a body that repeats the path or the query is not kept (E9).
    pub(crate) target: &'a Target,
    pub(crate) body_format: BodyFormat,
    pub(crate) policy: &'a Policy,
    pub(crate) settings: &'a RouteSettings,
    pub(crate) protocols: KeptProtocols,
    /// The client's dialect.
    pub(crate) dialect: Dialect,
    /// True if the client chose this dialect with its `accept` (R11). If the client chose the dialect, even a body that
    /// is already in the dialect is rewritten.
    pub(crate) negotiated: bool,
    /// The page that the client gets (R16, R18).
    pub(crate) page: Option<PageType>,
}

impl<'a> ReadContext<'a> {
    pub(super) fn codes(&self) -> &'a CodeSet {
        self.policy.codes()
    }

    pub(super) fn shapes(&self) -> &'a [CustomShape] {
        self.policy.shapes(self.settings)
    }

    pub(super) fn rules(&self) -> &'a [Arc<Rule>] {
        self.policy.rules(self.settings)
    }

    /// Returns true if the status decides instead of an unknown canonical code (E2).
    pub(super) fn decides_by_status(&self) -> bool {
        self.settings.unknown_codes == UnknownCodes::ByStatus
    }

    pub(super) fn readable(&self, headers: &'a HeaderMap) -> Readable<'a> {
        Readable { codes: self.codes(), shapes: self.shapes(), dialect: self.dialect, target: self.target, headers }
    }

    /// Returns true if an error of this protocol keeps its shape for this request (R10).
    pub(super) fn keeps(&self, protocol: Protocol) -> bool {
        let is_requested = match protocol {
            Protocol::OAuth { is_described, is_of_resource } => {
                let is_calls = is_of_resource && self.dialect.spec().has_call_id;
                self.body_format == BodyFormat::Form || is_described && self.is_post && !is_calls
            }
            _ => true,
        };
        is_requested && self.protocols.keep(protocol)
    }
}

/// The format of a request's body, among those that an OAuth server accepts (R10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyFormat {
    /// A form, as RFC 6749 and its extensions require.
    Form,
    /// JSON, as RFC 7591 requires.
    Json,
    /// Another format, or no body.
    Other,
}

/// The protocols that keep the shape of their errors (R10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeptProtocols {
    All,
    /// Errors keep their shape only in the protocols that `protocols = "rewrite"` does not rewrite.
    Some,
    /// No protocol, because the client of an RPC call reads only the call's own protocol.
    Nothing,
}

impl KeptProtocols {
    /// Returns true if an error of this protocol keeps its shape.
    pub(crate) fn keep(self, protocol: Protocol) -> bool {
        match self {
            Self::All => true,
            Self::Some => !protocol.is_rewritten(),
            Self::Nothing => false,
        }
    }

    /// Returns true if an error of this media type keeps its shape.
    pub(crate) fn keep_type(self, named: ProtocolType) -> bool {
        named.of_json().map_or(self != Self::Nothing, |protocol| self.keep(protocol))
    }
}

/// Returns the code in a response's head, as an envelope without a text (R1). Returns `None` if the head has no code,
/// or more than one.
pub(crate) fn envelope_in_head(headers: &HeaderMap, codes: &CodeSet) -> Option<Envelope<'static>> {
    let name = fields::single_value(headers, &X_ERROR_CODE)?.to_str().ok()?;
    let (code, known) = standard::parse_code(name, codes)?;
    Some(Envelope { code, known, message: Cow::Borrowed(""), details: None, advice: Advice::default() })
}

/// Returns the type of page that an inner layer wrote as the body (R16, R18).
fn page_of_layer(inner: &Inner<'_, '_>) -> Option<PageType> {
    let page = PageType::of_media_type(dialect::media_type(inner.headers)?)?;
    let id = inner.headers.get(X_REQUEST_ID)?.to_str().ok()?;
    let is_layers = match page {
        PageType::Html => *inner.headers.get(CONTENT_SECURITY_POLICY)? == page::CONTENT_SECURITY_POLICY,
        PageType::Markdown => page::markdown::has_id(inner.bytes(), id),
    };
    (is_layers && has_head_of_layer(inner.headers)).then_some(page)
}

/// Returns true if the head contains the headers that every layer sets (I1, E4). Only a layer creates an id of this
/// form.
pub(super) fn has_head_of_layer(headers: &HeaderMap) -> bool {
    let id = headers.get(X_REQUEST_ID).and_then(|id| id.to_str().ok());
    id.is_some_and(is_of_layer) && headers.get(X_CONTENT_TYPE_OPTIONS).is_some_and(|it| it == "nosniff")
}
