//! Where each table of a policy stands in its files, so that what is found later is led back to a line.

use std::collections::HashMap;
use std::ops::Range;

use crate::policy::error::{PolicyError, Problem, SourceSpan, TablePath};

/// The files of a policy, and where its tables stand in them.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    files: Vec<(String, String)>,
    /// For each file, the one that includes it.
    includers: Vec<Option<usize>>,
    /// What bases say, and a file that includes them says otherwise.
    pub(crate) overrides: Vec<Override>,
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

/// A key that a table sets.
pub(super) struct SetKey {
    pub(super) file: usize,
    pub(super) key: String,
    /// `FILE:LINE`.
    pub(super) line: String,
}

/// A key of a base that a file which includes it sets anew.
#[derive(Clone, Debug)]
pub(crate) struct Override {
    pub(crate) place: TablePath,
    pub(crate) key: String,
    /// What the base says, as it writes it, and its `FILE:LINE`.
    pub(crate) base: (String, String),
    /// Whether less is asked of a request than the base asks.
    pub(crate) weakens: bool,
}

impl Sources {
    /// Of files, each with its text and the place of the file that includes it.
    pub(super) fn new(files: impl Iterator<Item = ((String, String), Option<usize>)>) -> Self {
        let (files, includers) = files.unzip();
        Self { files, includers, ..Self::default() }
    }

    /// Whether a file includes another one, by itself or by those that it includes.
    pub(super) fn is_above(&self, file: usize, other: usize) -> bool {
        let above = |file: &usize| self.includers.get(*file).copied().flatten();
        std::iter::successors(above(&other), above).any(|includer| includer == file)
    }

    /// Where the tables of a place say one of these keys.
    pub(super) fn places_of(&self, place: &TablePath, keys: &[&str]) -> Vec<SetKey> {
        let tables = self.tables.get(place).into_iter().flatten();
        let set = tables.filter_map(|table| {
            let (key, _) = table.keys.iter().find(|(name, _)| keys.contains(&name.as_str()))?;
            Some(SetKey { file: table.file, key: key.clone(), line: self.line(table, key) })
        });
        set.collect()
    }

    /// The `FILE:LINE` of a table's key.
    pub(super) fn line(&self, table: &TableAt, key: &str) -> String {
        let at = table.keys.iter().find(|(name, _)| name == key).map_or(table.at, |(_, span)| span.start);
        self.files
            .get(table.file)
            .map(|(name, text)| format!("{name}:{}", line_of(text.as_bytes(), at)))
            .unwrap_or_default()
    }

    /// Whether one table stands in a base of the file that another one stands in.
    pub(crate) fn is_in_base(&self, (place, key): (&TablePath, &str), of: &TablePath) -> bool {
        let file = |place, key| self.table_of(place, key).map(|table| table.file);
        matches!((file(of, ""), file(place, key)), (Some(file), Some(other)) if self.is_above(file, other))
    }

    fn table_of(&self, place: &TablePath, key: &str) -> Option<&TableAt> {
        let tables = self.tables.get(place)?;
        tables.iter().find(|table| table.keys.iter().any(|(name, _)| name == key)).or(tables.first())
    }

    pub(super) fn insert(&mut self, place: TablePath, table: TableAt) {
        self.tables.entry(place).or_default().push(table);
    }

    pub(crate) fn locate(&self, place: &TablePath, key: &str) -> Option<SourceSpan<'_>> {
        let table = self.table_of(place, key)?;
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
    pub(super) fn located_in_file(&self, Problem { place, refused, beside }: Problem) -> PolicyError {
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
