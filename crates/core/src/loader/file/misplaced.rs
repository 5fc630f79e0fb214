//! Advice for a key in the wrong table, and for a line that is not TOML.

use crate::policy::keys::TableSettings;

/// The table to which a key belongs; `None` if no table has such a key.
pub(super) fn place_of(name: &str, known: &[&str]) -> Option<&'static str> {
    let is_route = known.contains(&"match");
    match name {
        "version" | "include" | "base" | "locked" => Some("write it above the first table of the file"),
        "hosts" | "prefix" | "upstream" | "upstream_timeout" | "stall_timeout" => {
            Some("write it in the table [scope] of an included file")
        }
        "path" | "pattern" if is_route => Some("the key is called \"match\""),
        "method" | "methods" if is_route => Some("write the methods in match, as in \"GET|POST /x\""),
        _ if TableSettings::NAMES.contains(&name) => Some("write it in [defaults], or in a [[route]]"),
        _ => None,
    }
}

const CLOSE_TEXT: &str = "close the text with the quote that opens it";
const REAL_TIME: &str = "write a date and a time that exist, as in 2027-01-01T00:00:00Z";

/// How to correct a line that is not TOML, according to the parser's message.
pub(super) fn right_syntax(message: &str) -> &'static str {
    let advice = [
        ("duplicate key", "write each key and each table once; tables of a list have two brackets, as in [[route]]"),
        ("key with no value", "write a key, = and a value, as in mode = \"own\""),
        ("must be quoted", "write a text in straight quotes, as in \"own\""),
        ("escape", "write \\\\ for a backslash, or put the text into single quotes"),
        ("unclosed", "close it on the line where it begins"),
        ("literal string, expected `'`", CLOSE_TEXT),
        ("basic string, expected `\"`", CLOSE_TEXT),
        ("invalid date", REAL_TIME),
        ("invalid time", REAL_TIME),
        ("invalid offset", REAL_TIME),
    ];
    let found = advice.iter().find(|(part, _)| message.contains(part));
    found
        .map_or("write lines such as mode = \"own\" and [defaults]; https://toml.io has the syntax", |(_, right)| right)
}
