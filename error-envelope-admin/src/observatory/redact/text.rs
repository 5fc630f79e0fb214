//! What looks like a credential in any text.
//!
//! Expressions of the crate `regex` take time in proportion to the text, whatever the text is.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::{TAKEN, card};

/// A name that says that its value is a credential, as in [`name`](super::name).
const NAME: &str = concat!(
    r"(?i-u:(?:pass[\-_ ]?word|passwd|pwd|pass[\-_ ]?phrase|passcode|passwort|secret|token",
    r"|(?:api|access|account|private|signing|encryption|session|auth)[\-_ ]?key",
    r"|authorization|authentication|cookie|credential|signature|session[\-_ ]?id|card[\-_ ]?number|credit[\-_ ]?card",
    r"|client[\-_ ]?assertion|jwt|rejected[\-_ ]?value)[\w.\-\]]*",
    r"|\b(?:pass|pin|t?otp|auth|sid|sig|ssn|iban|cvv2?|cvc2?|mfa|dsn))"
);
const QUOTED: &str = r#""[^"]*"|'[^']*'|`[^`]*`|“[^”]*”|‘[^’]*’|«[^»]*»"#;

/// Also within a text that is itself quoted.
const VALUE: &str = r#"\\+"[^"]*"?|"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?"#;

/// What is taken out, one after the other: the whole, but for the groups that are said to stay.
static RULES: LazyLock<Vec<(Regex, With)>> = LazyLock::new(|| {
    let rule = |pattern: &str, with| Regex::new(pattern).ok().map(|regex| (regex, with));
    let rules = [
        rule(
            r"(?s)-----BEGIN [A-Z0-9 ]*(?:KEY|CERTIFICATE|MESSAGE)[A-Z0-9 ]*-----.*?(?:-----END[^-]*-----|$)",
            With::Taken,
        ),
        // `scheme://user:password@host`.
        rule(r#"(://)[^\s/?#"'<>]*@"#, With::Between("@")),
        // <input name="password" value="…">, whatever comes first.
        rule(&format!(r"<[^<>]*(?:{NAME})[^<>]*(?:>|$)"), With::TagWithoutValues),
        // <password>…</password>, <td>PASSWORD</td><td>…</td>.
        rule(&format!(r"((?:{NAME})[^<>]*(?:>(?:\s*<[^<>]*>)*|(?:\s*<[^<>]*>)+)\s*)[^<\s][^<]*"), With::After),
        // name: value, "name": "value", "name" => "value"; what is not quoted goes to the end of its line.
        rule(&format!(r#"((?:{NAME})\\*["'`]?\]?\s*(?::|=>)\s*)(?:{VALUE}|[^\r\n<\s][^\r\n<]*)"#), With::After),
        // name=value&…, name="value"
        rule(&format!(r#"((?:{NAME})\\*["'`]?\]?\s*=\s*)(?:{VALUE}|[^\r\n&<\s][^\r\n&<]*)"#), With::After),
        // password is "…"; "…" is no password.
        rule(&format!(r"((?:{NAME})(?:[ \t]+[A-Za-z]+){{0,3}}[ \t]+)(?:{QUOTED})"), With::After),
        rule(&format!(r"(?:{QUOTED})((?:[ \t]+[A-Za-z]+){{0,5}}[ \t]+(?:{NAME}))"), With::Before),
        rule(r#"(?i-u:\b(bearer|basic|digest|negotiate))((?:[\s:+]|%20|\\u0020|["'])+)([^\s"'<>,;\\]+)"#, With::Scheme),
        rule(r"eyJ[A-Za-z0-9_\-]{4,}(?:\.[A-Za-z0-9_\-]*)*", With::Taken),
        rule(
            concat!(
                r"\b(?:sk-[A-Za-z0-9_\-]{6,}|[spr]k_(?:live|test)_\w+|gh[pousr]_[A-Za-z0-9]{4,}|github_pat_\w+",
                r"|A(?:KIA|SIA|ROA|IDA)[A-Z0-9]{6,}|xox[a-z]-[\w\-]+|xapp-[\w\-]+|glpat-[\w\-]+|AIza[\w\-]{16,}",
                r"|ya29\.[\w.\-]+|npm_\w{16,}|hf_\w{16,}|SG\.[\w\-]+\.[\w\-]+|whsec_\w+|shp(?:at|ss|ca|pa)_\w+",
                r"|dop_v1_\w+|pypi-[\w\-]{16,})"
            ),
            With::Taken,
        ),
        rule(r"\d(?:[ \-]?\d){12,}", With::Card),
    ];
    rules.into_iter().flatten().collect()
});

/// What becomes of what a rule found.
#[derive(Clone, Copy)]
enum With {
    Taken,
    /// The first group stays, before what is taken.
    After,
    /// It stays behind it.
    Before,
    /// It stays, and so does this.
    Between(&'static str),
    /// A scheme and its credentials, unless they are words about them.
    Scheme,
    TagWithoutValues,
    Card,
}

/// Words that stand behind the name of a scheme where nobody sends one.
const ABOUT_SCHEMES: [&str; 30] = [
    "token",
    "tokens",
    "auth",
    "authentication",
    "authorization",
    "scheme",
    "credentials",
    "credential",
    "header",
    "required",
    "challenge",
    "error",
    "is",
    "or",
    "and",
    "format",
    "not",
    "was",
    "in",
    "must",
    "expected",
    "access",
    "type",
    "prefix",
    "has",
    "missing",
    "invalid",
    "for",
    "with",
    "realm",
];

/// Whether anything may be found in a text. Names hardly ever have it, and are not looked at any closer: an error must cost
/// little.
pub(in crate::observatory) fn is_suspect(text: &str) -> bool {
    const BEGINNINGS: [&str; 28] = [
        "sk-",
        "sk_",
        "pk_",
        "rk_",
        "ghp_",
        "gho_",
        "ghu_",
        "ghs_",
        "ghr_",
        "github_pat_",
        "AKIA",
        "ASIA",
        "AROA",
        "AIDA",
        "xox",
        "xapp-",
        "glpat-",
        "AIza",
        "ya29.",
        "npm_",
        "hf_",
        "SG.",
        "whsec_",
        "shp",
        "dop_v1_",
        "pypi-",
        "eyJ",
        "--",
    ];
    const FEWEST_DIGITS: usize = 13;

    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b',' | b'-');
    !text.bytes().all(is_plain)
        || text.bytes().filter(u8::is_ascii_digit).count() >= FEWEST_DIGITS
        || BEGINNINGS.iter().any(|beginning| text.contains(beginning))
}

pub(in crate::observatory) fn redacted(text: &str) -> String {
    let mut text = Cow::Borrowed(text);
    for (regex, with) in RULES.iter() {
        if let Cow::Owned(less) = regex.replace_all(&text, |found: &Captures<'_>| with.of(found)) {
            text = Cow::Owned(less);
        }
    }
    text.into_owned()
}

impl With {
    fn of(self, found: &Captures<'_>) -> String {
        let group = |at| found.get(at).map_or("", |it| it.as_str());
        match self {
            Self::Taken => TAKEN.to_owned(),
            Self::After => format!("{}{TAKEN}", group(1)),
            Self::Before => format!("{TAKEN}{}", group(1)),
            Self::Between(last) => format!("{}{TAKEN}{last}", group(1)),
            Self::Scheme if is_about(group(3)) => group(0).to_owned(),
            Self::Scheme => format!("{}{}{TAKEN}", group(1), group(2)),
            Self::TagWithoutValues => without_values(group(0)),
            Self::Card if !card::is_in(group(0)) => group(0).to_owned(),
            Self::Card => TAKEN.to_owned(),
        }
    }
}

fn is_about(word: &str) -> bool {
    let word = word.trim_end_matches(|it: char| it.is_ascii_punctuation());
    word.starts_with("realm=")
        || word.starts_with("error=")
        || word == TAKEN.trim_end_matches(']')
        || ABOUT_SCHEMES.iter().any(|about| word.eq_ignore_ascii_case(about))
}

fn without_values(tag: &str) -> String {
    static VALUE: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r#"(?is)(\b(?:value|content|data-[\w\-]*)\s*=\s*)(?:"[^"]*"?|'[^']*'?|[^\s>]+)"#).ok()
    });

    match VALUE.as_ref() {
        Some(value) => value.replace_all(tag, format!("$1{TAKEN}")).into_owned(),
        None => TAKEN.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{RULES, redacted};

    #[test]
    fn every_rule_compiles() {
        assert_eq!(RULES.len(), 12);
    }

    #[test]
    fn what_looks_like_a_credential_is_taken_out_and_nothing_else() {
        for (text, left) in [
            ("Name is taken.", "Name is taken."),
            ("no such field: colour", "no such field: colour"),
            ("Authorization: Bearer abc.def", "Authorization: [redacted]"),
            ("got Bearer abc.def, sorry", "got Bearer [redacted], sorry"),
            ("Bearer token missing", "Bearer token missing"),
            ("www-authenticate: Bearer realm=\"x\"", "www-authenticate: Bearer realm=\"x\""),
            ("use basic dXNlcjpwYXNz", "use basic [redacted]"),
            ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln is bad", "[redacted] is bad"),
            ("key sk-proj-abcdef123456 revoked", "key [redacted] revoked"),
            ("ghp_16C7e42F292c6912E7710c838347Ae178B4a", "[redacted]"),
            ("AKIAIOSFODNN7EXAMPLE", "[redacted]"),
            ("xoxb-123-abc", "[redacted]"),
            ("postgres://admin:hunter2@db:5432/x", "postgres://[redacted]@db:5432/x"),
            ("user=ada&password=hun%20ter2&x=1", "user=ada&password=[redacted]&x=1"),
            ("password: hun&ter2, and on", "password: [redacted]"),
            ("card 4111 1111 1111 1111 declined", "card [redacted] declined"),
            ("password 'hunter2' is too short", "password [redacted] is too short"),
            ("'hunter2' is not a valid password", "[redacted] is not a valid password"),
            ("<input name=\"password\" value=\"hunter2\">", "<input name=\"password\" value=[redacted]>"),
            ("<td>DB_PASSWORD</td><td><pre>'hunter2'</pre>", "<td>DB_PASSWORD</td><td><pre>[redacted]</pre>"),
            ("<password>hunter2</password>", "<password>[redacted]</password>"),
            (r#"{"a":"{\"password\":\"hunter2\"}"}"#, r#"{"a":"{\"password\":[redacted]}"}"#),
            ("-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----", "[redacted]"),
            ("task-management sk-ip", "task-management sk-ip"),
            ("order 1763743320000 not found", "order 1763743320000 not found"),
        ] {
            assert_eq!(redacted(text), left, "{text}");
        }
    }
}
