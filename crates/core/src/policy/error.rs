//! Why a policy was refused: for operators, never for clients.

use std::collections::HashSet;
use std::error::Error;
use std::fmt;
use std::ops::Range;
#[cfg(feature = "policy-file")]
use std::path::{Path, PathBuf};

use crate::guard::mistake::Kind;
use crate::guard::pattern::SettingError;

/// Why a policy was refused (rule M2): the file, the line, the key, what is wrong, and what would be right.
///
/// A policy that is refused has no effect.
///
/// ```
/// use tower_error_envelope::Policy;
///
/// let error = Policy::from_toml("policy.toml", "version = 1\n[defaults]\nmode = \"of\"\n").unwrap_err();
/// assert_eq!((error.file(), error.line(), error.key()), (Some("policy.toml"), Some(3), Some("defaults.mode")));
/// assert_eq!(error.kind(), "unknown-word");
/// assert_eq!(
///     error.to_string(),
///     "policy.toml:3: defaults.mode: unknown mode \"of\"; did you mean \"off\"? The choices are \"off\", \
///      \"observe\", \"own\", \"fill\" and \"enforce\""
/// );
/// ```
pub struct PolicyError(Box<Inner>);

#[derive(Default)]
struct Inner {
    file: Option<String>,
    line: Option<usize>,
    span: Option<Range<usize>>,
    key: Option<String>,
    wrong: String,
    right: String,
    #[cfg(feature = "policy-file")]
    missing: Vec<PathBuf>,
    kind: Kind,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl PolicyError {
    pub(crate) fn new(key: Option<String>, wrong: impl Into<String>, right: impl Into<String>) -> Self {
        Self(Box::new(Inner { key, wrong: wrong.into(), right: right.into(), ..Inner::default() }))
    }

    /// An error at a place in a file.
    #[cfg(feature = "policy-file")]
    pub(crate) fn spanned(at: &SourceSpan<'_>, wrong: impl Into<String>, right: impl Into<String>) -> Self {
        let key = Some(at.key.clone()).filter(|key| !key.is_empty());
        Self::new(key, wrong, right).in_file(at.file, Some(at.line)).with_span(at.span.clone())
    }

    /// The file is valid, but changes to it cannot be watched.
    #[cfg(feature = "policy-file")]
    pub fn unwatchable(file: &str, error: impl Error + Send + Sync + 'static) -> Self {
        let wrong = format!("cannot be watched: {error}");
        Self::new(None, wrong, "raise the system's limit of watches, or load the policy once instead")
            .in_file(file, None)
            .caused_by(error)
    }

    pub(crate) fn of_kind(mut self, kind: Kind) -> Self {
        self.0.kind = kind;
        self
    }

    #[cfg(feature = "policy-file")]
    pub(crate) fn with_span(mut self, span: Range<usize>) -> Self {
        self.0.span = Some(span);
        self
    }

    #[cfg(feature = "policy-file")]
    pub(crate) fn in_file(mut self, file: &str, line: Option<usize>) -> Self {
        self.0.file = Some(file.to_owned());
        self.0.line = line;
        self
    }

    /// Notes a file that is missing.
    #[cfg(feature = "policy-file")]
    pub(crate) fn without(mut self, missing: &Path) -> Self {
        self.0.missing.push(missing.to_owned());
        self
    }

    #[cfg(feature = "policy-file")]
    /// The files of the policy that are missing. If a pattern matches no files, the pattern in each folder that was
    /// searched.
    pub fn missing(&self) -> impl Iterator<Item = &Path> {
        self.0.missing.iter().map(PathBuf::as_path)
    }

    #[cfg(feature = "policy-file")]
    pub(crate) fn caused_by(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// The name of the file, as it was passed; `None` for a policy that was built in Rust.
    #[must_use]
    pub fn file(&self) -> Option<&str> {
        self.0.file.as_deref()
    }

    /// The line in the file, counted from 1.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        self.0.line
    }

    /// The range of the wrong bytes in the file; empty if something is missing there.
    #[must_use]
    pub fn span(&self) -> Option<Range<usize>> {
        self.0.span.clone()
    }

    /// What is wrong.
    #[must_use]
    pub fn wrong(&self) -> &str {
        &self.0.wrong
    }

    /// The kind of mistake, such as `unknown-key`. These names are stable.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.0.kind.as_str()
    }

    /// How to correct it.
    #[must_use]
    pub fn advice(&self) -> &str {
        &self.0.right
    }

    /// The key. In a file it is written as `route[0].body_limit`, where tables of an array count from 0. In Rust it is
    /// written as `route "POST /x": body_limit`. `None` if the file cannot be read or parsed.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.0.key.as_deref()
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { file, line, key, wrong, right, .. } = &*self.0;
        match (file, line) {
            (Some(file), Some(line)) => write!(f, "{file}:{line}: ")?,
            (Some(file), None) => write!(f, "{file}: ")?,
            (None, _) => {}
        }
        if let Some(key) = key {
            write!(f, "{key}: ")?;
        }
        write!(f, "{wrong}; {right}")
    }
}

impl fmt::Debug for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PolicyError({:?})", self.to_string())
    }
}

impl Error for PolicyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

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
pub(crate) struct Problems {
    pub(crate) all: Vec<Problem>,
    /// The tables that have a mistake. A reference to one of these is not a mistake.
    pub(crate) refused: HashSet<TablePath>,
    /// Whether all names are known, so that any other one is a mistake.
    pub(crate) names_are_complete: bool,
}

impl Default for Problems {
    fn default() -> Self {
        Self { all: Vec::new(), refused: HashSet::new(), names_are_complete: true }
    }
}

impl Problems {
    pub(crate) fn keep<T>(&mut self, made: Result<T, Box<Problem>>) -> Option<T> {
        made.map_err(|problem| self.add(problem)).ok()
    }

    #[allow(clippy::boxed_local, reason = "errors are boxed, as results that hold them are small then")]
    pub(crate) fn add(&mut self, problem: Box<Problem>) {
        self.refused.insert(problem.place.clone());
        self.all.push(*problem);
    }

    /// The value that was made from a table; `None` if the table has a mistake.
    pub(crate) fn make<T>(&mut self, place: TablePath, made: Result<T, SettingError>) -> Option<T> {
        if self.refused.contains(&place) {
            return None;
        }
        self.keep(made.map_err(|refused| refused.at_path(place)))
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
