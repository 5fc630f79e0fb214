//! Compares values with placeholders: `re:` patterns, `$id` and `$idhex`, and the forms of ids and timestamps.

use serde_json::Value;

/// Returns true for `req_` and a ULID in Crockford's upper case with at most 128 bits (I1).
pub(super) fn is_request_id(text: &str) -> bool {
    matches(r"req_[0-7][0-9A-HJKMNP-TV-Z]{25}", text)
}

/// Returns the 128 bits of an id in the form of a trace id (I4).
pub(super) fn id_hex(id: &str) -> String {
    let ulid = id.strip_prefix("req_").unwrap_or(id);
    ulid::Ulid::from_string(ulid).map_or_else(|_| "no-id".into(), |ulid| format!("{:032x}", u128::from(ulid)))
}

/// Inserts the id into the text. `$idhex` is replaced first, because it begins with `$id`.
pub(super) fn with_id(text: &str, id: &str) -> String {
    text.replace("$idhex", &id_hex(id)).replace("$id", id)
}

/// Returns true if a header's value is the wanted one, or fits the wanted pattern.
pub(super) fn fits(wanted: &str, value: &str, id: &str) -> bool {
    match wanted.strip_prefix("re:") {
        Some(pattern) => matches(&with_id(pattern, id), value),
        None => wanted == value || with_id(wanted, id) == value,
    }
}

/// Returns true if the pattern matches the whole text.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let whole = fancy_regex::Regex::new(&format!(r"\A(?:{pattern})\z"));
    let whole = whole.unwrap_or_else(|error| panic!("the case's pattern {pattern:?}: {error}"));
    whole.is_match(text).unwrap_or_else(|error| panic!("the case's pattern {pattern:?}: {error}"))
}

/// Returns true for a time of RFC 3339, which is the form of `meta.ts`.
fn is_timestamp(text: &str) -> bool {
    matches(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", text)
}

/// Reads JSON of any depth. The caller's thread has the stack for it.
pub(super) fn json(text: &str) -> Result<Value, serde_json::Error> {
    use serde::Deserialize as _;
    let mut reader = serde_json::Deserializer::from_str(text);
    reader.disable_recursion_limit();
    let value = Value::deserialize(&mut reader)?;
    reader.end().map(|()| value)
}

/// Returns the first place where `have` lacks a member of `want`, or `None` if it has at least the members of `want`.
pub(super) fn missing(want: &Value, have: &Value, id: &str, at: &str) -> Option<String> {
    match (want, have) {
        (Value::Object(want), Value::Object(have)) => want.iter().find_map(|(key, want)| match have.get(key) {
            Some(have) => missing(want, have, id, &format!("{at}/{key}")),
            None => Some(format!("{at}/{key} is not there")),
        }),
        (Value::Array(want), Value::Array(have)) if want.len() == have.len() => want
            .iter()
            .zip(have)
            .enumerate()
            .find_map(|(index, (want, have))| missing(want, have, id, &format!("{at}/{index}"))),
        (Value::String(want), Value::String(have)) if want == "$ts" => {
            (!is_timestamp(have)).then(|| format!("{at} is {have:?}, which is no timestamp"))
        }
        (Value::String(want), Value::String(have)) if with_id(want, id) == *have => None,
        _ => (want != have).then(|| format!("{at} is {have}, not {want}")),
    }
}
