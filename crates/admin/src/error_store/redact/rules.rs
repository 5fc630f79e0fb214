//! The places of credentials in a text, one rule after the other.
//!
//! A search by the crate `regex` takes time in proportion to the text, whatever the text is. No rule reads far beyond its
//! match: if the end of a value is missed, everything that was read is taken out.

use std::sync::LazyLock;

use regex::Regex;

use super::name;

/// Replaces what was taken out.
pub(super) const TAKEN: &str = "[redacted]";

/// A body that is shown has no more text than this, in bytes.
pub(crate) const MOST: usize = 8 * 1024;

const QUOTED: &str = r#""[^"]*"|'[^']*'|`[^`]*`|“[^”]*”|‘[^’]*’|«[^»]*»"#;

/// A quote as HTML writes it, also within a text of HTML.
const ENTITY: &str = r"&(?:amp;)*(?i-u:quot|apos|#0*3[49]|#x0*2[27]);";

/// Also within a text that is itself quoted.
const VALUE: &str = r#"\\+"[^"]*"?|"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?"#;

/// Names under which an error repeats what a client sent, as in [`name`](super::name).
const SENT: &str = r"(?i-u:input|(?:\w*[_\-])?val(?:ue)?|given|received|actual|got|provided|supplied|submitted)";

/// What is done with a match of a rule.
#[derive(Clone, Copy)]
pub(super) enum With {
    Taken,
    /// The first group stays before the match, and the second, if any, behind it.
    Between,
    /// A scheme and its credentials, unless they are words about them.
    Scheme,
    /// The first group stays, and so does what follows if it is a word about it.
    Word,
    /// The same if it looks like a word, or like an address.
    MadeUp,
    /// The letter that is escaped by its number.
    Letter,
    TagWithoutValues,
    Card,
}

