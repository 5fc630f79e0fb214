//! What went wrong inside → a [`Fault`].
//!
//! [`response`] reads an inner 4xx/5xx. What decides its code, first match (rule R1; a `Fault` in the response's
//! extensions has decided before):
//!
//! 1. a canonical envelope, or a well-formed `x-error-code` where no body says it, or where the body is in the route's
//!    own dialect, which may have no room for it (E7)
//! 2. a policy's `[[map]]` rule
//! 3. the dialect's own code, where it is known
//! 4. on a 401, the request's credentials and the challenge
//! 5. a list of issues on a 400 or 422
//! 6. the status
//!
//! Message and details follow from what decided (R3, E8, E9). [`failure`] does the same for error values (F1).

pub(crate) mod credentials;
pub(crate) mod decided;
pub(crate) mod details;
pub(crate) mod failure;
pub(crate) mod heard;
mod left;
pub(crate) mod rpc;
pub(crate) mod rule;
#[cfg(feature = "tonic")]
pub(crate) mod tonic_status;

use std::borrow::Cow;
use std::sync::Arc;

use http::header::X_CONTENT_TYPE_OPTIONS;
use http::{HeaderMap, HeaderName, Method, StatusCode};
use serde_json::value::RawValue;

use crate::code::{CodeSet, ErrorCode};
use crate::dialect::protocol::Protocol;
use crate::dialect::standard::{self, Envelope};
use crate::dialect::{self, Dialect, Foreign, Members, Reading, Said, Shape, Told, outgoing};
use crate::fault::Fault;
use crate::message;
use crate::request_id::RequestId;
use credentials::Credentials;
use decided::DecidedBy;
use rule::Rule;

use details::with_issues;

const X_ERROR_CODE: HeaderName = HeaderName::from_static("x-error-code");
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// An inner error response.
pub(crate) struct Inner<'h, 'b> {
    pub(crate) status: StatusCode,
    pub(crate) headers: &'h HeaderMap,
    /// The whole body, or `None` where there is none to read: HEAD, too long, too late, broken off, coded.
    pub(crate) body: Option<&'b [u8]>,
}

/// What the request said, as far as an answer to it depends on that.
pub(crate) struct Asked<'a> {
    pub(crate) credentials: Credentials<'a>,
    pub(crate) method: &'a Method,
    pub(crate) path: Option<&'a str>,
}

/// What the policy knows.
pub(crate) struct Known<'a> {
    pub(crate) codes: &'a CodeSet,
    pub(crate) rules: &'a [Arc<Rule>],
    /// An unknown canonical code gives way to its status (E2).
    pub(crate) by_status: bool,
    /// JSON-RPC and OAuth errors keep their shape (R10).
    pub(crate) protocols_pass: bool,
    /// Members that pass into the details, by name (R14).
    pub(crate) kept: &'a [Box<str>],
    /// What the client gets.
    pub(crate) dialect: Dialect,
    /// It asked for that itself (R11): a body that already is in it is written anew all the same.
    pub(crate) negotiated: bool,
}

pub(crate) enum Verdict<'b> {
    /// The body is to be written anew.
    Rewrite(Rewrite<'b>),
    /// A protocol that keeps its shape (R10).
    Pass,
}

pub(crate) struct Rewrite<'b> {
    fault: Fault,
    /// A text that was cleaned, which the fault does not say yet: most are copied once, into the reply.
    text: Option<Cow<'b, str>>,
    pub(crate) shape: Option<Shape>,
    /// The body already is in the client's dialect (R12).
    pub(crate) own: Option<Own>,
    /// The service named the code, or what it said did; else its status stands for it (P1).
    pub(crate) named: bool,
    /// What decided the code; none where no inner error was read.
    pub(crate) by: Option<DecidedBy>,
    /// Which rule did, where one did.
    pub(crate) rule: Option<usize>,
    /// The names of members that no rule reads, and that no client gets (R14).
    pub(crate) dropped: Option<Box<str>>,
    /// The body's own code, where nobody knows it here.
    pub(crate) unknown_code: Option<Box<str>>,
}

impl<'b> Rewrite<'b> {
    /// A fault as it is.
    pub(crate) fn of(fault: Fault) -> Self {
        Self {
            fault,
            text: None,
            shape: None,
            own: None,
            named: true,
            by: None,
            rule: None,
            dropped: None,
            unknown_code: None,
        }
    }

