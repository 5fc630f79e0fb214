//! What is found in a configuration, by how much it matters.

use std::fmt::Write;

#[derive(Default)]
pub(super) struct Findings {
    pub(super) text: String,
    /// Each with its place, whose line is looked up where there is one at all.
    pub(super) errors: Vec<(String, String)>,
    pub(super) warnings: usize,
    pub(super) notes: usize,
}

impl Findings {
    pub(super) fn error(&mut self, place: String, what: String) {
        self.errors.push((place, what));
    }

    pub(super) fn warn(&mut self, place: &str, what: &str) {
        self.warnings += 1;
        let _ = writeln!(self.text, "{place}: warning: {what}");
    }

    pub(super) fn note(&mut self, place: &str, what: &str) {
        self.notes += 1;
        let _ = writeln!(self.text, "{place}: note: {what}");
    }
}
