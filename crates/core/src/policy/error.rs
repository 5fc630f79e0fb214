//! The mistakes of a policy and their tables, before they are traced back to a file or to Rust.

#[cfg(feature = "policy-file")]
use std::ops::Range;

use crate::table::{Refusals, SettingError};

/// A table of a policy. Parts are counted from 0: that is the policy itself, and the scopes follow.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum TablePath {
    Defaults(usize),
    #[cfg_attr(not(feature = "policy-file"), allow(dead_code, reason = "only a file has this table"))]
    RequestId,
    Rpc,
    Inspect,
    #[cfg_attr(not(feature = "policy-file"), allow(dead_code, reason = "only a file has this table"))]
    Observe,
    Drain,
    Advice,
    Cors,
    Proxy,
    Header(String),
    Auth(String),
    Shape(String),
    Code(usize),
    Scope(usize),
    Map(usize, usize),
    Outward(usize, usize),
    Route(usize, usize),
}

#[cfg(feature = "policy-file")]
impl TablePath {
    /// The part to which the table belongs.
    pub(crate) const fn part(&self) -> Option<usize> {
        match self {
            Self::Defaults(part) | Self::Route(part, _) => Some(*part),
            _ => None,
        }
    }
}

/// Where a key is in a file. If the key is missing, where its table is.
#[cfg(feature = "policy-file")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SourceSpan<'a> {
    pub(crate) file: &'a str,
    pub(crate) line: usize,
    pub(crate) key: String,
    pub(crate) span: Range<usize>,
}

/// A mistake and its table, before it is traced back to a file or to Rust.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) place: TablePath,
    pub(crate) refused: SettingError,
    /// The other table, if two tables contradict each other.
    #[cfg_attr(not(feature = "policy-file"), allow(dead_code, reason = "only a file has a line to name"))]
    pub(crate) other: Option<TablePath>,
}

/// All mistakes, in the order in which they are found.
#[derive(Default)]
pub(crate) struct Problems(pub(crate) Vec<Problem>);

impl Problems {
    pub(crate) fn keep<T>(&mut self, made: Result<T, Box<Problem>>) -> Option<T> {
        made.map_err(|problem| self.add(problem)).ok()
    }

    #[allow(clippy::boxed_local, reason = "errors are boxed, as results that hold them are small then")]
    pub(crate) fn add(&mut self, problem: Box<Problem>) {
        self.0.push(*problem);
    }

    /// What is made from a table; `None` if the table has a mistake.
    pub(crate) fn make<T>(&mut self, place: TablePath, make: impl FnOnce(&mut Refusals) -> Option<T>) -> Option<T> {
        let mut refusals = Refusals::default();
        let made = make(&mut refusals).filter(|_| refusals.0.is_empty());
        self.0.extend(refusals.0.into_iter().map(|refused| *refused.at_path(place.clone())));
        made
    }
}

impl SettingError {
    pub(crate) fn at_path(self, place: TablePath) -> Box<Problem> {
        Box::new(Problem { place, refused: self, other: None })
    }

    pub(crate) fn with_location(self, place: TablePath, other: TablePath) -> Box<Problem> {
        Box::new(Problem { place, refused: self, other: Some(other) })
    }
}
