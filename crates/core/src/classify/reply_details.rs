//! Step 4: the fields besides code and text that reach the client (rules R3, E8, E9, R14). Fields of a foreign
//! 4xx body that no rule reads may be kept by name; the others are dropped, and their names are logged (L3).

use std::borrow::Cow;

use http::{HeaderMap, StatusCode};
use serde_json::value::RawValue;

use super::decide::{CodeSource, Decision, is_name};
use super::details;
use super::parse::{Parsed, X_ERROR_CODE};
use crate::code::{CodeSet, ErrorCode};
use crate::dialect::issues::written;
use crate::dialect::json::Writer;
use crate::dialect::standard::Envelope;
use crate::dialect::{CodeOf, Foreign, Members, ParsedBody, ParsedError, outgoing};
use crate::{dialect, fields, message};

/// The details of a rewritten error, and the parts of the body that do not reach any client.
pub(super) struct ReplyDetails {
    pub(super) json: Option<Box<RawValue>>,
    /// Fields that the policy keeps, for a dialect whose error object takes them (R12): a JSON object.
    pub(super) kept: Option<Box<str>>,
    /// The names of fields that no rule reads, and that no client gets (R14).
    pub(super) dropped: Option<Box<str>>,
    /// The code in the body, if the policy does not know it.
    pub(super) unknown_code: Option<Box<str>>,
    /// The dialect requires an issue list in every `invalid_request`, and the details have none (E8).
    pub(super) lack_issues: bool,
}

impl ReplyDetails {
    /// Collects the details of an error. `of_issues`: its message has what the issues state.
    #[inline]
    pub(super) fn new(parsed: &Parsed<'_, '_>, decision: &Decision<'_>, of_issues: bool) -> Self {
        let needs_list =
            decision.code == ErrorCode::INVALID_REQUEST && parsed.policy.dialect.spec().always_lists_issues;
        let (foreign, members) = match parsed.content {
            ParsedBody::Envelope(envelope) => return Self::of_layer(envelope, parsed, decision, needs_list),
            ParsedBody::Foreign(foreign) => (Some(foreign), foreign.members.as_ref()),
            ParsedBody::Unread(members) => (None, Some(members)),
            ParsedBody::Nothing | ParsedBody::Protocol(_) => (None, None),
        };
        let fields = unread_fields(foreign, members, parsed, decision);
        let takes_fields = parsed.policy.dialect.spec().takes_fields && !fields.kept.is_empty();
        let added = if takes_fields { &[] } else { &*fields.kept };
        let passing = foreign.filter(|_| decision.passes);
        let is_layers = matches!(decision.source, CodeSource::Layer { .. });
        Self {
            json: match passing {
                Some(foreign) => details_of(foreign, added, parsed, (decision, of_issues)),
                None => {
                    let code = service_code(parsed.headers, parsed.status, parsed.policy.codes);
                    details::compose(None, added, None, code.filter(|_| decision.passes && foreign.is_none()))
                }
            },
            kept: takes_fields.then(|| fields.as_object()),
            unknown_code: foreign.and_then(|foreign| unknown_code(foreign, parsed, decision)),
            lack_issues: needs_list && !is_layers && passing.is_none_or(|foreign| foreign.parsed.issues.is_none()),
            dropped: fields.dropped,
        }
    }

    /// The details that an inner layer wrote, byte for byte (E7). If its code is unknown here, the code is added to
    /// them (E9).
    fn of_layer(envelope: &Envelope<'_>, parsed: &Parsed<'_, '_>, decision: &Decision<'_>, needs_list: bool) -> Self {
        let adds_code = matches!(decision.source, CodeSource::UnknownLayer) && parsed.status.is_client_error();
        let json = if adds_code {
            let details = envelope.details.map(|details| Cow::Borrowed(details.get()));
            details::compose(details, &[], None, Some(envelope.code.as_str()))
        } else {
            envelope.details.map(ToOwned::to_owned)
        };
        let lack_issues = needs_list && (adds_code || envelope.details.is_none());
        Self { json, kept: None, dropped: None, unknown_code: None, lack_issues }
    }
}

