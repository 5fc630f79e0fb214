//! The keys of a route, in the order of the manual: one row each, and all lists of them are made from the rows (rule G0).
//!
//! A new key needs its row, a setter, the code that reads it, and its line in the manual and in the policy file's
//! schema. Tests hold both to the rows.
//!
//! `KEY: TYPE` is what a table may set. The resolved value, of this type or another one, belongs to one of three:
//!
//! - `reply`: how errors leave. It outlives the guards.
//! - `guard`: what a request must meet. Readings of a path with the same values have the same guards.
//! - `path`: which readings a path has, and how to treat different ones.
//!
//! Where nothing is set, `= DEFAULT` holds, else the default of the type. A list of names, or a page, is kept `by` a
//! function of [`Lists`]. `weaker` tests whether the first of two values requires less of a request than the second.

use super::choice::{
    BodyLimitPer, EventStreams, LetterCase, Mode, NoTransform, Paths, Preflight, Protocols, UnknownCodes,
};
use super::compile::lists::{DialectIndex, Index, ListIndex, Lists};
#[cfg(feature = "policy-file")]
use super::file::{NamedFiles, Table, key_value::KeyValue};
#[cfg(feature = "policy-file")]
use super::weaker;
use crate::dialect::DialectName;
use crate::guard::content_type::JSON;
use crate::guard::pattern::SettingError;
use crate::page::ErrorPage;

/// Large enough for the JSON of nearly every API, small enough that a thousand of them at once fit into memory.
pub(super) const DEFAULT_BODY_LIMIT: u64 = 1024 * 1024;

macro_rules! keys {
    ($(
        $key:ident: $value:ty
        $(, reply $reply:ty $(= $reply_default:expr)? $(, by $reply_list:ident)? $(, weaker $reply_weaker:ident)?)?
        $(, guard $guard:ty $(= $guard_default:expr)? $(, by $guard_list:ident)?, weaker $guard_weaker:ident)?
        $(, path $path:ty, weaker $path_weaker:ident)?;
    )*) => {
        /// The settings of one table.
        #[derive(Clone, Debug, Default)]
        pub(super) struct TableSettings {
            $(pub(super) $key: Option<$value>,)*
        }

        #[cfg(feature = "policy-file")]
        impl TableSettings {
            pub(super) const NAMES: &[&'static str] = &[$(stringify!($key),)*];

            pub(super) const OF_REPLIES: &[&'static str] = &[$($(name_of!($key, $reply),)?)*];

            /// Reads these keys of a table.
            pub(super) fn read(table: &Table<'_>, files: &mut NamedFiles<'_>) -> Self {
                Self { $($key: table.read(stringify!($key), |value| KeyValue::read(value, files)),)* }
            }

            /// The settings where no table sets anything.
            pub(super) fn defaults() -> Self {
                Self { $($key: Some(default!($value $($(, $reply_default)?)? $($(, $guard_default)?)?)),)* }
            }

            /// The value of a key, as the file writes it.
            pub(super) fn written(&self, key: &str) -> Option<String> {
                match key {
                    $(stringify!($key) => self.$key.as_ref().map(KeyValue::written),)*
                    _ => None,
                }
            }

            /// What both set, this one first.
            pub(super) fn over(self, base: Self) -> Self {
                let base = if self.media_types_are_set() { Self { json: None, content_types: None, ..base } } else { base };
                Self { $($key: self.$key.or(base.$key),)* }
            }

            /// Whether both set the key, and this one requires less of a request.
            pub(super) fn weakens(&self, base: &Self, key: &str) -> bool {
                let types = |keys: &Self| Self { content_types: keys.media_types().ok().flatten(), ..keys.clone() };
                let (own, base) = (types(self), types(base));
                match if key == stringify!(json) { stringify!(content_types) } else { key } {
                    $(
                        $($(stringify!($key) => weaker::both(&own.$key, &base.$key, weaker::$reply_weaker),)?)?
                        $(stringify!($key) => weaker::both(&own.$key, &base.$key, weaker::$guard_weaker),)?
                        $(stringify!($key) => weaker::both(&own.$key, &base.$key, weaker::$path_weaker),)?
                    )*
                    _ => false,
                }
            }
        }

        /// [`TableSettings`] whose lists are known by their places in the policy.
        #[derive(Clone, Debug, Default)]
        pub(super) struct PartialSettings {$(
            $(pub(super) $key: Option<$reply>,)?
            $(pub(super) $key: Option<$guard>,)?
            $(pub(super) $key: Option<$path>,)?
        )*}

        impl PartialSettings {
            /// `lists` gives each distinct list its place; an empty list has none.
            pub(super) fn new(keys: &TableSettings, lists: &mut Lists, refuse: &mut dyn FnMut(SettingError)) -> Self {
                let content_types = keys.media_types().map_err(&mut *refuse).ok().flatten();
                let keys = TableSettings { content_types, ..keys.clone() };
                Self {$(
                    $($key: stored!($reply, keys.$key $(, lists.$reply_list, refuse)?),)?
                    $($key: stored!($guard, keys.$key $(, lists.$guard_list, refuse)?),)?
                    $($key: stored!($path, keys.$key),)?
                )*}
            }

            /// Takes what is not set yet from a less specific route.
            pub(super) fn inherit(&mut self, wider: &Self) {$(
                $(self.$key = Option::<$reply>::or(self.$key, wider.$key);)?
                $(self.$key = Option::<$guard>::or(self.$key, wider.$key);)?
                $(self.$key = Option::<$path>::or(self.$key, wider.$key);)?
            )*}

            pub(super) fn settled(self, part: u16, route: Option<Index>) -> Settings {
                Settings {
                    response_settings: ResponseSettings {
                        $($($key: self.$key.unwrap_or(default!($reply $(, $reply_default)?)),)?)*
                        part,
                        route,
                    },
                    $(
                        $($key: self.$key.unwrap_or(default!($guard $(, $guard_default)?)),)?
                        $($key: self.$key.unwrap_or(default!($path)),)?
                    )*
                }
            }
        }

        /// The settings of one request.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) struct Settings {
            /// Together, so that what a request keeps of its settings is one move.
            pub(super) response_settings: ResponseSettings,
            $(
                $(pub(crate) $key: $guard,)?
                $(pub(crate) $key: $path,)?
            )*
        }

        /// The settings that outlive the guards: how errors leave.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) struct ResponseSettings {
            $($(pub(crate) $key: $reply,)?)*
            /// The narrowest scope; 0 is the policy itself.
            pub(super) part: u16,
            pub(super) route: Option<Index>,
        }

        impl Settings {
            /// Whether the guards require the same in the same mode: then one of two readings is enough.
            pub(super) fn guards_like(&self, other: &Self) -> bool {
                self.response_settings.mode == other.response_settings.mode $($(&& <$guard>::eq(&self.$key, &other.$key))?)*
            }
        }
    };
}

