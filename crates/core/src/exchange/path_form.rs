//! The form of a path, which helps to find missing routes: segments that look like ids become `{…}`, so that many paths
//! have the same form.

/// The most segments in the form of a path; a longer path ends in `/…`.
const MOST_SEGMENTS: usize = 8;
/// The longest word that counts as the name of a resource.
const LONGEST_WORD: usize = 24;
/// The longest word with a number at its end that counts as a name, such as `v1` and `oauth2`.
const LONGEST_VERSION: usize = 7;
const ID: &str = "{…}";

/// The form of a path, without its query: `/users/7/orders/01JD2V5W8Z3Q4R6T8Y0A1B2C3D` → `/users/{…}/orders/{…}`.
pub(super) fn path_form(path: &str) -> Box<str> {
    let mut form = String::new();
    let mut segments = path.split('/').skip(1);
    for segment in segments.by_ref().take(MOST_SEGMENTS) {
        form.push('/');
        form.push_str(if is_word(segment) { segment } else { ID });
    }
    if segments.next().is_some() {
        form.push_str("/…");
    }
    if form.is_empty() {
        form.push_str(path_without_segments(path));
    }
    form.into()
}

/// The form of a path without segments: `*` (of `OPTIONS *`), or empty.
fn path_without_segments(path: &str) -> &'static str {
    if path == "*" { "*" } else { ID }
}

/// Whether a segment is a name that a developer chose: letters with `-`, `_` and `.` between them, or a short word with
/// a number at its end. Any other segment, such as an encoded one, may be an id, or may have been chosen by the client.
fn is_word(segment: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'_' | b'.');
    let name = segment.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let has_number = name.len() < segment.len();
    let is_short =
        !has_number || (!name.is_empty() && segment.len() <= LONGEST_VERSION && segment.len() - name.len() <= 2);
    is_short && segment.len() <= LONGEST_WORD && name.bytes().all(is_letter)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::path_form;

    #[test]
    fn l2_ids_of_every_kind_have_one_form() {
        for (path, form) in [
            ("/", "/"),
            ("/users/7", "/users/{…}"),
            ("/users/123456/orders/", "/users/{…}/orders/"),
            ("/a/01JD2V5W8Z3Q4R6T8Y0A1B2C3D", "/a/{…}"),
            ("/a/0193b03e-7a20-7cc5-8a4b-9f1c2d3e4f50/b", "/a/{…}/b"),
            ("/a/deadbeefcafe1234deadbeef", "/a/{…}"),
            ("/api/v1/oauth2/token", "/api/v1/oauth2/token"),
            ("/wp-login.php", "/wp-login.php"),
            ("/files/report-2026.pdf", "/files/{…}"),
            ("/reset/aGVsbG8gd29ybGQhIGhlbGxvIQ", "/reset/{…}"),
            ("/mail/ada@example.com", "/mail/{…}"),
            ("/%2e%2e/etc", "/{…}/etc"),
            ("/order-123", "/{…}"),
            ("//", "//"),
            ("/a/b/c/d/e/f/g/h/i/j", "/a/b/c/d/e/f/g/h/…"),
            ("*", "*"),
            ("", "{…}"),
        ] {
            assert_eq!(&*path_form(path), form, "{path}");
        }
    }

    proptest! {
        #[test]
        fn any_path_has_a_short_form_that_is_its_own_form_of_words(path in "(/[a-z0-9%@~é{}.-]{0,40}){0,12}") {
            let form = path_form(&path);
            prop_assert!(form.len() <= 8 * 25 + 4, "{}", form);
            prop_assert!(!form.contains(['%', '@', '~', 'é']));
        }
    }
}