    /// An inner error that says no more than this.
    fn decided(fault: Fault, by: DecidedBy) -> Self {
        Self { by: Some(by), ..Self::of(fault) }
    }

    pub(crate) fn code(&self) -> &ErrorCode {
        self.fault.code()
    }

    /// The fault, and the text that is to be written instead of its own.
    pub(crate) fn parts(&self) -> (&Fault, Option<&str>) {
        (&self.fault, self.text.as_deref())
    }

    /// Where the dialect has an issue list in every `invalid_request`, it says the text as well (E8).
    fn listed(self, dialect: Dialect) -> Self {
        let Self { fault, text, .. } = self;
        let fault = match text {
            Some(text) => fault.with_clean_message(text.into_owned()),
            None => fault,
        };
        Self { fault: listed(fault, dialect), text: None, ..self }
    }

    /// The fault with its text.
    pub(crate) fn into_fault(self) -> Fault {
        match self.text {
            Some(text) => self.fault.with_clean_message(text.into_owned()),
            None => self.fault,
        }
    }
}

/// What of a body in the client's own dialect passes (R3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Own {
    /// All but a text that may not.
    Whole,
    /// Its names alone.
    Names,
}

/// Decides an inner 4xx/5xx from its head and what was read of its body.
pub(crate) fn response<'b>(inner: &Inner<'_, 'b>, asked: &Asked<'_>, known: &Known<'_>) -> Verdict<'b> {
    let body = inner.body.unwrap_or_default();
    // Most routers' own errors: their status is all they say.
    if body.is_empty() && inner.headers.is_empty() && known.rules.is_empty() {
        let fault = listed(Fault::new(code_of_status(inner, asked)), known.dialect);
        return Verdict::Rewrite(Rewrite { named: false, ..Rewrite::decided(fault, by_status(inner.status)) });
    }
    let of_input = tells_of_input(inner.status);
    let mut unread = None;
    let foreign = match dialect::read(dialect::essence(inner.headers), body, known.codes, of_input) {
        Reading::Envelope(envelope) => {
            return of_envelope(&envelope, inner, asked, known);
        }
        Reading::Protocol(protocol) if known.protocols_pass && speaks(protocol, inner.status) => return Verdict::Pass,
        Reading::Protocol(protocol) => {
            dialect::read_rewritten(body, of_input).map(|foreign| without_foreign_code(protocol, foreign, inner.status))
        }
        Reading::Said(foreign) => Some(foreign),
        Reading::Unread(members) => {
            unread = Some(members);
            None
        }
        Reading::Nothing if body.is_empty() => match of_header(inner, known) {
            Some(envelope) => return of_envelope(&envelope, inner, asked, known),
            None => None,
        },
        Reading::Nothing => None,
    };
    let members = foreign.as_ref().and_then(|foreign| foreign.members.as_ref()).or(unread.as_ref());
    Verdict::Rewrite(of_foreign(foreign.as_ref(), members, inner, asked, known))
}

/// Whether a body of that form is the protocol's under this status. OAuth's errors are 4xx (RFC 6749 §5.2); JSON-RPC
/// names itself under any.
fn speaks(protocol: Protocol, status: StatusCode) -> bool {
    protocol != Protocol::OAuth || status.is_client_error()
}