#[cfg(feature = "policy-file")]
macro_rules! name_of {
    ($key:ident, $_:ty) => {
        stringify!($key)
    };
}

macro_rules! default {
    ($type:ty) => {
        <$type>::default()
    };
    ($type:ty, $default:expr) => {
        $default
    };
}

macro_rules! stored {
    ($type:ty, $value:expr) => {
        $value
    };
    ($type:ty, $value:expr, $lists:ident.$place:ident, $refuse:ident) => {
        $value.as_ref().and_then(|value| $lists.$place(value).map_err(&mut *$refuse).ok())
    };
}

keys! {
    mode: Mode, reply Mode, weaker guards_nothing;
    dialect: DialectName, reply DialectIndex, by dialect;
    negotiate: bool, reply bool = true;
    unknown_codes: UnknownCodes, reply UnknownCodes;
    body_limit: Option<u64>, guard Option<u64> = Some(DEFAULT_BODY_LIMIT), weaker larger;
    body_limit_per: BodyLimitPer, guard BodyLimitPer, weaker counts_less;
    // Held as `content_types`.
    json: bool;
    content_types: Vec<String>, guard Option<Index>, by types, weaker lets_more_in;
    auth: Vec<String>, guard Option<Index>, by auth, weaker lets_more_in;
    // Credentials are checked and logged, not enforced (M1).
    auth_observe: bool, guard bool, weaker only_watches;
    require_headers: Vec<String>, guard Option<Index>, by headers, weaker asks_for_fewer;
    no_transform: NoTransform, reply NoTransform;
    protocols: Protocols, reply Protocols;
    keep_fields: Vec<String>, reply Option<ListIndex>, by intern_names;
    preflight: Preflight, guard Preflight, weaker passes_preflights;
    paths: Paths, path Paths, weaker reads_on;
    case: LetterCase, path LetterCase, weaker tells_case;
    event_streams: EventStreams, reply EventStreams;
    html: ErrorPage, reply Option<ListIndex>, by pages;
    expose_headers: bool, reply bool = true;
}

impl TableSettings {
    #[cfg(feature = "policy-file")]
    fn media_types_are_set(&self) -> bool {
        self.json.is_some() || self.content_types.is_some()
    }

    /// `json` and `content_types` are two ways to set one thing: a narrower route's value replaces a wider one's,
    /// whichever way each is set.
    fn media_types(&self) -> Result<Option<Vec<String>>, SettingError> {
        let json = || Some(vec![JSON.to_owned()]);
        match (self.json, &self.content_types) {
            (Some(true), Some(types)) if !types.is_empty() => {
                let right = "keep one of them; a list may name application/json, too";
                Err(SettingError::new("content_types", "json = true and content_types exclude each other", right))
            }
            (Some(true), _) => Ok(json()),
            (_, Some(types)) => Ok(Some(types.clone())),
            (Some(false), None) => Ok(Some(Vec::new())),
            (None, None) => Ok(None),
        }
    }
}
