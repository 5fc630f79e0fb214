//! What went wrong inside → a [`Fault`].
//!
//! [`response`] reads an inner 4xx/5xx. What decides its code, first match (rule R1; a `Fault` in the response's
//! extensions has decided before):
//!
//! 1. a canonical envelope, or a well-formed `x-error-code` where no body says it
//! 2. a policy's `[[map]]` rule
//! 3. the dialect's own code, where it is known
//! 4. on a 401, the request's credentials and the challenge
//! 5. a list of issues on a 400 or 422
//! 6. the status
//!
//! Message and details follow from what decided (R3, E8, E9). [`failure`] does the same for error values (F1).

pub(crate) mod credentials;
mod details;
pub(crate) mod failure;
pub(crate) mod rule;

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, Method, StatusCode};

use crate::code::{CodeSet, ErrorCode};
use crate::dialect::protocol::Protocol;
use crate::dialect::standard::{self, Envelope};
use crate::dialect::{self, Dialect, Reading, Said};
use crate::fault::Fault;
use crate::message;
use credentials::Credentials;
use rule::Rule;

pub(crate) use details::with_issues;

const X_ERROR_CODE: HeaderName = HeaderName::from_static("x-error-code");

/// An inner error response.
pub(crate) struct Inner<'a> {
    pub(crate) status: StatusCode,
    pub(crate) headers: &'a HeaderMap,
    /// The whole body, or `None` where there is none to read: HEAD, too long, too late, broken off, coded.
    pub(crate) body: Option<&'a [u8]>,
}

/// What the request said, as far as an answer to it depends on that.
pub(crate) struct Asked<'a> {
    pub(crate) credentials: &'a Credentials,
    pub(crate) method: &'a Method,
    pub(crate) path: Option<&'a str>,
}

/// What the policy knows.
pub(crate) struct Known<'a> {
    pub(crate) codes: &'a CodeSet,
    pub(crate) rules: &'a [Rule],
    /// An unknown canonical code gives way to its status (E2).
    pub(crate) by_status: bool,
    /// JSON-RPC and OAuth errors keep their shape (R10).
    pub(crate) protocols_pass: bool,
}

pub(crate) enum Verdict {
    /// The body is to be written anew.
    Rewrite(Fault, Option<Dialect>),
    /// A protocol that keeps its shape (R10).
    Pass,
}

/// Decides an inner 4xx/5xx from its head and what was read of its body.
pub(crate) fn response(inner: &Inner<'_>, asked: &Asked<'_>, known: &Known<'_>) -> Verdict {
    let body = inner.body.unwrap_or_default();
    let said = match dialect::read(dialect::media_type(inner.headers), body, known.codes) {
        Reading::Envelope(envelope) => {
            return Verdict::Rewrite(of_envelope(&envelope, inner, asked, known), Some(Dialect::Standard));
        }
        Reading::Protocol(protocol) if known.protocols_pass && speaks(protocol, inner.status) => return Verdict::Pass,
        Reading::Protocol(protocol) => {
            dialect::read_rewritten(body).map(|said| without_foreign_code(protocol, said, inner.status))
        }
        Reading::Said(said) => Some(said),
        Reading::Nothing if body.is_empty() => match of_header(inner, known) {
            Some(envelope) => {
                return Verdict::Rewrite(of_envelope(&envelope, inner, asked, known), Some(Dialect::Standard));
            }
            None => None,
        },
        Reading::Nothing => None,
    };
    let dialect = said.as_ref().map(|said| said.dialect);
    Verdict::Rewrite(of_foreign(said, inner, asked, known), dialect)
}

/// Whether a body of that form is the protocol's under this status. OAuth's errors are 4xx (RFC 6749 §5.2); JSON-RPC
/// names itself under any.
fn speaks(protocol: Protocol, status: StatusCode) -> bool {
    protocol != Protocol::OAuth || status.is_client_error()
}

/// What looks like a protocol's code, where it is none, is a text like any other.
fn without_foreign_code<'a>(protocol: Protocol, said: Said<'a>, status: StatusCode) -> Said<'a> {
    let code = said.code.filter(|_| speaks(protocol, status));
    Said { code, ..said }
}

/// The code of a layer inside, where no body says it (R1).
fn of_header(inner: &Inner<'_>, known: &Known<'_>) -> Option<Envelope<'static>> {
    if inner.headers.is_empty() {
        return None;
    }
    let mut values = inner.headers.get_all(X_ERROR_CODE).iter();
    let (first, None) = (values.next()?, values.next()) else { return None };
    let (code, is_known) = standard::code_of(first.to_str().ok()?, known.codes)?;
    Some(Envelope { code, known: is_known, message: Cow::Borrowed(""), details: None })
}

/// E7: code and message stay the same text, details the same bytes.
fn of_envelope(envelope: &Envelope<'_>, inner: &Inner<'_>, asked: &Asked<'_>, known: &Known<'_>) -> Fault {
    let by_status = known.by_status && !envelope.known;
    let code = if by_status { code_of_status(inner, asked) } else { envelope.code.clone() };
    let fault = fault(code, standard::message_of(envelope).map(Cow::into_owned), inner.status);
    let details = envelope.details.map(|details| Cow::Borrowed(details.get()));
    if by_status && inner.status.is_client_error() {
        return with_issues(fault.with_raw_details(details::compose(details, None, Some(envelope.code.as_str()))));
    }
    match envelope.details {
        Some(details) => fault.with_raw_details(Some(details.to_owned())),
        None => with_issues(fault),
    }
}

