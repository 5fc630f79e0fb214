//! Where each table of a policy stands in its files, so that what is found later is led back to a line.

use std::collections::HashMap;
use std::ops::Range;

use crate::policy::error::{PolicyError, Problem, SourceSpan, TablePath};

/// The files of a policy, and where its tables stand in them.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    files: Vec<(String, String)>,
    /// The defaults of one part may stand in several files.
    tables: HashMap<TablePath, Vec<TableAt>>,
}

/// A table in a file.
#[derive(Clone, Debug)]
pub(super) struct TableAt {
    pub(super) file: usize,
    /// The dotted key that leads to it.
    pub(super) key: String,
    /// Its beginning.
    pub(super) at: usize,
    /// Its keys, in bytes.
    pub(super) keys: Vec<(String, Range<usize>)>,
}

impl Sources {
    pub(super) fn new(files: Vec<(String, String)>) -> Self {
        Self { files, tables: HashMap::new() }
    }

    pub(super) fn insert(&mut self, place: TablePath, table: TableAt) {
        self.tables.entry(place).or_default().push(table);
    }

    pub(crate) fn locate(&self, place: &TablePath, key: &str) -> Option<SourceSpan<'_>> {
        let tables = self.tables.get(place)?;
        let says = |table: &&TableAt| table.keys.iter().any(|(name, _)| name == key);
        let table = tables.iter().find(says).or(tables.first())?;
        let (file, text) = self.files.get(table.file)?;
        let span = table.keys.iter().find(|(name, _)| name == key).map(|(_, span)| span.clone());
        let span = span.unwrap_or(table.at..table.at);
        let key = match (key.is_empty(), table.key.is_empty()) {
            (true, _) => table.key.clone(),
            (false, true) => key.to_owned(),
            (false, false) => format!("{}.{key}", table.key),
        };
        Some(SourceSpan { file, line: line_of(text.as_bytes(), span.start), key, span })
    }

    /// The builder's refusal, with the line and the key of the file.
    pub(super) fn led_back(&self, Problem { place, refused, beside }: Problem) -> PolicyError {
        let other = beside.and_then(|other| self.locate(&other, refused.key));
        let at = self.locate(&place, refused.key);
        let wrong = match (&other, &at) {
            (Some(other), Some(at)) if other.file == at.file => format!("{} (line {})", refused.wrong, other.line),
            (Some(other), _) => format!("{} ({}:{})", refused.wrong, other.file, other.line),
            (None, _) => refused.wrong,
        };
        match at {
            Some(at) => PolicyError::spanned(&at, wrong, refused.right),
            None => PolicyError::new(Some(refused.key.to_owned()), wrong, refused.right),
        }
    }
}

/// The line of a byte, from 1.
pub(super) fn line_of(text: &[u8], at: usize) -> usize {
    text.iter().take(at).filter(|byte| **byte == b'\n').count() + 1
}
