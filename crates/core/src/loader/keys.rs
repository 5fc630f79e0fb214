//! The keys of a route by their names, for programs that show them; and which of two values of a key requires less of a
//! request: [`keys`](crate::policy::keys) names these functions in its rows. `json` and `content_types` are two names for
//! one setting.

#![allow(clippy::ptr_arg, reason = "what is compared is of the type that a table has for the key")]

use crate::policy::choice::{BodyLimitPer, LetterCase, Mode, Paths, Preflight};
use crate::policy::keys::{RouteTable, for_each_key};

const JSON: &str = "json";
const CONTENT_TYPES: &str = "content_types";

/// The keys of a route, in the order of the manual. `json` also represents `content_types`.
pub(super) fn keys() -> impl Iterator<Item = &'static str> {
    RouteTable::KEYS.iter().copied().filter(|key| *key != CONTENT_TYPES)
}

/// The names under which one of [`keys`] may be set.
pub(super) fn all_names_of(key: &'static str) -> &'static [&'static str] {
    let index = RouteTable::KEYS.iter().position(|name| *name == key);
    match index {
        _ if key == JSON => &[JSON, CONTENT_TYPES],
        Some(index) => &RouteTable::KEYS[index..=index],
        None => &[],
    }
}

/// The name and the value of one of [`keys`], as a table sets it.
pub(super) fn value_of(keys: &RouteTable, key: &'static str) -> Option<(&'static str, String)> {
    // If both are set, the list decides, unless it is empty and `json` is true.
    let list_decides = |types: &Vec<String>| keys.json != Some(true) || !types.is_empty();
    let key = if key == JSON && keys.content_types.as_ref().is_some_and(list_decides) { CONTENT_TYPES } else { key };
    Some((key, keys.written(key)?))
}

pub(super) fn default_of(key: &str) -> String {
    RouteTable::defaults().written(key).unwrap_or_default()
}

macro_rules! weaker {
    ($(
        $(#[doc = $about:literal])+
        #[manual = $note:literal]
        $(#[rust = $more:literal])?
        $(#[guard($guard:ident)])?
        $(#[weaker($weaker:ident)])?
        $key:ident: $value:ident $(=> $made:ty, by $make:ident)? $(= $default:expr)?;
    )*) => {
        impl RouteTable {
            /// Whether both tables set the key, and this one requires less of a request.
            pub(super) fn weakens(&self, base: &Self, key: &str) -> bool {
                let types = |keys: &Self| Self { content_types: keys.media_types().ok().flatten(), ..keys.clone() };
                let (own, base) = (types(self), types(base));
                match if key == "json" { "content_types" } else { key } {
                    $(
                        $(stringify!($key) => is_weaker(&own.$key, &base.$key, $guard),)?
                        $(stringify!($key) => is_weaker(&own.$key, &base.$key, $weaker),)?
                    )*
                    _ => false,
                }
            }
        }
    };
}

for_each_key!(weaker);

/// Whether both tables set the key, and the first value requires less.
fn is_weaker<T>(own: &Option<T>, base: &Option<T>, weaker: fn(&T, &T) -> bool) -> bool {
    matches!((own, base), (Some(own), Some(base)) if weaker(own, base))
}

fn guards_nothing(own: &Mode, base: &Mode) -> bool {
    let guards = |mode: &Mode| !matches!(mode, Mode::Off | Mode::Observe);
    guards(base) && !guards(own)
}

fn larger(own: &Option<u64>, base: &Option<u64>) -> bool {
    own.unwrap_or(u64::MAX) > base.unwrap_or(u64::MAX)
}

fn counts_less(own: &BodyLimitPer, base: &BodyLimitPer) -> bool {
    let streams = |per: &BodyLimitPer| match per {
        BodyLimitPer::Body => 0,
        BodyLimitPer::Auto => 1,
        BodyLimitPer::Message => 2,
    };
    streams(own) > streams(base)
}

/// For lists of names of which a request needs only one. An empty list guards nothing.
fn lets_more_in(own: &Vec<String>, base: &Vec<String>) -> bool {
    !base.is_empty() && (own.is_empty() || own.iter().any(|name| !base.contains(name)))
}

/// For lists of names of which a request needs all.
fn requires_fewer(own: &Vec<String>, base: &Vec<String>) -> bool {
    base.iter().any(|name| !own.contains(name))
}

fn enforces_less(own: &bool, base: &bool) -> bool {
    *own && !*base
}

fn passes_preflights(own: &Preflight, base: &Preflight) -> bool {
    (*own, *base) == (Preflight::Pass, Preflight::Guard)
}

fn reads_on(own: &Paths, base: &Paths) -> bool {
    (*own, *base) == (Paths::Guard, Paths::Refuse)
}

fn distinguishes_case(own: &LetterCase, base: &LetterCase) -> bool {
    (*own, *base) == (LetterCase::Exact, LetterCase::Fold)
}

#[cfg(test)]
pub(in crate::loader) mod tests;
