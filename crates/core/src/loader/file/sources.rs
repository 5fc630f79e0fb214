//! Where each table of a policy is in its files, so that mistakes which are found later get a line.

use std::collections::HashMap;
use std::ops::Range;

use crate::policy::error::{PolicyError, Problem, SourceSpan, TablePath};

/// The files of a policy, and where their tables are.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    files: Vec<(String, String)>,
    /// The indices of the files in the order of precedence.
    order: Vec<usize>,
    /// The settings of bases that a file of higher precedence overrides.
    pub(crate) overrides: Vec<Override>,
    /// The tables of the policy. The defaults of one part may be in several files.
    tables: HashMap<TablePath, Vec<TableAt>>,
}

/// Where a table is.
#[derive(Clone, Debug)]
pub(super) struct TableAt {
    pub(super) file: usize,
    /// The dotted key that leads to the table.
    pub(super) key: String,
    /// The position at which the table begins in its file, in bytes.
    pub(super) at: usize,
    /// The keys of the table, with their positions in bytes.
    pub(super) keys: Vec<(String, Range<usize>)>,
}

/// A key of a base that a file of higher precedence sets as well.
#[derive(Clone, Debug)]
pub(crate) struct Override {
    pub(crate) place: TablePath,
    pub(crate) key: String,
    /// The base's value, spelled as in its file, and its `FILE:LINE`.
    pub(crate) base: (String, String),
    /// Whether the new value requires less of a request than the base's.
    pub(crate) weakens: bool,
}

impl Sources {
    /// The files, each with its text, and their indices in the order of precedence.
    pub(super) fn new(files: impl Iterator<Item = (String, String)>, order: &[usize]) -> Self {
        Self { files: files.collect(), order: order.to_owned(), ..Self::default() }
    }

    /// The files with their texts, in the order of precedence.
    pub(in crate::loader) fn by_precedence(&self) -> impl Iterator<Item = (&str, &str)> {
        self.order.iter().filter_map(|file| self.files.get(*file)).map(|(name, text)| (name.as_str(), text.as_str()))
    }

    /// Which of these keys a table at this place sets. If several files have the table, the one of the highest
    /// precedence decides.
    pub(super) fn set_key(&self, place: &TablePath, keys: &[&str]) -> Option<&str> {
        let mut set = self.tables.get(place)?.iter().flat_map(|table| &table.keys).map(|(name, _)| name.as_str());
        set.find(|name| keys.contains(name))
    }

    /// The `FILE:LINE` of a key in a table.
    pub(super) fn line(&self, table: &TableAt, key: &str) -> String {
        let at = table.keys.iter().find(|(name, _)| name == key).map_or(table.at, |(_, span)| span.start);
        self.files
            .get(table.file)
            .map(|(name, text)| format!("{name}:{}", line_of(text.as_bytes(), at)))
            .unwrap_or_default()
    }

    /// Whether one table is in a base of the file that has the other table. Only a file and its bases share a part.
    pub(crate) fn is_in_base(&self, (place, key): (&TablePath, &str), of: &TablePath) -> bool {
        let rank = |place, key| {
            let table = self.table_of(place, key)?;
            self.order.iter().position(|file| *file == table.file)
        };
        place.part() == of.part() && rank(of, "") < rank(place, key)
    }

    /// The keys that `[defaults]` and routes set in each file, with the part, the file, the name and the span.
    pub(in crate::loader) fn route_keys(&self) -> impl Iterator<Item = (usize, usize, &str, SourceSpan<'_>)> {
        let tables = self.tables.iter().filter_map(|(place, tables)| match place {
            TablePath::Defaults(part) | TablePath::Route(part, _) => Some((*part, tables)),
            _ => None,
        });
        let tables = tables.flat_map(|(part, tables)| tables.iter().map(move |table| (part, table)));
        tables.flat_map(move |(part, table)| {
            table
                .keys
                .iter()
                .filter_map(move |(name, _)| Some((part, table.file, name.as_str(), self.span(table, name)?)))
        })
    }

    /// Whether a file has a higher precedence than another one.
    pub(in crate::loader) fn precedes(&self, file: usize, other: usize) -> bool {
        let rank = |file: usize| self.order.iter().position(|it| *it == file);
        rank(file) < rank(other)
    }

    fn table_of(&self, place: &TablePath, key: &str) -> Option<&TableAt> {
        let tables = self.tables.get(place)?;
        tables.iter().find(|table| table.keys.iter().any(|(name, _)| name == key)).or(tables.first())
    }

    pub(super) fn insert(&mut self, place: TablePath, table: TableAt) {
        self.tables.entry(place).or_default().push(table);
    }

    pub(crate) fn locate(&self, place: &TablePath, key: &str) -> Option<SourceSpan<'_>> {
        self.span(self.table_of(place, key)?, key)
    }

    fn span(&self, table: &TableAt, key: &str) -> Option<SourceSpan<'_>> {
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

    /// The error for a mistake that the builder refused, with the file's line and key.
    ///
    /// If two tables contradict each other, the error is at the table of the file that uses a base, whose author cannot
    /// change the base.
    pub(super) fn located_in_file(&self, Problem { mut place, refused, mut other }: Problem) -> PolicyError {
        if let Some(first) = &mut other
            && place.part().is_some()
            && self.is_in_base((&place, refused.key), first)
        {
            std::mem::swap(&mut place, first);
        }
        let other = other.and_then(|other| self.locate(&other, refused.key));
        let at = self.locate(&place, refused.key);
        let wrong = match (&other, &at) {
            (Some(other), Some(at)) if other.file == at.file => format!("{} (line {})", refused.wrong, other.line),
            (Some(other), _) => format!("{} ({}:{})", refused.wrong, other.file, other.line),
            (None, _) => refused.wrong,
        };
        match at {
            Some(at) => PolicyError::spanned(&at, wrong, refused.right).of_kind(refused.kind),
            None => PolicyError::new(Some(refused.key.to_owned()), wrong, refused.right).of_kind(refused.kind),
        }
    }
}

/// The line of a position, counted from 1.
pub(in crate::loader) fn line_of(text: &[u8], at: usize) -> usize {
    text.iter().take(at).filter(|byte| **byte == b'\n').count() + 1
}
