//! The rules for credentials in a text. The rules are applied one after the other.
//!
//! A search with the crate `regex` takes time in proportion to the length of the text, for any content. No rule reads
//! far beyond its match. If the end of a value is not found, the whole text that was read is removed.
//!
//! The patterns use `\b` for ASCII (`(?-u:\b)`). With Unicode, a search takes about 25 times longer if a text is not
//! ASCII.

use std::sync::LazyLock;

use regex::Regex;

use super::{Strictness, keys, name};

/// The text that replaces a removed secret.
pub const TAKEN: &str = "[redacted]";

/// The action of a rule for each match.
#[derive(Clone, Copy, Debug)]
pub(super) enum With {
    Taken,
    /// Keep the first group, which precedes the secret. Also keep the second group after the secret, if it exists.
    Between,
    /// Remove the scheme and its credentials, unless a word about credentials follows the scheme.
    Scheme,
    /// Keep the first group. Also keep the rest if it is a word about credentials. If there is no first group, change
    /// nothing.
    Word,
    /// Do the same as `Word`, but keep the rest if it looks like a word or an address.
    MadeUp,
    /// Do the same as `Word`, but keep the rest unless it is long and mixes letters with digits.
    Mixed,
    /// Do the same as `Word`, but for the rest of a line.
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
    static STRICT_RULES: LazyLock<Rules> = LazyLock::new(|| compiled(Strictness::Strict));
    static READABLE_RULES: LazyLock<Rules> = LazyLock::new(|| compiled(Strictness::Readable));

    match strictness {
        Strictness::Strict => &STRICT_RULES,
        Strictness::Readable => &READABLE_RULES,
    }
}

fn compiled(strictness: Strictness) -> Rules {
    let rows = ROWS.iter().filter(|row| row.0.is_none_or(|only| only == strictness));
    rows.filter_map(|row| Regex::new(&pattern(row.1, strictness)).ok().map(|regex| (regex, row.2))).collect()
}

/// The strictness for which a rule applies, or `None` for both.
type For = Option<Strictness>;

const BOTH: For = None;
const STRICT: For = Some(Strictness::Strict);
const READABLE: For = Some(Strictness::Readable);

