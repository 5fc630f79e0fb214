//! The keys of a route by their names, for programs that show them. `json` and `content_types` are two names for one
//! setting.

use crate::policy::keys::RouteTable;

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
