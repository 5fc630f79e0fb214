//! The source of an inner error's code, for the log and for explanations (rules R1, L1).

/// What decided the code of an inner error: the first of these sources that had a code (rule R1).
///
/// ```
/// use tower_error_envelope::session::DecidedBy;
///
/// assert_eq!(DecidedBy::Rule.as_str(), "rule");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DecidedBy {
    /// An inner layer: a canonical envelope, or its `x-error-code` (E7).
    Layer,
    /// A rule of the policy, that is a `[[map]]` table.
    Rule,
    /// The code in the body, which the catalogue, the policy or the dialect defines.
    Dialect,
    /// The request's credentials and the challenge, on a 401.
    Credentials,
    /// A list of issues (E8).
    Issues,
    /// The status, because nothing else in the response was known.
    Status,
}

impl DecidedBy {
    /// The word for the log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Layer => "layer",
            Self::Rule => "rule",
            Self::Dialect => "dialect",
            Self::Credentials => "credentials",
            Self::Issues => "issues",
            Self::Status => "status",
        }
    }
}

/// Whether an unknown code may be written to the log (L3): it must look like the name of an error, which has several
/// words or capitals. A single word in small letters, a number, an id or a token may be a secret.
pub(crate) fn is_name(code: &str) -> bool {
    const LONGEST: usize = 64;

    let words = || code.split(['_', '.', '-']);
    let is_fit = code.len() <= LONGEST && words().all(is_word);
    let in_capitals =
        !code.contains(|it: char| it.is_ascii_lowercase()) && code.contains(|it: char| it.is_ascii_uppercase());
    let in_humps = code.starts_with(|it: char| it.is_ascii_uppercase())
        && code[1..].contains(|it: char| it.is_ascii_uppercase())
        && code.contains(|it: char| it.is_ascii_lowercase());
    is_fit && (in_capitals || in_humps || words().count() > 1)
}

/// Whether a word has only letters, with at most four digits at its end. The digits may also stand alone.
fn is_word(word: &str) -> bool {
    const MOST_DIGITS: usize = 4;

    let digits = word.trim_start_matches(|it: char| it.is_ascii_alphabetic());
    !word.is_empty() && digits.len() <= MOST_DIGITS && digits.bytes().all(|it| it.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l3_a_code_is_logged_where_it_is_a_name() {
        for (code, is) in [
            ("SESSION_NOT_CONNECTED", true),
            ("ResourceNotFound", true),
            ("E1001", true),
            ("P2002", true),
            ("seat_taken", true),
            ("order.not-found", true),
            ("ERR-17", true),
            ("SCREAMING", true),
            ("hunter2", false),
            ("s3cr3t", false),
            ("S3CR3T", false),
            ("secret", false),
            ("Secret", false),
            ("seat__taken", false),
            ("auth/user-not-found", false),
            ("", false),
            ("42", false),
            ("404", false),
            ("sk_live_4eC39HqLyjWDarjtT1zdp7dc", false),
            ("0b0c6f9e-3a3b-4d3c-9d62-2f6a5b0b7c11", false),
            ("f47ac10b-58cc-4372-a567-0e02b2c3d479", false),
            ("no such code", false),
            ("naïve", false),
        ] {
            assert_eq!(is_name(code), is, "{code}");
        }
    }
}
