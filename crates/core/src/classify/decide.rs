//! Step 2: decides the code of an inner error. The first source that has a code decides (R1). The log and explanations
//! also show the source (L1).

use http::{HeaderMap, StatusCode};

use super::credentials;
use super::parse::{KeptForm, Parsed, ReadContext};
use crate::code::ErrorCode;
use crate::dialect::standard::Envelope;
use crate::dialect::{CodeOf, Dialect, DialectCode, Foreign, ParsedBody, ParsedError, Shape, standard};
use crate::policy::rule::{self, Rule};
use crate::table::named;

/// The code of an inner error.
pub(super) struct Decision<'k> {
    pub(super) code: ErrorCode,
    pub(super) source: CodeSource<'k>,
    /// True if an inner layer, the body or a `[[map]]` rule names the code, or if the body lists issues. False if the
    /// code follows only from the status. A gRPC client then gets the status of gRPC's table for HTTP (P1).
    pub(super) is_code_named: bool,
    /// True if the fields other than code and message may reach the client (R3).
    pub(super) passes: bool,
    /// The number of issues that are missing from the issue list of the error (R4).
    pub(super) more_issues: usize,
}

/// The source that decided the code.
pub(super) enum CodeSource<'k> {
    /// An inner layer wrote the body, which must not change (E7).
    Layer {
        /// True if the code is in the head, because the body is in a foreign shape.
        in_head: bool,
    },
    /// The policy does not know the code of the inner layer, so the status decides (E2).
    UnknownLayer,
    /// A rule of the policy, with its index.
    Rule(usize, &'k Rule),
    Dialect,
    Otherwise(DecidedBy),
}

/// Decides the code.
#[inline]
pub(super) fn decide<'k>(parsed: &Parsed<'k, '_>) -> Decision<'k> {
    let (body, (code, source)) = match parsed.content {
        ParsedBody::Envelope(envelope) => (None, code_of_envelope(envelope, parsed)),
        ParsedBody::Foreign(foreign) => {
            let body = &foreign.parsed;
            // A code that an inner layer wrote, or that is canonical, takes precedence over every rule.
            let vouched = canonical_code(body, parsed).or_else(|| code_in_head(body, parsed));
            (Some(body), vouched.unwrap_or_else(|| code_of_body(Some(body), parsed)))
        }
        ParsedBody::Unread(_) | ParsedBody::Nothing | ParsedBody::Protocol(_) => (None, code_of_body(None, parsed)),
    };
    let is_code_named = match source {
        CodeSource::Layer { .. } | CodeSource::Rule(..) => true,
        // If the body keeps its shape, the code is treated as the service's, although the status decided it.
        CodeSource::UnknownLayer => parsed.kept != KeptForm::Nothing,
        CodeSource::Dialect => body.is_some_and(|body| body.meaning != DialectCode::ByStatus),
        CodeSource::Otherwise(_) => false,
    };
    let passes = match source {
        CodeSource::Layer { .. } | CodeSource::UnknownLayer => true,
        _ if code == ErrorCode::INTERNAL_ERROR => false,
        CodeSource::Otherwise(_) => parsed.status.is_client_error(),
        CodeSource::Rule(..) | CodeSource::Dialect => true,
    };
    let more_issues = body.filter(|_| passes).map_or(0, |body| body.more_issues);
    Decision { code, source, is_code_named: is_code_named || parsed.lists_issues, passes, more_issues }
}

impl CodeSource<'_> {
    pub(super) const fn decided_by(&self) -> DecidedBy {
        match self {
            Self::Layer { .. } | Self::UnknownLayer => DecidedBy::Layer,
            Self::Rule(..) => DecidedBy::Rule,
            Self::Dialect => DecidedBy::Dialect,
            Self::Otherwise(by) => *by,
        }
    }
}

/// Tries the rules on an error, with each name of its code in turn. Calls `note` with the index of each rule that was
/// tried, and with the key of the first condition that is not met.
pub(super) fn rule_of<'k>(
    parsed: &Parsed<'k, '_>,
    mut note: impl FnMut(usize, Option<&'static str>),
) -> Option<(usize, &'k Rule)> {
    if parsed.context.rules().is_empty() {
        return None;
    }
    let body = if let ParsedBody::Foreign(foreign) = parsed.content { Some(&foreign.parsed) } else { None };
    let facts = |code| rule::ErrorFacts {
        status: parsed.status,
        code,
        raw_code: body.and_then(|body| body.raw_code.as_deref()),
        message: body.and_then(|body| body.message.as_deref()),
        media_type: parsed.media_type,
        path: parsed.context.path,
        method: parsed.context.method,
    };
    let mut fit = |code| rule::first_fit(parsed.context.rules(), &facts(code), &mut note);
    match body {
        Some(body) if body.wider.is_some() => body.names().find_map(|name| fit(Some(name))),
        _ => fit(body.and_then(|body| body.code.as_deref())),
    }
}