/// A rule, with two texts for tests. Only this rule removes `s3cret` from the first text. The rule does not change the
/// second text. In a pattern, one of [`PARTS`] replaces a name in braces.
type Row = (For, &'static str, With, &'static str, &'static str);

#[rustfmt::skip]
const ROWS: [Row; 50] = [
    // The following rules are for private keys, URLs and multipart forms.
    (BOTH, r"(?s)-----BEGIN [A-Z0-9 ]*(?:KEY|CERTIFICATE|MESSAGE)[A-Z0-9 ]*-----.*?(?:-----END[^-]*-----|$)", With::Taken,
     "-----BEGIN PRIVATE KEY-----\ns3cret\n-----END PRIVATE KEY-----", "-----BEGIN of the list-----"),
    // The password may contain the characters of a path, unless it looks like a port.
    (BOTH, r#"(://)[^\s/?#"'<>]*(@)"#, With::Between, "postgres://ada:s3cret@db:5432/x", "https://a.example/@ada"),
    (BOTH, r#"(://)[^\s/?#"'<>:@]*:\d*[^\d\s"'<>@/][^\s"'<>@]*(@)"#, With::Between,
     "postgres://ada:s3c/s3cret@db", "https://a.example:8080/@ada"),
    // Go writes addresses of databases in this form.
    (BOTH, r#"()[\w.+%\-]+:[^\s"'<>@/][^\s"'<>@]*(@(?:\w+\([^\s()]*\))?/)"#, With::Between,
     "ada:s3cret@tcp(db:3306)/x", "at 10:30@a.example"),
    // Oracle has three forms. The first has `//` before the host, and the second begins with a scheme. In the third,
    // the host is only a name, so the name of a command or an error must precede it.
    (BOTH, r#"()[\w.$\-]+/[^\s"'<>@/]+(@//)"#, With::Between, "ada/s3cret@//db:1521/x", "npm/left-pad@1.0"),
    (BOTH, r#"((?i-u:\bjdbc:oracle:\w+:))[^\s"'<>@]+(@)"#, With::Between, "jdbc:oracle:thin:ada/s3cret@db", "jdbc:oracle:thin:@db"),
    (BOTH, r#"((?:(?i-u:\b(?:ora-[0-9]{5}|sqlplus|sqlldr|expdp|impdp)\b)[^\r\n]*?[ \t"'=]|(?i-u:\bconnect)[ \t]+["']?)[\w$.\-]+/)[^\s"'<>@/]+(@)"#, With::Between,
     "sqlplus ada/s3cret@orders", "cannot connect to a/b"),
    // The value of `form-data; name="password"` is below this line.
    (BOTH, r#"(?s)((?i-u:form-data;)[^\r\n]*?(?i-u:name=)\\*"?[^"\r\n]*?(?:{names})\\*"?[^\r\n\\]*(?:{break}[^\r\n\\]+)*?{break}{break}).*?({break}--|$)"#, With::Between,
     "form-data; name=\"password\"\r\n\r\ns3cret\r\n--b", "form-data; name=\"page\"\r\n\r\n7\r\n--b"),
    // XML and HTML, which may break off, contain these secrets.
    (BOTH, r"(?s)((?:{names})[^<>]*(?:>(?:\s*<[^<>]*>)*?|(?:\s*<[^<>]*>)+?)\s*<!\[CDATA\[)(?:.*?)(\]\]>|$)", With::Between,
     "<password><![CDATA[s3cret<]]></password>", "<title><![CDATA[Seven]]></title>"),
    (BOTH, r"<[^<>]*(?:{names})[^<>]*(?:>|$)", With::TagWithoutValues,
     "<input name=\"password\" value=\"s3cret\">", "<input name=\"page\" value=\"7\">"),
    // `<token>` alone is a placeholder for a value, and `Map<Token, Order>` is a type.
    (BOTH, r"((?:<[^<>]*(?:{names})[^<>]*>(?:\s*<[^<>]*>)*|(?:{names})(?:[^<>]*[^<>=\-])?(?:\s*<[^<>]*>)+)\s*){content}", With::Between,
     "<td>PASSWORD</td><td>s3cret</td>", "<td>PAGE</td><td>7</td>"),
    // The following rules are for a name next to a value, and for a database's error about a key.
    (BOTH, r"((?i-u:\bkey) \({columns}\)=)\((?:[^\r\n]*\)|[^\r\n)]*)", With::Between,
     "Key (id, token)=(7, s3cret) already exists.", "the key (token) is missing"),
    (BOTH, r"((?:{names}){close},\s*{quote}?{value of pair}{close}(?::|=>|=)\s*)(?:{value}|{entity}[^\r\n<]*)", With::Between,
     r#"{"name":"Authorization","val":"s3cret"}"#, r#"{"name":"page","val":"7"}"#),
    (BOTH, r"({value of pair}{close}(?::|=>|=)\s*)(?:{value})(\s*,\s*{quote}?{name of pair}{close}(?::|=>|=)\s*{quote}?[\w\-]*?(?:{names}))", With::Between,
     "val='s3cret', key='Cookie'", "val='7', key='page'"),
    // Amazon's services write values in this form.
    (BOTH, r"((?i-u:\bvalue)[ \t]+)'[^'\r\n]*'([ \t]+at[ \t]+'[\w.\-]*?(?:{names}))", With::Between,
     "Value 's3cret' at 'password' failed", "Value '7' at 'page' failed"),
    // SQLAlchemy writes parameters in this form.
    (BOTH, r"((?i-u:\[SQL: )[^\[\]]*?(?:{names})[^\[\]]*\]\s*(?i-u:\[parameters: ))[^\r\n]*", With::Between,
     "[SQL: INSERT INTO u (password) VALUES (?)] [parameters: ('s3cret',)]", "[SQL: INSERT INTO u (page) VALUES (?)] [parameters: (7,)]"),
    (BOTH, r"({quote}[\w\-.]*?(?:{names}){quote}\s*,\s*)b?({value})(\s*[:=])?", With::Listed,
     "('Authorization', 's3cret')", "('page', '7')"),
    (BOTH, r"(?m)((?i-u:\bduplicate entry )\s*)\S.*?({key})", With::Between,
     "Duplicate entry 's3'cret' for key 'api.token'", "this is a duplicate"),
    (BOTH, r"({table}(?i-u:\bduplicate key value is )\s*)\((?:[^\r\n]*\)|[^\r\n)]*)", With::Between,
     "in 'dbo.tokens'. The duplicate key value is (s3cret).", "a duplicate key value"),
    // This rule is for a value after its name. A value without quotes ends with its line.
    (STRICT, r"((?:{names})\\*{close}(?::|=>)\s*)(?:{any value}|[^\r\n<\s][^\r\n<]*)", With::Between,
     "password: s3cret, and on", "page: 7"),
    (STRICT, r"((?:{names})\\*{close}=\s*)(?:{any value}|[^\r\n&<\s][^\r\n&<]*)", With::Between,
     "user=ada&password=s3cret&x=1", "user=ada&page=7"),
    // This rule is for JSON in a text.
    (STRICT, r"({quote}{sent}{quote}\s*(?::|=>)\s*)(?:{value}|{entity}[^\r\n<]*|-?\d[\w.+\-]*)", With::Between,
     r#"{\"received\":\"s3cret\",\"at\":1}"#, r#"{\"at\":1}"#),
    // Credentials after a scheme, and cookies, consist of several words, even after `=`.
    (READABLE, r"{of parsers}|((?:(?:{names})\\*{close}(?::|=>)|(?i-u:authorization|cookie)\\*{close}=)\s*)({any value}|[^\r\n<\s][^\r\n<]*)", With::Line,
     "Cookie=a=1; b=s3cret4711", "token: missing"),
    (READABLE, r"((?:{names})\\*{close}=\s*)(\[[^\]\r\n<]+\]?)", With::Line, "X-Api-Key=[s3cret4711, b]", "sizes=[7, 8]"),
    (READABLE, r"((?:{names})\\*{close}=\s*(?:{scheme}[ \t]+)?)({any value}|[^\s&<;]+)", With::Word,
     "user=ada&password=s3cret&x=1", "password=missing"),
    // A word that is the name of a parameter is an ordinary word in other places, as in `exit code=1` and `sort
    // key=name`.
    (BOTH, r#"([?&;#](?i-u:{parameters})=)[^\s&"'<>#;]+"#, With::Between, "GET /cb?code=s3cret&x=1 failed", "exit code=1"),
    (BOTH, r#"((?:^|[^\w.\-])(?i-u:{parameters})=)[^\s&"'<>#;]+(&[\w.\[\]%+\-]+=)"#, With::Between, "code=s3cret&x=1", "sort key=name"),
    // If no further name follows a `&` or `;`, the character is a part of the password.
    (BOTH, r"(=)\[redacted\](?:[&;][^\s&<;=]+)+([\s&<]|$)", With::Between, "password=[redacted]&s3cret", "password=[redacted]&page=7"),
    (STRICT, r#"([?&;](?i-u:ticket|assertion|saml(?:request|response))=)([^\s&"'<>#;]+)"#, With::Word,
     "/cb?ticket=ST-1-s3cretS3cret", "ticket=7"),
    (READABLE, r#"([?&;](?i-u:ticket|assertion|saml(?:request|response))=)([^\s&"'<>#;]+)"#, With::Mixed,
     "/cb?ticket=ST-1-s3cretS3cret", "/help?ticket=77"),
    // The following rules are for commands. If a space follows `-p`, mysql prompts for the password.
    (BOTH, r#"((?i-u:\b(?:mysql|mariadb))[^\r\n;|]*?(?:[ \t]|[ \t,]["'])-p)(?:{value}|[^\s<]+)"#, With::Between,
     "mysql -u root -ps3cret orders", "mysql -u root -p orders"),
    (BOTH, r"((?i-u:\b(?:sshpass|mongo[a-z]*|redis-cli)\b)[^\r\n;|]*?[ \t]-[pa][ \t]*|(?i-u:\blogin\b)[^\r\n;|]*?[ \t]-p[ \t=]+)(?:{value}|[^\s<]+)", With::Between,
     "docker login -u ada -p s3cret", "ssh -p 2222 b"),
    (BOTH, r#"(["'`](?:-u|--(?:proxy-)?user)["'`],[ \t]*["'`])[^"'`:]*:[^"'`]*"#, With::Between,
     r#"["curl", "-u", "ada:s3cret"]"#, r#"["date", "-u", "now"]"#),
    (BOTH, r#"(?m)((?:^|[\s"'`])(?:-u[ \t]*|--(?:proxy-)?user[ \t=]+))(?:"[^":]*:[^"]*"?|'[^':]*:[^']*'?|[^\s:"']*:\S+)"#, With::Between,
     "curl -u ada:s3cret https://a.example", "git push -u origin"),
    (BOTH, r"(?m)((?:^|[\s`])--?[\w\-]*(?:{names})[ \t]+)(?:{value}|[^\s<]+)", With::Between, "psql --db-password s3cret -h db", "psql --page 7"),
    // The following rules are for sentences. A long token with mixed characters is not a token that a parser reports.
    (BOTH, r#"({of parsers}[ \t]*:?[ \t]*["'`]?)([^\s"'`<>,;]+)"#, With::Mixed, "Unexpected token s3cretS3cret4711", "Unexpected token < in JSON"),
    (BOTH, r"{of parsers}|((?:{names})(?:[ \t]+{state}){1,4}[ \t]*[:=][ \t]*(?:{compared}[ \t]+)*)([^\s<>]+)", With::MadeUp,
     "API key not found: s3cret4711", "Password for ada: missing"),
    // In `"…" is no password`, the quoted text is not a password.
    (BOTH, r#"{stays}|((?:{names})["'`]?(?:(?:[ \t]+[A-Za-z]+){1,3}[ \t]+|([ \t]+\(?)))({quoted})"#, With::Quoted,
     "password 's3cret' is too short", "page 'seven' is too short"),
    (BOTH, r"()()({quoted})((?:[ \t]+[A-Za-z]+){0,5}[ \t]+(?:{names}))", With::Quoted,
     "'s3cret4711' is not a valid password", "'seven' is not a valid page"),
    (BOTH, r#"(?i-u:\b(bearer|basic|digest|negotiate))((?:[\s:+]|\\u0020|["'])+)([^\s"'<>,;\\]+)"#, With::Scheme,
     "got Bearer s3cret.x, sorry", "Bearer token missing"),
    (STRICT, "{is or with}", With::Word, "the password is s3cret", "The password is required"),
    (READABLE, "{is or with}", With::MadeUp, "signed in with password s3cret4711", "The password is wrong"),
    (BOTH, r"{stays}|((?:{names})[ \t]+(?i-u:provided|given|received|supplied|used|specified|submitted|sent|passed|value)[ \t]*[:=][ \t]*)([^\s<>]+)", With::Word,
     "API key provided: s3cret", "API key provided: invalid"),
    (BOTH, r"{stays}|((?:{names})[ \t]+)([^\s<>]+)", With::MadeUp, "password s3cret4711", "password required"),
    (BOTH, r"(\[redacted\][ \t]+{compared}[ \t:=]+(?:{compared}[ \t:=]+)*)([^\s<>]+)", With::MadeUp,
     "expected [redacted] but got s3cret4711", "[redacted] was wrong"),
    // The following rules search for the form of a value. Keys come before tokens, because a token may be a part of a
    // key.
    (BOTH, "{keys}", With::Taken, "key sk-proj-s3cret revoked", "task-management sk-ip"),
    (BOTH, r"eyJ[A-Za-z0-9_\-]{4,}(?:\.[A-Za-z0-9_\-]*)*", With::Taken, "eyJhbGciOiJIUzI1NiJ9.s3cret.c2ln is bad", "eyJ"),
    // The path of a webhook is a secret key.
    (BOTH, r"(hooks\.slack\.com/(?:services|workflows|triggers)/|discord(?:app)?\.com/api/webhooks/)[A-Za-z0-9_/\-]+", With::Between,
     "https://hooks.slack.com/services/s3cret", "https://hooks.slack.com/"),
    (BOTH, r"[0-9](?:[ \-]?[0-9]){12,}", With::Card, "card 4111 1111 1111 1111 declined", "order 1763743320000 not found"),
    (BOTH, r"[\w.+%\-]+@(?:[\w\-]+\.)+(?:[A-Za-z]{2,}(?-u:\b)|[\p{L}--A-Za-z]\p{L}+)", With::Taken, "s3cret@mail.example", "left-pad@1.0"),
];

/// Named parts of patterns. A row contains a name in braces, its pattern for strict redaction, and its pattern for
/// texts that a client reads. A part may use the parts below it.
#[rustfmt::skip]
const PARTS: [(&str, &str, &str); 20] = [
    ("{content}", r"[^<\s][^<]*", r"(?:[^<\s][^<]*(</)|[^<\s]*\w[^<\s]*<?$)"),
    // Clients may need the value of a column that does not contain a credential.
    ("{columns}", r"[^\r\n=]*", r"[^\r\n=]*?{names}[^\r\n=]*"),
    ("{key}", r"(?i-u: for key\b)|$", r#"(?i-u: for key )['"`]?[\w.\-]*?(?:{names})"#),
    ("{table}", "", r"(?:{names})[^\r\n]*?"),
    both("{is or with}", r"{stays}|((?:{names})[ \t]+(?i-u:is|was)[ \t]+|(?i-u:\b(?:with|using|by|via)[ \t]+(?:(?:the|a|an|this|your)[ \t]+)?)(?:{names})[ \t]+)([^\s<>]+)"),
    // Kubernetes reports the name of a secret, but not its value.
    both("{stays}", r#"{of parsers}|(?i-u:\bsecrets?[ \t]+"[a-z0-9.\-]+"[ \t]+(?:already exists|not found))"#),
    // The messages of parsers about tokens in a text, which are not credentials.
    both("{of parsers}", r"(?i-u:\b(?:unexpected|illegal|unknown|next|first|end|near|max(?:imum)?|min(?:imum)?|[0-9]+)[ \t]+tokens?\b)"),
    // A value without quotes ends at the end of its line.
    both("{any value}", r"(?:{value}|{entity}[^\r\n<]*)"),
    // This value may be in a text that is itself quoted.
    both("{value}", r#"\\+"[^"]*"?|"{3}(?s:.*?)(?:"{3}|\z)|'{3}(?s:.*?)(?:'{3}|\z)|"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?"#),
    // These characters may follow a name: its closing quote, a bracket, and the brackets after the name of a list
    // (`password[]`).
    both("{close}", r"{quote}?(?:\]|%5[Dd])?(?:\)[ \t]+)?(?i-u:\[\w*\]|%5B\w*%5D)*\s*"),
    both("{quote}", r#"(?:\\*["'`]|{entity})"#),
    // A quote in HTML, which may be escaped several times.
    both("{entity}", r"&(?:amp;)*(?i-u:quot|apos|#0*3[49]|#x0*2[27]);"),
    // A quoted text, which cannot contain its opening quote. Otherwise the search would read from each quote that is
    // never closed to the end of the text.
    both("{quoted}", r#""[^"]*"|'[^']*'|`[^`]*`|“[^“”]*”|‘[^‘’]*’|«[^«»]*»"#),
    // The names of fields in which an error repeats a value that the client sent, as in the module `name`.
    both("{sent}", r"(?i-u:input|(?:\w*[_\-])?val(?:ue)?|given|received|actual|got|provided|supplied|submitted)"),
    // The names of a field that contains a name. Another field next to it contains the value.
    both("{name of pair}", r"(?i-u:\b(?:name|key|header|field|k|param(?:eter)?))"),
    both("{value of pair}", r"(?i-u:\b(?:input|(?:\w*[_\-])?val(?:ue)?|v|given|received|actual|got|provided|supplied|submitted))"),
    // The word before the credentials in a header.
    both("{scheme}", r"(?i-u:api[\-_]?key|aws[\w\-]*|sharedkey(?:lite)?|token|oauth|hmac[\w\-]*|hawk|ntlm|bearer|basic|digest)"),
    // The words between the name of a credential and the colon before its value.
    both("{state}", r"(?i-u:not|found|is|was|does|did|match|mismatch|invalid|incorrect|wrong|unknown|unrecognized|malformed|revoked|expired|rejected|exists?|already|used|header|value|hash|for[ \t]+(?:user[ \t]+)?(?u:[^\s:]+))"),
    // The words before each of two values that are compared.
    both("{compared}", r"(?i-u:but|expected|got|received|computed|calculated|actual|was)"),
    // A line break, which may be escaped.
    both("{break}", r"(?:\r?\n|(?:\\+r)?\\+n)"),
];

const fn both(name: &'static str, part: &'static str) -> (&'static str, &'static str, &'static str) {
    (name, part, part)
}

/// Returns the pattern of a row, in which its named parts are filled in.
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
            for strictness in
                [Strictness::Strict, Strictness::Readable].into_iter().filter(|it| of.is_none_or(|only| only == *it))
            {
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
