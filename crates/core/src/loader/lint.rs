//! Settings in a valid policy file that an operator should check:
//! [`PolicyFile::lints`](crate::loader::PolicyFile::lints).
//!
//! A lint only reports what is certain. A lint about routes tries a request for each of them
//! ([`witness`](super::witness)), and lets the policy decide. A lint about rules is true for every error. The modules
//! are:
//!
//! 1. [`routes`]: credentials that are only observed; modes that do not affect credentials; open routes inside of
//!    closed ones. [`overlap`]: routes that cross, or that differ only in letter case. [`methods`]: methods that no
//!    client sends. [`expressions`]: patterns and messages that look like regular expressions. [`shadows`]: settings
//!    that an included file replaces;
//! 2. [`rules`]: map rules that never match (R1);
//! 3. [`shapes`]: shapes that never match because of an earlier one (R15);
//! 4. [`names`]: schemes and headers that nothing requires, tokens for any audience;
//! 5. [`overrides`]: settings that require less than those of a base.

mod expressions;
mod methods;
mod names;
mod overlap;
mod overrides;
mod report;
mod routes;
mod rules;
mod shadows;
mod shapes;

pub use self::report::Lint;
use self::report::Report;
use super::file::PolicyFile;

impl PolicyFile {
    /// Valid settings that an operator should check, sorted by file and line.
    #[must_use]
    pub fn lints(&self) -> Vec<Lint> {
        let mut report = Report { loaded: self, lints: Vec::new() };
        let witnesses = self.witnesses();
        routes::lint(&mut report, &witnesses);
        overlap::lint(&mut report);
        methods::lint(&mut report);
        expressions::lint(&mut report);
        shadows::lint(&mut report, &witnesses);
        rules::lint(&mut report);
        shapes::lint(&mut report);
        names::lint(&mut report);
        overrides::lint(&mut report, &witnesses);
        let mut lints = report.lints;
        let file = |lint: &Lint| self.files.iter().position(|file| file.as_os_str() == lint.file());
        lints.sort_by_key(|lint| (file(lint), lint.span().start, lint.name()));
        lints
    }
}

#[cfg(test)]
mod tests;
