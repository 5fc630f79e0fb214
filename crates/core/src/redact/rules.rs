//! The rules for credentials in a text. They are applied one after the other.
//!
//! A search with the crate `regex` takes time in proportion to the text, whatever the text contains. No rule reads far
//! beyond its match: if the end of a value is not found, everything that was read is removed.
//!
//! `\b` is used for ASCII (`(?-u:\b)`): for Unicode, a search takes some 25 times longer if a text is not ASCII.

use std::sync::LazyLock;

use regex::Regex;

use super::{Strictness, keys, name};

/// The text that replaces a removed secret.
pub const TAKEN: &str = "[redacted]";

/// A quoted text. It cannot contain its own opening quote: otherwise a quote that is never closed would be read to the
/// end of the text again and again.
const QUOTED: &str = r#""[^"]*"|'[^']*'|`[^`]*`|“[^“”]*”|‘[^‘’]*’|«[^«»]*»"#;

/// A quote as HTML writes it, even if HTML is inside of HTML.
const ENTITY: &str = r"&(?:amp;)*(?i-u:quot|apos|#0*3[49]|#x0*2[27]);";

/// A value, even if the text around it is itself quoted.
const VALUE: &str =
    r#"\\+"[^"]*"?|"{3}(?s:.*?)(?:"{3}|\z)|'{3}(?s:.*?)(?:'{3}|\z)|"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?"#;

/// The names of fields in which an error repeats what a client sent, as in [`name`](super::name).
const SENT: &str = r"(?i-u:input|(?:\w*[_\-])?val(?:ue)?|given|received|actual|got|provided|supplied|submitted)";

/// The names of a field that has a name, next to a field with the value.
const NAME_OF_PAIR: &str = r"(?i-u:\b(?:name|key|header|field|k|param(?:eter)?))";
const VALUE_OF_PAIR: &str =
    r"(?i-u:\b(?:input|(?:\w*[_\-])?val(?:ue)?|v|given|received|actual|got|provided|supplied|submitted))";

/// The messages of parsers about tokens in a text, which are not credentials.
const OF_PARSERS: &str =
    r"(?i-u:\b(?:unexpected|illegal|unknown|next|first|end|near|max(?:imum)?|min(?:imum)?|[0-9]+)[ \t]+tokens?\b)";

/// The word before credentials in a header.
const SCHEME: &str =
    r"(?i-u:api[\-_]?key|aws[\w\-]*|sharedkey(?:lite)?|token|oauth|hmac[\w\-]*|hawk|ntlm|bearer|basic|digest)";

/// The words between the name of a credential and the colon before its value.
const STATE: &str = r"(?i-u:not|found|is|was|does|did|match|mismatch|invalid|incorrect|wrong|unknown|unrecognized|malformed|revoked|expired|rejected|exists?|already|used|header|value|hash|for[ \t]+(?:user[ \t]+)?(?u:[^\s:]+))";

/// The words before each of two values that differ.
const COMPARED: &str = r"(?i-u:but|expected|got|received|computed|calculated|actual|was)";

/// A line break, even if it is escaped.
const BREAK: &str = r"(?:\r?\n|(?:\\+r)?\\+n)";

/// What to do with a match of a rule.
#[derive(Clone, Copy, Debug)]
pub(super) enum With {
    Taken,
    /// Keep the first group, which comes before the secret, and the second one, if there is one, which comes behind it.
    Between,
    /// Remove the scheme and its credentials, unless they are words about credentials.
    Scheme,
    /// Keep the first group, and the rest if it is a word about credentials. Without the first group, change nothing.
    Word,
    /// The same, but keep the rest if it looks like a word or an address.
    MadeUp,
    /// The same, but keep the rest unless it is long and mixes letters with digits.
    Mixed,
    /// The same for the rest of a line.
    Line,
    /// Keep the first group; and the third, which is quoted, if it is a word. If the second group is there, the quoted
    /// text comes right behind the name.
    Quoted,
    /// Keep the first group, which is a name; and the second, if it may be another name or has a value of its own.
    Listed,
    TagWithoutValues,
    Card,
}

type Rules = Vec<(Regex, With)>;

