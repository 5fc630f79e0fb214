//! Step 1: parses an inner error (rules R1–R3, R10), and collects the facts that several later steps need.

use http::{HeaderMap, StatusCode};

use super::inner::{ChangedBody, Inner, PolicyView, RequestContext};
use super::layer_head;
use crate::code::ErrorCode;
use crate::dialect::protocol::Protocol;
use crate::dialect::standard::Envelope;
use crate::dialect::{self, Dialect, DialectCode, Foreign, ParsedBody, charset, json_rpc};

/// A parsed inner error.
pub(super) struct Parsed<'c, 'b> {
    pub(super) status: StatusCode,
    pub(super) headers: &'c HeaderMap,
    pub(super) request: &'c RequestContext<'c>,
    pub(super) policy: &'c PolicyView<'c>,
    /// The body.
    pub(super) bytes: &'b [u8],
    /// The content of the body, or the content that replaces it: see [`replace`].
    pub(super) content: &'c ParsedBody<'b>,
    pub(super) kept: KeptForm,
    /// The body is in the format of a protocol, whether it keeps that format or not (R10).
    pub(super) is_protocol: bool,
    /// The body's media type; `None` if no rule can compare it.
    pub(super) media_type: Option<&'c str>,
    /// The code in the head, if an inner layer may have written the body (E7).
    pub(super) head: Option<Envelope<'static>>,
    /// A layer surely wrote the code in the head, so that the text of a 5xx may pass. Services, too, may send a header
    /// of that name.
    pub(super) is_vouched: bool,
    /// The body is in the client's own dialect.
    pub(super) is_own: bool,
    /// The body keeps its shape, as far as its parts may pass (R12).
    pub(super) stays: bool,
    /// The body has an issue list, and the status allows one (E8).
    pub(super) lists_issues: bool,
}

/// What a body keeps of its form, whatever the client's dialect.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum KeptForm {
    /// Nothing: the body is rewritten.
    Nothing,
    /// An HTML page that a layer wrote (R16).
    Page,
    /// All of a JSON-RPC body that an inner layer wrote, except for the id (E7).
    LayersJsonRpc,
    /// The parts of a protocol's body that pass the filter (R10).
    Filtered(Protocol),
    /// All of a protocol's body, which passes unchanged (R10).
    Whole(Protocol),
}

/// Parses the body of an inner error.
#[inline]
pub(super) fn parse<'b>(inner: &Inner<'_, 'b>, policy: &PolicyView<'_>) -> ParsedBody<'b> {
    match inner.bytes() {
        [] => ParsedBody::Nothing,
        body => dialect::read(dialect::declared_type(inner.headers), body, &policy.readable(), inner.status),
    }
}

/// The error with the body as a more lenient parser reads it, if the strict one read nothing (R3): its text becomes
/// UTF-8, and its JSON is repaired.
#[inline]
pub(super) fn lenient<'h, 'b>(
    body: &ParsedBody<'_>,
    inner: &Inner<'h, 'b>,
    changed: &'b ChangedBody,
) -> Option<Inner<'h, 'b>> {
    let is_unread = matches!(body, ParsedBody::Nothing) && !inner.bytes().is_empty();
    let repaired = if is_unread { charset::lenient(inner.bytes()) } else { None }?;
    Some(inner.with_body(changed.repaired.get_or_init(|| repaired)))
}

impl<'c, 'b> Parsed<'c, 'b> {
    #[inline]
    pub(super) fn new(
        body: &'c mut ParsedBody<'b>,
        inner: &Inner<'c, 'b>,
        request: &'c RequestContext<'c>,
        policy: &'c PolicyView<'c>,
    ) -> Self {
        let is_protocol = matches!(body, ParsedBody::Protocol(_));
        let kept = replace(body, inner, request, policy);
        let content = &*body;
        let foreign = if let ParsedBody::Foreign(foreign) = content { Some(foreign) } else { None };
        let is_own = foreign.is_some_and(|foreign| foreign.shape == policy.dialect.shape());
        let lists_issues =
            dialect::tells_of_input(inner.status) && foreign.is_some_and(|foreign| foreign.parsed.has_issues());
        let media_type = if policy.rules.is_empty() { None } else { dialect::media_type(inner.headers) };
        let head = foreign.filter(|foreign| may_be_layers(foreign, is_own, inner.status, policy));
        let head = head.and_then(|_| layer_head::envelope(inner.headers, policy.codes));
        Self {
            status: inner.status,
            headers: inner.headers,
            bytes: inner.bytes(),
            request,
            policy,
            kept,
            is_protocol,
            media_type,
            is_vouched: head.as_ref().is_some_and(|head| is_vouched(&head.code, inner)),
            head,
            is_own,
            stays: is_own && !policy.negotiated,
            lists_issues,
            content,
        }
    }
}

