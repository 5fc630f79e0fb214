//! The forms of the texts in an envelope (E2, E3), as regular expressions that mean the same in ECMAScript, Python and
//! Rust, and the version of the contract.

/// The version of the contract, which exports state. Bump it when anything changes that clients may rely on. A new code
/// is no such change, because the set of codes is open.
pub const CONTRACT_VERSION: &str = "1";

/// The form of a code (E2).
pub const CODE: &str = "^[a-z][a-z0-9_]{0,62}$";

/// The form of a request id (I1). The first character only has three of a ULID's 128 bits.
pub const REQUEST_ID: &str = "^req_[0-7][0-9A-HJKMNP-TV-Z]{25}$";

/// The form of a message (E2). A message has no control characters, no separators of lines, and no bidirectional marks
/// and overrides.
pub const MESSAGE: &str = r"^[^\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]+$";

/// The maximum length of a message (E2). The contract counts bytes of UTF-8, while a schema counts characters. A text
/// never has more characters than bytes.
pub const MAX_MESSAGE: u16 = 1024;

/// The form of an address in `docs` (E10).
pub const DOCS: &str = "^https://[^/?#\\s]";

/// The maximum length of an address in `docs`, in bytes (E10). The address is always ASCII.
pub const MAX_DOCS: u16 = 1024;

/// A request id for examples.
pub const SAMPLE_ID: &str = "req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D";

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::*;
    use crate::code::ErrorCode;
    use crate::request_id::RequestId;

    #[test]
    fn i1_the_form_of_an_id_is_the_librarys() {
        let form = Regex::new(REQUEST_ID).unwrap();
        for id in [SAMPLE_ID, "req_00000000000000000000000001", "req_7ZZZZZZZZZZZZZZZZZZZZZZZZZ"] {
            assert!(form.is_match(id) && id.parse::<RequestId>().is_ok_and(|read| read.to_string() == id), "{id}");
        }
        for no_id in ["req_80000000000000000000000000", "req_01JD2V5W8Z3Q4R6T8Y0A1B2C3U"] {
            assert!(!form.is_match(no_id) && no_id.parse::<RequestId>().is_err(), "{no_id}");
        }
    }

    #[test]
    fn e2_codes_and_messages_of_the_catalogue_are_of_their_forms() {
        let (code, message) = (Regex::new(CODE).unwrap(), Regex::new(MESSAGE).unwrap());
        for each in ErrorCode::ALL {
            assert!(code.is_match(each.as_str()), "{each}");
            assert!(message.is_match(each.message()) && each.message().len() <= MAX_MESSAGE.into(), "{each}");
        }
        for no_line in ["", "two\nlines", "\u{7f}", "\u{85}", "\u{2028}", "a\u{202e}b", "\u{2066}"] {
            assert!(!message.is_match(no_line), "{no_line:?}");
        }
    }
}
