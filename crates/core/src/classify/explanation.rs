//! The findings of each step that chooses the code of an inner error (R1). Programs show these findings to explain the
//! code.

use super::decide::{self, CodeSource, DecidedBy, Decision};
use super::parse::{Inner, KeptForm, Parsed};
use crate::dialect::{CustomShape, ParsedBody, Shape};

/// The content of an inner error, and the result of each rule of the policy (R1).
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Explanation {
    /// The code of a canonical envelope (E7).
    pub envelope: Option<String>,
    /// The code in a layer's `x-error-code`. This header is read if the body has no code, or if the body is in the
    /// client's dialect.
    pub header: Option<String>,
    /// True if the body is in the format of a protocol (R10).
    pub is_protocol: bool,
    /// The policy's own shapes that did not match, in the order in which they were tried. Next to each shape is the
    /// condition that the body does not fulfil (R15).
    pub other_shapes: Vec<(CustomShape, String)>,
    /// The shape that matched.
    pub shape: Option<Shape>,
    /// The codes in the body, the most specific first.
    pub codes: Vec<String>,
    /// The error's text.
    pub message: Option<String>,
    /// True if the body has a list of issues (E8).
    pub lists_issues: bool,
    /// For each rule that was tried, the key of the condition that did not match, or `None` if the rule matched. Only
    /// the last rule can match.
    pub rules: Vec<Option<&'static str>>,
}

impl Explanation {
    /// Collects the findings of the first two steps.
    pub(super) fn new(inner: &Inner<'_, '_>, parsed: &Parsed<'_, '_>, decision: &Decision<'_>) -> Self {
        let mut it = Self { is_protocol: parsed.is_protocol, ..Self::default() };
        match parsed.content {
            _ if parsed.kept != KeptForm::Nothing => return it,
            ParsedBody::Envelope(envelope) => {
                let place = if inner.bytes().is_empty() { &mut it.header } else { &mut it.envelope };
                *place = Some(envelope.code.as_str().to_owned());
                return it;
            }
            ParsedBody::Foreign(foreign) => {
                it.shape = Some(foreign.shape);
                it.codes = foreign.parsed.names().map(str::to_owned).collect();
                it.message = foreign.parsed.message.as_deref().map(str::to_owned);
                it.lists_issues = parsed.lists_issues;
            }
            ParsedBody::Unread(_) | ParsedBody::Nothing | ParsedBody::Protocol(_) => {}
        }
        let missing = |shape: &CustomShape| Some((*shape, shape.misfit(inner.bytes())?));
        it.other_shapes = parsed.context.shapes().iter().map_while(missing).collect();
        match decision.source {
            CodeSource::Layer { in_head: true } | CodeSource::Otherwise(DecidedBy::Layer) => {
                it.header = Some(decision.code.as_str().to_owned());
            }
            CodeSource::Layer { .. } | CodeSource::UnknownLayer | CodeSource::Otherwise(DecidedBy::Dialect) => {}
            CodeSource::Rule(..) | CodeSource::Dialect | CodeSource::Otherwise(_) => {
                decide::rule_of(parsed, |at, unmet| it.note_rule(at, unmet));
            }
        }
        it
    }

    /// Notes the result of the rule at this index. The rules are tried with the first code, and then again with each
    /// further code. Only the results of the first round show why each rule does not match.
    fn note_rule(&mut self, at: usize, unmet: Option<&'static str>) {
        if at == self.rules.len() {
            self.rules.push(unmet);
        } else if unmet.is_none() {
            self.rules.truncate(at);
            self.rules.push(None);
        }
    }
}