/// What is taken out, one rule after the other: the whole match, except for the groups that stay.
pub(super) static RULES: LazyLock<Vec<(Regex, With)>> = LazyLock::new(|| {
    let names = names();
    let rule = |pattern: &str, with| Regex::new(pattern).ok().map(|regex| (regex, with));
    // What closes a name: its quote, and a bracket.
    let close = format!(r#"(?:\\*["'`]|{ENTITY})?\]?\s*"#);
    let quote = format!(r#"(?:\\*["'`]|{ENTITY})"#);
    let rules = [
        // Letters, digits, `-` and `_` only: an escaped quote ends no value.
        rule(r"\\+u00((?i-u:2d|5f|3[0-9]|[46][1-9a-f]|[57][0-9a]))", With::Letter),
        rule(
            r"(?s)-----BEGIN [A-Z0-9 ]*(?:KEY|CERTIFICATE|MESSAGE)[A-Z0-9 ]*-----.*?(?:-----END[^-]*-----|$)",
            With::Taken,
        ),
        // `scheme://user:password@host`.
        rule(r#"(://)[^\s/?#"'<>]*(@)"#, With::Between),
        // <password><![CDATA[…]]></password>
        rule(
            &format!(r"(?s)((?:{names})[^<>]*(?:>(?:\s*<[^<>]*>)*?|(?:\s*<[^<>]*>)+?)\s*<!\[CDATA\[)(?:.*?)(\]\]>|$)"),
            With::Between,
        ),
        // <input name="password" value="…">, whatever comes first.
        rule(&format!(r"<[^<>]*(?:{names})[^<>]*(?:>|$)"), With::TagWithoutValues),
        // <password>…</password>, <td>PASSWORD</td><td>…</td>.
        rule(&format!(r"((?:{names})[^<>]*(?:>(?:\s*<[^<>]*>)*|(?:\s*<[^<>]*>)+)\s*)[^<\s][^<]*"), With::Between),
        // A database's error about a key: `Key (token)=(…) already exists`, `Duplicate entry '…' for key`, `duplicate key
        // value is (…)`.
        rule(r"((?i-u:\bkey) \([^\r\n=]*\)=)\((?:[^\r\n]*\)|[^\r\n)]*)", With::Between),
        rule(r"(?m)((?i-u:\bduplicate entry )\s*)\S.*?((?i-u: for key\b)|$)", With::Between),
        rule(r"((?i-u:\bduplicate key value is )\s*)\((?:[^\r\n]*\)|[^\r\n)]*)", With::Between),
        // {"name": "Authorization", "val": "…"}, and the other way round.
        rule(
            &format!(r"((?:{names}){close},\s*{quote}?{SENT}{close}(?::|=>|=)\s*)(?:{VALUE}|{ENTITY}[^\r\n<]*)"),
            With::Between,
        ),
        rule(
            &format!(
                r"(\b{SENT}{close}(?::|=>|=)\s*)(?:{VALUE})(\s*,\s*{quote}?(?i-u:name|key|header|field){close}(?::|=>|=)\s*{quote}?(?:{names}))"
            ),
            With::Between,
        ),
        // name: value, "name": "value", "name" => "value"; what is not quoted goes to the end of its line.
        rule(&format!(r"((?:{names})\\*{close}(?::|=>)\s*)(?:{VALUE}|[^\r\n<\s][^\r\n<]*)"), With::Between),
        // name=value&…, name="value"
        rule(
            &format!(r"((?:{names})\\*{close}=\s*)(?:{VALUE}|{ENTITY}[^\r\n<]*|[^\r\n&<\s][^\r\n&<]*)"),
            With::Between,
        ),
        // "received": "…", where JSON is within a text.
        rule(
            &format!(r"({quote}{SENT}{quote}\s*(?::|=>)\s*)(?:{VALUE}|{ENTITY}[^\r\n<]*|-?\d[\w.+\-]*)"),
            With::Between,
        ),
        // ?code=…: a sign-in's code in its URL.
        rule(
            r#"((?:[?&;]|%3[Ff]|%26)(?i-u:code|key|state|ticket|assertion|saml(?:request|response))(?:=|%3[Dd]))[^\s&"'<>#;]+"#,
            With::Between,
        ),
        // mysql -p…, with nothing between: else it prompts.
        rule(&format!(r"((?i-u:\b(?:mysql|mariadb))[^\r\n;|]*?[ \t]-p)(?:{VALUE}|[^\s<]+)"), With::Between),
        // sshpass -p …, mongosh -p …, redis-cli -a …
        rule(
            &format!(r"((?i-u:\b(?:sshpass|mongo[a-z]*|redis-cli)\b)[^\r\n;|]*?[ \t]-[pa][ \t]*)(?:{VALUE}|[^\s<]+)"),
            With::Between,
        ),
        // curl -u name:…, --password …
        rule(
            r#"(?m)((?:^|[\s"'`])(?:-u[ \t]*|--(?:proxy-)?user[ \t=]+))(?:"[^":]*:[^"]*"?|'[^':]*:[^']*'?|[^\s:"']*:\S+)"#,
            With::Between,
        ),
        rule(&format!(r"(?m)((?:^|[\s`])--?[\w\-]*(?:{names})[ \t]+)(?:{VALUE}|[^\s<]+)"), With::Between),
        // password is "…"; "…" is no password.
        rule(&format!(r"((?:{names})(?:[ \t]+[A-Za-z]+){{0,3}}[ \t]+)(?:{QUOTED})"), With::Between),
        rule(&format!(r"()(?:{QUOTED})((?:[ \t]+[A-Za-z]+){{0,5}}[ \t]+(?:{names}))"), With::Between),
        rule(r#"(?i-u:\b(bearer|basic|digest|negotiate))((?:[\s:+]|%20|\\u0020|["'])+)([^\s"'<>,;\\]+)"#, With::Scheme),
        // password is …, with password …
        rule(
            &format!(
                r"((?:{names})[ \t]+(?i-u:is|was)[ \t]+|(?i-u:\b(?:with|using|by|via)[ \t]+(?:(?:the|a|an|this|your)[ \t]+)?)(?:{names})[ \t]+)([^\s<>]+)"
            ),
            With::Word,
        ),
        // password …, where no word about one could be
        rule(&format!(r"((?:{names})[ \t]+)([^\s<>]+)"), With::MadeUp),
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

/// A name that marks its value as a credential, as in [`name`](super::name).
fn names() -> String {
    let parts = name::PARTS.replace(' ', "|").replace('-', r"[\-_ ]?");
    let whole = r"\b(?:pass|pin|t?otp|auth|sid|sig|ssn|iban|cvv2?|cvc2?|mfa|dsn)";
    format!(r"(?i-u:(?:{parts}|rejected[\-_ ]?value)[\w.\-\]]*|{whole})")
}

#[cfg(test)]
mod tests {
    use super::RULES;

    #[test]
    fn every_rule_compiles() {
        assert_eq!(RULES.len(), 27);
    }
}
