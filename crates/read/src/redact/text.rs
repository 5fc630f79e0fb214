//! Finds everything in a text that looks like a credential.

use std::borrow::Cow;
use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use regex::{Captures, Regex};

use super::rules::{self, TAKEN, With, rules};
use super::view::{View, is_hidden};
use super::{Strictness, card, keys, name, words};

/// Returns true if a text may contain a match of a rule. The check is quick, because an error must not cost much. A
/// text that is just a name hardly ever contains a match. So the check only searches such a text for many digits and
/// for the beginnings of keys.
fn is_suspect(text: &str) -> bool {
    static BEGINNINGS: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(&format!("eyJ|--|{}", keys::beginnings())).ok());

    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b',' | b'-');
    !text.bytes().all(is_plain)
        || text.bytes().filter(u8::is_ascii_digit).count() >= card::SHORTEST
        || BEGINNINGS.as_ref().is_none_or(|beginnings| beginnings.is_match(text))
}

/// Compiles the rules for clients now, which takes some milliseconds. Without this call, the first error compiles the
/// rules.
pub fn prepare() {
    let _ = text(TAKEN, Strictness::Readable);
    rules(Strictness::Readable);
}

/// Returns a text in which everything that looks like a credential is replaced. The text is borrowed if nothing was
/// replaced.
#[must_use]
pub fn text(text: &str, strictness: Strictness) -> Cow<'_, str> {
    text_noting(text, strictness, &mut |_| {})
}

/// Returns the same text as [`text`], and calls `note` with each part that is removed.
///
/// ```
/// use error_envelope_core::redact::{Strictness, text_noting};
///
/// let mut taken = Vec::new();
/// let left = text_noting("token=tok_4711", Strictness::Strict, &mut |part| taken.push(part.to_owned()));
/// assert_eq!((&*left, taken), ("token=[redacted]", vec!["tok_4711".to_owned()]));
/// ```
pub fn text_noting<'t>(text: &'t str, strictness: Strictness, note: &mut dyn FnMut(&str)) -> Cow<'t, str> {
    if !is_suspect(text) {
        return Cow::Borrowed(text);
    }
    // Hidden characters may hide a name from the rules.
    let visible = (!text.is_ascii() && text.contains(is_hidden)).then(|| text.replace(is_hidden, ""));
    let redacted = redact(visible.as_deref().unwrap_or(text), 0, &mut |text| {
        if may_match(text) { apply_rules(text, strictness, note) } else { Cow::Borrowed(text) }
    });
    match redacted {
        Cow::Borrowed(_) => Cow::Borrowed(text),
        Cow::Owned(redacted) => Cow::Owned(redacted),
    }
}

/// Returns true if the value of a parameter of a URL or a form with this name is a credential.
///
/// ```
/// use error_envelope_core::redact::is_telling_parameter;
///
/// assert!(is_telling_parameter("state") && is_telling_parameter("X-Api-Key") && !is_telling_parameter("page"));
/// ```
#[must_use]
pub fn is_telling_parameter(name: &str) -> bool {
    let view = View::folded(name);
    let name = view.as_ref().map_or(name, |view| &view.text);
    name::has_word(name::PARAMETERS, name) || name::is_telling(name)
}

/// Returns the value of a field with everything replaced that looks like a credential, or `None` if the name of the
/// field states that the value is one.
#[must_use]
pub fn value(name: &str, value: String) -> Option<String> {
    let line = [name, ": ", &value].concat();
    match text(&line, Strictness::Readable) {
        Cow::Borrowed(_) => Some(value),
        Cow::Owned(line) => {
            let left = line.strip_prefix(name)?.strip_prefix(": ")?;
            (left.trim() != TAKEN).then(|| left.to_owned())
        }
    }
}

/// Applies the rules to a text as its reader understands it. Then applies them to each percent-encoded word as a
/// separate text. So a separator outside of an encoding does not end a value inside of it, and a separator inside does
/// not end a value outside.
fn redact<'t>(text: &'t str, depth: usize, rules: &mut dyn for<'r> FnMut(&'r str) -> Cow<'r, str>) -> Cow<'t, str> {
    /// The number of nested percent-encodings that are decoded. Three are enough for a URL in a URL that is itself in a
    /// URL.
    const DEEPEST: usize = 3;

    static WORDS: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r#"[^\s&"'<>]*%[0-9A-Fa-f]{2}[^\s&"'<>]*"#).ok());

    let redacted = match View::folded(text) {
        Some(view) => Cow::Owned(view.spelled(&rules(&view.text))),
        None => rules(text),
    };
    let redacted = match &*WORDS {
        Some(words) if depth < DEEPEST && redacted.contains('%') => {
            let decoded = words.replace_all(&redacted, |word: &Captures<'_>| {
                let view = View::decoded(&word[0]);
                match redact(&view.text, depth + 1, rules) {
                    Cow::Borrowed(_) => word[0].to_owned(),
                    Cow::Owned(redacted) => view.spelled(&redacted),
                }
            });
            Cow::Owned(decoded.into_owned())
        }
        _ => redacted,
    };
    if redacted == text { Cow::Borrowed(text) } else { Cow::Owned(redacted.into_owned()) }
}

