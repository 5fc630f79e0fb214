//! The rules for credentials in a text. They are applied one after the other.
//!
//! A search with the crate `regex` takes time in proportion to the length of the text, for any content. No rule reads
//! far beyond its match. If the end of a value is not found, everything that was read is removed.
//!
//! `\b` is used for ASCII (`(?-u:\b)`). With Unicode, a search takes some 25 times longer if a text is not ASCII.

use std::sync::LazyLock;

use regex::Regex;

use super::{Strictness, keys, name};

/// The text that replaces a removed secret.
pub const TAKEN: &str = "[redacted]";

/// The action for a match of a rule.
#[derive(Clone, Copy, Debug)]
pub(super) enum With {
    Taken,
    /// Keep the first group, which comes before the secret, and the second group after the secret, if there is one.
    Between,
    /// Remove the scheme and its credentials, unless they are words about credentials.
    Scheme,
    /// Keep the first group, and keep the rest if it is a word about credentials. Without the first group, change
    /// nothing.
    Word,
    /// Do the same as `Word`, but keep the rest if it looks like a word or an address.
    MadeUp,
    /// Do the same as `Word`, but keep the rest unless it is long and mixes letters with digits.
    Mixed,
    /// Do the same as `Word` for the rest of a line.
    Line,
    /// Keep the first group. Also keep the third group, which is quoted, if it is a word. If the second group matches,
    /// the quoted text comes directly after the name.
    Quoted,
    /// Keep the first group, which is a name. Also keep the second group if it may be another name, or if it has its
    /// own value.
    Listed,
    TagWithoutValues,
    Card,
}

type Rules = Vec<(Regex, With)>;

/// Returns the rules. A rule removes its whole match, except for the groups that stay.
pub(super) fn rules(strictness: Strictness) -> &'static Rules {
    static STRICT: LazyLock<Rules> = LazyLock::new(|| compiled(Strictness::Strict));
    static READABLE: LazyLock<Rules> = LazyLock::new(|| compiled(Strictness::Readable));

    match strictness {
        Strictness::Strict => &STRICT,
        Strictness::Readable => &READABLE,
    }
}

fn compiled(strictness: Strictness) -> Rules {
    let rows = ROWS.iter().filter(|row| row.0.is_for(strictness));
    rows.filter_map(|row| Regex::new(&pattern(row.1, strictness)).ok().map(|regex| (regex, row.2))).collect()
}

/// The strictness for which a rule applies.
#[derive(Clone, Copy, Debug)]
enum For {
    Both,
    Strict,
    Readable,
}

impl For {
    const fn is_for(self, strictness: Strictness) -> bool {
        match self {
            Self::Both => true,
            Self::Strict => matches!(strictness, Strictness::Strict),
            Self::Readable => matches!(strictness, Strictness::Readable),
        }
    }
}

