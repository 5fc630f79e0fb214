//! Parts of policy drafts from observed errors.

use error_envelope_core::code::ErrorCode;
use error_envelope_core::message::is_invisible;
use http::StatusCode;

/// The longest name that a code may have (E2).
const LONGEST_NAME: usize = 63;

/// Whether the status alone describes the error: it has only one meaning, or the service itself failed. The catalogue's
/// code then fits, and a rule adds nothing.
pub(crate) const fn status_says_all(status: u16) -> bool {
    matches!(status, 401 | 405..=408 | 411 | 413..=417 | 421 | 426 | 428 | 429 | 431 | 451 | 500..)
}

/// The catalogue's code for a status.
pub(crate) fn code_of_status(status: u16) -> ErrorCode {
    StatusCode::from_u16(status).map_or(ErrorCode::BAD_REQUEST, ErrorCode::of_status)
}

/// A code's name in the form that the contract requires (E2): `SessionNotFound`, `SESSION-NOT-FOUND` and
/// `session.not.found` become `session_not_found`.
pub(crate) fn name_of(code: &str) -> String {
    truncated(snake(code))
}

/// A name for errors with this status on a route, made from the last part of the route that is not a parameter.
pub(crate) fn name_on_route(route: &str, status: u16) -> String {
    let literal = route.rsplit('/').find(|part| !part.is_empty() && !part.contains(['{', '}', '*', ' ']));
    truncated(format!("{}_{}", snake(literal.unwrap_or("route")), code_of_status(status).as_str()))
}

/// A service's code as a sentence: `SessionNotFound` as `Session not found.`
pub(crate) fn sentence(code: &str) -> String {
    let words = snake(code).replace('_', " ");
    let mut letters = words.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).chain(['.']).collect()
}

/// Whether the catalogue has a code of this name.
pub(crate) fn is_in_catalogue(name: &str) -> bool {
    ErrorCode::ALL.iter().any(|code| code.as_str() == name)
}

/// A `[[map]]` for errors of a status, with further conditions as lines. If `defines` is set, the `[[code]]` that it
/// names is written too.
pub(crate) fn rule(status: u16, conditions: &str, code: &str, message: &str, defines: bool) -> String {
    let (code, message) = (quoted(code), quoted(message));
    let mut toml = format!("[[map]]\nstatus = {status}\n{conditions}to = {code}\n");
    // The text of a 5xx goes only to the log, unless a person has checked it.
    if status >= 500 {
        toml += &format!("say = {message}\n");
    }
    if defines {
        toml += &format!("\n[[code]]\ncode = {code}\nstatus = {status}\nmessage = {message}\n");
    }
    toml
}

/// A string of TOML, without invisible characters.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            _ if is_invisible(letter) => out.push_str(&format!("\\U{:08X}", u32::from(letter))),
            _ => out.push(letter),
        }
    }
    out + "\""
}

fn truncated(name: String) -> String {
    let name: String = name.chars().take(LONGEST_NAME).collect();
    name.trim_end_matches('_').to_owned()
}

fn snake(code: &str) -> String {
    let mut name = String::new();
    let mut before = ' ';
    for letter in code.chars() {
        let begins_word = letter.is_ascii_uppercase() && before.is_ascii_lowercase();
        if (begins_word || !letter.is_ascii_alphanumeric()) && !name.ends_with('_') {
            name.push('_');
        }
        name.extend(letter.is_ascii_alphanumeric().then_some(letter.to_ascii_lowercase()));
        before = letter;
    }
    let name = name.trim_matches('_');
    if name.starts_with(|first: char| first.is_ascii_lowercase()) { name.to_owned() } else { format!("e_{name}") }
}

#[cfg(test)]
mod tests {
    use super::{LONGEST_NAME, name_of, name_on_route, quoted, sentence};

    #[test]
    fn names_are_those_of_codes() {
        for (code, name) in [
            ("SessionNotFound", "session_not_found"),
            ("SESSION-NOT-FOUND", "session_not_found"),
            ("A-B.C", "a_b_c"),
            ("42", "e_42"),
            ("é", "e"),
        ] {
            assert_eq!(name_of(code), name);
        }
        assert_eq!(name_of(&"ab_".repeat(30)).len(), LONGEST_NAME - 1, "cut, and no _ at its end");
        assert_eq!(name_on_route("/seats/{id}", 404), "seats_not_found");
        assert_eq!(name_on_route("GET|POST /", 404), "route_not_found");
        assert_eq!(sentence("SeatTaken"), "Seat taken.");
    }

    #[test]
    fn a_text_is_a_string_of_toml() {
        assert_eq!(quoted("a\"\\\n\u{202e}"), r#""a\"\\\U0000000A\U0000202E""#);
    }
}