/// What looks like a protocol's code, where it is none, is a text like any other.
fn without_foreign_code(protocol: Protocol, mut foreign: Foreign<'_>, status: StatusCode) -> Foreign<'_> {
    foreign.said.code = foreign.said.code.filter(|_| speaks(protocol, status));
    foreign
}

/// The code of a layer inside, where no body says it (R1).
fn of_header(inner: &Inner<'_, '_>, known: &Known<'_>) -> Option<Envelope<'static>> {
    if inner.headers.is_empty() {
        return None;
    }
    let mut values = inner.headers.get_all(X_ERROR_CODE).iter();
    let (first, None) = (values.next()?, values.next()) else { return None };
    let (code, is_known) = standard::code_of(first.to_str().ok()?, known.codes)?;
    Some(Envelope { code, known: is_known, message: Cow::Borrowed(""), details: None })
}

fn of_envelope(
    envelope: &Envelope<'_>,
    inner: &Inner<'_, '_>,
    asked: &Asked<'_>,
    known: &Known<'_>,
) -> Verdict<'static> {
    let fault = again(envelope, inner, asked, known);
    let named = envelope.known || !known.by_status;
    Verdict::Rewrite(Rewrite { shape: Some(Shape::Standard), named, ..Rewrite::decided(fault, DecidedBy::Layer) })
}

/// E7: code and message stay the same text, details the same bytes.
fn again(envelope: &Envelope<'_>, inner: &Inner<'_, '_>, asked: &Asked<'_>, known: &Known<'_>) -> Fault {
    let by_status = known.by_status && !envelope.known;
    let code = if by_status { code_of_status(inner, asked) } else { envelope.code.clone() };
    let fault = fault(code, standard::message_of(envelope).map(Cow::into_owned), inner.status);
    let details = envelope.details.map(|details| Cow::Borrowed(details.get()));
    if by_status && inner.status.is_client_error() {
        return listed(
            fault.with_raw_details(details::compose(details, &[], None, Some(envelope.code.as_str()))),
            known.dialect,
        );
    }
    match envelope.details {
        Some(details) => fault.with_raw_details(Some(details.to_owned())),
        None => listed(fault, known.dialect),
    }
}

/// A fault with this text, or its code's own. A code that is known by name alone has none: its status has.
fn fault(code: ErrorCode, text: Option<String>, status: StatusCode) -> Fault {
    let foreign = code.is_foreign();
    let fault = Fault::new(code);
    match text {
        Some(text) => fault.with_clean_message(text),
        None if foreign => fault.with_stock_message(ErrorCode::of_status(status).default_message()),
        None => fault,
    }
}

/// Where the dialect has an issue list in every `invalid_request`, so has the fault (E8).
#[inline]
pub(crate) fn listed(fault: Fault, dialect: Dialect) -> Fault {
    let lists = *fault.code() == ErrorCode::INVALID_REQUEST && dialect.form().lists_issues;
    if lists { with_issues(fault) } else { fault }
}

/// What decided the code of a foreign error.
enum Decided<'a> {
    /// A layer inside, which wrote the body: it says what it says (E7).
    Layer,
    /// The rule, and which one it is.
    Rule(usize, &'a Rule),
    Dialect,
    Otherwise(DecidedBy),
}

fn of_foreign<'b>(
    foreign: Option<&Foreign<'b>>,
    members: Option<&Members<'_>>,
    inner: &Inner<'_, 'b>,
    asked: &Asked<'_>,
    known: &Known<'_>,
) -> Rewrite<'b> {
    let (code, decided) = decide(foreign, inner, asked, known);
    let said = foreign.map(|foreign| &foreign.said);
    let named = decided.is_named(said) || lists_issues(said, inner.status);
    let passes = members_pass(&code, &decided, inner.status);
    let text = text_of(said, &code, &decided, inner.status);
    let own = foreign.filter(|it| stays(it, known)).map(|_| if passes { Own::Whole } else { Own::Names });
    let left =
        members.filter(|members| own != Some(Own::Whole) && inner.status.is_client_error() && members.are_left(said));
    let left = left.map(|members| left::sort(members, said, if passes { known.kept } else { &[] })).unwrap_or_default();
    let details = match foreign.filter(|_| passes) {
        Some(foreign) => details_of(foreign, &left.kept, &code, &decided, inner.status, known),
        None if left.kept.is_empty() => None,
        None => details::compose(None, &left.kept, None, None),
    };
    let lists = code == ErrorCode::INVALID_REQUEST && !matches!(decided, Decided::Layer);
    let fault = match &text {
        None => fault(code, None, inner.status),
        Some(_) => Fault::new(code),
    };
    let shape = foreign.map(|it| it.shape);
    let unknown_code = unknown_code(foreign, &decided, inner.status, known);
    let rule = if let Decided::Rule(at, _) = decided { Some(at) } else { None };
    let (fault, by) = (fault.with_raw_details(details), Some(decided.by()));
    let rewrite = Rewrite { fault, text, shape, own, named, by, rule, dropped: left.dropped, unknown_code };
    if lists { rewrite.listed(known.dialect) } else { rewrite }
}

fn is_own(foreign: &Foreign<'_>, known: &Known<'_>) -> bool {
    foreign.shape == known.dialect.shape()
}

/// Whether the body is kept as far as it may pass (R12).
fn stays(foreign: &Foreign<'_>, known: &Known<'_>) -> bool {
    is_own(foreign, known) && !known.negotiated
}

