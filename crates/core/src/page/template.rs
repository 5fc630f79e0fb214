//! A template of a page, which is HTML with placeholders. The value of a placeholder is escaped for its place in the
//! HTML.

use std::borrow::Cow;

use crate::dialect::outgoing::Outgoing;
use crate::table::SettingError;

/// The largest page. The size is limited because every error repeats the page.
pub(crate) const MAX_BYTES: usize = 64 * 1024;

const KEY: &str = "html";

/// A valid template.
#[derive(Clone, Debug)]
pub(crate) struct PageTemplate {
    /// The texts, each with the placeholder after it.
    parts: Box<[(Box<str>, Hole)]>,
    end: Box<str>,
}

#[derive(Clone, Copy, Debug)]
struct Hole {
    value: Value,
    /// True if the placeholder is in a tag outside of quotes, where white space would end the value.
    is_bare: bool,
}

type Value = for<'a> fn(&Outgoing<'a>) -> Cow<'a, str>;

/// The placeholders, each with the value that replaces it.
const VALUES: [(&str, Value); 5] = [
    ("title", |out| out.title().into()),
    ("message", |out| out.message.into()),
    ("code", |out| out.canonical.as_str().into()),
    ("status", |out| out.status.as_u16().to_string().into()),
    ("request_id", |out| out.request_id.into()),
];

impl PageTemplate {
    pub(crate) fn parse(text: &str) -> Result<Self, SettingError> {
        if text.len() > MAX_BYTES {
            let wrong = format!("the page has {} bytes, more than 64 KiB", text.len());
            return Err(SettingError::new(KEY, wrong, "shorten it"));
        }
        let (mut parts, mut place, mut rest) = (Vec::new(), Place::Text, text);
        while let Some((before, after)) = rest.split_once("{{") {
            let Some((name, behind)) = after.split_once("}}") else {
                return Err(SettingError::new(KEY, "the page has {{ without a closing }}", KNOWN));
            };
            place = place.after(before);
            parts.push((before.into(), Hole { value: value_of(name)?, is_bare: place == Place::Tag }));
            rest = behind;
        }
        Ok(Self { parts: parts.into(), end: rest.into() })
    }

    pub(crate) fn write(&self, out: &Outgoing<'_>) -> Vec<u8> {
        let texts: usize = self.parts.iter().map(|(text, _)| text.len() + 40).sum();
        let mut page = String::with_capacity(texts + self.end.len() + out.message.len());
        for (text, hole) in &self.parts {
            page.push_str(text);
            (hole.value)(out).chars().for_each(|char| escape(&mut page, char, hole.is_bare));
        }
        page.push_str(&self.end);
        page.into_bytes()
    }
}

const KNOWN: &str = "write {{title}}, {{message}}, {{code}}, {{status}} or {{request_id}}";

fn value_of(name: &str) -> Result<Value, SettingError> {
    let known = VALUES.iter().find(|(known, _)| *known == name.trim()).map(|(_, value)| *value);
    known.ok_or_else(|| {
        let shown: String = name.chars().take(40).collect();
        SettingError::new(KEY, format!("the page has an unknown placeholder {shown:?}"), KNOWN)
    })
}

/// The kind of place in the HTML at which a text ends. The kind determines how the value of the placeholder after this
/// text is escaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Text,
    Tag,
    Quoted(char),
}

impl Place {
    fn after(self, text: &str) -> Self {
        let mut chars = text.chars().peekable();
        let mut place = self;
        while let Some(char) = chars.next() {
            place = match (place, char) {
                (Self::Text, '<') if chars.peek().is_none_or(|next| next.is_ascii_alphabetic()) => Self::Tag,
                (Self::Tag, '>') => Self::Text,
                (Self::Tag, '"' | '\'') => Self::Quoted(char),
                (Self::Quoted(quote), _) if quote == char => Self::Tag,
                (place, _) => place,
            };
        }
        place
    }
}