/// Returns the code of an envelope that a layer wrote (E7).
fn code_of_envelope<'k>(envelope: &Envelope<'_>, parsed: &Parsed<'k, '_>) -> (ErrorCode, CodeSource<'k>) {
    if parsed.context.decides_by_status() && !envelope.known {
        (code_of_status(parsed.status, parsed.headers, parsed.context).0, CodeSource::UnknownLayer)
    } else {
        (envelope.code.clone(), CodeSource::Layer { in_head: false })
    }
}

/// Returns the code of a body in a shape that the policy can also write. This code is treated as a canonical code
/// (R15). On a 5xx, an unknown code or a text is used only if an inner layer wrote it.
fn canonical_code<'k>(body: &ParsedError<'_>, parsed: &Parsed<'k, '_>) -> Option<(ErrorCode, CodeSource<'k>)> {
    let name = body.code.as_deref().filter(|_| body.meaning == DialectCode::Canonical)?;
    let (code, is_known) = standard::parse_code(name, parsed.context.codes())?;
    let in_head = || parsed.is_vouched && parsed.head.as_ref().is_some_and(|head| head.code == code);
    if parsed.context.decides_by_status() && !is_known {
        None
    } else if !parsed.status.is_server_error() || in_head() {
        Some((code, CodeSource::Layer { in_head: false }))
    } else {
        (is_known && code != ErrorCode::INTERNAL_ERROR).then_some((code, CodeSource::Otherwise(DecidedBy::Dialect)))
    }
}

/// Returns the code in the head of an inner layer that wrote the body in the client's dialect (E7).
fn code_in_head<'k>(body: &ParsedError<'_>, parsed: &Parsed<'k, '_>) -> Option<(ErrorCode, CodeSource<'k>)> {
    let head = parsed.head.as_ref().filter(|_| parsed.is_own && parsed.context.dialect != Dialect::Standard)?;
    let source = if parsed.context.negotiated {
        // If the client chose the shape, a body that a layer wrote contains the same code as the head.
        (body.code.as_deref() == Some(head.code.as_str())).then_some(CodeSource::Layer { in_head: true })
    } else if parsed.context.decides_by_status() && !head.known {
        None
    } else if parsed.is_vouched {
        Some(CodeSource::Layer { in_head: true })
    } else {
        Some(CodeSource::Otherwise(DecidedBy::Layer))
    };
    Some((head.code.clone(), source?))
}

/// Returns the code of an error that no layer wrote. A rule, the dialect, the issues or the status decides the code.
fn code_of_body<'k>(body: Option<&ParsedError<'_>>, parsed: &Parsed<'k, '_>) -> (ErrorCode, CodeSource<'k>) {
    if let Some((at, rule)) = rule_of(parsed, |_, _| {}) {
        return (rule.to.clone(), CodeSource::Rule(at, rule));
    }
    if let Some(code) = body.and_then(|body| known_code(body, parsed)) {
        return (code, CodeSource::Dialect);
    }
    let (code, by) = match parsed.lists_issues {
        true => (ErrorCode::INVALID_REQUEST, DecidedBy::Issues),
        false => code_of_status(parsed.status, parsed.headers, parsed.context),
    };
    // A name that only repeats the status is a known code, but does not make the text of a 5xx safe to send.
    let by_name = body.is_some_and(|body| body.meaning == DialectCode::ByStatus) && parsed.status.is_client_error();
    (code, if by_name { CodeSource::Dialect } else { CodeSource::Otherwise(by) })
}

