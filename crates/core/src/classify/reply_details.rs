//! Step 4: the fields in addition to code and text that reach the client (R3, E8, E9, R14). If a policy names a field
//! of a foreign 4xx body that no rule reads, the field is kept. Other unread fields are dropped, and their names are
//! logged (L3).

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, StatusCode};
use serde_json::value::RawValue;

use super::decide::{CodeSource, Decision, is_name};
use super::parse::Parsed;
use super::{details, rest};
use crate::code::{CodeSet, ErrorCode};
use crate::dialect::codes::means_bad_input;
use crate::dialect::standard::Envelope;
use crate::dialect::{CodeOf, Foreign, Members, ParsedBody, ParsedError, Shape, outgoing};
use crate::fields::{self, X_ERROR_CODE};
use crate::issues::written;
use crate::json::Writer;
use crate::{dialect, message};

/// The details of a rewritten error, and the parts of the body that do not reach any client.
pub(super) struct ReplyDetails {
    pub(super) json: Option<Box<RawValue>>,
    /// A JSON object of the fields that the policy keeps, for a dialect whose error object accepts them (R12).
    pub(super) kept: Option<Box<str>>,
    /// The names of fields that no rule reads, and that no client gets (R14).
    pub(super) dropped: Option<Box<str>>,
    /// The code in the body, if the policy does not know it.
    pub(super) unknown_code: Option<Box<str>>,
    /// True if the dialect requires an issue list in every `invalid_request`, and the details have none (E8).
    pub(super) lack_issues: bool,
}

impl ReplyDetails {
    /// Collects the details of an error. `of_issues` is true if the message was made from the issues.
    #[inline]
    pub(super) fn new(parsed: &Parsed<'_, '_>, decision: &Decision<'_>, (message, of_issues): (&str, bool)) -> Self {
        let needs_list =
            decision.code == ErrorCode::INVALID_REQUEST && parsed.context.dialect.spec().always_lists_issues;
        let (foreign, members) = match parsed.content {
            ParsedBody::Envelope(envelope) => return Self::of_layer(envelope, parsed, decision, needs_list),
            ParsedBody::Foreign(foreign) => (Some(foreign), foreign.members.as_ref()),
            ParsedBody::Unread(members) => (None, Some(members)),
            ParsedBody::Nothing | ParsedBody::Protocol(_) => (None, None),
        };
        let mut fields = unread_fields(foreign, members, parsed, decision);
        let passing = foreign.filter(|_| decision.passes);
        let issues = passing.and_then(|foreign| issues_to_send(&foreign.parsed, parsed, of_issues));
        let in_head =
            || service_code(parsed.headers, parsed.status, parsed.context.codes()).filter(|_| decision.passes);
        let code = match foreign {
            Some(_) => passing.and_then(|foreign| upstream_code(foreign, issues, parsed, decision)),
            None => in_head(),
        };
        let rest = if members.is_some() || foreign.is_some_and(|foreign| foreign.shape == Shape::Issues) {
            let body = foreign.map(|foreign| &foreign.parsed);
            let said = [message, code.unwrap_or_default(), issues.unwrap_or_default()];
            rest::of(members, body, (parsed, decision), said)
        } else {
            Vec::new()
        };
        fields.add(&rest);
        let takes_fields = parsed.context.dialect.spec().takes_fields && !fields.kept.is_empty();
        let added = if takes_fields { &[] } else { &*fields.kept };
        let is_layers = matches!(decision.source, CodeSource::Layer { .. });
        Self {
            json: match passing {
                Some(foreign) => details_of(foreign, added, parsed, (decision, issues, code)),
                None => details::compose(None, added, None, code),
            },
            kept: takes_fields.then(|| fields.as_object()),
            unknown_code: foreign.and_then(|foreign| unknown_code(foreign, parsed, decision)),
            lack_issues: needs_list && !is_layers && passing.is_none_or(|foreign| foreign.parsed.issues.is_none()),
            dropped: (!fields.dropped.is_empty()).then(|| line(&fields.dropped)),
        }
    }