/// Whether a layer may have written a foreign body: it is in the client's dialect, or it is a 5xx in a shape that the
/// policy defines (R15).
fn may_be_layers(foreign: &Foreign<'_>, is_own: bool, status: StatusCode, policy: &PolicyView<'_>) -> bool {
    is_own && policy.dialect != Dialect::Standard
        || status.is_server_error() && foreign.parsed.meaning == DialectCode::Canonical
}

fn is_vouched(code: &ErrorCode, inner: &Inner<'_, '_>) -> bool {
    let is_servers = *code == ErrorCode::INTERNAL_ERROR || inner.status.is_server_error();
    !is_servers || layer_head::is_whole(inner.headers)
}

/// Replaces the body of a protocol, or one that could not be read, with the content to use instead.
#[inline]
fn replace<'b>(
    body: &mut ParsedBody<'b>,
    inner: &Inner<'_, 'b>,
    request: &RequestContext<'_>,
    policy: &PolicyView<'_>,
) -> KeptForm {
    let (content, kept) = match *body {
        ParsedBody::Envelope(_) | ParsedBody::Foreign(_) | ParsedBody::Unread(_) => return KeptForm::Nothing,
        ParsedBody::Protocol(protocol) => content_of_protocol(protocol, inner, request, policy),
        ParsedBody::Nothing if inner.headers.is_empty() && inner.reason.is_none() => return KeptForm::Nothing,
        ParsedBody::Nothing => content_without_body(inner, policy),
    };
    *body = content;
    kept
}

/// The content of a body that is empty or could not be read: the head may have its code, and the status line its text.
fn content_without_body<'b>(inner: &Inner<'_, 'b>, policy: &PolicyView<'_>) -> (ParsedBody<'b>, KeptForm) {
    let is_empty = inner.bytes().is_empty();
    let is_page = !is_empty && layer_head::is_page(inner.headers);
    let head = if is_empty || is_page { layer_head::envelope(inner.headers, policy.codes) } else { None };
    match (head, inner.reason) {
        (Some(head), _) => (ParsedBody::Envelope(head), if is_page { KeptForm::Page } else { KeptForm::Nothing }),
        (None, Some(reason)) if is_empty => (ParsedBody::Foreign(Foreign::plain_text(reason)), KeptForm::Nothing),
        (None, _) => (ParsedBody::Nothing, KeptForm::Nothing),
    }
}

/// The content of a protocol's body. If the body keeps its form, an inner layer may have put a code into the head, and
/// has reported the error already (E7). Otherwise it is read like any foreign body.
fn content_of_protocol<'b>(
    protocol: Protocol,
    inner: &Inner<'_, 'b>,
    request: &RequestContext<'_>,
    policy: &PolicyView<'_>,
) -> (ParsedBody<'b>, KeptForm) {
    let kept = if policy.keeps(protocol, request) { kept_form(protocol, inner, policy) } else { KeptForm::Nothing };
    let content = if kept == KeptForm::Nothing {
        let foreign = dialect::read_rewritten(inner.bytes(), &policy.readable(), inner.status);
        foreign.map(|foreign| ParsedBody::Foreign(without_code_on_5xx(foreign, inner.status)))
    } else {
        let head = layer_head::envelope(inner.headers, policy.codes);
        head.filter(|_| layer_head::is_whole(inner.headers)).map(ParsedBody::Envelope)
    };
    (content.unwrap_or(ParsedBody::Nothing), kept)
}

fn kept_form(protocol: Protocol, inner: &Inner<'_, '_>, policy: &PolicyView<'_>) -> KeptForm {
    if protocol == Protocol::JsonRpc && layer_head::is_whole(inner.headers) && json_rpc::is_layers(inner.bytes()) {
        return KeptForm::LayersJsonRpc;
    }
    match protocol.filtered(inner.bytes(), inner.status, "") {
        // The filtered body must still be recognisable, for a second layer outside this one (E7).
        Some(written) if matches!(parse(&inner.with_body(&written), policy), ParsedBody::Protocol(_)) => {
            KeptForm::Filtered(protocol)
        }
        None if inner.status.is_client_error() => KeptForm::Whole(protocol),
        _ => KeptForm::Nothing,
    }
}

/// A protocol's name for an error is not a canonical code. On a 5xx, it must not make the text safe to send.
fn without_code_on_5xx(mut foreign: Foreign<'_>, status: StatusCode) -> Foreign<'_> {
    if status.is_server_error() {
        (foreign.parsed.code, foreign.parsed.wider) = (None, None);
    }
    foreign
}
