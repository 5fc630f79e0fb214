//! A TOML document whose every table and value knows its line and its key.

use std::ops::Range;

use toml::Spanned;
use toml::de::DeTable;

use super::sources::TableAt;
use super::value::{Value, nearest};
use crate::policy::error::PolicyError;

/// A parsed file.
pub(super) struct Document<'a> {
    file: &'a str,
    text: &'a str,
    root: DeTable<'a>,
}

impl<'a> Document<'a> {
    pub(super) fn parse(file: &'a str, text: &'a str) -> Result<Self, PolicyError> {
        match DeTable::parse(text) {
            Ok(root) => Ok(Self { file, text, root: root.into_inner() }),
            Err(error) => {
                let span = error.span().unwrap_or_default();
                let line = error.span().map(|span| line_of(text.as_bytes(), span.start));
                let wrong = format!("this is no TOML: {}", error.message());
                // A key that stands twice is the one fault of syntax that has a name.
                let twice = error.message() == "duplicate key";
                let told = |name: &str, at| is_word(name) || is_outside_of_keys(&text[..at]);
                let name = error.span().filter(|_| twice).and_then(|span| Some((text.get(span.clone())?, span.start)));
                let key = name.filter(|(name, at)| told(name, *at)).map(|(name, _)| name.to_owned());
                Err(PolicyError::new(key, wrong, "see https://toml.io for the syntax")
                    .in_file(file, line)
                    .spanning(span))
            }
        }
    }

    pub(super) fn root(&self) -> Table<'_> {
        Table { document: self, key: String::new(), at: 0, entries: &self.root }
    }

    pub(super) fn refused(&self, span: Range<usize>, key: &str, wrong: String, right: String) -> PolicyError {
        let line = line_of(self.text.as_bytes(), span.start);
        let key = Some(key.to_owned()).filter(|key| !key.is_empty());
        PolicyError::new(key, wrong, right).in_file(self.file, Some(line)).spanning(span)
    }
}

/// A table, and the key that leads to it.
pub(super) struct Table<'a> {
    document: &'a Document<'a>,
    key: String,
    at: usize,
    entries: &'a DeTable<'a>,
}

