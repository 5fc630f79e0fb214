//! Findings in a configuration, by level.

/// A finding: its level, its place, and its text.
pub(super) struct Found {
    pub(super) level: &'static str,
    pub(super) place: String,
    pub(super) what: String,
}

#[derive(Default)]
pub(super) struct Findings(Vec<Found>);

impl Findings {
    pub(super) fn error(&mut self, place: String, what: String) {
        self.0.push(Found { level: "error", place, what });
    }

    pub(super) fn warn(&mut self, place: &str, what: &str) {
        self.0.push(Found { level: "warning", place: place.to_owned(), what: what.to_owned() });
    }

    pub(super) fn note(&mut self, place: &str, what: &str) {
        self.0.push(Found { level: "note", place: place.to_owned(), what: what.to_owned() });
    }

    /// Errors first, the others in the order in which they were found.
    pub(super) fn in_order(&self) -> impl Iterator<Item = &Found> {
        let is_error = |found: &&Found| found.level == "error";
        self.0.iter().filter(is_error).chain(self.0.iter().filter(move |found| !is_error(found)))
    }

    pub(super) fn count(&self, level: &str) -> usize {
        self.0.iter().filter(|found| found.level == level).count()
    }
}