/// A rule, with a text from which only this rule removes `s3cret`, and a text that the rule does not change. A name
/// between braces stands for one of [`PARTS`].
type Row = (For, &'static str, With, &'static str, &'static str);

#[rustfmt::skip]
const ROWS: [Row; 50] = [
    // These rules are for private keys, URLs and multipart forms.
    (For::Both, r"(?s)-----BEGIN [A-Z0-9 ]*(?:KEY|CERTIFICATE|MESSAGE)[A-Z0-9 ]*-----.*?(?:-----END[^-]*-----|$)", With::Taken,
     "-----BEGIN PRIVATE KEY-----\ns3cret\n-----END PRIVATE KEY-----", "-----BEGIN of the list-----"),
    // The password may contain the characters of a path, unless it looks like a port.
    (For::Both, r#"(://)[^\s/?#"'<>]*(@)"#, With::Between, "postgres://ada:s3cret@db:5432/x", "https://a.example/@ada"),
    (For::Both, r#"(://)[^\s/?#"'<>:@]*:\d*[^\d\s"'<>@/][^\s"'<>@]*(@)"#, With::Between,
     "postgres://ada:s3c/s3cret@db", "https://a.example:8080/@ada"),
    // This is the form of Go.
    (For::Both, r#"()[\w.+%\-]+:[^\s"'<>@/][^\s"'<>@]*(@(?:\w+\([^\s()]*\))?/)"#, With::Between,
     "ada:s3cret@tcp(db:3306)/x", "at 10:30@a.example"),
    // These are Oracle's forms. The first has `//` before the host, and the second begins with a scheme. In the third,
    // the host is only a name, so a command or an error must come before it.
    (For::Both, r#"()[\w.$\-]+/[^\s"'<>@/]+(@//)"#, With::Between, "ada/s3cret@//db:1521/x", "npm/left-pad@1.0"),
    (For::Both, r#"((?i-u:\bjdbc:oracle:\w+:))[^\s"'<>@]+(@)"#, With::Between, "jdbc:oracle:thin:ada/s3cret@db", "jdbc:oracle:thin:@db"),
    (For::Both, r#"((?:(?i-u:\b(?:ora-[0-9]{5}|sqlplus|sqlldr|expdp|impdp)\b)[^\r\n]*?[ \t"'=]|(?i-u:\bconnect)[ \t]+["']?)[\w$.\-]+/)[^\s"'<>@/]+(@)"#, With::Between,
     "sqlplus ada/s3cret@orders", "cannot connect to a/b"),
    // This is `form-data; name="password"`, with its value below it.
    (For::Both, r#"(?s)((?i-u:form-data;)[^\r\n]*?(?i-u:name=)\\*"?[^"\r\n]*?(?:{names})\\*"?[^\r\n\\]*(?:{break}[^\r\n\\]+)*?{break}{break}).*?({break}--|$)"#, With::Between,
     "form-data; name=\"password\"\r\n\r\ns3cret\r\n--b", "form-data; name=\"page\"\r\n\r\n7\r\n--b"),
    // These are XML and HTML, which may break off.
    (For::Both, r"(?s)((?:{names})[^<>]*(?:>(?:\s*<[^<>]*>)*?|(?:\s*<[^<>]*>)+?)\s*<!\[CDATA\[)(?:.*?)(\]\]>|$)", With::Between,
     "<password><![CDATA[s3cret<]]></password>", "<title><![CDATA[Seven]]></title>"),
    (For::Both, r"<[^<>]*(?:{names})[^<>]*(?:>|$)", With::TagWithoutValues,
     "<input name=\"password\" value=\"s3cret\">", "<input name=\"page\" value=\"7\">"),
    // `<token>` alone stands for a value, and `Map<Token, Order>` is a type.
    (For::Both, r"((?:<[^<>]*(?:{names})[^<>]*>(?:\s*<[^<>]*>)*|(?:{names})(?:[^<>]*[^<>=\-])?(?:\s*<[^<>]*>)+)\s*){content}", With::Between,
     "<td>PASSWORD</td><td>s3cret</td>", "<td>PAGE</td><td>7</td>"),
    // These are a name next to a value, and a database's error about a key.
    (For::Both, r"((?i-u:\bkey) \({columns}\)=)\((?:[^\r\n]*\)|[^\r\n)]*)", With::Between,
     "Key (id, token)=(7, s3cret) already exists.", "the key (token) is missing"),
    (For::Both, r"((?:{names}){close},\s*{quote}?{value of pair}{close}(?::|=>|=)\s*)(?:{value}|{entity}[^\r\n<]*)", With::Between,
     r#"{"name":"Authorization","val":"s3cret"}"#, r#"{"name":"page","val":"7"}"#),
    (For::Both, r"({value of pair}{close}(?::|=>|=)\s*)(?:{value})(\s*,\s*{quote}?{name of pair}{close}(?::|=>|=)\s*{quote}?[\w\-]*?(?:{names}))", With::Between,
     "val='s3cret', key='Cookie'", "val='7', key='page'"),
    // This is the form of Amazon.
    (For::Both, r"((?i-u:\bvalue)[ \t]+)'[^'\r\n]*'([ \t]+at[ \t]+'[\w.\-]*?(?:{names}))", With::Between,
     "Value 's3cret' at 'password' failed", "Value '7' at 'page' failed"),
    // This is the form of SQLAlchemy.
    (For::Both, r"((?i-u:\[SQL: )[^\[\]]*?(?:{names})[^\[\]]*\]\s*(?i-u:\[parameters: ))[^\r\n]*", With::Between,
     "[SQL: INSERT INTO u (password) VALUES (?)] [parameters: ('s3cret',)]", "[SQL: INSERT INTO u (page) VALUES (?)] [parameters: (7,)]"),
    (For::Both, r"({quote}[\w\-.]*?(?:{names}){quote}\s*,\s*)b?({value})(\s*[:=])?", With::Listed,
     "('Authorization', 's3cret')", "('page', '7')"),
    (For::Both, r"(?m)((?i-u:\bduplicate entry )\s*)\S.*?({key})", With::Between,
     "Duplicate entry 's3'cret' for key 'api.token'", "this is a duplicate"),
    (For::Both, r"({table}(?i-u:\bduplicate key value is )\s*)\((?:[^\r\n]*\)|[^\r\n)]*)", With::Between,
     "in 'dbo.tokens'. The duplicate key value is (s3cret).", "a duplicate key value"),
    // This is a value after its name. Without quotes, it ends with its line.
    (For::Strict, r"((?:{names})\\*{close}(?::|=>)\s*)(?:{any value}|[^\r\n<\s][^\r\n<]*)", With::Between,
     "password: s3cret, and on", "page: 7"),
    (For::Strict, r"((?:{names})\\*{close}=\s*)(?:{any value}|[^\r\n&<\s][^\r\n&<]*)", With::Between,
     "user=ada&password=s3cret&x=1", "user=ada&page=7"),
    // This is JSON in a text.
    (For::Strict, r"({quote}{sent}{quote}\s*(?::|=>)\s*)(?:{value}|{entity}[^\r\n<]*|-?\d[\w.+\-]*)", With::Between,
     r#"{\"received\":\"s3cret\",\"at\":1}"#, r#"{\"at\":1}"#),
    // Credentials after a scheme, and cookies, have several words, even after `=`.
    (For::Readable, r"{of parsers}|((?:(?:{names})\\*{close}(?::|=>)|(?i-u:authorization|cookie)\\*{close}=)\s*)({any value}|[^\r\n<\s][^\r\n<]*)", With::Line,
     "Cookie=a=1; b=s3cret4711", "token: missing"),
    (For::Readable, r"((?:{names})\\*{close}=\s*)(\[[^\]\r\n<]+\]?)", With::Line, "X-Api-Key=[s3cret4711, b]", "sizes=[7, 8]"),
    (For::Readable, r"((?:{names})\\*{close}=\s*(?:{scheme}[ \t]+)?)({any value}|[^\s&<;]+)", With::Word,
     "user=ada&password=s3cret&x=1", "password=missing"),
    // A word that names a parameter is not enough to name anything else, as in `exit code=1` and `sort key=name`.
    (For::Both, r#"([?&;#](?i-u:{parameters})=)[^\s&"'<>#;]+"#, With::Between, "GET /cb?code=s3cret&x=1 failed", "exit code=1"),
    (For::Both, r#"((?:^|[^\w.\-])(?i-u:{parameters})=)[^\s&"'<>#;]+(&[\w.\[\]%+\-]+=)"#, With::Between, "code=s3cret&x=1", "sort key=name"),
    // A `&` or `;` that no further name follows is a part of the password.
    (For::Both, r"(=)\[redacted\](?:[&;][^\s&<;=]+)+([\s&<]|$)", With::Between, "password=[redacted]&s3cret", "password=[redacted]&page=7"),
    (For::Strict, r#"([?&;](?i-u:ticket|assertion|saml(?:request|response))=)([^\s&"'<>#;]+)"#, With::Word,
     "/cb?ticket=ST-1-s3cretS3cret", "ticket=7"),
    (For::Readable, r#"([?&;](?i-u:ticket|assertion|saml(?:request|response))=)([^\s&"'<>#;]+)"#, With::Mixed,
     "/cb?ticket=ST-1-s3cretS3cret", "/help?ticket=77"),
    // These rules are for commands. With a space after `-p`, mysql prompts for the password.
    (For::Both, r#"((?i-u:\b(?:mysql|mariadb))[^\r\n;|]*?(?:[ \t]|[ \t,]["'])-p)(?:{value}|[^\s<]+)"#, With::Between,
     "mysql -u root -ps3cret orders", "mysql -u root -p orders"),
    (For::Both, r"((?i-u:\b(?:sshpass|mongo[a-z]*|redis-cli)\b)[^\r\n;|]*?[ \t]-[pa][ \t]*|(?i-u:\blogin\b)[^\r\n;|]*?[ \t]-p[ \t=]+)(?:{value}|[^\s<]+)", With::Between,
     "docker login -u ada -p s3cret", "ssh -p 2222 b"),
    (For::Both, r#"(["'`](?:-u|--(?:proxy-)?user)["'`],[ \t]*["'`])[^"'`:]*:[^"'`]*"#, With::Between,
     r#"["curl", "-u", "ada:s3cret"]"#, r#"["date", "-u", "now"]"#),
    (For::Both, r#"(?m)((?:^|[\s"'`])(?:-u[ \t]*|--(?:proxy-)?user[ \t=]+))(?:"[^":]*:[^"]*"?|'[^':]*:[^']*'?|[^\s:"']*:\S+)"#, With::Between,
     "curl -u ada:s3cret https://a.example", "git push -u origin"),
    (For::Both, r"(?m)((?:^|[\s`])--?[\w\-]*(?:{names})[ \t]+)(?:{value}|[^\s<]+)", With::Between, "psql --db-password s3cret -h db", "psql --page 7"),
    // These rules are for sentences. A token that is long and mixed is not one that a parser reports.
    (For::Both, r#"({of parsers}[ \t]*:?[ \t]*["'`]?)([^\s"'`<>,;]+)"#, With::Mixed, "Unexpected token s3cretS3cret4711", "Unexpected token < in JSON"),
    (For::Both, r"{of parsers}|((?:{names})(?:[ \t]+{state}){1,4}[ \t]*[:=][ \t]*(?:{compared}[ \t]+)*)([^\s<>]+)", With::MadeUp,
     "API key not found: s3cret4711", "Password for ada: missing"),
    // In `"…" is no password`, the text is not a password.
    (For::Both, r#"{stays}|((?:{names})["'`]?(?:(?:[ \t]+[A-Za-z]+){1,3}[ \t]+|([ \t]+\(?)))({quoted})"#, With::Quoted,
     "password 's3cret' is too short", "page 'seven' is too short"),
    (For::Both, r"()()({quoted})((?:[ \t]+[A-Za-z]+){0,5}[ \t]+(?:{names}))", With::Quoted,
     "'s3cret4711' is not a valid password", "'seven' is not a valid page"),
    (For::Both, r#"(?i-u:\b(bearer|basic|digest|negotiate))((?:[\s:+]|\\u0020|["'])+)([^\s"'<>,;\\]+)"#, With::Scheme,
     "got Bearer s3cret.x, sorry", "Bearer token missing"),
    (For::Strict, "{is or with}", With::Word, "the password is s3cret", "The password is required"),
    (For::Readable, "{is or with}", With::MadeUp, "signed in with password s3cret4711", "The password is wrong"),
    (For::Both, r"{stays}|((?:{names})[ \t]+(?i-u:provided|given|received|supplied|used|specified|submitted|sent|passed|value)[ \t]*[:=][ \t]*)([^\s<>]+)", With::Word,
     "API key provided: s3cret", "API key provided: invalid"),
    (For::Both, r"{stays}|((?:{names})[ \t]+)([^\s<>]+)", With::MadeUp, "password s3cret4711", "password required"),
    (For::Both, r"(\[redacted\][ \t]+{compared}[ \t:=]+(?:{compared}[ \t:=]+)*)([^\s<>]+)", With::MadeUp,
     "expected [redacted] but got s3cret4711", "[redacted] was wrong"),
    // These rules go by the form of a value. Keys come before tokens, because a token may be a part of a key.
    (For::Both, "{keys}", With::Taken, "key sk-proj-s3cret revoked", "task-management sk-ip"),
    (For::Both, r"eyJ[A-Za-z0-9_\-]{4,}(?:\.[A-Za-z0-9_\-]*)*", With::Taken, "eyJhbGciOiJIUzI1NiJ9.s3cret.c2ln is bad", "eyJ"),
    // The path of a webhook is a secret key.
    (For::Both, r"(hooks\.slack\.com/(?:services|workflows|triggers)/|discord(?:app)?\.com/api/webhooks/)[A-Za-z0-9_/\-]+", With::Between,
     "https://hooks.slack.com/services/s3cret", "https://hooks.slack.com/"),
    (For::Both, r"[0-9](?:[ \-]?[0-9]){12,}", With::Card, "card 4111 1111 1111 1111 declined", "order 1763743320000 not found"),
    (For::Both, r"[\w.+%\-]+@(?:[\w\-]+\.)+(?:[A-Za-z]{2,}(?-u:\b)|[\p{L}--A-Za-z]\p{L}+)", With::Taken, "s3cret@mail.example", "left-pad@1.0"),
];

/// Named parts of patterns. A row contains a name in braces, its pattern for strict redaction, and its pattern for
/// texts that a client reads. A part may refer to the parts below it.
#[rustfmt::skip]
const PARTS: [(&str, &str, &str); 20] = [
    ("{content}", r"[^<\s][^<]*", r"(?:[^<\s][^<]*(</)|[^<\s]*\w[^<\s]*<?$)"),
    // Clients may need the value of a column that does not contain a credential.
    ("{columns}", r"[^\r\n=]*", r"[^\r\n=]*?{names}[^\r\n=]*"),
    ("{key}", r"(?i-u: for key\b)|$", r#"(?i-u: for key )['"`]?[\w.\-]*?(?:{names})"#),
    ("{table}", "", r"(?:{names})[^\r\n]*?"),
    both("{is or with}", r"{stays}|((?:{names})[ \t]+(?i-u:is|was)[ \t]+|(?i-u:\b(?:with|using|by|via)[ \t]+(?:(?:the|a|an|this|your)[ \t]+)?)(?:{names})[ \t]+)([^\s<>]+)"),
    // Kubernetes names a secret, but does not show it.
    both("{stays}", r#"{of parsers}|(?i-u:\bsecrets?[ \t]+"[a-z0-9.\-]+"[ \t]+(?:already exists|not found))"#),
    // The messages of parsers about tokens in a text, which are not credentials.
    both("{of parsers}", r"(?i-u:\b(?:unexpected|illegal|unknown|next|first|end|near|max(?:imum)?|min(?:imum)?|[0-9]+)[ \t]+tokens?\b)"),
    // A value without quotes ends at the end of its line.
    both("{any value}", r"(?:{value}|{entity}[^\r\n<]*)"),
    // This is a value, even if the text around it is itself quoted.
    both("{value}", r#"\\+"[^"]*"?|"{3}(?s:.*?)(?:"{3}|\z)|'{3}(?s:.*?)(?:'{3}|\z)|"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?"#),
    // This may close a name: its quote, a bracket, and the brackets after the name of a list (`password[]`).
    both("{close}", r"{quote}?(?:\]|%5[Dd])?(?:\)[ \t]+)?(?i-u:\[\w*\]|%5B\w*%5D)*\s*"),
    both("{quote}", r#"(?:\\*["'`]|{entity})"#),
    // This is a quote in HTML, even if HTML is inside of HTML.
    both("{entity}", r"&(?:amp;)*(?i-u:quot|apos|#0*3[49]|#x0*2[27]);"),
    // This is a quoted text. It cannot contain its opening quote. Otherwise a quote that is never closed would be read
    // to the end of the text again and again.
    both("{quoted}", r#""[^"]*"|'[^']*'|`[^`]*`|“[^“”]*”|‘[^‘’]*’|«[^«»]*»"#),
    // These are the names of fields in which an error repeats what a client sent, as in `name`.
    both("{sent}", r"(?i-u:input|(?:\w*[_\-])?val(?:ue)?|given|received|actual|got|provided|supplied|submitted)"),
    // These are the names of a field that contains a name, next to a field with the value.
    both("{name of pair}", r"(?i-u:\b(?:name|key|header|field|k|param(?:eter)?))"),
    both("{value of pair}", r"(?i-u:\b(?:input|(?:\w*[_\-])?val(?:ue)?|v|given|received|actual|got|provided|supplied|submitted))"),
    // This is the word before credentials in a header.
    both("{scheme}", r"(?i-u:api[\-_]?key|aws[\w\-]*|sharedkey(?:lite)?|token|oauth|hmac[\w\-]*|hawk|ntlm|bearer|basic|digest)"),
    // These are the words between the name of a credential and the colon before its value.
    both("{state}", r"(?i-u:not|found|is|was|does|did|match|mismatch|invalid|incorrect|wrong|unknown|unrecognized|malformed|revoked|expired|rejected|exists?|already|used|header|value|hash|for[ \t]+(?:user[ \t]+)?(?u:[^\s:]+))"),
    // These are the words before each of two values that differ.
    both("{compared}", r"(?i-u:but|expected|got|received|computed|calculated|actual|was)"),
    // This is a line break, even if it is escaped.
    both("{break}", r"(?:\r?\n|(?:\\+r)?\\+n)"),
];

const fn both(name: &'static str, part: &'static str) -> (&'static str, &'static str, &'static str) {
    (name, part, part)
}

/// Returns the pattern of a row, with its parts filled in.
fn pattern(row: &str, strictness: Strictness) -> String {
    let part = |(name, strict, readable)| (name, if strictness == Strictness::Strict { strict } else { readable });
    let pattern = PARTS.into_iter().map(part).fold(row.to_owned(), |row, (name, part)| row.replace(name, part));
    let parameters = name::PARAMETERS.split_ascii_whitespace().collect::<Vec<_>>().join("|");
    pattern.replace("{names}", &names()).replace("{parameters}", &parameters).replace("{keys}", &keys::pattern())
}

/// Returns the pattern for a name that marks its value as a credential, as in [`name`](super::name).
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
    use super::{ROWS, Regex, Strictness, TAKEN, pattern};

    #[test]
    fn each_rule_alone_removes_one_of_its_texts_and_leaves_the_other() {
        let mut wrong = String::new();
        for (of, row, with, removed, left) in ROWS {
            for strictness in [Strictness::Strict, Strictness::Readable].into_iter().filter(|it| of.is_for(*it)) {
                let rule = Regex::new(&pattern(row, strictness)).expect(row);
                let apply = |text| with.applied(&rule, text, strictness, &mut |_| {}).into_owned();
                let redacted = apply(removed);
                if !redacted.contains(TAKEN) || redacted.contains("s3cret") || apply(left) != left {
                    wrong += &format!("{strictness:?} {row}: {redacted} | {}\n", apply(left));
                }
            }
        }
        assert_eq!(wrong, "");
    }
}