/// The fields of a 4xx that no rule reads, sorted by whether they pass. A body that stays unchanged keeps them anyway.
fn unread_fields<'p>(
    foreign: Option<&Foreign<'_>>,
    members: Option<&'p Members<'_>>,
    parsed: &Parsed<'_, '_>,
    decision: &Decision<'_>,
) -> UnreadFields<'p> {
    let body = foreign.map(|foreign| &foreign.parsed);
    let is_rewritten = parsed.status.is_client_error() && !(parsed.is_own && decision.passes);
    let members = members.filter(|members| is_rewritten && members.has_unread(body));
    let kept = if decision.passes { parsed.policy.kept } else { &[] };
    members.map(|members| sort(members, body, kept)).unwrap_or_default()
}

/// The details that reach the client, with the issue list (E8), an unknown code, and the type of a problem (E9).
fn details_of(
    foreign: &Foreign<'_>,
    kept: &[(&str, &RawValue)],
    parsed: &Parsed<'_, '_>,
    (decision, of_issues): (&Decision<'_>, bool),
) -> Option<Box<RawValue>> {
    // A layer wrote all that it had read before (E7).
    if parsed.is_own
        && matches!(decision.source, CodeSource::Layer { in_head: true })
        && let Some(body) = dialect::read_own(parsed.bytes, parsed.policy.dialect)
    {
        return details::compose(body.details, kept, body.issues.as_deref(), None);
    }
    let body = &foreign.parsed;
    // Where the input was not wrong, the message may have all that a list without places states (R2).
    let is_repeated =
        |issues: &&str| of_issues && !dialect::tells_of_input(parsed.status) && !written::name_place(issues);
    let issues = body.issues.as_deref().filter(|issues| !is_repeated(issues));
    let upstream_code = upstream_code(foreign, issues, parsed, decision);
    // Most bodies have only a text.
    if body.is_text_alone() && upstream_code.is_none() && kept.is_empty() && foreign.problem_type().is_none() {
        return None;
    }
    let is_rewritten = parsed.status.is_client_error() && !parsed.is_own;
    let problem_type = foreign.problem_type().filter(|_| is_rewritten && details::has_room(body.details.as_deref()));
    let texts = body.further_texts.iter().filter(|_| is_rewritten).filter_map(|(name, text)| {
        let text = serde_json::to_string(&message::from_json_text(text)?).ok()?;
        Some((&**name, RawValue::from_string(text).ok()?))
    });
    let texts: Vec<_> = texts.collect();
    let texts = texts.iter().map(|(name, text)| (*name, &**text));
    let kept: Vec<_> = kept.iter().copied().chain(problem_type.map(|uri| ("type", uri))).chain(texts).collect();
    let kept = &*kept;
    let came = body.details.clone().and_then(details::without_traces);
    details::compose(came, kept, issues, upstream_code)
}

/// The code in the body, if the client is to get it next to the canonical one (E9). In the client's own dialect, it
/// stays in its place anyway.
fn upstream_code<'p>(
    foreign: &'p Foreign<'_>,
    issues: Option<&str>,
    parsed: &Parsed<'p, '_>,
    decision: &Decision<'_>,
) -> Option<&'p str> {
    let is_mapped = matches!(decision.source, CodeSource::Rule(_, rule) if rule.names_code());
    let is_lost = parsed.status.is_client_error() && !is_mapped && !parsed.stays;
    let body = &foreign.parsed;
    let in_head = || service_code(parsed.headers, parsed.status, parsed.policy.codes);
    let code = body.code.as_deref().or_else(in_head).filter(|code| is_lost && adds_to_status(code))?;
    let issues = || issues.or(body.details.as_deref().filter(|_| body.issues.is_none() && body.has_issues()));
    let repeats_issues = || match body.code_of {
        CodeOf::Error => issues().is_some_and(|issues| means_bad_input(code) || written::have_code(issues, code)),
        CodeOf::Issue => true,
        CodeOf::FirstError => false,
    };
    let is_in_target =
        parsed.request.path.is_some_and(|path| path.split(['/', '?', '&', '=']).any(|part| part == code));
    (decision.code != *code && is_unknown(code, foreign, parsed) && !is_in_target && !repeats_issues()).then_some(code)
}