fn decide<'k>(
    foreign: Option<&Foreign<'_>>,
    inner: &Inner<'_, '_>,
    asked: &Asked<'_>,
    known: &Known<'k>,
) -> (ErrorCode, Decided<'k>) {
    if let Some(decided) = foreign.and_then(|it| of_layer(it, inner, known)) {
        return decided;
    }
    let said = foreign.map(|it| &it.said);
    if let Some((at, rule)) = rule_of(said, inner, asked, known) {
        return (rule.to().clone(), Decided::Rule(at, rule));
    }
    if let Some(code) = said.and_then(|said| said.names().find_map(|name| known.codes.find(name))) {
        return (code, Decided::Dialect);
    }
    let own = said.map_or(&dialect::Own::Unknown, |said| &said.own);
    if let dialect::Own::Code(code) = own {
        return (code.clone(), Decided::Dialect);
    }
    let lists = lists_issues(said, inner.status);
    let (code, by) = match lists {
        true => (ErrorCode::INVALID_REQUEST, DecidedBy::Issues),
        false => (code_of_status(inner, asked), by_status(inner.status)),
    };
    // A name that means the status is known, but vouches for no server's text.
    let by_name = *own == dialect::Own::ByStatus && inner.status.is_client_error();
    (code, if by_name { Decided::Dialect } else { Decided::Otherwise(by) })
}

/// Without anything that is known: on a 401 the credentials decide.
fn by_status(status: StatusCode) -> DecidedBy {
    if status == StatusCode::UNAUTHORIZED { DecidedBy::Credentials } else { DecidedBy::Status }
}

/// The body's own code where it decided nothing, for the log: a name, and nothing that may be a secret (L3).
fn unknown_code(
    foreign: Option<&Foreign<'_>>,
    decided: &Decided<'_>,
    status: StatusCode,
    known: &Known<'_>,
) -> Option<Box<str>> {
    let foreign = foreign.filter(|_| !matches!(decided, Decided::Layer | Decided::Rule(..)))?;
    let code = foreign.said.code.as_deref().filter(|code| decided::is_name(code))?;
    let is_unknown = known.codes.find(code).is_none() && *code != *status.as_str() && !foreign.defines(code);
    is_unknown.then(|| code.into())
}

impl Decided<'_> {
    fn is_named(&self, said: Option<&Said<'_>>) -> bool {
        match self {
            Self::Layer | Self::Rule(..) => true,
            Self::Dialect => said.is_some_and(|said| said.own != dialect::Own::ByStatus),
            Self::Otherwise(_) => false,
        }
    }

    const fn by(&self) -> DecidedBy {
        match self {
            Self::Layer => DecidedBy::Layer,
            Self::Rule(..) => DecidedBy::Rule,
            Self::Dialect => DecidedBy::Dialect,
            Self::Otherwise(by) => *by,
        }
    }
}

/// Whether a status says that the request was wrong, so that a list says where (E8, R13).
fn tells_of_input(status: StatusCode) -> bool {
    matches!(status.as_u16(), 400 | 422)
}

/// E8.
fn lists_issues(said: Option<&Said<'_>>, status: StatusCode) -> bool {
    tells_of_input(status) && said.is_some_and(Said::has_issues)
}

/// The code of a layer inside that wrote the client's own dialect (E7).
fn of_layer<'k>(foreign: &Foreign<'_>, inner: &Inner<'_, '_>, known: &Known<'_>) -> Option<(ErrorCode, Decided<'k>)> {
    if known.dialect == Dialect::Standard || !is_own(foreign, known) {
        return None;
    }
    let Envelope { code, known: is_known, .. } = of_header(inner, known)?;
    match is_known {
        // Where the client chose the shape, the body says the code, or no layer wrote it.
        _ if known.negotiated => {
            (foreign.said.code.as_deref() == Some(code.as_str())).then_some((code, Decided::Layer))
        }
        false if known.by_status => None,
        // Services have headers of that name, too: by itself it vouches for no server's text.
        _ if code == ErrorCode::INTERNAL_ERROR && !has_layers_head(inner.headers) => {
            Some((code, Decided::Otherwise(DecidedBy::Layer)))
        }
        false if inner.status.is_server_error() && !has_layers_head(inner.headers) => {
            Some((code, Decided::Otherwise(DecidedBy::Layer)))
        }
        _ => Some((code, Decided::Layer)),
    }
}

/// Whether the head has what a layer puts into each that it writes (I1, E4): nobody else makes such an id.
fn has_layers_head(headers: &HeaderMap) -> bool {
    let id = headers.get(X_REQUEST_ID).and_then(|id| id.to_str().ok());
    let is_ours = |id: &str| id.starts_with("req_") && id.parse::<RequestId>().is_ok();
    id.is_some_and(is_ours) && headers.get(X_CONTENT_TYPE_OPTIONS).is_some_and(|it| it == "nosniff")
}

