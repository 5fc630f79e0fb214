//! Names whose values are credentials.

/// Parts of names, in small letters and without word separators.
const PARTS: [&str; 48] = [
    "password",
    "passwd",
    "pwd",
    "passphrase",
    "passcode",
    "passwort",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "accountkey",
    "privatekey",
    "signingkey",
    "encryptionkey",
    "authorization",
    "authentication",
    "cookie",
    "credential",
    "signature",
    "sessionid",
    "sessionkey",
    "cardnumber",
    "creditcard",
    "clientassertion",
    "jwt",
    "bearer",
    "authkey",
    "passkey",
    "csrf",
    "xsrf",
    "codeverifier",
    "authcode",
    "otpcode",
    "verificationcode",
    "verifycode",
    "securitycode",
    "accesscode",
    "onetimecode",
    "recoverycode",
    "backupcode",
    "resetcode",
    "confirmationcode",
    "activationcode",
    "smscode",
    "mfacode",
    "2facode",
    "twofactorcode",
    "pincode",
];

/// Whole names that mark a credential.
const WHOLE: [&str; 19] = [
    "pass", "pin", "otp", "totp", "auth", "xauth", "sid", "sig", "pan", "ssn", "iban", "cvv", "cvv2", "cvc", "cvc2",
    "card", "ccnumber", "mfa", "dsn",
];

/// Names under which an error repeats what a client sent.
const SENT: [&str; 18] = [
    "input",
    "value",
    "val",
    "headervalue",
    "given",
    "received",
    "actual",
    "got",
    "provided",
    "supplied",
    "submitted",
    "rejectedvalue",
    "invalidvalue",
    "receivedvalue",
    "attemptedvalue",
    "actualvalue",
    "inputvalue",
    "submittedvalue",
];

/// No name is longer; a text may be.
const LONGEST: usize = 64;

/// Whether the value of this name must be hidden.
pub(super) fn is_telling(name: &str) -> bool {
    let plain = plain(name);
    PARTS.iter().any(|part| plain.contains(part)) || WHOLE.contains(&plain.as_str()) || SENT.contains(&plain.as_str())
}

/// Whether a text is such a name and nothing else, so that the text behind it in a list may be its value.
pub(super) fn is_just(text: &str) -> bool {
    text.len() <= LONGEST && !text.contains(' ') && is_telling(text)
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