impl<'a> Table<'a> {
    pub(super) fn get(&self, key: &str) -> Option<Value<'a>> {
        let (name, value) = self.entries.get_key_value(key)?;
        Some(Value { document: self.document, key: self.key_of(key), span: name.span(), value: value.get_ref() })
    }

    /// Where it stands: in the file of that place.
    pub(super) fn placed(&self, file: usize) -> TableAt {
        let keys = self.entries.keys().map(|key| (key.get_ref().to_string(), key.span())).collect();
        TableAt { file, key: self.key.clone(), at: self.at, keys }
    }

    pub(super) fn required(&self, key: &str) -> Result<Value<'a>, PolicyError> {
        self.get(key).ok_or_else(|| {
            let right = match key {
                "version" => "write version = 1 at the top".to_owned(),
                _ => format!("add {key} = … to the table"),
            };
            self.document.refused(self.at..self.at, &self.key_of(key), "the key is missing".to_owned(), right)
        })
    }

    /// Refuses keys beyond these.
    pub(super) fn only(&self, known: &[&'static str]) -> Result<(), PolicyError> {
        let unknown = self.entries.keys().filter(|key| !known.contains(&key.get_ref().as_ref()));
        let Some(key) = unknown.min_by_key(|key| key.span().start) else { return Ok(()) };
        let name = key.get_ref();
        let right = nearest(name, known.iter().copied());
        Err(self.document.refused(key.span(), &self.key_of(name), format!("unknown key {name:?}"), right))
    }

    /// The same where a name may be a credential in clear text.
    pub(super) fn only_unquoted(&self, known: &[&'static str], right: &str) -> Result<(), PolicyError> {
        let is_told = |name: &str| is_word(name) || is_slip(name, known);
        let untold = self.entries.keys().filter(|key| !is_told(key.get_ref()));
        match untold.min_by_key(|key| key.span().start) {
            Some(key) => {
                let wrong = "there is a name that is not known here".to_owned();
                Err(self.document.refused(key.span(), &self.key, wrong, right.to_owned()))
            }
            None => self.only(known),
        }
    }

    /// The table of that name.
    pub(super) fn table(&self, key: &str) -> Result<Option<Self>, PolicyError> {
        self.get(key).map(|value| value.table(&format!("write a table [{}]", self.key_of(key)))).transpose()
    }

    /// The tables of that name: `[[name]]`.
    pub(super) fn tables(&self, key: &str) -> Result<Vec<Self>, PolicyError> {
        let Some(value) = self.get(key) else { return Ok(Vec::new()) };
        let right = format!("write [[{key}]] with two brackets, once for each");
        if !value.value.is_array() {
            return Err(value.refused("this is not a list of tables", right));
        }
        value.elements()?.iter().map(|element| element.table(&right)).collect()
    }

    /// The tables inside the table of that name, by their own names and in the order of the file.
    pub(super) fn children_of(&self, key: &str) -> Result<Vec<(String, Self)>, PolicyError> {
        let right = format!("give the table a name: [{key}.<name>]");
        let Some(parent) = self.get(key).map(|value| value.table(&right)).transpose()? else { return Ok(Vec::new()) };
        let mut names: Vec<_> = parent.entries.keys().collect();
        names.sort_by_key(|name| name.span().start);
        let mut children = Vec::new();
        for name in names.into_iter().map(Spanned::get_ref) {
            let child = parent.get(name).map(|value| value.table(&right)).transpose()?;
            children.extend(child.map(|table| (name.to_string(), table)));
        }
        Ok(children)
    }

    pub(super) fn refused(&self, wrong: impl Into<String>, right: impl Into<String>) -> PolicyError {
        self.document.refused(self.at..self.at, &self.key, wrong.into(), right.into())
    }

    /// Refuses a key that is there.
    pub(super) fn refused_key(&self, key: &str, wrong: impl Into<String>, right: impl Into<String>) -> PolicyError {
        let span = self.entries.get_key_value(key).map_or(self.at..self.at, |(name, _)| name.span());
        self.document.refused(span, &self.key_of(key), wrong.into(), right.into())
    }

    pub(super) fn new(document: &'a Document<'a>, key: String, at: usize, entries: &'a DeTable<'a>) -> Self {
        Self { document, key, at, entries }
    }

    fn key_of(&self, key: &str) -> String {
        if self.key.is_empty() { key.to_owned() } else { dotted(&self.key, key) }
    }
}

/// Whether a name is as short and plain as the policy's own are. Any other may be a credential in clear text that stands
/// where a name should, and is never quoted (L3).
fn is_word(name: &str) -> bool {
    const LONGEST: usize = 16;
    const DIGITS: usize = 3;
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-');
    let digits = name.bytes().filter(u8::is_ascii_digit).count();
    name.len() <= LONGEST && digits <= DIGITS && name.bytes().all(is_plain)
}

/// Whether what follows stands in a table that has a name and no keys.
fn is_outside_of_keys(above: &str) -> bool {
    let head = above.lines().rev().map(str::trim_start).find(|line| line.starts_with('['));
    head.is_some_and(|head| {
        !["auth", "keys"].contains(&head.trim_start_matches('[').split(['.', ']']).next().unwrap_or(""))
    })
}

/// Whether a name is so near to a known one that it is no credential: `secretEnv`.
fn is_slip(name: &str, known: &[&str]) -> bool {
    const EDITS: usize = 2;
    let name = name.to_ascii_lowercase();
    known.iter().any(|known| strsim::osa_distance(&name, known) <= EDITS)
}

/// The line of a byte, from 1.
pub(super) fn line_of(text: &[u8], at: usize) -> usize {
    text.iter().take(at).filter(|byte| **byte == b'\n').count() + 1
}

/// `table.key`, the key quoted where TOML wants it quoted.
fn dotted(table: &str, key: &str) -> String {
    let bare = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if bare { format!("{table}.{key}") } else { format!("{table}.{key:?}") }
}