fn rule_of<'k>(
    said: Option<&Said<'_>>,
    inner: &Inner<'_, '_>,
    asked: &Asked<'_>,
    known: &Known<'k>,
) -> Option<(usize, &'k Rule)> {
    if known.rules.is_empty() {
        return None;
    }
    let said_as = |code| rule::Said {
        status: inner.status,
        code,
        message: said.and_then(|said| said.message.as_deref()),
        media_type: dialect::media_type(inner.headers),
        path: asked.path,
        method: asked.method,
    };
    let fit = |code| rule::first_fit(known.rules, &said_as(code));
    match said {
        Some(said) if said.wider.is_some() => said.names().find_map(|name| fit(Some(name))),
        _ => fit(said.and_then(|said| said.code.as_deref())),
    }
}

fn code_of_status(inner: &Inner<'_, '_>, asked: &Asked<'_>) -> ErrorCode {
    if inner.status == StatusCode::UNAUTHORIZED {
        credentials::code_of_401(&asked.credentials, inner.headers)
    } else {
        ErrorCode::of_status(inner.status)
    }
}

/// Which text reaches the client (R3).
fn text_of<'b>(
    said: Option<&Said<'b>>,
    code: &ErrorCode,
    decided: &Decided<'_>,
    status: StatusCode,
) -> Option<Cow<'b, str>> {
    if let Decided::Rule(_, rule) = decided
        && let Some(text) = rule.say()
    {
        return Some(Cow::Owned(text.to_owned()));
    }
    let (recognised, very_text) = match decided {
        Decided::Layer => return cleaned(said?, message::clean),
        Decided::Rule(_, rule) => (rule.names_code() || rule.names_message(), rule.names_very_text()),
        Decided::Dialect => (true, false),
        Decided::Otherwise(_) => (false, false),
    };
    if *code == ErrorCode::INTERNAL_ERROR || status.is_server_error() && !recognised {
        if very_text { cleaned(said?, message::of_recognised_text) } else { None }
    } else {
        let clean = if recognised { message::of_recognised_text } else { message::of_foreign_text };
        match said?.told() {
            Told::Text(text) if !very_text => clean(text).map(|text| Cow::Owned(text.into_owned())),
            Told::Nothing if !very_text => None,
            _ => cleaned(said?, clean),
        }
    }
}

/// The message of a body, as far as it is clean already where it stands.
fn cleaned<'b>(said: &Said<'b>, clean: fn(&str) -> Option<Cow<'_, str>>) -> Option<Cow<'b, str>> {
    match said.message.as_ref()? {
        Cow::Borrowed(text) => clean(text),
        Cow::Owned(text) => clean(text).map(|text| Cow::Owned(text.into_owned())),
    }
}

/// Whether what stands beside code and message reaches the client (R3).
fn members_pass(code: &ErrorCode, decided: &Decided<'_>, status: StatusCode) -> bool {
    match decided {
        Decided::Layer => true,
        _ if *code == ErrorCode::INTERNAL_ERROR => false,
        Decided::Otherwise(_) => status.is_client_error(),
        Decided::Rule(..) | Decided::Dialect => true,
    }
}

/// The details that reach the client, the issue list (E8) and an unknown code (E9) among them.
fn details_of(
    foreign: &Foreign<'_>,
    kept: &[(&str, &RawValue)],
    code: &ErrorCode,
    decided: &Decided<'_>,
    status: StatusCode,
    known: &Known<'_>,
) -> Option<Box<RawValue>> {
    let said = &foreign.said;
    let named = matches!(decided, Decided::Rule(_, rule) if rule.names_code());
    // In the client's own dialect it stays where it is.
    let lost = status.is_client_error() && !named && !stays(foreign, known);
    let upstream_code = said.code.as_deref().filter(|said| lost && outgoing::is_identifier(said) && code != *said);
    let upstream_code = upstream_code
        .filter(|code| known.codes.find(code).is_none() && *code != status.as_str() && !foreign.defines(code));
    // Of another code they stay as they came (E1).
    if said.issues.is_none()
        && *code == ErrorCode::INVALID_REQUEST
        && let Some(list) = said.details_as_issues()
    {
        return details::compose(None, kept, Some(&list), upstream_code);
    }
    details::compose(said.details.clone(), kept, said.issues.as_deref(), upstream_code)
}
