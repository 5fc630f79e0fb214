//! The files of a policy, and the places of its tables and keys in them.

use std::collections::HashMap;
use std::ops::Range;
use std::path::PathBuf;

use crate::policy::keys::RouteTable;
use crate::table::{Kind, PolicyError, SettingError, TablePath};

/// The files of a policy, and the places of their tables.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    pub(super) files: Vec<SourceFile>,
    /// The indices of the files in the order of precedence.
    pub(super) order: Vec<usize>,
    /// The keys of bases that a file of higher precedence sets to a value which requires less of a request.
    pub(crate) overrides: Vec<Override>,
    /// The tables of the policy, each with its file and its path in that file. The defaults of one part may be in
    /// several files.
    pub(super) tables: HashMap<TablePath, Vec<(usize, String)>>,
}

/// A file, and the places of its keys.
#[derive(Debug)]
pub(super) struct SourceFile {
    /// The name of the file in errors.
    pub(super) name: String,
    pub(super) text: String,
    /// The offsets of the line feeds, in bytes.
    pub(super) line_ends: Vec<usize>,
    /// The file that names this file, or `None` for the first file.
    pub(super) parent: Option<Parent>,
    pub(super) canonical: Option<PathBuf>,
    /// The range of bytes of each key and element, by its path.
    pub(super) places: HashMap<String, Range<usize>>,
    pub(super) moved: HashMap<String, String>,
    /// True if all lines of the file are TOML, in a known version.
    pub(super) is_whole: bool,
}

/// The file that names another file.
#[derive(Debug)]
pub(super) struct Parent {
    pub(super) file: usize,
    /// True if a `base` key names the file, and false if an `include` key does.
    pub(super) is_base: bool,
    /// The place at which the other file names this file, as `FILE:LINE`.
    pub(super) location: String,
}

/// A key of a base that a file of higher precedence sets as well.
#[derive(Clone, Debug)]
pub(crate) struct Override {
    pub(crate) place: TablePath,
    pub(crate) key: String,
    /// The base's value, spelled as in its file, and its `FILE:LINE`.
    pub(crate) base: (String, String),
}

/// The place of a key in a file. If the key is missing, the place of its table is used.
#[derive(Clone, Debug)]
pub(super) struct SourceSpan<'a> {
    pub(super) file: &'a str,
    pub(super) line: usize,
    pub(super) key: String,
    pub(super) span: Range<usize>,
}

impl SourceFile {
    /// Returns the place of a key. If the file does not have the key, returns an empty span at its table, or at the
    /// beginning of the file.
    pub(super) fn span(&self, path: &str) -> SourceSpan<'_> {
        let table =
            || path.rsplit_once('.').and_then(|(table, _)| self.places.get(table)).map_or(0, |table| table.start);
        let span = self.places.get(path).cloned().unwrap_or_else(|| table()..table());
        let line = 1 + self.line_ends.partition_point(|end| *end < span.start);
        SourceSpan { file: &self.name, line, key: path.to_owned(), span }
    }

    pub(super) fn error(
        &self,
        path: &str,
        kind: Kind,
        wrong: impl Into<String>,
        right: impl Into<String>,
    ) -> PolicyError {
        self.span(path).error(wrong, right).of_kind(kind)
    }

    /// Returns the place of a key, as `FILE:LINE`.
    pub(super) fn location(&self, path: &str) -> String {
        format!("{}:{}", self.name, self.span(path).line)
    }
}

impl SourceSpan<'_> {
    pub(super) fn error(&self, wrong: impl Into<String>, right: impl Into<String>) -> PolicyError {
        let key = Some(self.key.clone()).filter(|key| !key.is_empty());
        PolicyError::new(key, wrong, right).in_file(self.file, Some(self.line)).with_span(self.span.clone())
    }
}

impl Sources {
    pub(super) fn insert(&mut self, place: TablePath, file: usize, path: String) {
        self.tables.entry(place).or_default().push((file, path));
    }

