//! Finds what looks like a credential in any text.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::rules::{RULES, TAKEN, With};
use super::{card, name};

/// Words that follow the name of a scheme where no credential is sent.
const ABOUT_SCHEMES: &str = "token tokens auth authentication authorization scheme credentials credential header required \
    challenge error is or and format not was in must expected access type prefix has missing invalid for with realm";

/// Words that describe a credential, and are none.
const ABOUT_VALUES: &str = "a about above absent accepted active again all allowed already also always an and any as at auth \
    authentication bad because been before being below between blank blocked both but by can cannot case changed \
    checked compromised correct corrupt credentials current damaged defined denied deprecated different disabled \
    done due either empty enabled encrypted endpoint equal even exactly expected expired expiring failed false \
    field fields fine flow for forbidden format from generated given good hashed header headers id identical \
    ignored in inactive incomplete incorrect insecure inside invalid issued just known leaked length less limited \
    locked long longer made malformed managed mandatory method methods missing more must name needed never new no \
    none not null of off ok on one only optional or out outdated over part policy possible present protected \
    provided provider rate reached read refresh rejected required reset reused revoked rotation rules same scheme \
    sent server service set short shorter signed stale still stored strong successful such support supported \
    tampered temporarily than that the there this to too true turned type unavailable undefined under unexpected \
    unique unknown unset unsupported up updated used using valid verification verified via was weak when where \
    which whose with without wrong your";

/// The beginnings of keys of the better-known services.
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

/// As few as the number of a card has.
const FEWEST_DIGITS: usize = 13;

/// Whether a text may contain a match. Names hardly ever do, and are not checked any closer: an error must cost
/// little.
pub(crate) fn is_suspect(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b',' | b'-');
    !text.bytes().all(is_plain)
        || text.bytes().filter(u8::is_ascii_digit).count() >= FEWEST_DIGITS
        || BEGINNINGS.iter().any(|beginning| text.contains(beginning))
}

pub(crate) fn redacted(text: &str) -> String {
    let mut text = Cow::Borrowed(text);
    for (regex, with) in RULES.iter() {
        if let Cow::Owned(less) = regex.replace_all(&text, |found: &Captures<'_>| with.replacement(found)) {
            text = Cow::Owned(less);
        }
    }
    text.into_owned()
}

impl With {
    fn replacement(self, found: &Captures<'_>) -> String {
        let group = |at| found.get(at).map_or("", |it| it.as_str());
        match self {
            Self::Taken => TAKEN.to_owned(),
            Self::Between => format!("{}{TAKEN}{}", group(1), group(2)),
            Self::Scheme if is_about_scheme(group(3)) => group(0).to_owned(),
            Self::Scheme => format!("{}{}{TAKEN}", group(1), group(2)),
            Self::Word if is_about_value(group(2)) => group(0).to_owned(),
            Self::Word => format!("{}{TAKEN}", group(1)),
            Self::MadeUp if !is_made_up(group(2)) => group(0).to_owned(),
            Self::MadeUp => format!("{}{TAKEN}", group(1)),
            Self::Letter => {
                u8::from_str_radix(group(1), 16).map_or_else(|_| TAKEN.to_owned(), |it| char::from(it).into())
            }
            Self::TagWithoutValues => without_values(group(0)),
            Self::Card if !card::is_in(group(0)) => group(0).to_owned(),
            Self::Card => TAKEN.to_owned(),
        }
    }
}

fn is_about_value(word: &str) -> bool {
    word.trim_end_matches(|it: char| it.is_ascii_punctuation()).is_empty() || is_about(ABOUT_VALUES, word)
}

fn is_about_scheme(word: &str) -> bool {
    word.starts_with("realm=") || word.starts_with("error=") || is_about(ABOUT_SCHEMES, word)
}

/// Whether it is one of these words, or what a rule has left.
fn is_about(words: &str, word: &str) -> bool {
    let word = word.trim_end_matches(|it: char| it.is_ascii_punctuation());
    word == TAKEN.trim_end_matches(']') || name::has_word(words, word)
}

