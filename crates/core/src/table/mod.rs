//! The tables of a policy. Each table is one plain struct, for the file and for Rust, and its keys are defined in one
//! place.
//!
//! 1. [`tables!`] makes a struct whose fields are the keys of a table, each an option with its doc comment. The macro
//!    also makes the reader of the table. [`setters!`] makes the methods by which Rust sets the same keys.
//! 2. The type of a value is a [`Leaf`]. A leaf is read from TOML, and printed as it is written in a file.
//! 3. [`Reading`] is the place in a file. `Reading` collects all mistakes, with their keys and bytes. A wrong key is
//!    left out, and the other keys of its table are read.
//! 4. The meaning of a table is checked when the policy is built, for files and Rust alike. [`Refusals`] collects the
//!    mistakes that this check finds, so that one mistake does not hide another.

#[cfg(feature = "policy-file")]
mod document;
mod error;
#[cfg(feature = "policy-file")]
mod files;
#[cfg(feature = "policy-file")]
mod leaf;
#[cfg(feature = "policy-file")]
mod reading;
mod refusal;
mod values;

pub(crate) use self::error::Kind;
pub use self::error::PolicyError;
#[cfg(test)]
pub(crate) use self::refusal::alone;
pub(crate) use self::refusal::{Refusals, SettingError, TablePath, advice_for_unknown, closest, dotted};
pub(crate) use self::values::{KeywordValue, Message, Named, OneOrMore, Size, facts, keywords, named, words};
#[cfg(feature = "policy-file")]
pub(crate) use self::{
    document::Document,
    error::line_of,
    files::{MAX_FILE_BYTES, NamedFile, read_text},
    leaf::{NamedText, Version},
    reading::{Found, Leaf, MAX_MISTAKES, Reading, span_to_show},
    values::Tables,
};
#[cfg(feature = "policy-file")]
pub use self::{
    files::{MAX_ANY_FILE_BYTES, read_regular},
    values::{format_size, parse_size},
};

