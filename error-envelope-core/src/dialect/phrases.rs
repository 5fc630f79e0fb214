//! Reason phrases of statuses: as a text they state no more than the status, and as a code none (rules R2, R3, E9).

use http::StatusCode;

/// Phrases of former versions of HTTP, which servers still write.
const FORMER: [&str; 4] =
    ["Request Entity Too Large", "Request-URI Too Long", "Unprocessable Content", "Content Too Large"];

/// Whether a text is the phrase of a status of an error, in any letter case.
pub(super) fn is_phrase(text: &str) -> bool {
    phrase_of(text).is_some()
}

/// Whether a text under the name of a code is such a phrase. A code that is spelled like one in another case is a code.
pub(super) fn is_phrase_as_code(text: &str) -> bool {
    phrase_of(text).is_some_and(|phrase| phrase == text || text.contains(' '))
}

fn phrase_of(text: &str) -> Option<&'static str> {
    // The longest and the shortest one.
    if !(4..=31).contains(&text.len()) {
        return None;
    }
    let phrases = (400..=511).filter_map(|status| StatusCode::from_u16(status).ok()?.canonical_reason());
    phrases.chain(FORMER).find(|phrase| phrase.eq_ignore_ascii_case(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_phrase_of_an_error_is_one() {
        for status in 400..600 {
            let Some(phrase) = StatusCode::from_u16(status).unwrap().canonical_reason() else { continue };
            assert!(is_phrase(phrase) && is_phrase(&phrase.to_uppercase()), "{phrase}");
        }
        for other in ["", "Gone.", "Not found here", "OK", "Room Full"] {
            assert!(!is_phrase(other), "{other}");
        }
    }
}
