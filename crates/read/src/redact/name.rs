//! Recognises names whose values are credentials.

use std::sync::LazyLock;

use regex::Regex;

/// Parts of a name that mark its value as a credential. A `-` matches a word separator, or nothing. The rules for texts
/// search for the same parts.
pub(super) const PARTS: &str = "pass-word passwd pwd pass-phrase passcode passwort kennwort secret token passkey api-key \
    access-key account-key private-key signing-key encryption-key session-key auth-key master-key subscription-key \
    authorization authentication cookie credential signature session-id sessid laravel-session ci-session \
    remember-web card-number credit-card client-assertion jwt csrf xsrf code-verifier \
    dbpass userpass smtppass mailpass \
    auth-code otp-code verification-code verify-code security-code access-code one-time-code recovery-code backup-code \
    reset-code confirmation-code activation-code sms-code mfa-code 2fa-code pin-code \
    contrasena mot-de-passe senha wachtwoord losenord salasana adgangskode lozinka jelszo";

/// Parts of a name in other languages and scripts that mark its value as a credential. These parts contain letters
/// outside ASCII.
pub(super) const PARTS_OF_OTHERS: &str =
    "contraseña contrasen\u{303}a lösenord hasło jelszó şifre parolă пароль 密码 密碼 口令 パスワード 비밀번호 암호";

/// Parts of a name that mark its value as a credential, but are ordinary words in texts.
const PARTS_OF_NAMES: &str = "bearer twofactorcode";

/// Names that mark their value as a credential only if the whole name matches. The rules for texts also search for
/// these names.
pub(super) const WHOLE_IN_TEXTS: &str =
    "pass pw pin otp totp auth sid sig hmac ssn iban cvv cvv2 cvc cvc2 mfa dsn mdp clave parola haslo heslo sifre";

/// Words that mark the value of a name as a credential if they are the last word of the name. The rules for texts also
/// search for these words, as in `smtp_pass`.
pub(super) const LAST_WORDS: &str = "pass pw pin otp totp sig hmac cvv cvc";

/// Further names that mark their value as a credential only if the whole name matches.
const WHOLE: &str = "xauth connectsid pan card ccnumber passw";

/// Headers whose values are credentials. In a list, the text after the name of such a header is always its value.
const HEADERS: &str = "authorization proxyauthorization cookie setcookie xapikey apikey xauthtoken xaccesstoken \
    privatetoken xcsrftoken xxsrftoken xgoogapikey ocpapimsubscriptionkey xamzsecuritytoken";

/// Parameters of a URL or a form whose values are always removed. In other places, `code`, `key` and `state` are
/// ordinary names.
pub(super) const PARAMETERS: &str = "code key token state session sig signature";

/// Names of fields in which an error repeats a value that the client sent.
const SENT: &str = "input value val headervalue given received actual got provided supplied submitted rejectedvalue \
    invalidvalue receivedvalue attemptedvalue actualvalue inputvalue submittedvalue";

/// If one of these words is the last word of a name, numbers under the name are amounts.
const MEASURES: &str =
    "tokens count limit length len min max size ttl age expires expiry in at attempts remaining version";

/// If one of these words is the last word of a name, values under the name are kinds of credentials.
const KINDS: &str = "type kind";

/// The maximum length of a name. A longer text is not a name.
const LONGEST: usize = 64;

/// Returns true if the value of a field or header with this name is a credential.
pub(super) fn is_telling(name: &str) -> bool {
    static PLAIN_PARTS: LazyLock<Option<Regex>> = LazyLock::new(|| {
        let parts = format!("{PARTS} {PARTS_OF_OTHERS} {PARTS_OF_NAMES}").replace('-', "");
        Regex::new(&parts.split_ascii_whitespace().collect::<Vec<_>>().join("|")).ok()
    });

    let plain = plain(name);
    !is_kind(name)
        && (PLAIN_PARTS.as_ref().is_none_or(|parts| parts.is_match(&plain))
            || [WHOLE_IN_TEXTS, WHOLE].iter().any(|names| has_word(names, &plain))
            || has_word(LAST_WORDS, last_word(name)))
}

/// Returns true if the value under this name was sent by a client.
pub(super) fn is_sent(name: &str) -> bool {
    has_word(SENT, &plain(name))
}

/// Returns true if a text is exactly the name of a credential. In a list, the next text may then be its value.
pub(super) fn is_credential_name(text: &str) -> bool {
    text.len() <= LONGEST && !text.contains(' ') && is_telling(text) && !is_user_chosen(text)
}