    /// Returns the details that an inner layer wrote, byte for byte (E7). If the policy does not know the code, the
    /// code is added to the details (E9).
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

/// Returns the fields of a 4xx that no rule reads, sorted into kept and dropped fields. A body that stays unchanged
/// keeps these fields anyway.
fn unread_fields<'p>(
    foreign: Option<&Foreign<'_>>,
    members: Option<&'p Members<'_>>,
    parsed: &Parsed<'_, '_>,
    decision: &Decision<'_>,
) -> UnreadFields<'p> {
    let body = foreign.map(|foreign| &foreign.parsed);
    let is_rewritten = parsed.status.is_client_error() && !(parsed.is_own && decision.passes);
    let members = members.filter(|members| is_rewritten && members.has_unread(body));
    let kept = if decision.passes { &*parsed.context.settings.keep_fields } else { &[] };
    members.map(|members| sort(members, body, kept)).unwrap_or_default()
}

/// Returns the issues that the client gets. Returns `None` if the message was made from the issues, the issues name no
/// fields, and the status does not report wrong input (R2).
fn issues_to_send<'p>(body: &'p ParsedError<'_>, parsed: &Parsed<'_, '_>, of_issues: bool) -> Option<&'p str> {
    let is_repeated =
        |issues: &&str| of_issues && !dialect::tells_of_input(parsed.status) && !written::name_place(issues);
    body.issues.as_deref().filter(|issues| !is_repeated(issues))
}

/// Returns the details that reach the client, with the issue list (E8), an unknown code, and the unread parts that are
/// kept (E9).
fn details_of(
    foreign: &Foreign<'_>,
    kept: &[(&str, &str)],
    parsed: &Parsed<'_, '_>,
    (decision, issues, code): (&Decision<'_>, Option<&str>, Option<&str>),
) -> Option<Box<RawValue>> {
    // An inner layer has already put everything that it had read into the details (E7).
    if parsed.is_own
        && matches!(decision.source, CodeSource::Layer { in_head: true })
        && let Some(body) = dialect::read_own(parsed.bytes, parsed.context.dialect)
    {
        return details::compose(body.details, kept, body.issues.as_deref(), None);
    }
    let body = &foreign.parsed;
    // Most bodies contain only a text.
    if body.is_text_alone() && code.is_none() && kept.is_empty() {
        return None;
    }
    let came = body.details.clone().and_then(details::without_traces);
    details::compose(came, kept, issues, code)
}

/// Returns the code in the body, if the client is to get it in addition to the canonical code (E9). In a body in the
/// client's own dialect, the code stays in its field anyway.
fn upstream_code<'p>(
    foreign: &'p Foreign<'_>,
    issues: Option<&str>,
    parsed: &Parsed<'p, '_>,
    decision: &Decision<'_>,
) -> Option<&'p str> {
    let is_mapped = matches!(decision.source, CodeSource::Rule(_, rule) if rule.names_code());
    let is_lost = parsed.status.is_client_error() && !is_mapped && !parsed.stays;
    let body = &foreign.parsed;
    let in_head = || service_code(parsed.headers, parsed.status, parsed.context.codes());
    let code = body.code.as_deref().or_else(in_head).filter(|code| is_lost && adds_to_status(code))?;
    let issues = || issues.or(body.details.as_deref().filter(|_| body.issues.is_none() && body.has_issues()));
    let repeats_issues = || match body.code_of {
        CodeOf::Error => issues().is_some_and(|issues| means_bad_input(code) || written::have_code(issues, code)),
        CodeOf::Issue => true,
        CodeOf::FirstError => false,
    };
    let is_in_target =
        parsed.context.path.is_some_and(|path| path.split(['/', '?', '&', '=']).any(|part| part == code));
    (decision.code != *code && is_unknown(code, foreign, parsed) && !is_in_target && !repeats_issues()).then_some(code)
}

/// Returns true if a code states more than the status: it has the form of a code, and is not the phrase of a status
/// (E9).
fn adds_to_status(code: &str) -> bool {
    outgoing::is_upstream_code(code) && !dialect::is_phrase_as_code(code)
}

