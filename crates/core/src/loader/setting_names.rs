//! The keys of a route by name, for programs that show them: `json` and `content_types` are two ways to set one.

use crate::policy::keys::TableSettings;

const JSON: &str = "json";
const TYPES: &str = "content_types";

/// The keys of a route, in the order of the manual; `json` stands for `content_types`, too.
pub(super) fn keys() -> impl Iterator<Item = &'static str> {
    TableSettings::NAMES.iter().copied().filter(|key| *key != TYPES)
}

/// The names that set one of [`keys`].
pub(super) fn names_of(key: &'static str) -> &'static [&'static str] {
    let at = TableSettings::NAMES.iter().position(|name| *name == key);
    match at {
        _ if key == JSON => &[JSON, TYPES],
        Some(at) => &TableSettings::NAMES[at..=at],
        None => &[],
    }
}

/// The value of one of [`keys`] in one table.
pub(super) fn value_of(keys: &TableSettings, key: &'static str) -> Option<(&'static str, String)> {
    // Two ways to set one thing: the list decides, unless it is empty and `json = true`.
    let lists = |types: &Vec<String>| keys.json != Some(true) || !types.is_empty();
    let key = if key == JSON && keys.content_types.as_ref().is_some_and(lists) { TYPES } else { key };
    Some((key, keys.written(key)?))
}

pub(super) fn default_of(key: &str) -> String {
    TableSettings::defaults().written(key).unwrap_or_default()
}
