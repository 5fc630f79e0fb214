//! The issues in one part of a body (a candidate), and the position of that part in the body (R13).

use std::borrow::Cow;
use std::cmp::Reverse;

use crate::dialect::codes::is_address_or_id;
use crate::dialect::field_names::Meaning;
use crate::dialect::issues::IssueList;
use crate::dialect::place::Place;
use crate::dialect::sent_values::{values_of, without_sent};
use crate::dialect::sentences;
use crate::dialect::tree::Node;
use crate::issue_list::{List, MAX_ISSUES};

/// The issues that were found in a candidate.
#[derive(Default)]
pub(super) struct Found<'t, 'a> {
    /// The issues that will be written.
    issues: Vec<Issue<'t, 'a>>,
    /// The number of issues that are only counted. `more_places` is the number of these issues that name a field.
    more: usize,
    more_places: usize,
    /// True if an issue is about the whole body, because its field has a name that means the whole body.
    pub(super) of_whole: bool,
}

pub(super) struct Issue<'t, 'a> {
    pub(super) place: Place,
    pub(super) text: Cow<'a, str>,
    pub(super) code: Option<Cow<'a, str>>,
    /// The object that contains the text. The object may repeat the value that the client sent.
    pub(super) entry: Option<Node<'t, 'a>>,
}

/// The position of a candidate in the body.
#[derive(Clone, Copy, Default)]
pub(super) struct Surroundings {
    /// True if a field above the candidate means errors.
    pub(super) means_errors: bool,
    /// True if the nearest field that means errors may also mean data, as `details` and `data` do.
    pub(super) is_vague: bool,
    /// True if the body is a GraphQL response, in which a `path` is a place in the response's data.
    pub(super) is_graphql: bool,
    pub(super) depth: usize,
}

impl Surroundings {
    /// The maximum number of fields above a candidate.
    pub(super) const DEEPEST: usize = 3;

    pub(super) fn one_level_down(self) -> Self {
        Self { depth: self.depth + 1, ..self }
    }

    pub(super) fn inside_field(self, meaning: Meaning) -> Self {
        let deeper = self.one_level_down();
        match meaning {
            Meaning::Nothing => deeper,
            Meaning::Errors => Self { means_errors: true, is_vague: false, ..deeper },
            Meaning::ErrorsOrData => {
                Self { means_errors: true, is_vague: self.is_vague || !self.means_errors, ..deeper }
            }
        }
    }
}

impl<'t, 'a> Found<'t, 'a> {
    /// Adds an issue, unless its text is an id, which some services put into the map of the issues.
    pub(super) fn push(&mut self, issue: Issue<'t, 'a>) {
        if is_address_or_id(&issue.text) {
            return;
        }
        if self.is_full() {
            self.more += 1;
            self.more_places += usize::from(issue.place.has_name());
        } else {
            self.issues.push(issue);
        }
    }

    /// Runs `read`, and removes the issues that it added if it returns false.
    pub(super) fn keep_if(&mut self, read: impl FnOnce(&mut Self) -> bool) {
        let (len, more, more_places) = (self.issues.len(), self.more, self.more_places);
        if !read(self) {
            self.issues.truncate(len);
            (self.more, self.more_places) = (more, more_places);
        }
    }

    /// Returns true if further issues are only counted, and not written.
    pub(super) fn is_full(&self) -> bool {
        self.issues.len() == MAX_ISSUES
    }

    /// Counts further issues without reading them. If the last issue names a field, the further issues are also counted
    /// as naming a field.
    pub(super) fn count(&mut self, issues: usize) {
        self.more += issues;
        if self.issues.last().is_some_and(|issue| issue.place.has_name()) {
            self.more_places += issues;
        }
    }

    pub(super) fn rank(&self, around: Surroundings) -> (usize, bool, Reverse<usize>) {
        (self.places(), around.means_errors, Reverse(around.depth))
    }

    /// Returns the number of issues that name a field.
    pub(super) fn places(&self) -> usize {
        self.issues.iter().filter(|issue| issue.place.has_name()).count() + self.more_places
    }

    /// Completes the places once all issues are found. Only then is it clear whether the first steps are parts of the
    /// request, or fields with the same names.
    pub(super) fn finish(&mut self) {
        let placed = || self.issues.iter().map(|issue| &issue.place).filter(|place| !place.is_empty());
        let begin = placed().all(|place| place.begins_with_part(false)) && placed().any(|it| it.begins_with_part(true));
        for issue in &mut self.issues {
            if begin {
                issue.place.without_part();
            }
            issue.place.without_argument();
            if issue.text.contains(['`', '\'', '"'])
                && let Some(name) = sentences::missing_name(&issue.text)
            {
                issue.place.end_with(&name);
            }
            // A path that has only numbers does not name a field.
            if !issue.place.has_name() {
                issue.place = Place::default();
            }
        }
    }

    pub(super) fn into_list(self) -> Option<IssueList> {
        let mut list = List::new();
        for Issue { place, text, code, entry } in self.issues {
            let sentence = if place.is_empty() { sentences::read(&text, sentences::Context::default()) } else { None };
            match sentence.as_deref() {
                Some([one]) => list.push(&one.place.json(), &one.text, code.as_deref()),
                _ => {
                    let sent = entry.map(values_of).unwrap_or_default();
                    list.push(&place.json(), &without_sent(&sent, &text), code.as_deref());
                }
            }
        }
        let list = list.into_list()?;
        Some(IssueList { more: list.more + self.more, ..list })
    }
}
