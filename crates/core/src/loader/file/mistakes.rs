//! Everything that is wrong with a policy: after a mistake, reading goes on with what does not depend on it.

use std::cell::RefCell;
use std::collections::HashSet;
use std::ops::Range;

use crate::policy::error::PolicyError;

/// More than anybody mends in one go, and a bound for what is stored.
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

/// The wrong keys, by file. The files are read again without these keys, to find mistakes that they hide.
#[derive(Default)]
pub(super) struct KnownMistakes {
    keys: HashSet<(String, String)>,
    tables: HashSet<(String, String)>,
}

impl KnownMistakes {
    pub(super) fn has(&self, file: &str, key: &str) -> bool {
        !self.keys.is_empty() && self.keys.contains(&(file.to_owned(), key.to_owned()))
    }

    /// Notes the keys of these errors, and returns whether any key is new.
    pub(super) fn note(&mut self, errors: &[PolicyError]) -> bool {
        let before = self.keys.len();
        for error in errors {
            let (Some(file), Some(key)) = (error.file(), error.key()) else { continue };
            self.tables.insert((file.to_owned(), table_of(key).to_owned()));
            // A table that is wrong as a whole stays: more than its name is read.
            if table_of(key) != key {
                let list = key.strip_suffix(']').and_then(|key| Some(key.rsplit_once('[')?.0));
                self.keys.extend([key].into_iter().chain(list).map(|key| (file.to_owned(), key.to_owned())));
            }
        }
        self.keys.len() > before
    }

    /// Whether a wrong key hid this mistake. In another place, the mistake may exist only because wrong keys are left
    /// out.
    pub(super) fn hid(&self, error: &PolicyError) -> bool {
        let (Some(file), Some(key)) = (error.file(), error.key()) else { return false };
        let is_there = error.span().is_some_and(|span| !span.is_empty());
        // The table around a wrong key lacks it now.
        let is_inside = |(of, inner): &(String, String)| of == file && inner.starts_with(key);
        is_there
            && !self.keys.iter().any(is_inside)
            && self.tables.contains(&(file.to_owned(), table_of(key).to_owned()))
    }
}

/// The table that a key belongs to, or the whole of it: `auth.app` of `auth.app.messages.missing`, `route[0]` of its keys.
fn table_of(key: &str) -> &str {
    let named = ["auth.", "header.", "shape."].iter().any(|parent| key.starts_with(parent));
    key.match_indices('.').nth(usize::from(named)).map_or(key, |(at, _)| &key[..at])
}

/// Sorts mistakes by file, in the order in which the files were found to be wrong, and by line. Of several mistakes at
/// one key, the first one stays.
pub(super) fn in_order(mut all: Vec<PolicyError>) -> Vec<PolicyError> {
    let files: Vec<_> = all.iter().map(|error| error.file().map(str::to_owned)).collect();
    let file_of = |error: &PolicyError| files.iter().position(|name| name.as_deref() == error.file());
    all.sort_by_key(|error| (file_of(error), error.line(), error.span().map(|span| span.start)));
    // Two schemes may name one file of keys, and a key that is another scheme's may have a wrong value, too.
    let is_one = |span: Option<Range<usize>>| span.is_some_and(|span| !span.is_empty());
    all.dedup_by(|other, first| {
        let is_at_same_key = is_one(first.span()) && (first.file(), first.key()) == (other.file(), other.key());
        is_at_same_key && first.line() == other.line() || first.to_string() == other.to_string()
    });
    all
}