    /// Returns the first of these keys that a table at this place sets. If several files have the table, the file with
    /// the highest precedence decides.
    pub(super) fn set_key(&self, place: &TablePath, keys: &[&'static str]) -> Option<&'static str> {
        let mut tables = self.tables.get(place)?.iter();
        tables.find_map(|table| keys.iter().copied().find(|key| self.sets(table, key)))
    }

    fn sets(&self, (file, path): &(usize, String), key: &str) -> bool {
        self.files[*file].places.contains_key(&format!("{path}.{key}"))
    }

    /// Returns true if one table is in a base of the file that has the other table. Only a file and its bases share a
    /// part.
    pub(crate) fn is_in_base(&self, (place, key): (&TablePath, &str), of: &TablePath) -> bool {
        let rank = |place, key| self.rank(self.table_of(place, key)?.0);
        place.part() == of.part() && rank(of, "") < rank(place, key)
    }

    /// Returns the keys that `[defaults]` and routes set in each file, with the part, the file and the span.
    pub(super) fn route_keys(&self) -> impl Iterator<Item = (usize, usize, &'static str, SourceSpan<'_>)> {
        let tables = self.tables.iter().filter_map(|(place, tables)| Some((place.part()?, tables)));
        let tables = tables.flat_map(|(part, tables)| tables.iter().map(move |table| (part, table)));
        tables.flat_map(move |(part, table)| {
            let set = RouteTable::KEYS.iter().filter(move |key| self.sets(table, key));
            set.map(move |key| (part, table.0, *key, self.files[table.0].span(&format!("{}.{key}", table.1))))
        })
    }

    /// Returns the position of a file in the order of precedence.
    pub(super) fn rank(&self, file: usize) -> Option<usize> {
        self.order.iter().position(|it| *it == file)
    }

    fn table_of(&self, place: &TablePath, key: &str) -> Option<&(usize, String)> {
        let tables = self.tables.get(place)?;
        tables.iter().find(|table| self.sets(table, key)).or(tables.first())
    }

    /// Returns the path of a key of this table in its file.
    fn path_of(&self, (file, table): &(usize, String), key: &str) -> String {
        let path = if key.is_empty() { table.clone() } else { format!("{table}.{key}") };
        self.files[*file].moved.get(&path).cloned().unwrap_or(path)
    }

    /// Returns the place of a key. Returns an empty span at its table if the table does not set the key.
    pub(crate) fn locate(&self, place: &TablePath, key: &str) -> Option<SourceSpan<'_>> {
        let table @ (file, path) = self.table_of(place, key)?;
        let places = &self.files[*file].places;
        // The keys of a scheme may be in a separate file.
        let key = if key == "keys"
            && !places.contains_key(&format!("{path}.keys"))
            && places.contains_key(&format!("{path}.keys_file"))
        {
            SourceSpan { key: format!("{path}.keys"), ..self.files[*file].span(&format!("{path}.keys_file")) }
        } else {
            self.files[*file].span(&self.path_of(table, key))
        };
        Some(if key.key == *path { SourceSpan { span: key.span.start..key.span.start, ..key } } else { key })
    }

    /// Returns true if a mistake that was found after reading follows from one of these mistakes, which were found
    /// while reading. The mistake follows if the table has one of these mistakes and lacks the key, or if the key
    /// itself has one of these mistakes.
    pub(super) fn explain(&self, mistakes: &[PolicyError], SettingError { place, key, .. }: &SettingError) -> bool {
        let Some(table @ (file, path)) = self.table_of(place, key) else { return false };
        let key = self.path_of(table, key);
        let is_inside = |mistake: &PolicyError, outer: &str| {
            let rest = mistake.key().and_then(|key| key.strip_prefix(outer));
            mistake.file() == Some(&self.files[*file].name)
                && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        let lacks = key == *path || !self.files[*file].places.contains_key(&key);
        mistakes.iter().any(|mistake| is_inside(mistake, &key) || lacks && is_inside(mistake, path))
    }

    /// Returns the error for a mistake that the builder refused, with the file's line and key.
    ///
    /// If two tables contradict each other, the error is at the table of the file that uses a base. The author of a
    /// file that uses a base cannot change the base.
    pub(super) fn located_in_file(&self, refused: SettingError) -> PolicyError {
        let SettingError { mut place, key, wrong, right, kind, other } = refused;
        let mut other = other.map(|other| *other);
        if let Some(first) = &mut other
            && place.part().is_some()
            && self.is_in_base((&place, &key), first)
        {
            std::mem::swap(&mut place, first);
        }
        let other = other.and_then(|other| self.locate(&other, &key));
        let at = self.locate(&place, &key);
        let wrong = match (&other, &at) {
            (Some(other), Some(at)) if other.file == at.file => format!("{wrong} (line {})", other.line),
            (Some(other), _) => format!("{wrong} ({}:{})", other.file, other.line),
            (None, _) => wrong,
        };
        let error = match at {
            Some(at) => at.error(wrong, right),
            None => PolicyError::new(Some(key.into_owned()), wrong, right),
        };
        error.of_kind(kind)
    }
}
