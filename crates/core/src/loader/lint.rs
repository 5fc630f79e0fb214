//! Settings in a valid policy file that an operator should check, which
//! [`PolicyFile::lints`](crate::loader::PolicyFile::lints) returns.
//!
//! A lint only reports facts that are certain. A lint about routes tries a request for each route
//! ([`Witness`](report::Witness)), and lets the policy decide about it. A lint about rules is true for every error.
//! [`patterns`] reads the patterns of routes, and [`tables`] reads everything else.

mod patterns;
mod report;
mod tables;

pub use self::report::Lint;
use self::report::Report;
use super::file::PolicyFile;

impl PolicyFile {
    /// Returns valid settings that an operator should check, sorted by file and line.
    #[must_use]
    #[doc(hidden)]
    pub fn lints(&self) -> Vec<Lint> {
        let mut report = Report::new(self);
        let witnesses = self.witnesses();
        tables::lint_routes(&mut report, &witnesses);
        patterns::lint_overlap(&mut report);
        report.for_each_pattern(patterns::lint_methods);
        report.for_each_pattern(patterns::lint_expressions);
        tables::lint_shadows(&mut report, &witnesses);
        tables::lint_rules(&mut report);
        tables::lint_shapes(&mut report);
        tables::lint_names(&mut report);
        tables::lint_overrides(&mut report, &witnesses);
        let mut lints = report.lints;
        let file = |name: &str| self.files.iter().position(|file| file.as_os_str() == name);
        lints.sort_by_key(|lint| {
            let at = &lint.finding;
            (at.file().and_then(file), at.span().map(|span| span.start), lint.name)
        });
        lints
    }
}

#[cfg(test)]
mod tests;
