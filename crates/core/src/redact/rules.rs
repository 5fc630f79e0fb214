//! The places of credentials in a text, one rule after the other.
//!
//! A search by the crate `regex` takes time in proportion to the text, whatever the text is. No rule reads far beyond its
//! match: if the end of a value is missed, everything that was read is taken out.

use std::sync::LazyLock;

use regex::Regex;

use super::{Strictness, name};

/// Replaces what was taken out.
pub const TAKEN: &str = "[redacted]";

/// What opens a quote does not stand in it: else the first one that is not closed is read to the end of the text again and
/// again.
const QUOTED: &str = r#""[^"]*"|'[^']*'|`[^`]*`|“[^“”]*”|‘[^‘’]*’|«[^«»]*»"#;

/// A quote as HTML writes it, also within a text of HTML.
const ENTITY: &str = r"&(?:amp;)*(?i-u:quot|apos|#0*3[49]|#x0*2[27]);";

/// Also within a text that is itself quoted.
const VALUE: &str = r#"\\+"[^"]*"?|"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?"#;

/// Names under which an error repeats what a client sent, as in [`name`](super::name).
const SENT: &str = r"(?i-u:input|(?:\w*[_\-])?val(?:ue)?|given|received|actual|got|provided|supplied|submitted)";

/// The names of a name and a value that stand beside each other.
const NAME_OF_PAIR: &str = r"\b(?i-u:name|key|header|field|k|param(?:eter)?)";
const VALUE_OF_PAIR: &str =
    r"\b(?i-u:input|(?:\w*[_\-])?val(?:ue)?|v|given|received|actual|got|provided|supplied|submitted)";

/// What parsers report of a text: these tokens are no credentials.
const OF_PARSERS: &str =
    r"\b(?i-u:unexpected|illegal|unknown|next|first|end|near|max(?:imum)?|min(?:imum)?|[0-9]+)[ \t]+(?i-u:tokens?)\b";

/// A line break, also one that is escaped.
const BREAK: &str = r"(?:\r?\n|(?:\\+r)?\\+n)";

/// What is done with a match of a rule.
#[derive(Clone, Copy, Debug)]
pub(super) enum With {
    Taken,
    /// The first group stays before the match, and the second, if any, behind it.
    Between,
    /// A scheme and its credentials, unless they are words about them.
    Scheme,
    /// The first group stays, and so does what follows if it is a word about it. Without the first group nothing is done.
    Word,
    /// The same if it looks like a word, or like an address.
    MadeUp,
    /// The same for the rest of a line.
    Line,
    /// The first group stays, and so does the third, which is quoted, if it is a word. The second is there if that is right
    /// behind the name.
    Quoted,
    /// The first group stays, a name; the second does if it may be a further name, or has a value of its own.
    Listed,
    /// The letter that is escaped by its number.
    Letter,
    TagWithoutValues,
    Card,
    Email,
}

type Rules = Vec<(Regex, With)>;

/// What is taken out, one rule after the other: the whole match, except for the groups that stay.
pub(super) fn rules(strictness: Strictness) -> &'static Rules {
    static STRICT: LazyLock<Rules> = LazyLock::new(|| compiled(Strictness::Strict));
    static READABLE: LazyLock<Rules> = LazyLock::new(|| compiled(Strictness::Readable));

    match strictness {
        Strictness::Strict => &STRICT,
        Strictness::Readable => &READABLE,
    }
}

fn compiled(strictness: Strictness) -> Rules {
    let patterns = notations().into_iter().chain(markup()).chain(pairs(strictness)).chain(assignments(strictness));
    let patterns = patterns.chain(commands()).chain(sentences(strictness)).chain(forms());
    patterns.filter_map(|(pattern, with)| Regex::new(&pattern).ok().map(|regex| (regex, with))).collect()
}

type Pattern = (String, With);

