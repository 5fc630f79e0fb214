//! The types of values in tables that are not in the standard library.

#[cfg(feature = "policy-file")]
use toml::de::DeValue;

/// A setting that can only have a few values, which `ALL` lists.
#[cfg_attr(not(feature = "policy-file"), allow(dead_code, reason = "only policy files are parsed from words"))]
pub(crate) trait KeywordValue: Copy + 'static {
    const ALL: &'static [Self];

    fn word(self) -> &'static str;
}

/// Defines an enum whose values are words in the policy file, and the default for a policy that sets no value.
macro_rules! words {
    ($($(#[$doc:meta])* $vis:vis $name:ident { $($(#[$of:meta])* $variant:ident = $word:literal,)* })*) => {$(
        $crate::table::named! {
            "Returns the word in the policy file."
            $(#[$doc])*
            #[derive(Default)]
            $vis enum $name { $($(#[$of])* $variant = $word,)* }
        }

        $crate::table::keywords! { $name }
    )*};
}

/// Declares types whose values are words in the policy file.
macro_rules! keywords {
    ($($name:ident)*) => {$(
        impl $crate::table::KeywordValue for $name {
            const ALL: &'static [Self] = Self::VALUES;

            fn word(self) -> &'static str {
                self.as_str()
            }
        }
    )*};
}

/// Defines a struct whose values are read by methods with the names and comments of its fields.
macro_rules! facts {
    ($($(#[$of:meta])* pub struct $name:ident $(<$life:lifetime>)? { $($(#[$about:meta])* $field:ident: $type:ty,)* })*) => {$(
        $(#[$of])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name $(<$life>)? {
            $(pub(crate) $field: $type,)*
        }

        impl $(<$life>)? $name $(<$life>)? {
            $($(#[$about])* #[must_use] pub fn $field(&self) -> $type {
                self.$field
            })*
        }
    )*};
}

pub(crate) use error_envelope_text::named;
pub(crate) use {facts, keywords, words};

/// A text for clients.
pub(crate) type Message = std::borrow::Cow<'static, str>;

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) u64);

/// Tables or values with names, in the order of the file.
#[derive(Clone, Debug)]
pub(crate) struct Named<T>(pub(crate) Vec<(String, T)>);

/// The tables of a list, which are written as `[[name]]`. An element that is not a table is treated as an empty table.
#[cfg(feature = "policy-file")]
#[derive(Clone, Debug)]
pub(crate) struct Tables<T>(pub(crate) Vec<T>);

/// A text, or a list of texts.
#[derive(Clone, Debug, Default)]
pub(crate) struct OneOrMore(pub(crate) Vec<String>);

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

/// Returns the name for this type of value, with an article.
#[cfg(feature = "policy-file")]
pub(crate) fn kind_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// Parses a size as it is written in a policy file and in command-line flags. The inner option is `None` if the size is
/// too large to count.
#[cfg(feature = "policy-file")]
pub fn parse_size(text: &str) -> Option<Option<u64>> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim_start_matches(' ') {
        "" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    if number.is_empty() {
        return None;
    }
    Some(number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor)))
}

/// Returns a number of bytes in the largest unit of which it is a multiple.
#[cfg(feature = "policy-file")]
#[must_use]
pub fn format_size(bytes: u64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let whole = units.into_iter().find(|(_, bits)| bytes != 0 && bytes.trailing_zeros() >= *bits);
    whole.map_or_else(|| bytes.to_string(), |(unit, bits)| format!("{} {unit}", bytes >> bits))
}
