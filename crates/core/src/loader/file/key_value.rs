//! Reads and writes the values of a route's keys.

use toml::de::DeValue;

use super::env::NamedFiles;
use super::value::{Value, size};
use crate::dialect::DialectName;
use crate::page::{self, ErrorPage};
use crate::policy::choice::KeywordValue;
use crate::policy::error::PolicyError;

/// A type of values that a policy file may have.
pub(in crate::loader) trait KeyValue: Sized {
    fn read(value: &Value<'_>, files: &mut NamedFiles<'_>) -> Result<Self, PolicyError>;

    /// The value, spelled as in a file.
    fn written(&self) -> String;
}

impl<W: KeywordValue> KeyValue for W {
    fn read(value: &Value<'_>, _: &mut NamedFiles<'_>) -> Result<Self, PolicyError> {
        value.word()
    }

    fn written(&self) -> String {
        format!("{:?}", self.word())
    }
}

impl KeyValue for bool {
    fn read(value: &Value<'_>, _: &mut NamedFiles<'_>) -> Result<Self, PolicyError> {
        value.boolean()
    }

    fn written(&self) -> String {
        self.to_string()
    }
}

impl KeyValue for DialectName {
    fn read(value: &Value<'_>, _: &mut NamedFiles<'_>) -> Result<Self, PolicyError> {
        value.owned().map(Self::from)
    }

    fn written(&self) -> String {
        format!("{:?}", &**self)
    }
}

impl KeyValue for Vec<String> {
    fn read(value: &Value<'_>, _: &mut NamedFiles<'_>) -> Result<Self, PolicyError> {
        value.texts()
    }

    fn written(&self) -> String {
        format!("{self:?}")
    }
}

/// A limit, or none.
impl KeyValue for Option<u64> {
    fn read(value: &Value<'_>, _: &mut NamedFiles<'_>) -> Result<Self, PolicyError> {
        value.limit()
    }

    /// The limit in the largest unit of which it is a multiple.
    fn written(&self) -> String {
        let Some(bytes) = self else { return "\"none\"".to_owned() };
        let size = size(*bytes);
        if size.contains(' ') { format!("{size:?}") } else { size }
    }
}

/// A page: the built-in one, or one from a file.
impl KeyValue for ErrorPage {
    fn read(value: &Value<'_>, files: &mut NamedFiles<'_>) -> Result<Self, PolicyError> {
        match value.value {
            DeValue::Boolean(is_on) => Ok((*is_on).into()),
            DeValue::String(name) => {
                let (_, text) = files.read(value, page::MAX_BYTES as u64)?;
                Ok(Self::from_file(name, text))
            }
            _ => Err(value.mistyped("true, false or the file of a page")),
        }
    }

    fn written(&self) -> String {
        self.written()
    }
}
