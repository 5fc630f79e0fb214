//! JSON whose fields stay in the order in which they are added, because people also read schemas.

use serde::ser::{Serialize, SerializeMap, Serializer};

/// A JSON value.
#[derive(Clone)]
pub enum Json {
    /// A list.
    List(Vec<Self>),
    /// Fields in their order.
    Object(Vec<(String, Self)>),
    /// Any other value, or a value of serde_json, unchanged.
    Value(serde_json::Value),
}

/// Returns a JSON object with these fields, in this order.
pub fn object<const N: usize>(members: [(&str, Json); N]) -> Json {
    by_name(members)
}

/// Returns a JSON object with the fields of this iterator.
pub fn by_name<K: Into<String>>(members: impl IntoIterator<Item = (K, Json)>) -> Json {
    Json::Object(members.into_iter().map(|(name, value)| (name.into(), value)).collect())
}

/// Returns a JSON list of these values.
pub fn list<T: Into<Json>>(values: impl IntoIterator<Item = T>) -> Json {
    Json::List(values.into_iter().map(Into::into).collect())
}

impl Json {
    /// Returns the JSON as indented text with a newline at its end.
    pub fn pretty(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// Adds a field at the end of an object.
    pub fn with(mut self, name: &str, value: impl Into<Self>) -> Self {
        if let Self::Object(members) = &mut self {
            members.push((name.to_owned(), value.into()));
        }
        self
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Value(value) => value.serialize(serializer),
            Self::List(values) => serializer.collect_seq(values),
            Self::Object(members) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                members.iter().try_for_each(|(name, value)| map.serialize_entry(name, value))?;
                map.end()
            }
        }
    }
}

macro_rules! from {
    ($($value:ty)*) => {$(
        impl From<$value> for Json {
            fn from(value: $value) -> Self {
                Self::Value(value.into())
            }
        }
    )*};
}

from! { serde_json::Value bool u16 &str String }

/// Returns a text as JSON, so that callers need no `.into()`.
pub fn text(value: impl Into<String>) -> Json {
    value.into().into()
}
