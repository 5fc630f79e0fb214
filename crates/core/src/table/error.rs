//! The reason why a policy was refused. Only operators get this reason, and clients never do.

use std::error::Error;
use std::fmt::{self, Write as _};
use std::ops::Range;
#[cfg(feature = "policy-file")]
use std::path::{Path, PathBuf};

use super::values::words;
use crate::message::is_invisible;

/// The reason why a policy was refused (rule M2): the file, the line, the key, the mistake, and how to correct it.
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

    pub(crate) fn of_kind(mut self, kind: Kind) -> Self {
        self.0.kind = kind;
        self
    }

    /// Returns the name of the file, as the caller passed it, or `None` for a policy that was built in Rust.
    #[must_use]
    pub fn file(&self) -> Option<&str> {
        self.0.file.as_deref()
    }

    /// Returns the line in the file, counted from 1.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        self.0.line
    }

    /// Returns the range of the wrong bytes in the file. The range is empty if something is missing at this position.
    #[must_use]
    pub fn span(&self) -> Option<Range<usize>> {
        self.0.span.clone()
    }

    /// Returns the description of the mistake.
    #[must_use]
    pub fn wrong(&self) -> &str {
        &self.0.wrong
    }

    /// Returns the kind of mistake, such as `unknown-key`. These names are stable.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.0.kind.as_str()
    }

    /// Returns how to correct the mistake.
    #[must_use]
    pub fn advice(&self) -> &str {
        &self.0.right
    }

    /// Returns the key. A key of a file is written as `route[0].body_limit`, where tables of an
    /// array are numbered from 0. A key of a policy that was built in Rust is written as `route
    /// "POST /x": body_limit`. Returns `None` if the file cannot be read or parsed.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.0.key.as_deref()
    }
}

#[cfg(feature = "policy-file")]
impl PolicyError {
    /// Creates the error for a valid file whose changes cannot be watched.
    pub fn unwatchable(file: &str, error: impl Error + Send + Sync + 'static) -> Self {
        let wrong = format!("cannot be watched: {error}");
        Self::new(None, wrong, "raise the system's limit of watches, or load the policy once instead")
            .in_file(file, None)
            .caused_by(error)
    }

    /// Returns the files of the policy that are missing. If a pattern matches no files, returns the pattern in each
    /// folder that was searched.
    pub fn missing(&self) -> impl Iterator<Item = &Path> {
        self.0.missing.iter().map(PathBuf::as_path)
    }

    pub(crate) fn with_span(mut self, span: Range<usize>) -> Self {
        self.0.span = Some(span);
        self
    }

    pub(crate) fn in_file(mut self, file: &str, line: Option<usize>) -> Self {
        self.0.file = Some(file.to_owned());
        self.0.line = line;
        self
    }

    /// Notes a file that is missing.
    pub(crate) fn without(mut self, missing: &Path) -> Self {
        self.0.missing.push(missing.to_owned());
        self
    }

    pub(crate) fn caused_by(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { file, line, key, wrong, right, .. } = &*self.0;
        let mut out = OneLine(f);
        match (file, line) {
            (Some(file), Some(line)) => write!(out, "{file}:{line}: ")?,
            (Some(file), None) => write!(out, "{file}: ")?,
            (None, _) => {}
        }
        if let Some(key) = key {
            write!(out, "{key}: ")?;
        }
        write!(out, "{wrong}; {right}")
    }
}

/// Escapes invisible characters. A name in a policy may contain a line break or a mark of direction, but an error must
/// be one readable line.
struct OneLine<'f, 'b>(&'f mut fmt::Formatter<'b>);

impl fmt::Write for OneLine<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|character| match is_invisible(character) {
            true => write!(self.0, "{}", character.escape_default()),
            false => self.0.write_char(character),
        })
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

words! {
    /// The kind of mistake in a policy.
    #[cfg_attr(not(feature = "policy-file"), allow(dead_code, reason = "most kinds occur only when a file is read"))]
    pub(crate) Kind {
        /// The value has the right type, but is not valid for this key.
        #[default]
        InvalidValue = "invalid-value",
        /// A number, a size or a time is too small or too large.
        OutOfRange = "out-of-range",
        WrongType = "wrong-type",
        UnknownKey = "unknown-key",
        MissingKey = "missing-key",
        /// The value is not one of the words that the key allows.
        UnknownWord = "unknown-word",
        /// No table defines the name.
        UnknownName = "unknown-name",
        DefinedTwice = "defined-twice",
        /// Two settings exclude each other, or a setting has no effect in its table.
        Conflict = "conflict",
        /// A file sets a key that a file above it has locked.
        Locked = "locked",
        Syntax = "syntax",
        /// A file is missing, or is not a policy file.
        File = "file",
        /// The version of the format is not supported.
        Version = "version",
        /// The policy needs something that is not part of the program or of its environment.
        Unavailable = "unavailable",
    }
}

/// Returns the line of a position, counted from 1.
#[cfg(feature = "policy-file")]
pub(crate) fn line_of(text: &[u8], at: usize) -> usize {
    text.iter().take(at).filter(|byte| **byte == b'\n').count() + 1
}
