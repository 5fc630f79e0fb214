//! Finds errors by a text that an operator typed or pasted.

use error_envelope_core::request_id::RequestId;

use super::error_record::Entry;

/// The longest text to search for, in characters: a client's report of an error is shorter.
const LONGEST: usize = 4096;

/// The first id in a text: `req_…` or a bare ULID in any letter case, or a UUID, with anything around it.
pub(crate) fn id_in(text: &str) -> Option<RequestId> {
    let text = text.char_indices().nth(LONGEST).map_or(text, |(end, _)| &text[..end]);
    let words = text.split(|it: char| !it.is_ascii_alphanumeric() && it != '_' && it != '-');
    words.filter(|word| !word.is_empty()).find_map(id)
}

/// Whether each word of the text is in the error's code, route or service, in any letter case.
pub(crate) fn fits(entry: &Entry, text: &str) -> bool {
    let kind = &entry.seen.kind;
    let route = entry.seen.route.as_deref().unwrap_or("no route");
    let service = entry.seen.request.service.as_ref().map(ToString::to_string).unwrap_or_default();
    let texts = [kind.code(), kind.unknown.as_deref().unwrap_or_default(), route, &service];
    let texts = texts.join("\n").to_lowercase();
    text.to_lowercase().split_whitespace().all(|word| texts.contains(word))
}

fn id(word: &str) -> Option<RequestId> {
    const PREFIX: usize = "req_".len();

    let has_prefix = word.get(..PREFIX).is_some_and(|prefix| prefix.eq_ignore_ascii_case("req_"));
    if has_prefix { &word[PREFIX..] } else { word }.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::id_in;

    #[test]
    fn an_id_is_found_however_it_was_copied() {
        let id = "req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D";
        for text in [
            id,
            "  req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D\n",
            "REQ_01jd2v5w8z3q4r6t8y0a1b2c3d",
            "01JD2V5W8Z3Q4R6T8Y0A1B2C3D",
            "01jd2v5w8z3q4r6t8y0a1b2c3d",
            r#"{"request_id":"req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D"}"#,
            "x-request-id: req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D, please help",
        ] {
            assert_eq!(id_in(text).map(|id| id.to_string()).as_deref(), Some(id), "{text}");
        }
        assert!(id_in("0193b03e-7a20-7cc5-8a4b-9f1c2d3e4f50").is_some());
        for text in ["", "req_", "req_01JD2V5W8Z3Q4R6T8Y0A1B2C3", "hello", "é\0\u{202e}"] {
            assert_eq!(id_in(text), None, "{text}");
        }
    }
}