/// The headers in which services put the code of an error, in the order of preference (E9).
const CODE_HEADERS: [HeaderName; 3] =
    [X_ERROR_CODE, HeaderName::from_static("x-amzn-errortype"), HeaderName::from_static("x-ms-error-code")];

/// Returns true if a head may contain the code of an error.
pub(super) fn may_have_code(headers: &HeaderMap) -> bool {
    CODE_HEADERS.iter().any(|name| fields::has(headers, name))
}

/// Returns the code that a service put into the head of its 4xx, if the code is not canonical (E9). AWS appends an
/// address to the code.
pub(crate) fn service_code<'h>(headers: &'h HeaderMap, status: StatusCode, codes: &CodeSet) -> Option<&'h str> {
    let is_own = |code: &&str| adds_to_status(code) && *code != status.as_str() && codes.find(code).is_none();
    let value = |name: &HeaderName| {
        let code = fields::single_value(headers, name)?.to_str().ok()?;
        Some(if *name == X_ERROR_CODE { code } else { code.split(':').next().unwrap_or(code) }).filter(is_own)
    };
    if status.is_client_error() && may_have_code(headers) { CODE_HEADERS.iter().find_map(value) } else { None }
}

/// Returns the code in the body for the log, only if it is a name and cannot be a secret (L3).
fn unknown_code(foreign: &Foreign<'_>, parsed: &Parsed<'_, '_>, decision: &Decision<'_>) -> Option<Box<str>> {
    let decides_by_it = matches!(decision.source, CodeSource::Layer { .. } | CodeSource::Rule(..));
    let code = foreign.parsed.code.as_deref().filter(|code| !decides_by_it && is_name(code))?;
    is_unknown(code, foreign, parsed).then(|| code.into())
}

/// Returns true if neither the policy, the catalogue nor the body's dialect defines the code in a body. The number of
/// the status is never unknown.
fn is_unknown(code: &str, foreign: &Foreign<'_>, parsed: &Parsed<'_, '_>) -> bool {
    parsed.context.codes().find(code).is_none() && *code != *parsed.status.as_str() && !foreign.defines(code)
}

/// The maximum number of names that are logged for one body. If a body has more unread names, the names are probably
/// data.
const MAX_NAMES: usize = 16;

/// The maximum number of characters that are logged of one name.
const MAX_NAME_CHARS: usize = 64;

#[derive(Default)]
pub(super) struct UnreadFields<'a> {
    /// The kept fields in the order of the body, each name once.
    pub(super) kept: Vec<(&'a str, &'a str)>,
    /// The names of the fields that are dropped. The log shows the first names.
    dropped: Vec<&'a str>,
}

impl<'a> UnreadFields<'a> {
    /// Adds the unread parts of the body that are kept (E9). A field is not dropped if a part of it is kept.
    fn add(&mut self, rest: &'a [(Box<str>, String)]) {
        self.dropped.retain(|name| rest.iter().all(|(kept, _)| **kept != **name));
        self.kept.extend(rest.iter().map(|(name, value)| (&**name, &**value)));
    }

    /// Returns the kept fields as a JSON object.
    pub(super) fn as_object(&self) -> Box<str> {
        let fields = self.kept.iter().fold(Writer::new(64), |json, (name, value)| json.raw(name, value));
        fields.into_string().into()
    }
}

/// Sorts the fields into kept and dropped fields. `kept` are the names of the fields to keep, if the details have room
/// for them.
#[cold]
pub(super) fn sort<'a>(
    members: &'a Members<'_>,
    parsed: Option<&ParsedError<'_>>,
    kept: &[Box<str>],
) -> UnreadFields<'a> {
    let mut left = UnreadFields::default();
    let has_room = parsed.is_none_or(|parsed| details::has_room(parsed.details.as_deref()));
    members.visit_unread(parsed, &mut |name, value| {
        if has_room && kept.iter().any(|it| **it == *name) {
            if left.kept.iter().all(|(other, _)| *other != name) {
                left.kept.push((name, value.get()));
            }
        } else if left.dropped.len() <= MAX_NAMES && !left.dropped.contains(&name) {
            left.dropped.push(name);
        }
    });
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
