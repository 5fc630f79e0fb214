//! The keys of a route in a file: reads and writes them, and compares them with those of a base.

use super::env::NamedFiles;
use super::key_value::KeyValue;
use super::read::Table;
use super::weaker;
use crate::policy::keys::{TableSettings, for_each_key};

macro_rules! file_keys {
    ($(
        $(#[doc = $about:literal])+
        #[manual = $note:literal]
        $key:ident: $value:ty
        $(, reply $reply:ty $(= $reply_default:expr)? $(, by $reply_list:ident)? $(, weaker $reply_weaker:ident)?)?
        $(, bit $bit:ty $(= $bit_default:expr)?)?
        $(, guard $guard:ty $(= $guard_default:expr)? $(, by $guard_list:ident)?, weaker $guard_weaker:ident)?
        $(, path $path:ty, weaker $path_weaker:ident)?;
    )*) => {
        impl TableSettings {
            /// Reads these keys from a table.
            pub(super) fn read(table: &Table<'_>, files: &mut NamedFiles<'_>) -> Self {
                Self { $($key: table.read(stringify!($key), |value| KeyValue::read(value, files)),)* }
            }

            /// The value of a key, spelled as in the file; `None` if it is not set.
            pub(in crate::loader) fn written(&self, key: &str) -> Option<String> {
                match key {
                    $(stringify!($key) => self.$key.as_ref().map(KeyValue::written),)*
                    _ => None,
                }
            }

            /// Whether both tables set the key, and this one requires less of a request.
            pub(in crate::loader) fn weakens(&self, base: &Self, key: &str) -> bool {
                let types = |keys: &Self| Self { content_types: keys.media_types().ok().flatten(), ..keys.clone() };
                let (own, base) = (types(self), types(base));
                match if key == stringify!(json) { stringify!(content_types) } else { key } {
                    $(
                        $($(stringify!($key) => weaker::is_weaker(&own.$key, &base.$key, weaker::$reply_weaker),)?)?
                        $(stringify!($key) => weaker::is_weaker(&own.$key, &base.$key, weaker::$guard_weaker),)?
                        $(stringify!($key) => weaker::is_weaker(&own.$key, &base.$key, weaker::$path_weaker),)?
                    )*
                    _ => false,
                }
            }
        }
    };
}

for_each_key!(file_keys);

#[cfg(test)]
pub(in crate::loader) mod tests;
