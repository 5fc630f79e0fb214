//! Reads a TOML document. Every table and every value has its line, and the key that leads to it.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::document::{Document, is_word};
use super::misplaced::place_of;
use super::mistakes::{KnownMistakes, Mistakes};
use super::sources::TableAt;
use super::value::Value;
use crate::guard::mistake::Kind;
use crate::policy::error::PolicyError;
use crate::policy::suggestion::advice_for_unknown;

/// A table, with the key that leads to it.
pub(in crate::loader) struct Table<'a> {
    document: &'a Document<'a>,
    key: String,
    at: usize,
    entries: &'a DeTable<'a>,
}

impl Document<'_> {
    /// The whole file as a table.
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
            _ => Err(self.error(format!("{} is not a table", self.kind()), right).of_kind(Kind::WrongType)),
        }
    }
}

impl<'a> Table<'a> {
    pub(super) fn get(&self, key: &str) -> Option<Value<'a>> {
        let (name, value) = self.entries.get_key_value(key).filter(|_| !self.is_known(key))?;
        Some(Value {
            document: self.document,
            key: self.key_of(key),
            span: span_to_show(name, value),
            value: value.get_ref(),
        })
    }

    /// The value of a key, spelled as in the file.
    pub(super) fn written(&self, key: &str) -> &'a str {
        let span = self.entries.get(key).map(Spanned::span).unwrap_or_default();
        self.document.text_at(span)
    }

    /// Where the table is, if its file has this number.
    pub(super) fn table_at(&self, file: usize) -> TableAt {
        let keys =
            self.entries.iter().map(|(key, value)| (key.get_ref().to_string(), span_to_show(key, value))).collect();
        TableAt { file, key: self.key.clone(), at: self.at, keys }
    }

    /// A value that is required. If it is already known to be wrong, it is not reported as missing.
    pub(super) fn required(&self, key: &str) -> Option<Value<'a>> {
        let found = self.get(key);
        if found.is_none() && !self.is_known(key) {
            let right = match key {
                "version" => "write version = 1 at the top".to_owned(),
                _ => format!("add {key} = … to the table"),
            };
            let missing = "the key is missing".to_owned();
            self.document.add(
                self.document.error_at(self.at..self.at, &self.key_of(key), missing, right).of_kind(Kind::MissingKey),
            );
        }
        found
    }

    /// Whether the key is already known to be wrong.
    pub(super) fn is_known(&self, key: &str) -> bool {
        self.document.is_known(&self.key_of(key))
    }

    /// Whether any key of the table is already known to be wrong.
    pub(super) fn has_known(&self) -> bool {
        self.entries.keys().any(|key| self.is_known(key.get_ref()))
    }

    pub(super) fn known(&self) -> &'a KnownMistakes {
        self.document.known()
    }

    /// The value of a key, if it is set and correct.
    pub(in crate::loader) fn read<T>(
        &self,
        key: &str,
        read: impl FnOnce(&Value<'a>) -> Result<T, PolicyError>,
    ) -> Option<T> {
        self.keep(read(&self.get(key)?))
    }

    /// Reads a key that must be set.
    pub(super) fn read_required<T>(
        &self,
        key: &str,
        read: impl FnOnce(&Value<'a>) -> Result<T, PolicyError>,
    ) -> Option<T> {
        self.keep(read(&self.required(key)?))
    }

    /// Sets a value of `builder`, if the key is set and correct.
    pub(super) fn set<B, T>(
        &self,
        made: B,
        key: &str,
        read: impl FnOnce(&Value<'a>) -> Result<T, PolicyError>,
        set: impl FnOnce(B, T) -> B,
    ) -> B {
        match self.read(key, read) {
            Some(value) => set(made, value),
            None => made,
        }
    }

    pub(super) fn keep<T>(&self, read: Result<T, PolicyError>) -> Option<T> {
        self.document.keep(read)
    }

    pub(super) fn mistakes(&self) -> &'a Mistakes {
        self.document.mistakes()
    }

    /// Refuses all keys except these.
    pub(super) fn refuse_all_except(&self, known: &[&'static str]) {
        let unknown =
            self.in_order().filter(|key| !known.contains(&key.get_ref().as_ref()) && !self.is_known(key.get_ref()));
        for key in unknown.take_while(|_| !self.mistakes().is_full()) {
            let name = key.get_ref();
            let renamed = RENAMED.iter().find(|(old, new)| name == old && known.contains(new));
            let right = match renamed {
                Some((_, new)) => format!("use the new name of the key, {new:?}"),
                None => {
                    place_of(name, known).map_or_else(|| advice_for_unknown(name, known.iter().copied()), str::to_owned)
                }
            };
            let wrong = format!("unknown key {name:?}");
            self.document
                .add(self.document.error_at(key.span(), &self.key_of(name), wrong, right).of_kind(Kind::UnknownKey));
        }
    }

    /// Like [`refuse_all_except`](Self::refuse_all_except), for a table in which an unknown name may be a credential:
    /// names are not quoted.
    pub(super) fn only_unquoted(&self, known: &[&'static str], right: &str) {
        let may_be_quoted = |name: &str| is_word(name) || is_slip(name, known);
        match self.in_order().find(|key| !may_be_quoted(key.get_ref())) {
            Some(key) => {
                let wrong = "the table has an unknown key".to_owned();
                self.document.add(
                    self.document.error_at(key.span(), &self.key, wrong, right.to_owned()).of_kind(Kind::UnknownKey),
                );
            }
            None => self.refuse_all_except(known),
        }
    }

    /// The table of that name.
    pub(super) fn table(&self, key: &str) -> Option<Self> {
        self.read(key, |value| value.table(&format!("write a table [{}]", self.key_of(key))))
    }

    /// The tables of that name, which are written as `[[name]]`.
    pub(super) fn tables(&self, key: &str) -> Vec<Self> {
        let right = format!("write [[{key}]] with two brackets, once for each entry");
        let elements = self.read(key, |value| match value.value.is_array() {
            true => value.elements(),
            false => Err(value.error("this is not a list of tables", &*right).of_kind(Kind::WrongType)),
        });
        elements.into_iter().flatten().filter_map(|element| self.keep(element.table(&right))).collect()
    }

    /// The tables inside the table of that name, with their own names, in the order of the file.
    pub(super) fn children_of(&self, key: &str) -> Vec<(String, Self)> {
        let right = format!("give the table a name: [{key}.<name>]");
        let Some(parent) = self.read(key, |value| value.table(&right)) else { return Vec::new() };
        let child = |name: &str| Some((name.to_owned(), parent.read(name, |value| value.table(&right))?));
        parent.in_order().filter_map(|name| child(name.get_ref())).collect()
    }

    /// The values with their keys, in the order of the file.
    pub(super) fn values(&self) -> Vec<(String, Value<'a>)> {
        self.in_order().filter_map(|key| Some((key.get_ref().to_string(), self.get(key.get_ref())?))).collect()
    }

    /// The keys in the order of the file.
    fn in_order(&self) -> impl Iterator<Item = &'a Spanned<DeString<'a>>> + use<'a> {
        let mut keys: Vec<_> = self.entries.keys().collect();
        keys.sort_by_key(|key| key.span().start);
        keys.into_iter()
    }

    pub(super) fn error(&self, wrong: impl Into<String>, right: impl Into<String>) -> PolicyError {
        self.document.error_at(self.at..self.at, &self.key, wrong.into(), right.into())
    }

    /// Refuses a key, if it is set.
    pub(super) fn refuse_key(&self, key: &str, wrong: impl Into<String>, right: impl Into<String>) {
        let span = self.entries.get_key_value(key).map_or(self.at..self.at, |(name, _)| name.span());
        self.document
            .add(self.document.error_at(span, &self.key_of(key), wrong.into(), right.into()).of_kind(Kind::Conflict));
    }

    fn key_of(&self, key: &str) -> String {
        if self.key.is_empty() { key.to_owned() } else { dotted(&self.key, key) }
    }
}

/// Keys of earlier versions, and their present names.
const RENAMED: [(&str, &str); 1] = [("keep_members", "keep_fields")];

/// The span to show for a wrong value. For a table it is the name, because the value spans all of its lines.
pub(super) fn span_to_show(name: &Spanned<DeString<'_>>, value: &Spanned<DeValue<'_>>) -> Range<usize> {
    if value.get_ref().is_table() { name.span() } else { value.span() }
}

/// Whether a name is so similar to a known one that it is a misspelling, and not a credential: `secretEnv`.
fn is_slip(name: &str, known: &[&str]) -> bool {
    const EDITS: usize = 2;
    let name = name.to_ascii_lowercase();
    known.iter().any(|known| strsim::osa_distance(&name, known) <= EDITS)
}

/// `table.key`, with quotes around the key if TOML requires them.
pub(super) fn dotted(table: &str, key: &str) -> String {
    let bare = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if bare { format!("{table}.{key}") } else { format!("{table}.{key:?}") }
}
