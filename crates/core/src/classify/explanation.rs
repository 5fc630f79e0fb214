//! What each step of R1 finds in an inner error, for programs that explain its result.

use crate::dialect::{CustomShape, Foreign, Shape};

/// What an inner error contains, and how each rule of the policy treats it (rule R1).
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Explanation {
    /// The code of a canonical envelope (E7).
    pub envelope: Option<String>,
    /// The code that a layer's header names, where no body has it or the body is in the client's dialect.
    pub header: Option<String>,
    /// The body belongs to a protocol that keeps its own format (R10).
    pub is_protocol: bool,
    /// The policy's own shapes that it was not read in, in the order in which they were tried, each with the sign that it
    /// lacks (R15).
    pub other_shapes: Vec<(CustomShape, String)>,
    /// The shape that it was read in.
    pub shape: Option<Shape>,
    /// The codes that the body names, the most specific first.
    pub codes: Vec<String>,
    /// Its text.
    pub message: Option<String>,
    /// The body has a list of issues (E8).
    pub lists_issues: bool,
    /// For each rule that was tried the condition that did not hold, by its key; the last one may fit.
    pub rules: Vec<Option<&'static str>>,
}

/// Notes what was found, where an explanation is wanted.
#[inline]
pub(super) fn record(explanation: &mut Option<&mut Explanation>, note: impl FnOnce(&mut Explanation)) {
    if let Some(explanation) = explanation {
        note(explanation);
    }
}

impl Explanation {
    /// Why the policy's own shapes before the one that was read did not take the body.
    pub(super) fn note_shapes(&mut self, shapes: &[CustomShape], body: &[u8]) {
        let missing = |shape: &CustomShape| Some((*shape, shape.missing_sign(body)?));
        self.other_shapes = shapes.iter().map_while(missing).collect();
    }

    pub(super) fn note_body(&mut self, foreign: &Foreign<'_>, lists_issues: bool) {
        self.shape = Some(foreign.shape);
        self.codes = foreign.parsed.names().map(str::to_owned).collect();
        self.message = foreign.parsed.message.as_deref().map(str::to_owned);
        self.lists_issues = lists_issues;
    }

    /// The rules are tried with the first code, and again with each further one: the first round shows why each does not fit.
    pub(super) fn note_rule(&mut self, at: usize, unmet: Option<&'static str>) {
        if at == self.rules.len() {
            self.rules.push(unmet);
        } else if unmet.is_none() {
            self.rules.truncate(at);
            self.rules.push(None);
        }
    }
}
