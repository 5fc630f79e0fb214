//! The outcome of a probe, which is one line of the report.

use std::borrow::Cow;

use crate::text::{cut, one_line};

/// An error in a response, by rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) rule: String,
    pub(super) wrong: String,
}

/// The outcome of one line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Passed,
    Failed(Vec<Finding>),
    /// The probe was not sent, or its response shows nothing about the rules. It never counts as passed.
    Skipped(String),
}

/// A line of the report.
pub(super) struct Line {
    pub(super) name: Cow<'static, str>,
    pub(super) about: &'static str,
    /// `GET /a`, if a request was sent.
    pub(super) sent: Option<String>,
    /// The curl command that sends the same request, if there is one.
    pub(super) curl: Option<String>,
    /// `404 not_found`, if a response came.
    pub(super) got: Option<String>,
    /// The rules that the line checked and that hold.
    pub(super) kept: Vec<String>,
    pub(super) outcome: Outcome,
}

impl Finding {
    /// Makes a finding. The text may come from the server, so it is shortened, and its control characters are removed.
    pub(super) fn new(rule: &str, wrong: impl Into<String>) -> Self {
        const LONGEST: usize = 300;

        Self { rule: rule.to_owned(), wrong: cut(&one_line(&wrong.into()), LONGEST) }
    }

    /// The finding that a rule is broken; `None` if the service keeps it.
    pub(super) fn unless<T: Into<String>>(is_kept: bool, rule: &str, wrong: impl FnOnce() -> T) -> Option<Self> {
        (!is_kept).then(|| Self::new(rule, wrong()))
    }

    /// Parses a text that begins with its rule: `E1: …`.
    pub(super) fn parse(text: &str) -> Self {
        match text.split_once(": ") {
            Some((rule, wrong)) => Self::new(rule, wrong),
            None => Self::new("E1", text),
        }
    }
}
