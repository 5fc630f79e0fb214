//! Reason phrases of statuses. A text or a code that is such a phrase states no more than the status (R2, R3, E9).

/// The present and former phrases of error statuses. A search for a phrase in the crate `http` would take thirty times
/// as long.
const PHRASES: [&str; 45] = [
    "Bad Request",
    "Unauthorized",
    "Payment Required",
    "Forbidden",
    "Not Found",
    "Method Not Allowed",
    "Not Acceptable",
    "Proxy Authentication Required",
    "Request Timeout",
    "Conflict",
    "Gone",
    "Length Required",
    "Precondition Failed",
    "Payload Too Large",
    "Content Too Large",
    "Request Entity Too Large",
    "URI Too Long",
    "Request-URI Too Long",
    "Unsupported Media Type",
    "Range Not Satisfiable",
    "Requested Range Not Satisfiable",
    "Expectation Failed",
    "I'm a teapot",
    "Misdirected Request",
    "Unprocessable Entity",
    "Unprocessable Content",
    "Locked",
    "Failed Dependency",
    "Too Early",
    "Upgrade Required",
    "Precondition Required",
    "Too Many Requests",
    "Request Header Fields Too Large",
    "Unavailable For Legal Reasons",
    "Internal Server Error",
    "Not Implemented",
    "Bad Gateway",
    "Service Unavailable",
    "Gateway Timeout",
    "HTTP Version Not Supported",
    "Variant Also Negotiates",
    "Insufficient Storage",
    "Loop Detected",
    "Not Extended",
    "Network Authentication Required",
];

/// Returns true if a text is the phrase of an error status, in any letter case.
pub(super) fn is_phrase(text: &str) -> bool {
    phrase_of(text).is_some()
}

/// Returns true if the text in a field for codes is a phrase of a status. A single word is a code if its letter case
/// differs from the letter case of the phrase.
pub fn is_phrase_as_code(text: &str) -> bool {
    phrase_of(text).is_some_and(|phrase| phrase == text || text.contains(' '))
}

fn phrase_of(text: &str) -> Option<&'static str> {
    // Most texts are sentences, and end with a full stop.
    if !text.ends_with(|last: char| last.is_ascii_alphabetic()) {
        return None;
    }
    PHRASES.iter().copied().find(|phrase| phrase.eq_ignore_ascii_case(text))
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

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