/// What closes a name: its quote, and a bracket.
fn close() -> String {
    format!(r#"(?:\\*["'`]|{ENTITY})?\]?\s*"#)
}

fn quote() -> String {
    format!(r#"(?:\\*["'`]|{ENTITY})"#)
}

/// Escapes, private keys, URLs, forms of several parts, percent-encoding.
fn notations() -> Vec<Pattern> {
    let names = names();
    // `"`, `'` and `&` end a value that is percent-encoded.
    let encoded = "(?:[^%&\\s\"'<>]|%[013-9A-Fa-f][0-9A-Fa-f]|%2[013-57-9A-Fa-f])";
    let whole = "(?:[^%&\\s\"'<>]|%[013-9A-Fa-f][0-9A-Fa-f]|%2[013-9A-Fa-f])";
    vec![
        // Letters, digits, `-` and `_` only: an escaped quote ends no value.
        (r"\\+u00((?i-u:2d|5f|3[0-9]|[46][1-9a-f]|[57][0-9a]))".to_owned(), With::Letter),
        (
            r"(?s)-----BEGIN [A-Z0-9 ]*(?:KEY|CERTIFICATE|MESSAGE)[A-Z0-9 ]*-----.*?(?:-----END[^-]*-----|$)"
                .to_owned(),
            With::Taken,
        ),
        // `scheme://user:password@host`; the password may have signs of a path, unless it looks like a port.
        (r#"(://)[^\s/?#"'<>]*(@)"#.to_owned(), With::Between),
        (r#"(://)[^\s/?#"'<>:@]*:\d*[^\d\s"'<>@/][^\s"'<>@]*(@)"#.to_owned(), With::Between),
        // https%3A%2F%2Fuser%3Apassword%40host; `%2F` ends the host.
        (
            r#"((?i-u:%(?:25)*3A(?:%(?:25)*2F){2}))(?:[^\s/?#"'<>&%]|%[013-9A-Fa-f][0-9A-Fa-f]|%2[0-9A-Ea-e])*((?i-u:%(?:25)*40))"#
                .to_owned(),
            With::Between,
        ),
        // Go's `user:password@tcp(host:3306)/name` and `user:password@/name`.
        (r#"()[\w.+%\-]+:[^\s"'<>@/][^\s"'<>@]*(@(?:\w+\([^\s()]*\))?/)"#.to_owned(), With::Between),
        // Oracle's `user/password@//host`, and with any host behind a scheme.
        (r#"()[\w.$\-]+/[^\s"'<>@/]+(@//)"#.to_owned(), With::Between),
        (r#"((?i-u:\bjdbc:oracle:\w+:))[^\s"'<>@]+(@)"#.to_owned(), With::Between),
        // Content-Disposition: form-data; name="password", and its value below.
        (
            format!(
                r#"(?s)((?i-u:form-data;)[^\r\n]*?(?i-u:name=)\\*"?[^"\r\n]*?(?:{names})\\*"?[^\r\n\\]*(?:{BREAK}[^\r\n\\]+)*?{BREAK}{BREAK}).*?({BREAK}--|$)"#
            ),
            With::Between,
        ),
        // %22password%22%3A%22…%22, password%3D…
        (
            format!(
                r"((?:{names})(?:%5[Cc])*(?:%2[27])?(?:%20|\+)*(?:%3[AaDd])(?:%20|\+)*)(?:(?:%5[Cc])*%22{whole}*|(?:%5[Cc])*%27{whole}*|{encoded}+)"
            ),
            With::Between,
        ),
    ]
}

fn markup() -> Vec<Pattern> {
    let names = names();
    vec![
        // <password><![CDATA[…]]></password>
        (
            format!(r"(?s)((?:{names})[^<>]*(?:>(?:\s*<[^<>]*>)*?|(?:\s*<[^<>]*>)+?)\s*<!\[CDATA\[)(?:.*?)(\]\]>|$)"),
            With::Between,
        ),
        // <input name="password" value="…">, whatever comes first.
        (format!(r"<[^<>]*(?:{names})[^<>]*(?:>|$)"), With::TagWithoutValues),
        // <password>…</password>, <td>PASSWORD</td><td>…</td>.
        (
            format!(r"((?:{names})(?:[^<>]*[^<>=\-])?(?:>(?:\s*<[^<>]*>)*|(?:\s*<[^<>]*>)+)\s*)[^<\s][^<]*"),
            With::Between,
        ),
    ]
}

/// A name and a value that stand beside each other.
fn pairs(strictness: Strictness) -> Vec<Pattern> {
    let (names, close, quote) = (names(), close(), quote());
    // A column that is no credential's may have a value that its client needs.
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
        // ('Authorization', '…'), ["Authorization","…", b'Cookie', b'…'.
        (format!(r"({quote}[\w\-.]*?(?:{names}){quote}\s*,\s*)b?({VALUE})(\s*[:=])?"), With::Listed),
    ];
    if strictness == Strictness::Strict {
        // `Duplicate entry '…' for key`, `duplicate key value is (…)`.
        pairs.push((r"(?m)((?i-u:\bduplicate entry )\s*)\S.*?((?i-u: for key\b)|$)".to_owned(), With::Between));
        pairs.push((r"((?i-u:\bduplicate key value is )\s*)\((?:[^\r\n]*\)|[^\r\n)]*)".to_owned(), With::Between));
    }
    pairs
}

/// A value behind its name, and the code of a sign-in in its URL.
fn assignments(strictness: Strictness) -> Vec<Pattern> {
    let (names, close, quote) = (names(), close(), quote());
    let values = format!("(?:{VALUE}|{ENTITY}[^\\r\\n<]*)");
    let mut rules = match strictness {
        Strictness::Strict => vec![
            // name: value, "name": "value", "name" => "value"; what is not quoted goes to the end of its line.
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
            (format!(r"{OF_PARSERS}|((?:{names})\\*{close}(?::|=>)\s*)({values}|[^\r\n<\s][^\r\n<]*)"), With::Line),
            (format!(r"((?:{names})\\*{close}=\s*)({values}|[^\s&<;]+)"), With::Word),
        ],
    };
    rules.push((
        r#"((?:[?&;]|%3[Ff]|%26)(?i-u:code|key|state|ticket|assertion|saml(?:request|response))(?:=|%3[Dd]))[^\s&"'<>#;]+"#
            .to_owned(),
        With::Between,
    ));
    rules
}

fn commands() -> Vec<Pattern> {
    let names = names();
    vec![
        // mysql -p…, with nothing between: else it prompts.
        (format!(r"((?i-u:\b(?:mysql|mariadb))[^\r\n;|]*?[ \t]-p)(?:{VALUE}|[^\s<]+)"), With::Between),
        // sshpass -p …, mongosh -p …, redis-cli -a …
        (
            format!(r"((?i-u:\b(?:sshpass|mongo[a-z]*|redis-cli)\b)[^\r\n;|]*?[ \t]-[pa][ \t]*)(?:{VALUE}|[^\s<]+)"),
            With::Between,
        ),
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
    vec![
        // password is "…"; "…" is no password.
        (
            format!(r#"{OF_PARSERS}|((?:{names})["'`]?(?:(?:[ \t]+[A-Za-z]+){{1,3}}[ \t]+|([ \t]+\(?)))({QUOTED})"#),
            With::Quoted,
        ),
        (format!(r"()()({QUOTED})((?:[ \t]+[A-Za-z]+){{0,5}}[ \t]+(?:{names}))"), With::Quoted),
        (
            r#"(?i-u:\b(bearer|basic|digest|negotiate))((?:[\s:+]|%20|\\u0020|["'])+)([^\s"'<>,;\\]+)"#.to_owned(),
            With::Scheme,
        ),
        // password is …, with password …
        (
            format!(
                r"{OF_PARSERS}|((?:{names})[ \t]+(?i-u:is|was)[ \t]+|(?i-u:\b(?:with|using|by|via)[ \t]+(?:(?:the|a|an|this|your)[ \t]+)?)(?:{names})[ \t]+)([^\s<>]+)"
            ),
            if strictness == Strictness::Strict { With::Word } else { With::MadeUp },
        ),
        // API key provided: …
        (
            format!(
                r"{OF_PARSERS}|((?:{names})[ \t]+(?i-u:provided|given|received|supplied|used|specified|submitted|sent|passed|value)[ \t]*[:=][ \t]*)([^\s<>]+)"
            ),
            With::Word,
        ),
        // password …, where no word about one could be
        (format!(r"{OF_PARSERS}|((?:{names})[ \t]+)([^\s<>]+)"), With::MadeUp),
    ]
}

/// What is a secret by its form.
fn forms() -> Vec<Pattern> {
    vec![
        (r"eyJ[A-Za-z0-9_\-]{4,}(?:\.[A-Za-z0-9_\-]*)*".to_owned(), With::Taken),
        (
            concat!(
                r"\b(?:sk-[A-Za-z0-9_\-]{6,}|[spr]k_(?:live|test)_\w+|gh[pousr]_[A-Za-z0-9]{4,}|github_pat_\w+",
                r"|A(?:KIA|SIA|ROA|IDA)[A-Z0-9]{6,}|xox[a-z]-[\w\-]+|xapp-[\w\-]+|glpat-[\w\-]+|AIza[\w\-]{16,}",
                r"|ya29\.[\w.\-]+|npm_\w{16,}|hf_\w{16,}|SG\.[\w\-]+\.[\w\-]+|whsec_\w+|shp(?:at|ss|ca|pa)_\w+",
                r"|dop_v1_\w+|pypi-[\w\-]{16,}|gsk_\w{16,}|xai-\w{16,}|nvapi-[\w\-]{16,}|glsa_\w{16,}|hv[sb]\.[\w\-]{16,}",
                r"|dckr_pat_[\w\-]+|sbp_\w{16,}|lin_api_\w+|ATATT[\w\-=]{16,}|[0-9]{8,10}:[A-Za-z0-9_\-]{35})"
            )
            .to_owned(),
            With::Taken,
        ),
        // bcrypt.
        (r"\$2[abxy]?\$\d\d\$[./A-Za-z0-9]{16,}".to_owned(), With::Taken),
        (r"\d(?:[ \-]?\d){12,}".to_owned(), With::Card),
        (r"[\w.+%\-]+(?:@|%40)(?:[\w\-]+\.)+\p{L}{2,}\b".to_owned(), With::Email),
    ]
}

/// A name that marks its value as a credential, as in [`name`](super::name).
pub(super) fn names() -> String {
    let parts = name::PARTS.split_ascii_whitespace().collect::<Vec<_>>().join("|").replace('-', r"[\-_ ]?");
    let others = name::PARTS_OF_OTHERS.split_ascii_whitespace().collect::<Vec<_>>().join("|");
    let whole = name::WHOLE_IN_TEXTS.split_ascii_whitespace().collect::<Vec<_>>().join("|");
    format!(r"(?:(?i-u:(?:{parts}|rejected[\-_ ]?value)[\w.\-\]]*|\b(?:{whole})\b)|(?i:{others})[\w.\-\]]*)")
}

#[cfg(test)]
mod tests {
    use super::{Strictness, rules};

    #[test]
    fn every_rule_compiles() {
        assert_eq!(rules(Strictness::Strict).len(), 38);
        assert_eq!(rules(Strictness::Readable).len(), 35);
    }
}
