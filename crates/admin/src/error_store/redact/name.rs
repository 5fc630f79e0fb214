//! Names whose values are credentials.

use std::sync::LazyLock;

/// Parts of names. A `-` stands for a word separator, or for none; the rules for texts search for the same parts.
pub(super) const PARTS: &str = "pass-word passwd pwd pass-phrase passcode passwort secret token passkey api-key \
    access-key account-key private-key signing-key encryption-key session-key auth-key authorization authentication \
    cookie credential signature session-id card-number credit-card client-assertion jwt csrf xsrf code-verifier \
    auth-code otp-code verification-code verify-code security-code access-code one-time-code recovery-code backup-code \
    reset-code confirmation-code activation-code sms-code mfa-code 2fa-code pin-code";

/// Parts that mark a name alone: in texts they are words.
const PARTS_OF_NAMES: &str = "bearer twofactorcode";

/// Whole names that mark a credential.
const WHOLE: &str = "pass pin otp totp auth xauth sid sig pan ssn iban cvv cvv2 cvc cvc2 card ccnumber mfa dsn";

/// Names under which an error repeats what a client sent.
const SENT: &str = "input value val headervalue given received actual got provided supplied submitted rejectedvalue \
    invalidvalue receivedvalue attemptedvalue actualvalue inputvalue submittedvalue";

/// No name is longer; a text may be.
const LONGEST: usize = 64;

/// Whether the value of this name must be hidden.
pub(super) fn is_telling(name: &str) -> bool {
    static PLAIN_PARTS: LazyLock<String> = LazyLock::new(|| PARTS.replace('-', ""));

    let plain = plain(name);
    let mut parts = PLAIN_PARTS.split(' ').chain(PARTS_OF_NAMES.split(' '));
    parts.any(|part| plain.contains(part)) || [WHOLE, SENT].iter().any(|names| has_word(names, &plain))
}

/// Whether a text is such a name and nothing else, so that the text behind it in a list may be its value.
pub(super) fn is_just(text: &str) -> bool {
    text.len() <= LONGEST && !text.contains(' ') && is_telling(text)
}

/// Whether a list has this word, in any letter case.
pub(super) fn has_word(list: &str, word: &str) -> bool {
    list.split(' ').any(|listed| listed.eq_ignore_ascii_case(word))
}

fn plain(name: &str) -> String {
    name.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::is_telling;

    #[test]
    fn names_of_credentials_are_known_however_they_are_written() {
        for (name, is) in [
            ("password", true),
            ("newPassword", true),
            ("PASS-WORD", true),
            ("pass\u{200b}word", true),
            ("client_secret", true),
            ("x-api-key", true),
            ("Set-Cookie", true),
            ("private_key", true),
            ("Authorization", true),
            ("cvv", true),
            ("rejectedValue", true),
            ("auth_code", true),
            ("otpCode", true),
            ("verification-code", true),
            ("csrfToken", true),
            ("X-XSRF", true),
            ("received", true),
            ("got", true),
            ("error_code", false),
            ("forgotten", false),
            ("pinned", false),
            ("author", false),
            ("message", false),
            ("code", false),
            ("", false),
        ] {
            assert_eq!(is_telling(name), is, "{name}");
        }
    }
}