/// The rules for what is removed: the whole match, except for the groups that stay.
pub(super) fn rules(strictness: Strictness) -> &'static Rules {
    static STRICT: LazyLock<Rules> = LazyLock::new(|| compiled(Strictness::Strict));
    static READABLE: LazyLock<Rules> = LazyLock::new(|| compiled(Strictness::Readable));

    match strictness {
        Strictness::Strict => &STRICT,
        Strictness::Readable => &READABLE,
    }
}

fn compiled(strictness: Strictness) -> Rules {
    let patterns =
        notations().into_iter().chain(markup(strictness)).chain(pairs(strictness)).chain(assignments(strictness));
    let patterns = patterns.chain(commands()).chain(sentences(strictness)).chain(forms());
    patterns.filter_map(|(pattern, with)| Regex::new(&pattern).ok().map(|regex| (regex, with))).collect()
}

type Pattern = (String, With);

/// The characters that may close a name: its quote, a bracket, and those behind the name of a list (`password[]`).
fn close() -> String {
    format!(r#"(?:\\*["'`]|{ENTITY})?(?:\]|%5[Dd])?(?:\)[ \t]+)?(?i-u:\[\w*\]|%5B\w*%5D)*\s*"#)
}

fn quote() -> String {
    format!(r#"(?:\\*["'`]|{ENTITY})"#)
}

/// Rules for private keys, URLs and multipart forms.
fn notations() -> Vec<Pattern> {
    let names = names();
    vec![
        (
            r"(?s)-----BEGIN [A-Z0-9 ]*(?:KEY|CERTIFICATE|MESSAGE)[A-Z0-9 ]*-----.*?(?:-----END[^-]*-----|$)"
                .to_owned(),
            With::Taken,
        ),
        // `scheme://user:password@host`. The password may have the characters of a path, unless it looks like a port.
        (r#"(://)[^\s/?#"'<>]*(@)"#.to_owned(), With::Between),
        (r#"(://)[^\s/?#"'<>:@]*:\d*[^\d\s"'<>@/][^\s"'<>@]*(@)"#.to_owned(), With::Between),
        // Go's `user:password@tcp(host:3306)/name` and `user:password@/name`.
        (r#"()[\w.+%\-]+:[^\s"'<>@/][^\s"'<>@]*(@(?:\w+\([^\s()]*\))?/)"#.to_owned(), With::Between),
        // Oracle's `user/password@//host`, and with any host behind a scheme.
        (r#"()[\w.$\-]+/[^\s"'<>@/]+(@//)"#.to_owned(), With::Between),
        (r#"((?i-u:\bjdbc:oracle:\w+:))[^\s"'<>@]+(@)"#.to_owned(), With::Between),
        // Oracle's `user/password@name`, if a command or an error shows what it is.
        (
            r#"((?:(?i-u:\b(?:ora-[0-9]{5}|sqlplus|sqlldr|expdp|impdp)\b)[^\r\n]*?[ \t"'=]|(?i-u:\bconnect)[ \t]+["']?)[\w$.\-]+/)[^\s"'<>@/]+(@)"#
                .to_owned(),
            With::Between,
        ),
        // `Content-Disposition: form-data; name="password"`, with its value below.
        (
            format!(
                r#"(?s)((?i-u:form-data;)[^\r\n]*?(?i-u:name=)\\*"?[^"\r\n]*?(?:{names})\\*"?[^\r\n\\]*(?:{BREAK}[^\r\n\\]+)*?{BREAK}{BREAK}).*?({BREAK}--|$)"#
            ),
            With::Between,
        ),
    ]
}

fn markup(strictness: Strictness) -> Vec<Pattern> {
    let names = names();
    let value = match strictness {
        Strictness::Strict => r"[^<\s][^<]*",
        Strictness::Readable => r"(?:[^<\s][^<]*(</)|[^<\s]*\w[^<\s]*<?$)",
    };
    vec![
        // <password><![CDATA[…]]></password>
        (
            format!(r"(?s)((?:{names})[^<>]*(?:>(?:\s*<[^<>]*>)*?|(?:\s*<[^<>]*>)+?)\s*<!\[CDATA\[)(?:.*?)(\]\]>|$)"),
            With::Between,
        ),
        // <input name="password" value="…">, whatever comes first.
        (format!(r"<[^<>]*(?:{names})[^<>]*(?:>|$)"), With::TagWithoutValues),
        // <password>…</password>, <td>PASSWORD</td><td>…</td>, which may break off. `<token>` alone stands for a value, and
        // Map<Token, Order> is a type.
        (
            format!(
                r"((?:<[^<>]*(?:{names})[^<>]*>(?:\s*<[^<>]*>)*|(?:{names})(?:[^<>]*[^<>=\-])?(?:\s*<[^<>]*>)+)\s*){value}"
            ),
            With::Between,
        ),
    ]
}

/// Rules for a name and a value that are next to each other.
fn pairs(strictness: Strictness) -> Vec<Pattern> {
    let (names, close, quote) = (names(), close(), quote());
    // Clients may need the value of a column that is not a credential's.
    let columns =
        if strictness == Strictness::Strict { r"[^\r\n=]*".to_owned() } else { format!(r"[^\r\n=]*?{names}[^\r\n=]*") };
    let mut pairs = vec![
        // A database's error about a key: `Key (token)=(…) already exists`.
        (format!(r"((?i-u:\bkey) \({columns}\)=)\((?:[^\r\n]*\)|[^\r\n)]*)"), With::Between),
        // {"name": "Authorization", "val": "…"}, and the other way round.
        (
            format!(
                r"((?:{names}){close},\s*{quote}?{VALUE_OF_PAIR}{close}(?::|=>|=)\s*)(?:{VALUE}|{ENTITY}[^\r\n<]*)"
            ),
            With::Between,
        ),
        (
            format!(
                r"({VALUE_OF_PAIR}{close}(?::|=>|=)\s*)(?:{VALUE})(\s*,\s*{quote}?{NAME_OF_PAIR}{close}(?::|=>|=)\s*{quote}?[\w\-]*?(?:{names}))"
            ),
            With::Between,
        ),
        // Amazon's `Value '…' at 'password' failed to satisfy constraint`.
        (format!(r"((?i-u:\bvalue)[ \t]+)'[^'\r\n]*'([ \t]+at[ \t]+'[\w.\-]*?(?:{names}))"), With::Between),
        // SQLAlchemy's `[SQL: INSERT INTO users (password) …] [parameters: (…)]`.
        (format!(r"((?i-u:\[SQL: )[^\[\]]*?(?:{names})[^\[\]]*\]\s*(?i-u:\[parameters: ))[^\r\n]*"), With::Between),
        // ('Authorization', '…'), ["Authorization","…", b'Cookie', b'…'.
        (format!(r"({quote}[\w\-.]*?(?:{names}){quote}\s*,\s*)b?({VALUE})(\s*[:=])?"), With::Listed),
    ];
    // `Duplicate entry '…' for key`, `duplicate key value is (…)`.
    let (key, table) = match strictness {
        Strictness::Strict => ("(?i-u: for key\\b)|$".to_owned(), String::new()),
        Strictness::Readable => {
            (format!("(?i-u: for key )['\"`]?[\\w.\\-]*?(?:{names})"), format!("(?:{names})[^\\r\\n]*?"))
        }
    };
    pairs.push((format!(r"(?m)((?i-u:\bduplicate entry )\s*)\S.*?({key})"), With::Between));
    pairs.push((format!(r"({table}(?i-u:\bduplicate key value is )\s*)\((?:[^\r\n]*\)|[^\r\n)]*)"), With::Between));
    pairs
}

/// Rules for a value behind its name, and for parameters.
fn assignments(strictness: Strictness) -> Vec<Pattern> {
    let (names, close, quote) = (names(), close(), quote());
    let values = format!("(?:{VALUE}|{ENTITY}[^\\r\\n<]*)");
    let mut rules = match strictness {
        Strictness::Strict => vec![
            // `name: value`, `"name": "value"`, `"name" => "value"`; a value without quotes ends at the end of the
            // line.
            (format!(r"((?:{names})\\*{close}(?::|=>)\s*)(?:{values}|[^\r\n<\s][^\r\n<]*)"), With::Between),
            // name=value&…, name="value"
            (format!(r"((?:{names})\\*{close}=\s*)(?:{values}|[^\r\n&<\s][^\r\n&<]*)"), With::Between),
            // "received": "…", where JSON is within a text.
            (
                format!(r"({quote}{SENT}{quote}\s*(?::|=>)\s*)(?:{VALUE}|{ENTITY}[^\r\n<]*|-?\d[\w.+\-]*)"),
                With::Between,
            ),
        ],
        Strictness::Readable => vec![
            // Credentials behind a scheme, and cookies, have several words, even behind `=`.
            (
                format!(
                    r"{OF_PARSERS}|((?:(?:{names})\\*{close}(?::|=>)|(?i-u:authorization|cookie)\\*{close}=)\s*)({values}|[^\r\n<\s][^\r\n<]*)"
                ),
                With::Line,
            ),
            // X-Api-Key=[…, …]
            (format!(r"((?:{names})\\*{close}=\s*)(\[[^\]\r\n<]+\]?)"), With::Line),
            (format!(r"((?:{names})\\*{close}=\s*(?:{SCHEME}[ \t]+)?)({values}|[^\s&<;]+)"), With::Word),
        ],
    };
    // What names a parameter is not enough to name anything else: `exit code=1`, `sort key=name`.
    let parameters = name::PARAMETERS.split_ascii_whitespace().collect::<Vec<_>>().join("|");
    let value = r#"[^\s&"'<>#;]+"#;
    rules.push((format!(r"([?&;#](?i-u:{parameters})=){value}"), With::Between));
    rules.push((format!(r"((?:^|[^\w.\-])(?i-u:{parameters})=){value}(&[\w.\[\]%+\-]+=)"), With::Between));
    // If no further name follows a `&` or `;`, it is a part of the password.
    rules.push((r"(=)\[redacted\](?:[&;][^\s&<;=]+)+([\s&<]|$)".to_owned(), With::Between));
    rules.push((
        format!(r"([?&;](?i-u:ticket|assertion|saml(?:request|response))=)({value})"),
        if strictness == Strictness::Strict { With::Word } else { With::Mixed },
    ));
    rules
}

fn commands() -> Vec<Pattern> {
    let names = names();
    vec![
        // `mysql -p…`: only without a space, because with one the command prompts for the password.
        (
            format!(r#"((?i-u:\b(?:mysql|mariadb))[^\r\n;|]*?(?:[ \t]|[ \t,]["'])-p)(?:{VALUE}|[^\s<]+)"#),
            With::Between,
        ),
        // sshpass -p …, mongosh -p …, redis-cli -a …, docker login -p …
        (
            format!(
                r"((?i-u:\b(?:sshpass|mongo[a-z]*|redis-cli)\b)[^\r\n;|]*?[ \t]-[pa][ \t]*|(?i-u:\blogin\b)[^\r\n;|]*?[ \t]-p[ \t=]+)(?:{VALUE}|[^\s<]+)"
            ),
            With::Between,
        ),
        // ["curl", "-u", "name:…"]
        (r#"(["'`](?:-u|--(?:proxy-)?user)["'`],[ \t]*["'`])[^"'`:]*:[^"'`]*"#.to_owned(), With::Between),
        // curl -u name:…, --password …
        (
            r#"(?m)((?:^|[\s"'`])(?:-u[ \t]*|--(?:proxy-)?user[ \t=]+))(?:"[^":]*:[^"]*"?|'[^':]*:[^']*'?|[^\s:"']*:\S+)"#
                .to_owned(),
            With::Between,
        ),
        (format!(r"(?m)((?:^|[\s`])--?[\w\-]*(?:{names})[ \t]+)(?:{VALUE}|[^\s<]+)"), With::Between),
    ]
}

fn sentences(strictness: Strictness) -> Vec<Pattern> {
    let names = names();
    // Kubernetes names a secret, but does not show it.
    let stays = format!(r#"{OF_PARSERS}|(?i-u:\bsecrets?[ \t]+"[a-z0-9.\-]+"[ \t]+(?:already exists|not found))"#);
    vec![
        // A token that is long and mixed is not one that a parser reports.
        (format!(r#"({OF_PARSERS}[ \t]*:?[ \t]*["'`]?)([^\s"'`<>,;]+)"#), With::Mixed),
        // API key not found: …, Password for ada: …, Signature mismatch: expected …, got …
        (
            format!(
                r"{OF_PARSERS}|((?:{names})(?:[ \t]+{STATE}){{1,4}}[ \t]*[:=][ \t]*(?:{COMPARED}[ \t]+)*)([^\s<>]+)"
            ),
            With::MadeUp,
        ),
        // `password is "…"`; but in `"…" is no password` the text is not one.
        (
            format!(r#"{stays}|((?:{names})["'`]?(?:(?:[ \t]+[A-Za-z]+){{1,3}}[ \t]+|([ \t]+\(?)))({QUOTED})"#),
            With::Quoted,
        ),
        (format!(r"()()({QUOTED})((?:[ \t]+[A-Za-z]+){{0,5}}[ \t]+(?:{names}))"), With::Quoted),
        (
            r#"(?i-u:\b(bearer|basic|digest|negotiate))((?:[\s:+]|\\u0020|["'])+)([^\s"'<>,;\\]+)"#.to_owned(),
            With::Scheme,
        ),
        // password is …, with password …
        (
            format!(
                r"{stays}|((?:{names})[ \t]+(?i-u:is|was)[ \t]+|(?i-u:\b(?:with|using|by|via)[ \t]+(?:(?:the|a|an|this|your)[ \t]+)?)(?:{names})[ \t]+)([^\s<>]+)"
            ),
            if strictness == Strictness::Strict { With::Word } else { With::MadeUp },
        ),
        // API key provided: …
        (
            format!(
                r"{stays}|((?:{names})[ \t]+(?i-u:provided|given|received|supplied|used|specified|submitted|sent|passed|value)[ \t]*[:=][ \t]*)([^\s<>]+)"
            ),
            With::Word,
        ),
        // `password …`, where no words about a password can follow.
        (format!(r"{stays}|((?:{names})[ \t]+)([^\s<>]+)"), With::MadeUp),
        // … expected …, got …
        (format!(r"(\[redacted\][ \t]+{COMPARED}[ \t:=]+(?:{COMPARED}[ \t:=]+)*)([^\s<>]+)"), With::MadeUp),
    ]
}

/// Rules for secrets that can be recognised by their form.
fn forms() -> Vec<Pattern> {
    vec![
        // Keys come before tokens, because a token may be a part of a key.
        (keys::pattern(), With::Taken),
        (r"eyJ[A-Za-z0-9_\-]{4,}(?:\.[A-Za-z0-9_\-]*)*".to_owned(), With::Taken),
        // The path of a webhook is a secret key.
        (
            r"(hooks\.slack\.com/(?:services|workflows|triggers)/|discord(?:app)?\.com/api/webhooks/)[A-Za-z0-9_/\-]+"
                .to_owned(),
            With::Between,
        ),
        (r"[0-9](?:[ \-]?[0-9]){12,}".to_owned(), With::Card),
        (r"[\w.+%\-]+@(?:[\w\-]+\.)+(?:[A-Za-z]{2,}(?-u:\b)|[\p{L}--A-Za-z]\p{L}+)".to_owned(), With::Taken),
    ]
}

/// The pattern for a name that marks its value as a credential, as in [`name`](super::name).
pub(super) fn names() -> String {
    let parts = name::PARTS.split_ascii_whitespace().collect::<Vec<_>>().join("|").replace('-', r"[\-_ ]?");
    let others = name::PARTS_OF_OTHERS.split_ascii_whitespace().collect::<Vec<_>>().join("|");
    let whole = name::WHOLE_IN_TEXTS.split_ascii_whitespace().collect::<Vec<_>>().join("|");
    let last = name::LAST_WORDS.split_ascii_whitespace().collect::<Vec<_>>().join("|");
    format!(
        r"(?:(?i-u:(?:{parts}|rejected[\-_ ]?value)[\w.\-\]]*|\b(?:{whole})\b|_(?:{last})\b)|(?i:{others})[\w.\-\]]*)"
    )
}

#[cfg(test)]
mod tests {
    use super::{Strictness, rules};

    #[test]
    fn every_rule_compiles() {
        assert_eq!(rules(Strictness::Strict).len(), 45);
        assert_eq!(rules(Strictness::Readable).len(), 45);
    }
}
