//! The reason phrase of HTTP/1, if it states more than the standard phrase of its status (R3).

use http::StatusCode;

/// Returns the phrase if the service chose its words. Returns `None` for a standard phrase of a status, from a current
/// or a former RFC.
pub(crate) fn own_words(status: StatusCode, phrase: &[u8]) -> Option<&str> {
    let phrase = str::from_utf8(phrase).ok()?.trim();
    let former = FORMER.iter().filter(|(code, _)| *code == status.as_u16()).map(|(_, name)| *name);
    let is_name = status.canonical_reason().into_iter().chain(former).any(|name| name.eq_ignore_ascii_case(phrase));
    (!phrase.is_empty() && !is_name).then_some(phrase)
}

/// Phrases for 4xx in former RFCs (2068, 2616, 7231), in RFC 9110 and in drafts of WebDAV, in addition to those of the
/// crate `http`.
const FORMER: [(u16, &str); 13] = [
    (408, "Request Time-out"),
    (408, "Request Timeout"),
    (413, "Content Too Large"),
    (413, "Payload Too Large"),
    (413, "Request Entity Too Large"),
    (414, "Request-URI Too Large"),
    (414, "Request-URI Too Long"),
    (416, "Requested Range Not Satisfiable"),
    (418, "Unused"),
    (422, "Unprocessable Content"),
    (422, "Unprocessable Entity"),
    (424, "Method Failure"),
    (425, "Unordered Collection"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r3_a_name_of_the_status_is_no_text() {
        for (status, phrase, words) in [
            (404, "Not Found", None),
            (404, "NOT FOUND", None),
            (404, " ", None),
            (404, "Tram not Found", Some("Tram not Found")),
            (404, "Conflict", Some("Conflict")),
            (413, "Request entity too large", None),
            (413, "Content Too Large", None),
            (414, "Request-URI Too Long", None),
            (422, "Unprocessable Content", None),
            (422, "Unprocessable entity", None),
            (499, "Client gone", Some("Client gone")),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(own_words(status, phrase.as_bytes()), words, "{status} {phrase}");
        }
        assert_eq!(own_words(StatusCode::NOT_FOUND, b"caf\xe9"), None);
    }
}