/// Whether it has what words hardly ever have: a digit or a sign among its letters. A password of letters alone cannot be
/// recognised.
fn is_made_up(word: &str) -> bool {
    const SHORTEST: usize = 4;
    const ALGORITHMS: &str = "oauth2 oauth2.0 http/1.1 http/2 hs256 rs256 es256 sha256 sha-256 base64";

    let word = word.trim_matches(|it: char| matches!(it, '(' | ')' | ',' | '.' | ';' | ':' | '?' | '"' | '\'' | '`'));
    let is_word = word.chars().all(|it| it.is_alphabetic() || matches!(it, '-' | '_' | '/' | '\'' | '’'));
    word.chars().count() >= SHORTEST
        && !is_word
        && !is_about_value(word)
        && !word.contains("://")
        && word.contains(char::is_alphanumeric)
        && !name::has_word(ALGORITHMS, word)
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
    use super::redacted;

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
            ("Key (token)=(hunter2) already exists.", "Key (token)=[redacted] already exists."),
            ("Key (id, f(b))=(7, hun)ter2) already exists.", "Key (id, f(b))=[redacted] already exists."),
            ("Key (token)=(hunter2", "Key (token)=[redacted]"),
            ("The duplicate key value is (hunter2).", "The duplicate key value is [redacted]."),
            ("Duplicate entry 'hun'ter2' for key 'api.token'", "Duplicate entry [redacted] for key 'api.token'"),
            ("Duplicate entry 'hunter2", "Duplicate entry [redacted]"),
            ("{&quot;password&quot;: &quot;hunter2&quot;}", "{&quot;password&quot;: [redacted]"),
            ("&amp;#34;token&amp;#34;=&amp;#34;hunter2&amp;#34;", "&amp;#34;token&amp;#34;=[redacted]"),
            ("<password><![CDATA[hun<ter2]]></password>", "<password><![CDATA[[redacted]]]></password>"),
            ("<k>token</k><v><![CDATA[hunter2]]></v>", "<k>token</k><v><![CDATA[[redacted]]]></v>"),
            ("<token><![CDATA[hunter2", "<token><![CDATA[[redacted]"),
            (r#"{"name":"Authorization","val":"hunter2"}"#, r#"{"name":"Authorization","val":[redacted]}"#),
            ("{'header': 'x-api-key', 'value': 'hunter2'}", "{'header': 'x-api-key', 'value': [redacted]}"),
            ("key='Cookie', val='hunter2'", "key='Cookie', val=[redacted]"),
            ("val='hunter2', key='Cookie'", "val=[redacted], key='Cookie'"),
            (r#"{\"received\":\"hunter2\",\"at\":1}"#, r#"{\"received\":[redacted],\"at\":1}"#),
            ("auth_code=hunter2&x=1", "auth_code=[redacted]&x=1"),
            ("otp_code: 471147", "otp_code: [redacted]"),
            ("csrfmiddleware: hunter2", "csrfmiddleware: [redacted]"),
            ("verification-code: hunter2", "verification-code: [redacted]"),
            (r#"{\\"pass\\u0077ord\\":\\"hunter2\\"}"#, r#"{\\"password\\":[redacted]}"#),
            (r#"{"password":"ab\u0022hunter2"}"#, r#"{"password":[redacted]}"#),
            ("the password is hunter2, sorry", "the password is [redacted] sorry"),
            ("The password is too short", "The password is too short"),
            ("Authentication is required.", "Authentication is required."),
            ("failed with authorization header missing", "failed with authorization header missing"),
            ("signed in with password hunter2", "signed in with password [redacted]"),
            ("log in with a token from the list", "log in with a token from the list"),
            ("curl -u ada:hunter2 https://api", "curl -u [redacted] https://api"),
            ("curl --user 'ada:hunter2 x' y", "curl --user [redacted] y"),
            ("psql --db-password hunter2 -h db", "psql --db-password [redacted] -h db"),
            ("psql --newPassword hunter -h db", "psql --newPassword [redacted] -h db"),
            ("curl --password hunter2 x", "curl --password [redacted] x"),
            ("password hunter2", "password [redacted]"),
            ("no user with that, password hunter2!", "no user with that, password [redacted]"),
            ("login failed: token tok_4711 (expired)", "login failed: token [redacted] (expired)"),
            ("Password required", "Password required"),
            ("password too short", "password too short"),
            ("password must have 8 to 72 characters", "password must have 8 to 72 characters"),
            ("the token (HS256) is unsigned", "the token (HS256) is unsigned"),
            ("authentication OAuth2.", "authentication OAuth2."),
            ("cookie SameSite/Secure missing", "cookie SameSite/Secure missing"),
            ("get a token https://login.example/2", "get a token https://login.example/2"),
            ("PIN 47 is wrong", "PIN 47 is wrong"),
            ("mysql -u root -phunter2 orders", "mysql -u root -p[redacted] orders"),
            ("sh: mysqldump -h db -p'hunter 2' orders", "sh: mysqldump -h db -p[redacted] orders"),
            ("mysql -u root -p orders", "mysql -u root -p orders"),
            ("mysql --protocol=tcp -P 3306", "mysql --protocol=tcp -P 3306"),
            ("mkdir -pv a && ssh -p2222 b", "mkdir -pv a && ssh -p2222 b"),
            ("sshpass -p hunter2 ssh b", "sshpass -p [redacted] ssh b"),
            ("redis-cli -a hunter2 ping", "redis-cli -a [redacted] ping"),
            ("date -u +%H:%M", "date -u [redacted]"),
            ("GET /cb?code=hunter2&x=1 failed", "GET /cb?code=[redacted]&x=1 failed"),
            ("status code=404", "status code=404"),
        ] {
            assert_eq!(redacted(text), left, "{text}");
        }
    }
}
