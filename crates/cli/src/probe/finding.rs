//! The outcome of a line.

use std::borrow::Cow;

use crate::text::{cut, one_line};

/// An error in a response, by rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) rule: String,
    pub(super) wrong: String,
}

/// The outcome of a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Passed,
    Failed(Vec<Finding>),
    /// The probe was not or could not be sent, or the response does not answer it; never counted as passed.
    Skipped(String),
}

/// A line of the report.
pub(super) struct Line {
    pub(super) name: Cow<'static, str>,
    pub(super) about: &'static str,
    /// `GET /a`, if a request was sent.
    pub(super) sent: Option<String>,
    /// The command that sends the same, if there is one.
    pub(super) curl: Option<String>,
    /// `404 not_found`, if a response came.
    pub(super) got: Option<String>,
    /// The rules that it checked and that hold.
    pub(super) kept: Vec<String>,
    pub(super) outcome: Outcome,
}

impl Finding {
    /// A server's text may be long, and may move a cursor; a line of a report is short, and only text.
    pub(super) fn new(rule: &str, wrong: impl Into<String>) -> Self {
        const LONGEST: usize = 300;

        Self { rule: rule.to_owned(), wrong: cut(&one_line(&wrong.into()), LONGEST) }
    }

    /// `None` if the rule is kept.
    pub(super) fn unless<T: Into<String>>(is_kept: bool, rule: &str, wrong: impl FnOnce() -> T) -> Option<Self> {
        (!is_kept).then(|| Self::new(rule, wrong()))
    }

    /// Parses a text with its rule before it: `E1: …`.
    pub(super) fn parse(text: &str) -> Self {
        match text.split_once(": ") {
            Some((rule, wrong)) => Self::new(rule, wrong),
            None => Self::new("E1", text),
        }
    }
}