/// Returns true if a text that contains the name of a credential was probably chosen by a user, such as `Password123`.
/// The name of a field has no signs such as `@`, and has digits only in a separate word, as in `sha256_password`.
fn is_user_chosen(text: &str) -> bool {
    const SIGNS: [char; 12] = ['!', '@', '#', '$', '%', '^', '&', '*', '+', '=', '?', '~'];

    let mut steps = text.rsplit(['.', '/', '[', ']']);
    let step = steps.find(|step| step.contains(char::is_alphabetic)).unwrap_or(text);
    let step = step.trim_matches(|it: char| it.is_ascii_punctuation());
    let is_joined = step.contains(['-', '_']);
    let last = step.len() - step.trim_end_matches(|it: char| it.is_ascii_digit()).len();
    let is_numbered = last > 1 || last == 1 && !is_joined && step.starts_with(char::is_uppercase);
    let has_number = step.as_bytes().windows(2).any(|two| two.iter().all(u8::is_ascii_digit));
    is_numbered || has_number && !is_joined || step.contains(SIGNS)
}

/// Returns true if a text is the name of a header whose value is a credential.
pub(super) fn is_header(text: &str) -> bool {
    text.len() <= LONGEST && has_word(HEADERS, &plain(text))
}

/// Returns true if a text is an option of a command whose value is a user and a password: `["curl", "-u", …]`.
pub(super) fn is_flag(text: &str) -> bool {
    matches!(text, "-u" | "--user" | "--proxy-user")
}

/// Returns true if numbers under this name are amounts and not credentials, as in `max_tokens`.
pub(super) fn is_measure(name: &str) -> bool {
    if name.len() > LONGEST {
        return false;
    }
    let last = last_word(name);
    has_word(MEASURES, last) || last.to_ascii_lowercase().ends_with("tokens")
}

/// Returns true if values under this name are kinds of credentials, as in `token_type`.
pub(super) fn is_kind(name: &str) -> bool {
    name.len() <= LONGEST && has_word(KINDS, last_word(name))
}

/// Returns the last word of a name, such as `Pass` in `userPass` and `PASS` in `DB_PASS`.
fn last_word(name: &str) -> &str {
    let name = name.trim_end_matches(|it: char| !it.is_alphanumeric());
    let name = name.rsplit(|it: char| !it.is_alphanumeric()).next().unwrap_or_default();
    let small = name.rfind(char::is_lowercase).map_or(0, |last| name[..last].rfind(char::is_uppercase).unwrap_or(0));
    let big = name.len() - name.trim_end_matches(char::is_uppercase).len();
    if big == 0 { &name[small..] } else { &name[name.len() - big..] }
}

/// Returns true if a list of words contains this word, in any letter case.
pub(super) fn has_word(list: &str, word: &str) -> bool {
    list.split_ascii_whitespace().any(|listed| listed.eq_ignore_ascii_case(word))
}

fn plain(name: &str) -> String {
    name.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::{is_credential_name, is_measure, is_sent, is_telling};

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
            ("auth_code", true),
            ("otpCode", true),
            ("verification-code", true),
            ("csrfToken", true),
            ("X-XSRF", true),
            ("Contraseña", true),
            ("contrasen\u{303}a", true),
            ("mot_de_passe", true),
            ("mdp", true),
            ("Пароль", true),
            ("비밀번호", true),
            ("PHPSESSID", true),
            ("ASP.NET_SessionId", true),
            ("connect.sid", true),
            ("laravel_session", true),
            ("master_key", true),
            ("error_code", false),
            ("forgotten", false),
            ("pinned", false),
            ("author", false),
            ("message", false),
            ("code", false),
            ("received", false),
            ("conclave", false),
            ("X_PASS", true),
            ("userPW", true),
            ("dbSig", true),
            ("compass", false),
            ("token_type", false),
            ("", false),
        ] {
            assert_eq!(is_telling(name), is, "{name}");
        }
        for (name, is) in [("rejectedValue", true), ("got", true), ("received", true), ("password", false)] {
            assert_eq!(is_sent(name), is, "{name}");
        }
        for (name, is) in [
            ("users[10].password", true),
            ("/users/12/tokens/11", true),
            ("password2", true),
            ("X-Token-V2", true),
            ("caching_sha256_password", true),
            ("Password2", false),
            ("Token123abc", false),
            ("my-token-47", false),
            ("password22", false),
            ("token!a", false),
        ] {
            assert_eq!(is_credential_name(name), is, "{name}");
        }
        for (name, is) in [
            ("max_tokens", true),
            ("passwordMinLength", true),
            ("token_count:", true),
            ("maxtokens", true),
            ("token", false),
            ("pin", false),
        ] {
            assert_eq!(is_measure(name), is, "{name}");
        }
    }
}
