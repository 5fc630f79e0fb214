//! The types of values that only policies have: versions, dialects, pages, conditions and texts of files.

use toml::de::DeValue;

use crate::code::Retry;
use crate::dialect::DialectName;
use crate::dialect::custom::{Expected, PathNotation};
use crate::page::{self, ErrorPage};
use crate::table::advice_for_unknown;
use crate::table::{KeywordValue, Kind, Leaf, MAX_FILE_BYTES, Reading};

/// The version of the format, which is 1.
#[derive(Clone, Debug)]
pub(super) struct Version;

impl Leaf for Version {
    fn read(value: &DeValue<'_>, at: &mut Reading<'_>) -> Option<Self> {
        match i64::read(value, at)? {
            1 => Some(Self),
            other => at.refuse(Kind::Version, format!("version {other} is not supported"), "write version = 1"),
        }
    }

    fn written(&self) -> String {
        "1".to_owned()
    }
}

/// A text that is judged later, with its path in the file.
#[derive(Clone, Debug)]
pub(super) struct PlacedText {
    pub(super) text: String,
    pub(super) path: String,
}

impl Leaf for PlacedText {
    fn read(value: &DeValue<'_>, at: &mut Reading<'_>) -> Option<Self> {
        String::read(value, at).map(|text| Self { text, path: at.path().to_owned() })
    }

    fn written(&self) -> String {
        self.text.written()
    }
}

/// The text of a file that the policy names.
#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "jwt"), allow(dead_code, reason = "tokens alone have such a file"))]
pub(super) struct NamedText(pub(super) String);

impl Leaf for NamedText {
    fn read(value: &DeValue<'_>, at: &mut Reading<'_>) -> Option<Self> {
        let name = String::read(value, at)?;
        at.read_file(&name, MAX_FILE_BYTES).map(|(_, text)| Self(text))
    }
}

impl Leaf for DialectName {
    fn read(value: &DeValue<'_>, at: &mut Reading<'_>) -> Option<Self> {
        String::read(value, at).map(Self::from)
    }

    fn written(&self) -> String {
        format!("{:?}", &**self)
    }
}

/// A page: the built-in one, or one from a file.
impl Leaf for ErrorPage {
    fn read(value: &DeValue<'_>, at: &mut Reading<'_>) -> Option<Self> {
        match value {
            DeValue::Boolean(is_on) => Some((*is_on).into()),
            DeValue::String(name) => {
                at.read_file(name, page::MAX_BYTES as u64).map(|(_, text)| Self::from_file(name, text))
            }
            _ => at.mistyped(value, "write true, false or the file of a page"),
        }
    }

    fn written(&self) -> String {
        self.written()
    }
}

/// What a condition expects: the word for a JSON type, or a value. A text that is such a word is written as `{ is = "…"
/// }`.
impl Leaf for Expected {
    fn read(value: &DeValue<'_>, at: &mut Reading<'_>) -> Option<Self> {
        match value {
            DeValue::String(word) => {
                let types = Self::TYPES.iter();
                types.clone().find(|(known, _)| *known == word).map(|(_, expected)| expected.clone()).or_else(|| {
                    let known = advice_for_unknown(word, types.map(|(known, _)| *known));
                    let right = format!("{known}; to match the text itself, write {{ is = {word:?} }}");
                    at.refuse(Kind::UnknownWord, format!("{word:?} is not a JSON type"), right)
                })
            }
            DeValue::Integer(_) => i64::read(value, at).map(Self::from),
            DeValue::Boolean(is) => Some(Self::from(*is)),
            DeValue::Table(table) if table.contains_key("is") => {
                at.refuse_others(table, &["is"]);
                at.key(table, "is", true).map(Self::Text)
            }
            DeValue::Table(_) => {
                let right = "write a JSON type, a value, or { is = \"a text\" } for a fixed text";
                at.refuse(Kind::InvalidValue, "a table is not a condition", right)
            }
            _ => at.mistyped(value, "write a JSON type, a text, a whole number, true or false"),
        }
    }
}

impl KeywordValue for PathNotation {
    const ALL: &'static [Self] = Self::ALL;

    fn word(self) -> &'static str {
        self.as_str()
    }
}

impl KeywordValue for Retry {
    const ALL: &'static [Self] = &[Self::No, Self::Backoff, Self::Refresh];

    fn word(self) -> &'static str {
        self.as_str()
    }
}
