//! What decides the code of a foreign error, first match (rule R1).

use http::StatusCode;

use super::decided::{self, DecidedBy};
use super::explanation::{Explanation, record};
use super::inner::{Inner, PolicyView, RequestContext, code_of_status, has_layers_head, is_own, of_header};
use super::rule::{self, Rule};
use crate::code::ErrorCode;
use crate::dialect::standard::{self, Envelope};
use crate::dialect::{self, Dialect, Foreign, ParsedError};

/// What decided the code of a foreign error.
pub(super) enum CodeSource<'a> {
    /// A layer inside, which wrote the body: it stays as it is (E7).
    Layer,
    /// The rule, and its index.
    Rule(usize, &'a Rule),
    Dialect,
    Otherwise(DecidedBy),
}

pub(super) fn decide<'k>(
    foreign: Option<&Foreign<'_>>,
    inner: &Inner<'_, '_>,
    request: &RequestContext<'_>,
    known: &PolicyView<'k>,
    mut explanation: Option<&mut Explanation>,
) -> (ErrorCode, CodeSource<'k>) {
    if let Some(foreign) = foreign {
        record(&mut explanation, |it| it.note_body(foreign, lists_issues(Some(&foreign.parsed), inner.status)));
        if let Some(decided) = canonical_code(&foreign.parsed, inner, known) {
            return decided;
        }
        if let Some(decided) = of_layer(foreign, inner, known) {
            record(&mut explanation, |it| it.header = Some(decided.0.as_str().to_owned()));
            return decided;
        }
    }
    let parsed = foreign.map(|it| &it.parsed);
    if let Some((at, rule)) = rule_of(parsed, inner, request, known, explanation) {
        return (rule.to().clone(), CodeSource::Rule(at, rule));
    }
    let own = parsed.map_or(&dialect::DialectCode::Unknown, |parsed| &parsed.own);
    if let dialect::DialectCode::Named(name) = own
        && let Some(code) = known.codes.find(name)
    {
        return (code, CodeSource::Dialect);
    }
    let lists = lists_issues(parsed, inner.status);
    // A list is more specific than a code that the status has as well.
    let says_more = |code: &ErrorCode| !lists || *code != ErrorCode::of_status(inner.status);
    if let Some(code) =
        parsed.and_then(|parsed| parsed.names().find_map(|name| known.codes.find(name))).filter(says_more)
    {
        return (code, CodeSource::Dialect);
    }
    if let dialect::DialectCode::Code(code) = own {
        return (code.clone(), CodeSource::Dialect);
    }
    let (code, by) = match lists {
        true => (ErrorCode::INVALID_REQUEST, DecidedBy::Issues),
        false => (code_of_status(inner, request), by_status(inner.status)),
    };
    // A name for the status is known, but vouches for no server's text.
    let by_name = *own == dialect::DialectCode::ByStatus && inner.status.is_client_error();
    (code, if by_name { CodeSource::Dialect } else { CodeSource::Otherwise(by) })
}

/// Decides without any known code: on a 401 by the credentials.
pub(super) fn by_status(status: StatusCode) -> DecidedBy {
    if status == StatusCode::UNAUTHORIZED { DecidedBy::Credentials } else { DecidedBy::Status }
}

/// The body's own code where it decided nothing, for the log: a name, never a possible secret (L3).
pub(super) fn unknown_code(
    foreign: Option<&Foreign<'_>>,
    decided: &CodeSource<'_>,
    status: StatusCode,
    known: &PolicyView<'_>,
) -> Option<Box<str>> {
    let foreign = foreign.filter(|_| !matches!(decided, CodeSource::Layer | CodeSource::Rule(..)))?;
    let code = foreign.parsed.code.as_deref().filter(|code| decided::is_name(code))?;
    let is_unknown = known.codes.find(code).is_none() && *code != *status.as_str() && !foreign.defines(code);
    is_unknown.then(|| code.into())
}

