//! Findings in a valid policy file that an operator should check:
//! [`PolicyFile::lints`](crate::loader::PolicyFile::lints).
//!
//! A lint reports only what is certain. A finding about routes is tested with a request for each
//! ([`witness`](super::witness)), by the policy's own decision. A finding about rules is true for every error. The
//! modules:
//!
//! 1. [`routes`]: JSON without a limit or counted by message, credentials that are only observed, modes that do not
//!    lift credentials, open routes under closed ones; [`overlap`]: routes that change nothing, routes that cross;
//!    [`methods`]: methods that no client sends; [`expressions`]: patterns and messages that look like regular
//!    expressions; [`limits`]: body limits of a few bytes; [`shadows`]: settings that an included file takes the place of;
//! 2. [`rules`]: map rules that never fit, statuses that stay, texts that cannot be read backwards (R12);
//! 3. [`shapes`]: shapes that an earlier one always takes, templates that lose a code or an id (R15);
//! 4. [`names`]: schemes and headers that nothing requires, keys that have expired, tokens for any audience;
//! 5. [`overrides`]: what a file sets instead of its bases.

mod expressions;
mod limits;
mod methods;
mod names;
mod overlap;
mod overrides;
mod report;
mod routes;
mod rules;
mod shadows;
mod shapes;

use std::time::SystemTime;

pub use self::report::Lint;
use self::report::Report;
use super::file::PolicyFile;

impl PolicyFile {
    /// Valid settings that an operator should check, in the order of files and lines; `now` is for keys that expire.
    #[must_use]
    pub fn lints(&self, now: SystemTime) -> Vec<Lint> {
        let mut report = Report { loaded: self, lints: Vec::new() };
        let witnesses = self.witnesses();
        routes::lint(&mut report, &witnesses);
        overlap::lint(&mut report);
        methods::lint(&mut report);
        expressions::lint(&mut report);
        shadows::lint(&mut report, &witnesses);
        rules::lint(&mut report, &witnesses);
        shapes::lint(&mut report);
        names::lint(&mut report, now);
        overrides::lint(&mut report, &witnesses);
        limits::lint(&mut report);
        let mut lints = report.lints;
        let file = |lint: &Lint| self.files.iter().position(|file| file.as_os_str() == lint.file());
        lints.sort_by_key(|lint| (file(lint), lint.span().start, lint.name()));
        lints
    }
}

#[cfg(test)]
mod tests;
