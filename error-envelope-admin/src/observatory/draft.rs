//! What to write into the policy for errors without a code.

use http::StatusCode;
use tower_error_envelope::ErrorCode;

use super::seen::Kind;
use super::visible;

/// The longest name that a code may have (E2).
const LONGEST_NAME: usize = 63;

/// A piece of policy, ready to be copied, and what to know of it.
pub(super) struct Draft {
    pub(super) toml: String,
    pub(super) note: Option<&'static str>,
}

/// Whether a status has one meaning, or is the service's own failure, so that a rule could say no more of it.
pub(super) fn status_says_all(kind: &Kind) -> bool {
    kind.unknown.is_none()
        && matches!(kind.sent, Some(401 | 405..=408 | 411 | 413..=417 | 421 | 426 | 428 | 429 | 431 | 451 | 500..))
}

/// A rule for errors of this kind on this route; `alone` says that all errors of its status there are of it. What no rule
/// can tell from others gets none, with why.
pub(super) fn of(kind: &Kind, route: Option<&str>, alone: bool) -> Result<Draft, &'static str> {
    let status = kind.sent.ok_or("No status was sent.")?;
    let (condition, name, message) = match (&kind.unknown, route) {
        (Some(code), _) => (format!("code = {}", quoted(code)), snake(code), sentence(code)),
        (None, Some(route)) if alone => {
            let literal = route.rsplit('/').find(|part| !part.is_empty() && !part.contains(['{', '}', '*', ' ']));
            let name = format!("{}_{}", snake(literal.unwrap_or("route")), of_status(status).as_str());
            (format!("route = {}", quoted(route)), name, of_status(status).message().to_owned())
        }
        (None, Some(_)) => {
            return Err("Other errors of this status are told apart here: ask for the text, with message = \"…\".");
        }
        (None, None) => {
            return Err("Give the requests a [[route]] of their own first: a rule by status alone holds everywhere.");
        }
    };
    let name: String = name.chars().take(LONGEST_NAME).collect();
    let name = name.trim_end_matches('_');
    let message = if status < 500 { message } else { of_status(status).message().to_owned() };
    let mut toml = format!("[[map]]\nstatus = {status}\n{condition}\nto = {}\n", quoted(name));
    if status >= 500 {
        toml.push_str(&format!("say = {}\n", quoted(&message)));
    }
    if !ErrorCode::ALL.iter().any(|code| code.as_str() == name) {
        let (name, message) = (quoted(name), quoted(&message));
        toml.push_str(&format!("\n[[code]]\ncode = {name}\nstatus = {status}\nmessage = {message}\n"));
    }
    let note = (status >= 500).then_some("Such a rule lets the details of a 5xx reach clients: look at them first.");
    Ok(Draft { toml, note })
}

fn of_status(status: u16) -> ErrorCode {
    StatusCode::from_u16(status).map_or(ErrorCode::BAD_REQUEST, ErrorCode::of_status)
}

/// `SessionNotFound`, `SESSION-NOT-FOUND` and `session.not.found` as `session_not_found`.
fn snake(code: &str) -> String {
    let mut name = String::new();
    let mut before = ' ';
    for letter in code.chars() {
        if letter.is_ascii_uppercase() && before.is_ascii_lowercase() {
            name.push('_');
        }
        match letter.to_ascii_lowercase() {
            fits @ ('a'..='z' | '0'..='9') => name.push(fits),
            _ if !name.ends_with('_') => name.push('_'),
            _ => {}
        }
        before = letter;
    }
    let name = name.trim_matches('_');
    if name.starts_with(|first: char| first.is_ascii_lowercase()) { name.to_owned() } else { format!("e_{name}") }
}

fn sentence(code: &str) -> String {
    let words = snake(code).replace('_', " ");
    let mut letters = words.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).chain(['.']).collect()
}

/// A string of TOML, without anything that cannot be seen where it is copied from.
fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            _ if visible::is_hidden(letter) => out.push_str(&format!("\\U{:08X}", u32::from(letter))),
            _ => out.push(letter),
        }
    }
    out + "\""
}

#[cfg(test)]
mod tests {
    use tower_error_envelope::Policy;
    use tower_error_envelope::exchange::{DecidedBy, Origin};

    use super::super::seen::{Code, Kind};
    use super::{of, snake};

    fn kind(status: u16, unknown: Option<&str>) -> Kind {
        Kind {
            origin: Origin::Inner,
            code: Code::default(),
            sent: Some(status),
            would_be: None,
            grpc: None,
            dialect: None,
            by: Some(DecidedBy::Status),
            unknown: unknown.map(Into::into),
        }
    }

    #[test]
    fn every_draft_is_a_policy() {
        let unknown =
            [None, Some("SEAT_TAKEN"), Some("NOT_FOUND"), Some("E1001"), Some("a\"]\\\n[[map]]\u{7f}\u{202e}")];
        let routes = [None, Some("/seats/{id}"), Some("GET|POST /"), Some("/a/{*rest}"), Some("/it's \"x\"")];
        let mut drafted = 0;
        for status in [400, 404, 409, 500, 503] {
            for unknown in unknown {
                for route in routes {
                    let Ok(draft) = of(&kind(status, unknown), route, true) else { continue };
                    let toml = format!("version = 1\n{}", draft.toml);
                    Policy::from_toml("draft.toml", &toml).unwrap_or_else(|error| panic!("{error}\n{toml}"));
                    drafted += 1;
                }
            }
        }
        assert_eq!(drafted, 5 * (4 * 5 + 4));
    }

    #[test]
    fn a_rule_names_what_the_service_says() {
        let draft = of(&kind(409, Some("SeatTaken")), Some("/seats/{id}"), false).unwrap_or_else(|why| panic!("{why}"));
        let toml = "[[map]]\nstatus = 409\ncode = \"SeatTaken\"\nto = \"seat_taken\"\n\n[[code]]\ncode = \"seat_taken\"\n\
                    status = 409\nmessage = \"Seat taken.\"\n";
        assert_eq!(draft.toml, toml);
        let draft = of(&kind(404, Some("NOT_FOUND")), None, false).unwrap_or_else(|why| panic!("{why}"));
        assert!(!draft.toml.contains("[[code]]"), "the catalogue has it: {}", draft.toml);
        assert!(of(&kind(409, None), Some("/seats/{id}"), false).is_err(), "others are told apart there");
        assert!(of(&kind(409, None), None, true).is_err(), "it would hold everywhere");
    }

    #[test]
    fn names_are_those_of_codes() {
        for (code, name) in [("SessionNotFound", "session_not_found"), ("A-B.C", "a_b_c"), ("42", "e_42"), ("é", "e_")]
        {
            assert_eq!(snake(code), name);
        }
    }
}
