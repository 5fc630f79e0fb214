//! The error type for a gateway's configuration.

use std::fmt;

/// An error in a gateway's configuration, such as a wrong URL or certificate, with advice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: Kind,
    problem: String,
    advice: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Invalid,
    Unreadable,
    Credentials,
}

impl Error {
    /// Creates the error for a value that is wrong.
    pub(crate) fn invalid(problem: impl Into<String>) -> Self {
        Self { kind: Kind::Invalid, problem: problem.into(), advice: None }
    }

    /// Creates the error for a value that cannot be read.
    pub(crate) fn unreadable(problem: impl Into<String>) -> Self {
        Self { kind: Kind::Unreadable, ..Self::invalid(problem) }
    }

    /// Creates the error for a URL that has credentials.
    pub(crate) fn credentials(problem: impl Into<String>) -> Self {
        Self { kind: Kind::Credentials, ..Self::invalid(problem) }
    }

    pub(crate) fn with_advice(self, advice: impl Into<String>) -> Self {
        Self { advice: Some(advice.into()), ..self }
    }

    /// Returns a text that names the wrong setting or file, and the problem.
    #[must_use]
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// Returns advice on what to do next.
    #[must_use]
    pub fn advice(&self) -> Option<&str> {
        self.advice.as_deref()
    }

    /// Returns true if a file cannot be read or watched, and false if its content is wrong.
    #[must_use]
    pub fn is_unreadable(&self) -> bool {
        self.kind == Kind::Unreadable
    }

    /// Returns true if a URL is refused because it contains credentials. A program must not print such a URL.
    #[must_use]
    pub fn has_credentials(&self) -> bool {
        self.kind == Kind::Credentials
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem)?;
        self.advice.as_ref().map_or(Ok(()), |advice| write!(f, "; {advice}"))
    }
}

impl std::error::Error for Error {}