/// Returns the code that the body names, if the policy, the catalogue or its dialect defines it.
fn known_code(body: &ParsedError<'_>, parsed: &Parsed<'_, '_>) -> Option<ErrorCode> {
    // A validator's code for one field does not describe the whole error.
    if parsed.lists_issues && body.code_of == CodeOf::Issue {
        return None;
    }
    if let DialectCode::Named(name) = &body.meaning
        && let Some(code) = parsed.context.codes().find(name)
    {
        return Some(code);
    }
    // A shape of the policy writes this name for every code of a status, so the name is no code here, even if a code
    // has the same name.
    if body.meaning == DialectCode::ByStatus
        && matches!(parsed.content, ParsedBody::Foreign(Foreign { shape: Shape::Custom(_), .. }))
    {
        return None;
    }
    // An issue list states more than a code that follows from the status anyway.
    let adds = |code: &ErrorCode| {
        let is_clients = code.status().is_client_error();
        // In a 5xx whose shape has no codes, the name of a client error is only data, and the text may come from a
        // database.
        let has_codes = matches!(parsed.content, ParsedBody::Foreign(it) if it.shape.has_codes());
        let is_odd = parsed.status.is_server_error() && is_clients && !has_codes;
        !is_odd && (!parsed.lists_issues || *code != ErrorCode::of_status(parsed.status))
    };
    let code = body.names().find_map(|name| parsed.context.codes().find(name)).filter(adds);
    match &body.meaning {
        DialectCode::Code(own) => code.or_else(|| Some(own.clone())),
        _ => code,
    }
}

/// Returns the code of the status. On a 401, the request's credentials decide the code.
pub(super) fn code_of_status(
    status: StatusCode,
    headers: &HeaderMap,
    context: &ReadContext<'_>,
) -> (ErrorCode, DecidedBy) {
    if status == StatusCode::UNAUTHORIZED {
        (credentials::code_of_401(context.credentials, context.scheme, headers), DecidedBy::Credentials)
    } else {
        (ErrorCode::of_status(status), DecidedBy::Status)
    }
}

named! {
    "Returns the word for the log."
    /// The source that decided the code of an inner error: the first of these sources that had a code (R1).
    ///
    /// ```
    /// use tower_error_envelope::session::DecidedBy;
    ///
    /// assert_eq!(DecidedBy::Rule.as_str(), "rule");
    /// ```
    #[non_exhaustive]
    pub enum DecidedBy {
        /// An inner layer: a canonical envelope, or its `x-error-code` (E7).
        Layer = "layer",
        /// A rule of the policy, that is a `[[map]]` table.
        Rule = "rule",
        /// The code in the body, which the catalogue, the policy or the dialect defines.
        Dialect = "dialect",
        /// The request's credentials and the challenge, on a 401.
        Credentials = "credentials",
        /// A list of issues (E8).
        Issues = "issues",
        /// The status, because nothing else in the response was known.
        Status = "status",
    }
}

/// Returns true if an unknown code may be written to the log (L3). The code must look like the name of an error, with
/// several words or with capitals. A single word in small letters, a number, an id or a token may be a secret.
pub(crate) fn is_name(code: &str) -> bool {
    const LONGEST: usize = 64;

    let words = || code.split(['_', '.', '-']);
    let is_fit = code.len() <= LONGEST && words().all(is_word);
    let in_capitals =
        !code.contains(|it: char| it.is_ascii_lowercase()) && code.contains(|it: char| it.is_ascii_uppercase());
    let in_humps = code.starts_with(|it: char| it.is_ascii_uppercase())
        && code[1..].contains(|it: char| it.is_ascii_uppercase())
        && code.contains(|it: char| it.is_ascii_lowercase());
    is_fit && (in_capitals || in_humps || words().count() > 1)
}

/// Returns true if a word contains only letters, with at most four digits at its end. A word of only digits is also
/// allowed.
fn is_word(word: &str) -> bool {
    const MOST_DIGITS: usize = 4;

    let digits = word.trim_start_matches(|it: char| it.is_ascii_alphabetic());
    !word.is_empty() && digits.len() <= MOST_DIGITS && digits.bytes().all(|it| it.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l3_a_code_is_logged_where_it_is_a_name() {
        for (code, is) in [
            ("SESSION_NOT_CONNECTED", true),
            ("ResourceNotFound", true),
            ("E1001", true),
            ("P2002", true),
            ("seat_taken", true),
            ("order.not-found", true),
            ("ERR-17", true),
            ("SCREAMING", true),
            ("hunter2", false),
            ("s3cr3t", false),
            ("S3CR3T", false),
            ("secret", false),
            ("Secret", false),
            ("seat__taken", false),
            ("auth/user-not-found", false),
            ("", false),
            ("42", false),
            ("404", false),
            ("sk_live_4eC39HqLyjWDarjtT1zdp7dc", false),
            ("0b0c6f9e-3a3b-4d3c-9d62-2f6a5b0b7c11", false),
            ("f47ac10b-58cc-4372-a567-0e02b2c3d479", false),
            ("no such code", false),
            ("naïve", false),
        ] {
            assert_eq!(is_name(code), is, "{code}");
        }
    }
}