impl CodeSource<'_> {
    pub(super) fn is_named(&self, parsed: Option<&ParsedError<'_>>) -> bool {
        match self {
            Self::Layer | Self::Rule(..) => true,
            Self::Dialect => parsed.is_some_and(|parsed| parsed.own != dialect::DialectCode::ByStatus),
            Self::Otherwise(_) => false,
        }
    }

    pub(super) const fn by(&self) -> DecidedBy {
        match self {
            Self::Layer => DecidedBy::Layer,
            Self::Rule(..) => DecidedBy::Rule,
            Self::Dialect => DecidedBy::Dialect,
            Self::Otherwise(by) => *by,
        }
    }
}

/// E8.
pub(super) fn lists_issues(parsed: Option<&ParsedError<'_>>, status: StatusCode) -> bool {
    dialect::tells_of_input(status) && parsed.is_some_and(ParsedError::has_issues)
}

/// The code of a shape that the policy also writes, which counts as a canonical one (R15). On a 5xx only a layer vouches
/// for a code that is unknown here, or for a text.
fn canonical_code<'k>(
    parsed: &ParsedError<'_>,
    inner: &Inner<'_, '_>,
    known: &PolicyView<'_>,
) -> Option<(ErrorCode, CodeSource<'k>)> {
    let name = parsed.code.as_deref().filter(|_| parsed.own == dialect::DialectCode::Canonical)?;
    let (code, is_known) = standard::parse_code(name, known.codes)?;
    let is_layers = !inner.status.is_server_error() || is_code_of_layer(&code, inner, known);
    match is_layers {
        _ if known.by_status && !is_known => None,
        true => Some((code, CodeSource::Layer)),
        false => {
            (is_known && code != ErrorCode::INTERNAL_ERROR).then_some((code, CodeSource::Otherwise(DecidedBy::Dialect)))
        }
    }
}

/// Whether the head is one of a layer's, and has this code.
fn is_code_of_layer(code: &ErrorCode, inner: &Inner<'_, '_>, known: &PolicyView<'_>) -> bool {
    has_layers_head(inner.headers) && of_header(inner, known).is_some_and(|head| head.code == *code)
}

/// The code of a layer inside that wrote the client's own dialect (E7).
fn of_layer<'k>(
    foreign: &Foreign<'_>,
    inner: &Inner<'_, '_>,
    known: &PolicyView<'_>,
) -> Option<(ErrorCode, CodeSource<'k>)> {
    if known.dialect == Dialect::Standard || !is_own(foreign, known) {
        return None;
    }
    let Envelope { code, known: is_known, .. } = of_header(inner, known)?;
    match is_known {
        // Where the client chose the shape, the body has the code, or no layer wrote it.
        _ if known.negotiated => {
            (foreign.parsed.code.as_deref() == Some(code.as_str())).then_some((code, CodeSource::Layer))
        }
        false if known.by_status => None,
        // Services have headers of that name, too: by itself it vouches for no server's text.
        _ if (code == ErrorCode::INTERNAL_ERROR || inner.status.is_server_error())
            && !has_layers_head(inner.headers) =>
        {
            Some((code, CodeSource::Otherwise(DecidedBy::Layer)))
        }
        _ => Some((code, CodeSource::Layer)),
    }
}

fn rule_of<'k>(
    parsed: Option<&ParsedError<'_>>,
    inner: &Inner<'_, '_>,
    request: &RequestContext<'_>,
    known: &PolicyView<'k>,
    mut explanation: Option<&mut Explanation>,
) -> Option<(usize, &'k Rule)> {
    if known.rules.is_empty() {
        return None;
    }
    let said_as = |code| rule::ErrorFacts {
        status: inner.status,
        code,
        message: parsed.and_then(|parsed| parsed.message.as_deref()),
        media_type: dialect::media_type(inner.headers),
        path: request.path,
        method: request.method,
    };
    let mut fit = |code| {
        rule::first_fit(known.rules, &said_as(code), |at, unmet| {
            record(&mut explanation, |it| it.note_rule(at, unmet));
        })
    };
    match parsed {
        Some(parsed) if parsed.wider.is_some() => parsed.names().find_map(|name| fit(Some(name))),
        _ => fit(parsed.and_then(|parsed| parsed.code.as_deref())),
    }
}