/// Defines a table. Each field is a key, and its comment is the text of the manual. A key that a table must have is
/// marked `= required`. In Rust, the constructor sets this key.
macro_rules! tables {
    ($(
        $(#[doc = $what:literal])*
        $vis:vis struct $name:ident {
            $(
                $(#[doc = $about:literal])*
                $(#[cfg($cfg:meta)])?
                $key:ident $(($word:literal))?: $type:ty $(= $need:tt)?,
            )*
        }
    )*) => {$(
        $(#[doc = $what])*
        #[derive(Clone, Debug, Default)]
        #[must_use]
        $vis struct $name {
            $($(#[doc = $about])* pub(crate) $key: Option<$type>,)*
        }

        #[allow(dead_code, reason = "not every table needs each of these")]
        impl $name {
            $($crate::table::tables! { @or_default $key $type $(= $need)? })*

            /// Returns the keys that are set, in the order of the manual.
            pub(crate) fn set_keys(&self) -> impl Iterator<Item = &'static str> + use<> {
                let all = [$((self.$key.is_some(), $crate::table::tables!(@name $key $($word)?)),)*];
                all.into_iter().filter_map(|(is_set, key)| is_set.then_some(key))
            }
        }

        #[cfg(feature = "policy-file")]
        #[allow(dead_code, reason = "some tables do not use all of these")]
        impl $name {
            /// The keys, in the order of the manual.
            pub(crate) const KEYS: &[&'static str] = &[$($crate::table::tables!(@name $key $($word)?),)*];

            /// Reads the keys, and ignores all other keys.
            pub(crate) fn read_keys(table: &toml::de::DeTable<'_>, at: &mut $crate::table::Reading<'_>) -> Self {
                Self {
                    $($key: at.key(
                        table,
                        $crate::table::tables!(@name $key $($word)?),
                        $crate::table::tables!(@need $($need)?),
                    ),)*
                }
            }

            /// Joins the keys of both tables. If both set a key, this table's value is used.
            pub(crate) fn overriding(self, base: Self) -> Self {
                Self { $($key: self.$key.or(base.$key),)* }
            }

            /// Returns the value of a key, spelled as in a file, or `None` if the key is not set.
            pub(crate) fn written(&self, key: &str) -> Option<String> {
                $(if key == $crate::table::tables!(@name $key $($word)?) {
                    return self.$key.as_ref().map($crate::table::Leaf::written);
                })*
                None
            }

            /// Returns the default of a key, spelled as in a file, or `None` if the key has no default.
            pub(crate) fn default_of(key: &str) -> Option<String> {
                $(if key == $crate::table::tables!(@name $key $($word)?) {
                    return $crate::table::tables!(@default $type $(= $need)?);
                })*
                None
            }
        }

        #[cfg(feature = "policy-file")]
        impl $crate::table::Leaf for $name {
            fn read(value: &toml::de::DeValue<'_>, at: &mut $crate::table::Reading<'_>) -> Option<Self> {
                let table = at.table(value)?;
                at.refuse_others(table, Self::KEYS);
                Some(Self::read_keys(table, at))
            }

            fn written(&self) -> String {
                let key = |key: &&str| Some(format!("{key} = {}", Self::written(self, key)?));
                format!("{{ {} }}", Self::KEYS.iter().filter_map(key).collect::<Vec<_>>().join(", "))
            }
        }
    )*};
    (@name $key:ident) => { stringify!($key) };
    (@name $key:ident $word:literal) => { $word };
    (@need) => { false };
    (@need required) => { true };
    (@need $default:tt) => { false };
    (@or_default $key:ident $type:ty) => {};
    (@or_default $key:ident $type:ty = required) => {};
    (@or_default $key:ident $type:ty = $default:tt) => {
        /// Returns the value that applies, which is the default if the table does not set the key.
        pub(crate) fn $key(&self) -> $type {
            self.$key.clone().unwrap_or($default)
        }
    };
    (@default $type:ty) => { None };
    (@default $type:ty = required) => { None };
    (@default $type:ty = $default:tt) => { Some(<$type as $crate::table::Leaf>::written(&$default)) };
}

/// Makes the setters of a table, with the comments of its keys. A setter of a text accepts every type that converts to
/// it.
macro_rules! setters {
    ($(
        $(#[doc = $what:literal])*
        $vis:vis struct $name:ident {
            $(
                $(#[doc = $about:literal])*
                $(#[cfg($cfg:meta)])?
                $key:ident $(($word:literal))?: $type:ident $(= $need:ident)?,
            )*
        }
    )*) => {
        $(impl $name {
            $($crate::table::setters! { @one [$(#[doc = $about])* $(#[cfg($cfg)])?] $key $type $($need)? })*
        })*
        $crate::table::tables! { $(
            $(#[doc = $what])*
            $vis struct $name {
                $($(#[doc = $about])* $(#[cfg($cfg)])? $key $(($word))?: $type $(= $need)?,)*
            }
        )* }
    };
    (@one [$($attribute:tt)*] $key:ident $type:ident required) => {};
    (@one $attributes:tt $key:ident String) => { $crate::table::setters! { @set $attributes $key impl Into<String> } };
    (@one $attributes:tt $key:ident Message) => {
        $crate::table::setters! { @set $attributes $key impl Into<std::borrow::Cow<'static, str>> }
    };
    (@one $attributes:tt $key:ident $type:ident) => { $crate::table::setters! { @set $attributes $key $type } };
    (@set [$($attribute:tt)*] $key:ident $takes:ty) => {
        $($attribute)*
        pub fn $key(mut self, $key: $takes) -> Self {
            self.$key = Some($key.into());
            self
        }
    };
}

/// Makes the setters of a builder that keeps its values in the field `table`. `+=` marks a setter that adds to a list.
macro_rules! table_setters {
    ($of:ident: $($(#[$about:meta])* $key:ident $(+= $item:ident)?: $type:ty,)*) => {
        impl $of {
            $($crate::table::table_setters! { @one [$(#[$about])*] $key $($item)?: $type })*
        }
    };
    (@one [$($attribute:tt)*] $key:ident: $type:ty) => {
        $($attribute)*
        pub fn $key(mut self, $key: $type) -> Self {
            self.table.$key = Some($key.into());
            self
        }
    };
    (@one [$($attribute:tt)*] $key:ident $item:ident: $type:ty) => {
        $($attribute)*
        pub fn $key(mut self, $item: $type) -> Self {
            self.table.$key.get_or_insert_default().0.push($item.into());
            self
        }
    };
}

pub(crate) use {setters, table_setters, tables};