/// Whether a code means no more than that the input was wrong, as the issues beside it state.
fn means_bad_input(code: &str) -> bool {
    const WORDS: [&str; 4] = ["validationerror", "invalidrequest", "badrequest", "unprocessableentity"];

    let name: String = code.chars().filter(|it| !matches!(it, '_' | '-')).map(|it| it.to_ascii_lowercase()).collect();
    WORDS.contains(&&*name) || code.ends_with("ValidationError") || code.ends_with("ZodError")
}

/// Whether a code states more than the status: it has the form of a code, and is not the phrase of a status (E9).
fn adds_to_status(code: &str) -> bool {
    outgoing::is_upstream_code(code) && !dialect::is_phrase_as_code(code)
}

/// The code that a service put into the head of its 4xx, if it is not canonical (E9).
pub(crate) fn service_code<'h>(headers: &'h HeaderMap, status: StatusCode, codes: &CodeSet) -> Option<&'h str> {
    let value = || fields::single_value(headers, &X_ERROR_CODE)?.to_str().ok();
    let is_own = |code: &&str| adds_to_status(code) && *code != status.as_str() && codes.find(code).is_none();
    if status.is_client_error() && fields::has(headers, &X_ERROR_CODE) { value().filter(is_own) } else { None }
}

/// The code in the body, for the log: only if it is a name and cannot be a secret (L3).
fn unknown_code(foreign: &Foreign<'_>, parsed: &Parsed<'_, '_>, decision: &Decision<'_>) -> Option<Box<str>> {
    let decides_by_it = matches!(decision.source, CodeSource::Layer { .. } | CodeSource::Rule(..));
    let code = foreign.parsed.code.as_deref().filter(|code| !decides_by_it && is_name(code))?;
    is_unknown(code, foreign, parsed).then(|| code.into())
}

/// Whether the code in a body is unknown: to the policy, the catalogue and the body's dialect. The number of the status
/// counts as known.
fn is_unknown(code: &str, foreign: &Foreign<'_>, parsed: &Parsed<'_, '_>) -> bool {
    parsed.policy.codes.find(code).is_none() && *code != *parsed.status.as_str() && !foreign.defines(code)
}

/// The most names to log for one body. If there are more, they are probably data.
const MAX_NAMES: usize = 16;

/// The most characters to log of one name.
const MAX_NAME_CHARS: usize = 64;

#[derive(Default)]
pub(super) struct UnreadFields<'a> {
    /// The kept fields in the order of the body, each name once.
    pub(super) kept: Vec<(&'a str, &'a RawValue)>,
    /// The names of the fields that are dropped.
    pub(super) dropped: Option<Box<str>>,
}

impl UnreadFields<'_> {
    /// The kept fields as a JSON object.
    pub(super) fn as_object(&self) -> Box<str> {
        let fields = self.kept.iter().fold(Writer::new(64), |json, (name, value)| json.raw(name, value.get()));
        fields.into_string().into()
    }
}

/// Sorts the fields into kept and dropped ones. `kept` are the names of the fields to keep, if the details have room
/// for them.
#[cold]
pub(super) fn sort<'a>(
    members: &'a Members<'_>,
    parsed: Option<&ParsedError<'_>>,
    kept: &[Box<str>],
) -> UnreadFields<'a> {
    let mut left = UnreadFields::default();
    let mut dropped = Vec::new();
    let has_room = parsed.is_none_or(|parsed| details::has_room(parsed.details.as_deref()));
    members.visit_unread(parsed, &mut |name, value| {
        if has_room && kept.iter().any(|it| **it == *name) {
            if left.kept.iter().all(|(other, _)| *other != name) {
                left.kept.push((name, value));
            }
        } else if dropped.len() <= MAX_NAMES && !dropped.contains(&name) {
            dropped.push(name);
        }
    });
    left.dropped = (!dropped.is_empty()).then(|| line(&dropped));
    left
}

fn line(names: &[&str]) -> Box<str> {
    let mut line = String::new();
    for (at, name) in names.iter().enumerate() {
        if at > 0 {
            line.push(',');
        }
        if at == MAX_NAMES {
            line.push('…');
            break;
        }
        line.extend(name.chars().filter(|character| !message::is_unprintable(*character)).take(MAX_NAME_CHARS));
    }
    line.into()
}