fn escape(page: &mut String, char: char, is_bare: bool) {
    match char {
        '&' => page.push_str("&amp;"),
        '<' => page.push_str("&lt;"),
        '>' => page.push_str("&gt;"),
        '"' => page.push_str("&quot;"),
        '\'' => page.push_str("&#39;"),
        // Old browsers read this character as a quote.
        '`' => page.push_str("&#96;"),
        '=' | '/' if is_bare => page.push_str(if char == '=' { "&#61;" } else { "&#47;" }),
        _ if is_bare && char.is_whitespace() => page.push_str("&#32;"),
        _ => page.push(char),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::page::samples::{ID, out, text};

    fn written(template: &str, message: &str) -> String {
        text(PageTemplate::parse(template).unwrap().write(&Outgoing { message, ..out() }))
    }

    #[test]
    fn r16_each_placeholder_has_its_value() {
        let page = written("{{status}} {{ title }} {{code}} {{request_id}}|{{message}}{{message}}!", "m");
        assert_eq!(page, format!("404 Not Found not_found {ID}|mm!"));
        assert_eq!(written("no }} place {a} {", "m"), "no }} place {a} {");
        let unnamed = http::StatusCode::from_u16(529).unwrap();
        let page = PageTemplate::parse("{{title}}").unwrap().write(&Outgoing { status: unnamed, ..out() });
        assert_eq!(text(page), "Not found.");
    }

    #[test]
    fn r16_a_value_is_a_text_wherever_it_stands() {
        let nasty = "a\" 'b' <i>&amp;</i> {{code}} c=`d/";
        for (template, page) in [
            ("<p>{{message}}", "<p>a&quot; &#39;b&#39; &lt;i&gt;&amp;amp;&lt;/i&gt; {{code}} c=&#96;d/"),
            (
                "<p title=\"{{message}}\">",
                "<p title=\"a&quot; &#39;b&#39; &lt;i&gt;&amp;amp;&lt;/i&gt; {{code}} c=&#96;d/\">",
            ),
            (
                "<p a='>' title={{message}}>",
                "<p a='>' title=a&quot;&#32;&#39;b&#39;&#32;&lt;i&gt;&amp;amp;&lt;&#47;i&gt;&#32;{{code}}&#32;c&#61;&#96;d&#47;>",
            ),
        ] {
            assert_eq!(written(template, nasty), page, "{template}");
        }
    }

    #[test]
    fn m2_what_no_page_has_is_refused_by_its_name() {
        for (template, named) in [
            ("<p>{{details}}", "\"details\""),
            ("{{}}", "\"\""),
            ("{{{message}}}", "\"{message\""),
            ("{{Message}}", "\"Message\""),
            ("{{message", "without a closing }}"),
            (&" ".repeat(MAX_BYTES + 1), "65537 bytes"),
        ] {
            let refused = PageTemplate::parse(template).unwrap_err();
            assert_eq!(refused.key, "html");
            assert!(refused.wrong.contains(named), "{}", refused.wrong);
        }
        assert!(PageTemplate::parse(&" ".repeat(MAX_BYTES)).is_ok());
    }

    proptest! {
        #[test]
        fn r16_no_value_ends_what_it_stands_in(message in "\\PC{0,40}") {
            let page = written("<p>{{message}}<p a=\"{{message}}\" b='{{message}}' c={{message}}></p>", &message);
            for sign in ['<', '>', '"', '\'', '`'] {
                let own = written("<p>{{message}}<p a=\"{{message}}\" b='{{message}}' c={{message}}></p>", "");
                prop_assert_eq!(page.matches(sign).count(), own.matches(sign).count());
            }
            let bare = page.split_once(" c=").unwrap().1.rsplit_once("></p>").unwrap().0.rsplit_once(" c=");
            prop_assert!(bare.is_none());
            let bare = page.rsplit_once(" c=").unwrap().1.strip_suffix("></p>").unwrap();
            prop_assert!(!bare.contains(char::is_whitespace), "{}", bare);
        }

        #[test]
        fn m2_any_text_is_a_template_or_is_refused(text in "(\\{\\{|\\}\\}|[<>\"'= a-z]|title){0,30}") {
            if let Ok(template) = PageTemplate::parse(&text) {
                prop_assert!(template.parts.len() <= text.matches("{{").count());
            }
        }
    }
}