fn apply_rules<'t>(text: &'t str, strictness: Strictness, note: &mut dyn FnMut(&str)) -> Cow<'t, str> {
    let mut text = Cow::Borrowed(text);
    for (regex, with) in rules(strictness) {
        if let Cow::Owned(redacted) = with.applied(regex, &text, strictness, note) {
            text = Cow::Owned(redacted);
        }
    }
    text
}

/// Returns true if a text contains the beginning of any rule's match. One search finds the beginnings of all rules.
fn may_match(text: &str) -> bool {
    static SIGNS: LazyLock<Option<Regex>> = LazyLock::new(|| {
        let names = rules::names();
        let of_rules = r"-----BEGIN|[@=(]|eyJ|[0-9](?:[ \-]?[0-9]){12}";
        let words = r"(?i-u:bearer|basic|digest|negotiate|duplicate|input|val|given|received|actual|got|provided|supplied|submitted|mysql|mariadb|sshpass|mongo|redis-cli|login|hooks\.slack|api/webhooks|[ \t\x22'`]-u|--user|--proxy-user|^-u)";
        let keys = keys::beginnings();
        Regex::new(&format!("{of_rules}|{words}|{keys}|{names}")).ok()
    });

    SIGNS.as_ref().is_none_or(|signs| signs.is_match(text))
}

impl With {
    pub(super) fn applied<'t>(
        self,
        regex: &Regex,
        text: &'t str,
        strictness: Strictness,
        note: &mut dyn FnMut(&str),
    ) -> Cow<'t, str> {
        regex.replace_all(text, |found: &Captures<'_>| self.replacement(found, strictness, note))
    }

    fn replacement(self, found: &Captures<'_>, strictness: Strictness, note: &mut dyn FnMut(&str)) -> String {
        let group = |at| found.get(at).map_or("", |it| it.as_str());
        let whole = group(0);
        let is_readable = strictness == Strictness::Readable;
        let mut taken = |before: &str, value: &str, behind: &str| {
            note(value);
            format!("{before}{TAKEN}{behind}")
        };
        match self {
            Self::Taken => taken("", whole, ""),
            Self::Between => {
                let (before, behind) = (group(1), group(2));
                let between = whole.strip_prefix(before).and_then(|it| it.strip_suffix(behind));
                taken(before, between.unwrap_or(whole), behind)
            }
            Self::Scheme if is_no_credential(group(1), group(3), strictness) => whole.to_owned(),
            Self::Scheme => taken(&format!("{}{}", group(1), group(2)), group(3), ""),
            // Without the first group, the match is the message of a parser.
            Self::Word | Self::MadeUp | Self::Line | Self::Quoted | Self::Listed if found.get(1).is_none() => {
                whole.to_owned()
            }
            Self::Word | Self::Line if is_kind(group(1), group(2)) => whole.to_owned(),
            Self::Word if words::is_about_value(group(2)) || is_measure(group(1), group(2)) => whole.to_owned(),
            Self::MadeUp if !words::is_made_up(group(2)) || is_measure(group(1), group(2)) => whole.to_owned(),
            Self::Mixed if !words::is_mixed(group(2)) => whole.to_owned(),
            Self::Word | Self::MadeUp | Self::Mixed => taken(group(1), group(2), ""),
            Self::Line if is_measure(group(1), group(2)) || is_scope(group(1), group(2)) => whole.to_owned(),
            Self::Line => match words::words_about(group(2), false) {
                Some(Cow::Borrowed(_)) => whole.to_owned(),
                Some(Cow::Owned(redacted)) => format!("{}{redacted}", group(1)),
                None => taken(group(1), group(2), ""),
            },
            Self::Quoted if is_readable && stays_quoted(group(1), group(3), !group(2).is_empty()) => whole.to_owned(),
            Self::Quoted => taken(group(1), group(3), group(4)),
            Self::Listed if found.get(3).is_some() => whole.to_owned(),
            Self::Listed if is_readable && stays_in_list(group(1), group(2)) => whole.to_owned(),
            Self::Listed => taken(group(1), whole.strip_prefix(group(1)).unwrap_or(whole), ""),
            Self::TagWithoutValues => without_values(whole),
            Self::Card if !card::is_in(whole) => whole.to_owned(),
            Self::Card => taken("", whole, ""),
        }
    }
}

