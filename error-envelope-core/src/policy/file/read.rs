//! A TOML document whose every table and value knows its line and its key.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::document::{Document, is_word};
use super::sources::TableAt;
use super::value::{Value, nearest};
use crate::policy::error::PolicyError;

/// A table, and the key that leads to it.
pub(super) struct Table<'a> {
    document: &'a Document<'a>,
    key: String,
    at: usize,
    entries: &'a DeTable<'a>,
}

impl Document<'_> {
    pub(super) fn root(&self) -> Table<'_> {
        Table { document: self, key: String::new(), at: 0, entries: &self.root }
    }
}

impl<'a> Value<'a> {
    pub(super) fn table(&self, right: &str) -> Result<Table<'a>, PolicyError> {
        match self.value {
            DeValue::Table(entries) => {
                Ok(Table { document: self.document, key: self.key.clone(), at: self.span.start, entries })
            }
            _ => Err(self.error(format!("{} is not a table", self.kind()), right)),
        }
    }
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
            self.document.error_at(self.at..self.at, &self.key_of(key), "the key is missing".to_owned(), right)
        })
    }

    /// Refuses keys beyond these.
    pub(super) fn only(&self, known: &[&'static str]) -> Result<(), PolicyError> {
        let unknown = self.entries.keys().filter(|key| !known.contains(&key.get_ref().as_ref()));
        let Some(key) = unknown.min_by_key(|key| key.span().start) else { return Ok(()) };
        let name = key.get_ref();
        let right = nearest(name, known.iter().copied());
        Err(self.document.error_at(key.span(), &self.key_of(name), format!("unknown key {name:?}"), right))
    }

    /// The same where a name may be a credential in clear text.
    pub(super) fn only_unquoted(&self, known: &[&'static str], right: &str) -> Result<(), PolicyError> {
        let is_told = |name: &str| is_word(name) || is_slip(name, known);
        let untold = self.entries.keys().filter(|key| !is_told(key.get_ref()));
        match untold.min_by_key(|key| key.span().start) {
            Some(key) => {
                let wrong = "there is a name that is not known here".to_owned();
                Err(self.document.error_at(key.span(), &self.key, wrong, right.to_owned()))
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
            return Err(value.error("this is not a list of tables", right));
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

    pub(super) fn error(&self, wrong: impl Into<String>, right: impl Into<String>) -> PolicyError {
        self.document.error_at(self.at..self.at, &self.key, wrong.into(), right.into())
    }

    /// Refuses a key that is there.
    pub(super) fn refused_key(&self, key: &str, wrong: impl Into<String>, right: impl Into<String>) -> PolicyError {
        let span = self.entries.get_key_value(key).map_or(self.at..self.at, |(name, _)| name.span());
        self.document.error_at(span, &self.key_of(key), wrong.into(), right.into())
    }

    fn key_of(&self, key: &str) -> String {
        if self.key.is_empty() { key.to_owned() } else { dotted(&self.key, key) }
    }
}

/// Whether a name is so near to a known one that it is no credential: `secretEnv`.
fn is_slip(name: &str, known: &[&str]) -> bool {
    const EDITS: usize = 2;
    let name = name.to_ascii_lowercase();
    known.iter().any(|known| strsim::osa_distance(&name, known) <= EDITS)
}

/// `table.key`, the key quoted where TOML wants it quoted.
pub(super) fn dotted(table: &str, key: &str) -> String {
    let bare = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if bare { format!("{table}.{key}") } else { format!("{table}.{key:?}") }
}
