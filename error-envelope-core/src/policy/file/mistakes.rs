//! Everything that is wrong with a policy: reading goes on after a mistake with what does not depend on it.

use std::cell::RefCell;
use std::ops::Range;

use crate::policy::error::PolicyError;

/// More than anybody mends in one go, and a bound for what is kept.
pub(super) const MAX_MISTAKES: usize = 200;

/// The mistakes of a policy, in the order in which they are found.
#[derive(Default)]
pub(super) struct Mistakes(RefCell<Vec<PolicyError>>);

impl Mistakes {
    pub(super) fn keep<T>(&self, read: Result<T, PolicyError>) -> Option<T> {
        read.map_err(|error| self.add(error)).ok()
    }

    pub(super) fn add(&self, error: PolicyError) {
        if !self.is_full() {
            self.0.borrow_mut().push(error);
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.count() == MAX_MISTAKES
    }

    pub(super) fn count(&self) -> usize {
        self.0.borrow().len()
    }

    pub(super) fn take(&self) -> Vec<PolicyError> {
        self.0.take()
    }
}

/// By file, in the order in which they were found to be wrong, and by line; of each key what was found first.
pub(super) fn in_order(mut all: Vec<PolicyError>) -> Vec<PolicyError> {
    let files: Vec<_> = all.iter().map(|error| error.file().map(str::to_owned)).collect();
    let file_of = |error: &PolicyError| files.iter().position(|name| name.as_deref() == error.file());
    all.sort_by_key(|error| (file_of(error), error.line(), error.span().map(|span| span.start)));
    // Two schemes may name one file of keys, and a key that is another scheme's may have a wrong value, too.
    let is_one = |span: Option<Range<usize>>| span.is_some_and(|span| !span.is_empty());
    all.dedup_by(|other, first| {
        let is_at_same_key = is_one(first.span()) && (first.file(), first.span()) == (other.file(), other.span());
        is_at_same_key || first.to_string() == other.to_string()
    });
    all
}