/// A fault with this text, or its code's own. A code that is known by name alone has none: its status has.
fn fault(code: ErrorCode, text: Option<String>, status: StatusCode) -> Fault {
    let text = text.or_else(|| code.is_foreign().then(|| ErrorCode::of_status(status).message().to_owned()));
    let fault = Fault::new(code).status(status);
    match text {
        Some(text) => fault.with_clean_message(text),
        None => fault,
    }
}

/// What decided the code of a foreign error.
enum Decided<'a> {
    Rule(&'a Rule),
    Dialect,
    Otherwise,
}

fn of_foreign(said: Option<Said<'_>>, inner: &Inner<'_>, asked: &Asked<'_>, known: &Known<'_>) -> Fault {
    let said = said.as_ref();
    let (code, decided) = decide(said, inner, asked, known);
    let text = text_of(said, &code, &decided, inner.status);
    let details = said.and_then(|said| details_of(said, &code, &decided, inner.status, known));
    with_issues(fault(code, text, inner.status).with_raw_details(details))
}

fn decide<'k>(
    said: Option<&Said<'_>>,
    inner: &Inner<'_>,
    asked: &Asked<'_>,
    known: &Known<'k>,
) -> (ErrorCode, Decided<'k>) {
    if let Some(rule) = rule_of(said, inner, asked, known) {
        return (rule.to().clone(), Decided::Rule(rule));
    }
    if let Some(code) = said.and_then(|said| known.codes.find(said.code.as_deref()?)) {
        return (code, Decided::Dialect);
    }
    let lists = matches!(inner.status.as_u16(), 400 | 422) && said.is_some_and(Said::has_issues);
    let code = if lists { ErrorCode::INVALID_REQUEST } else { code_of_status(inner, asked) };
    (code, Decided::Otherwise)
}

fn rule_of<'k>(said: Option<&Said<'_>>, inner: &Inner<'_>, asked: &Asked<'_>, known: &Known<'k>) -> Option<&'k Rule> {
    if known.rules.is_empty() {
        return None;
    }
    let said = rule::Said {
        status: inner.status,
        code: said.and_then(|said| said.code.as_deref()),
        message: said.and_then(|said| said.message.as_deref()),
        media_type: dialect::media_type(inner.headers),
        path: asked.path,
        method: asked.method,
    };
    rule::first_fit(known.rules, &said)
}

fn code_of_status(inner: &Inner<'_>, asked: &Asked<'_>) -> ErrorCode {
    if inner.status == StatusCode::UNAUTHORIZED {
        credentials::code_of_401(asked.credentials, inner.headers)
    } else {
        ErrorCode::of_status(inner.status)
    }
}

/// Which text reaches the client (R3).
fn text_of(said: Option<&Said<'_>>, code: &ErrorCode, decided: &Decided<'_>, status: StatusCode) -> Option<String> {
    if let Decided::Rule(rule) = decided
        && let Some(text) = rule.say()
    {
        return Some(text.to_owned());
    }
    let text = said?.message.as_deref()?;
    let (recognised, very_text) = match decided {
        Decided::Rule(rule) => (rule.names_code() || rule.names_message(), rule.names_very_text()),
        Decided::Dialect => (true, false),
        Decided::Otherwise => (false, false),
    };
    let text = if *code == ErrorCode::INTERNAL_ERROR || status.is_server_error() && !recognised {
        if very_text { message::of_recognised_text(text) } else { None }
    } else if recognised {
        message::of_recognised_text(text)
    } else {
        message::of_foreign_text(text)
    };
    text.map(Cow::into_owned)
}

/// Which details reach the client (R3), the issue list (E8) and an unknown code (E9) among them.
fn details_of(
    said: &Said<'_>,
    code: &ErrorCode,
    decided: &Decided<'_>,
    status: StatusCode,
    known: &Known<'_>,
) -> Option<Box<serde_json::value::RawValue>> {
    let decided_by_name = !matches!(decided, Decided::Otherwise);
    if *code == ErrorCode::INTERNAL_ERROR || status.is_server_error() && !decided_by_name {
        return None;
    }
    let named = matches!(decided, Decided::Rule(rule) if rule.names_code());
    let unknown = |code: &&str| !named && known.codes.find(code).is_none() && *code != status.as_str();
    let upstream_code = said.code.as_deref().filter(|code| status.is_client_error() && is_code_to_keep(code));
    let upstream_code = upstream_code.filter(unknown);
    details::compose(said.details.clone(), said.issues.as_deref(), upstream_code)
}

/// The form of a code that is worth keeping (E9): `[A-Za-z0-9_.-]{1,64}`.
fn is_code_to_keep(code: &str) -> bool {
    (1..=64).contains(&code.len())
        && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
}
