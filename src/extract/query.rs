//! The query string.

use std::borrow::Cow;
use std::fmt::Display;

use axum_core::extract::FromRequestParts;
use http::request::Parts;
use serde::de::value::{Error, MapDeserializer};
use serde::de::{DeserializeOwned, Deserializer, Error as _, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use super::issue;
use error_envelope_core::fault::Fault;

/// The query string, read as `application/x-www-form-urlencoded`. A missing query is treated as empty.
///
/// The [module](crate::extract) describes the responses to invalid input.
///
/// ```
/// use serde::Deserialize;
/// use tower_error_envelope::extract::Query;
///
/// #[derive(Deserialize)]
/// struct Page {
///     size: Option<u8>,
/// }
///
/// async fn list(Query(page): Query<Page>) -> String {
///     format!("{} a page", page.size.unwrap_or(20))
/// }
/// # let _: axum::Router = axum::Router::new().route("/", axum::routing::get(list));
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Fault> {
        read(parts.uri.query().unwrap_or_default().as_bytes()).map(Self)
    }
}

/// Parses a text of the type `application/x-www-form-urlencoded`.
pub(super) fn read<T: DeserializeOwned>(text: &[u8]) -> Result<T, Fault> {
    let pairs = form_urlencoded::parse(text).map(|(name, value)| (Field(name), Field(value)));
    let value = serde_path_to_error::deserialize(MapDeserializer::new(pairs));
    value.map_err(|error: serde_path_to_error::Error<Error>| {
        issue::of_data(error.path(), &error.inner().to_string()).into()
    })
}

/// The name or the value of a field. In contrast to those of `serde_urlencoded`, its error names the expected type.
struct Field<'a>(Cow<'a, str>);

impl<'de> IntoDeserializer<'de> for Field<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! parses {
    ($($deserialize:ident $visit:ident $type:ident)*) => {$(
        fn $deserialize<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            visitor.$visit(self.0.parse::<$type>().map_err(|error| not_parsed(&error, stringify!($type)))?)
        }
    )*};
}

/// Returns serde's error for a value that cannot be parsed, with the word `text` in place of the value. For a number
/// that is out of range, the text of `std` is used if serde's would not state the range.
fn not_parsed(error: &dyn Display, name: &str) -> Error {
    match error.to_string() {
        text if text.starts_with("number too ") && name.ends_with(['4', '8']) && name.len() > 2 => Error::custom(text),
        _ => Error::custom(format_args!("invalid type: text, expected {name}")),
    }
}

impl<'de> Deserializer<'de> for Field<'de> {
    type Error = Error;

    parses! {
        deserialize_bool visit_bool bool
        deserialize_u8 visit_u8 u8 deserialize_u16 visit_u16 u16 deserialize_u32 visit_u32 u32
        deserialize_u64 visit_u64 u64 deserialize_u128 visit_u128 u128
        deserialize_i8 visit_i8 i8 deserialize_i16 visit_i16 i16 deserialize_i32 visit_i32 i32
        deserialize_i64 visit_i64 i64 deserialize_i128 visit_i128 i128
        deserialize_f32 visit_f32 f32 deserialize_f64 visit_f64 f64
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.0.into_deserializer().deserialize_any(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.0.into_deserializer().deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn names_of_fields_are_read_like_values() {
        #[derive(serde::Deserialize, PartialEq, Eq, Hash)]
        struct Name(String);

        assert_eq!(read::<HashMap<u32, String>>(b"1=a").unwrap()[&1], "a");
        assert_eq!(read::<HashMap<Name, Option<u8>>>(b"size=3").unwrap()[&Name("size".into())], Some(3));
        assert_eq!(read::<Vec<(u32, bool)>>(b"1=true&2=false").unwrap(), [(1, true), (2, false)]);
    }

    #[test]
    fn e8_a_number_that_is_too_large_is_still_a_number() {
        for (text, message) in
            [("n=18446744073709551616", "The number is too large."), ("n=x", "Expected a whole number of 0 or more.")]
        {
            let fault = read::<HashMap<String, u64>>(text.as_bytes()).unwrap_err();
            assert!(fault.details_json().unwrap().contains(message), "{:?}", fault.details_json());
        }
    }
}
