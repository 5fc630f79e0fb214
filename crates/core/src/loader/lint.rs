//! Settings in a valid policy file that an operator should check:
//! [`PolicyFile::lints`](crate::loader::PolicyFile::lints).
//!
//! A lint only reports what is certain. A lint about routes tries a request for each of them
//! ([`witness`](super::witness)), and lets the policy decide. A lint about rules is true for every error. [`settings`]
//! reads the keys of routes, [`patterns`] their patterns, and [`names`] the other tables.

mod names;
mod patterns;
mod report;
mod settings;

pub use self::report::Lint;
use self::report::Report;
use super::file::PolicyFile;

impl PolicyFile {
    /// Valid settings that an operator should check, sorted by file and line.
    #[must_use]
    pub fn lints(&self) -> Vec<Lint> {
        let mut report = Report { loaded: self, lints: Vec::new() };
        let witnesses = self.witnesses();
        settings::lint_routes(&mut report, &witnesses);
        patterns::lint_overlap(&mut report);
        patterns::lint_methods(&mut report);
        patterns::lint_expressions(&mut report);
        settings::lint_shadows(&mut report, &witnesses);
        names::lint_rules(&mut report);
        names::lint_shapes(&mut report);
        names::lint_names(&mut report);
        settings::lint_overrides(&mut report, &witnesses);
        let mut lints = report.lints;
        let file = |lint: &Lint| self.files.iter().position(|file| file.as_os_str() == lint.file());
        lints.sort_by_key(|lint| (file(lint), lint.span().start, lint.name()));
        lints
    }
}

#[cfg(test)]
mod tests;
