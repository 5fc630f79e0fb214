//! Decides whether a text is a code (R2, E9).

use http::StatusCode;

use super::field_names::NO_CODES;
use super::outgoing::is_upstream_code;
use super::phrases::is_phrase_as_code;
use crate::request_id::RequestId;

/// Returns true if a value has the form of a code, and states more than the status or the mere fact of an error.
pub(super) fn is_code(code: &str, status: StatusCode) -> bool {
    is_code_or_word(code) && !repeats_status(code, status)
}

/// Returns true if a value states no more than the status or the mere fact of an error.
pub(super) fn repeats_status(code: &str, status: StatusCode) -> bool {
    let is_registered = |code: StatusCode| code.as_u16() >= 400 && code.canonical_reason().is_some();
    let is_status = code.len() == 3
        && (code == status.as_str() || StatusCode::from_bytes(code.as_bytes()).is_ok_and(is_registered));
    is_status || NO_CODES.iter().any(|word| code.eq_ignore_ascii_case(word)) || is_phrase_as_code(code)
}

/// Returns true if a value has the form of a code, and is neither an address nor an id.
pub(super) fn is_code_or_word(code: &str) -> bool {
    is_upstream_code(code)
        && !code.ends_with('.')
        && code.bytes().any(|byte| byte.is_ascii_alphanumeric())
        && !is_address_or_id(code)
}

/// Returns true if a text is an address, or an id: a UUID, a ULID, a request id, or 16 or more hexadecimal digits.
pub(in crate::dialect) fn is_address_or_id(text: &str) -> bool {
    let digits = || text.bytes().filter(|byte| *byte != b'-');
    let is_address = text.contains("://") || text == "about:blank";
    is_address
        || digits().count() >= 16 && digits().all(|byte| byte.is_ascii_hexdigit())
        || text.parse::<RequestId>().is_ok()
}

/// Returns true if the value under a general name such as `name` or `id` is a code. At the top of the body, only a
/// value under `name` can be a code.
pub(super) fn is_bare_code(name: &str, value: &str, is_top: bool) -> bool {
    let is_number = value.bytes().all(|byte| byte.is_ascii_digit());
    let in_capitals = !is_number && !value.bytes().any(|byte| byte.is_ascii_lowercase());
    let is_camel = || value.as_bytes().windows(2).any(|it| it[0].is_ascii_lowercase() && it[1].is_ascii_uppercase());
    let is_class = || ["Error", "Exception", "Fault"].iter().any(|end| value.ends_with(end));
    match (name.to_ascii_lowercase().as_str(), is_top) {
        ("name", true) => in_capitals || is_class(),
        ("cause", _) => in_capitals,
        ("id", _) if are_words(value) => true,
        (_, true) => false,
        ("num", false) => is_number,
        _ => in_capitals || value.contains('_') || is_camel(),
    }
}

/// Returns true if a value has the form of an id in a catalogue: several words, or capitals and a few digits (`SVC0002`).
pub(super) fn is_catalogue_code(value: &str) -> bool {
    let digits = value.trim_start_matches(|it: char| it.is_ascii_uppercase());
    let is_numbered = (2..=5).contains(&digits.len()) && (2..=6).contains(&(value.len() - digits.len()));
    are_words(value) || is_numbered && digits.bytes().all(|it| it.is_ascii_digit())
}

/// Returns true if a value is a code of several words, in small letters or in capitals (`ORDER_WITHOUT_ITEMS`).
pub(super) fn is_code_of_words(value: &str) -> bool {
    are_words(value) || is_in_capitals(value)
}

/// Returns true if a value is a code of several words in capitals.
pub(super) fn is_in_capitals(value: &str) -> bool {
    let is_capital = |it: u8| it.is_ascii_uppercase() || it.is_ascii_digit() || it == b'_';
    value.trim_matches('_').contains('_') && value.bytes().all(is_capital)
}

/// Returns true if a text is a code of several words, as in `session_inactive` or `data.field.missing`, and not an id.
fn are_words(text: &str) -> bool {
    let is_word = |(at, word): (usize, &str)| {
        // A name may begin or end in two letters, as in `cart.js`, but a word behind `_` may have only two: `quay_id`.
        word.len() > if at > 0 { 1 } else { 2 } && word.bytes().all(|it| it.is_ascii_lowercase())
    };
    text.contains(['_', '.']) && text.split('.').all(|part| part.split(['_', '-']).enumerate().all(is_word))
}

/// Returns true if a code only means that the input was wrong, which the issues next to it already state (E9).
pub fn means_bad_input(code: &str) -> bool {
    const WORDS: [&str; 4] = ["validationerror", "invalidrequest", "badrequest", "unprocessableentity"];

    let name: String = code.chars().filter(|it| !matches!(it, '_' | '-')).map(|it| it.to_ascii_lowercase()).collect();
    WORDS.contains(&&*name) || code.ends_with("ValidationError") || code.ends_with("ZodError")
}
