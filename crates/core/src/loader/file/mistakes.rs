//! Collects everything that is wrong with a policy. After a mistake, reading goes on with everything that does not
//! depend on it.

use std::cell::RefCell;
use std::collections::HashSet;
use std::ops::Range;

use crate::policy::error::PolicyError;

/// The most mistakes to store: a longer list would not be corrected in one go.
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

/// The keys that are known to be wrong. Files are read again without these keys, to find the mistakes that they hide.
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
            // A table that is wrong as a whole stays, because it must still be read.
            if table_of(key) != key {
                let list = key.strip_suffix(']').and_then(|key| Some(key.rsplit_once('[')?.0));
                self.keys.extend([key].into_iter().chain(list).map(|key| (file.to_owned(), key.to_owned())));
            }
        }
        self.keys.len() > before
    }

    /// Whether a wrong key hid this mistake: it is in the table of such a key. A mistake elsewhere may only exist
    /// because wrong keys are left out.
    pub(super) fn was_hiding(&self, error: &PolicyError) -> bool {
        let (Some(file), Some(key)) = (error.file(), error.key()) else { return false };
        let is_there = error.span().is_some_and(|span| !span.is_empty());
        // The table around a wrong key seems to lack that key.
        let is_inside = |(of, inner): &(String, String)| of == file && inner.starts_with(key);
        is_there
            && !self.keys.iter().any(is_inside)
            && self.tables.contains(&(file.to_owned(), table_of(key).to_owned()))
    }
}

/// The table to which a key belongs: `auth.app` for `auth.app.messages.missing`, and `route[0]` for any of its keys. If
/// the key is itself such a table, all of it.
fn table_of(key: &str) -> &str {
    let named = ["auth.", "header.", "shape."].iter().any(|parent| key.starts_with(parent));
    key.match_indices('.').nth(usize::from(named)).map_or(key, |(at, _)| &key[..at])
}

/// Sorts mistakes by file, and then by line. The files are in the order in which mistakes were found in them. If there
/// are several mistakes at one key, only the first stays.
pub(super) fn in_order(mut all: Vec<PolicyError>) -> Vec<PolicyError> {
    let files: Vec<_> = all.iter().map(|error| error.file().map(str::to_owned)).collect();
    let file_of = |error: &PolicyError| files.iter().position(|name| name.as_deref() == error.file());
    all.sort_by_key(|error| (file_of(error), error.line(), error.span().map(|span| span.start)));
    // Two schemes may name the same file of keys. Or a key may belong to another scheme, and also have a wrong value.
    let is_one = |span: Option<Range<usize>>| span.is_some_and(|span| !span.is_empty());
    all.dedup_by(|other, first| {
        let is_at_same_key = is_one(first.span()) && (first.file(), first.key()) == (other.file(), other.key());
        is_at_same_key && first.line() == other.line() || first.to_string() == other.to_string()
    });
    all
}