fn is_no_credential(scheme: &str, word: &str, strictness: Strictness) -> bool {
    const LONGEST_WORD: usize = 16;

    let is_word = strictness == Strictness::Readable
        && !scheme.eq_ignore_ascii_case("bearer")
        && !words::is_made_up(word)
        && word.len() < LONGEST_WORD
        || ["sha256:", "sha512:", "md5:"].iter().any(|hash| word.starts_with(hash));
    !is_user_and_password(word) && (is_word || words::is_about_scheme(word))
}

/// Returns true if a word may be the credentials after `Basic`. Such credentials are a user and a password in base64,
/// which may consist only of letters.
fn is_user_and_password(word: &str) -> bool {
    let is_text = |bytes: Vec<u8>| bytes.contains(&b':') && bytes.iter().all(|it| (b' '..=b'~').contains(it));
    STANDARD_NO_PAD.decode(word.trim_matches(|it: char| !it.is_ascii_alphanumeric())).is_ok_and(is_text)
}

/// Returns true if a value is a number that its name marks as an amount.
fn is_measure(name: &str, value: &str) -> bool {
    let number = value.split_whitespace().next().unwrap_or_default().trim_end_matches([',', '.', ';', ')', '}', ']']);
    !number.is_empty() && number.len() < card::SHORTEST && number.bytes().all(|it| it.is_ascii_digit()) && {
        let name = name.trim_end_matches(|it: char| !it.is_alphanumeric());
        name::is_measure(name)
    }
}

/// Returns true if a name and a value together are a scope, as in `tokens:write`.
fn is_scope(name: &str, value: &str) -> bool {
    let is_of_many = ["tokens:", "secrets:", "credentials:"].iter().any(|many| name.ends_with(many));
    is_of_many && words::is_plain(unquoted(value.split_whitespace().next().unwrap_or_default()))
}

/// Returns true if a value is the kind of a credential, as in `token_type: MAC`.
fn is_kind(name: &str, value: &str) -> bool {
    name::is_kind(name) && words::is_plain(unquoted(value))
}

/// Returns true if a quoted text in a sentence about credentials is a word, which stays. Directly after the name of a
/// credential, the quoted text must be a word about credentials. After `in`, the quoted text may consist of several
/// words, as in `column 'token' in 'field list'`.
fn stays_quoted(before: &str, quoted: &str, is_right_behind: bool) -> bool {
    let inside = unquoted(quoted);
    let is_place = || before.trim_end().ends_with(" in") && inside.split_whitespace().all(words::is_plain);
    words::is_about_value(inside)
        || name::is_credential_name(inside)
        || !is_right_behind && words::is_plain(inside)
        || is_place()
}

/// Returns true if a text in a list stays. `name` is the previous text. After the name of a header, the text is the
/// header's value. After any other name, the text may be another name.
fn stays_in_list(name: &str, value: &str) -> bool {
    let value = unquoted(value);
    let name = name.trim_matches(|it: char| !it.is_alphanumeric());
    name::is_credential_name(value) || !name::is_header(name) && words::is_plain(value)
}

fn unquoted(quoted: &str) -> &str {
    quoted.trim_matches(|it: char| matches!(it, '"' | '\'' | '`' | '“' | '”' | '‘' | '’' | '«' | '»' | '\\'))
}

fn without_values(tag: &str) -> String {
    static VALUE: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r#"(?is)((?-u:\b)(?:value|content|data-[\w\-]*)\s*=\s*)(?:"[^"]*"?|'[^']*'?|[^\s>]+)"#).ok()
    });

    match VALUE.as_ref() {
        Some(value) => value.replace_all(tag, format!("$1{TAKEN}")).into_owned(),
        None => TAKEN.to_owned(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::redact) fn unfiltered(text: &str, strictness: Strictness) -> Cow<'_, str> {
        redact(text, 0, &mut |text| apply_rules(text, strictness, &mut |_| {}))
    }

    fn redacted(sent: &str) -> String {
        text(sent, Strictness::Strict).into_owned()
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
            (r#"{\\"pass\\u0077ord\\":\\"hunter2\\"}"#, r#"{\\"pass\\u0077ord\\":[redacted]}"#),
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
