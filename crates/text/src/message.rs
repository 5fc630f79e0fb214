//! Prepares texts for clients. Each text becomes one printable line (E2). A text that is not suitable as a message is
//! recognised (R3).

mod bytes;
mod markup;
mod trace;

use std::borrow::Cow;

pub use bytes::{boundary, has_any, has_byte, has_escape};
use bytes::{is_plain, is_plain_without};
pub use markup::character_of_number;

/// The most bytes of a message (E2).
pub const MAX_BYTES: usize = 1024;

/// Returns `text` as one printable line of at most [`MAX_BYTES`], or `None` if nothing of it is left.
///
/// Line breaks and tabs become one space. Control characters, bidirectional overrides and other invisible format
/// characters are removed. An overlong text is cut between two characters, and then ends with `…`. A cleaned text does
/// not change when it is cleaned again, so that a second layer keeps it (E7).
pub fn clean(text: &str) -> Option<Cow<'_, str>> {
    let trimmed = trimmed(text);
    // The text behind this position is left out.
    let read = &trimmed[..boundary(trimmed, MAX_BYTES)];
    let line = if is_plain(read.as_bytes()) || !read.chars().any(is_unprintable) {
        Cow::Borrowed(trimmed)
    } else {
        Cow::Owned(printable(trimmed))
    };
    if line.is_empty() { None } else { Some(truncated(line)) }
}

/// Returns at most this many bytes of a text. A text that is cut ends with `…` behind these bytes.
pub fn cut(mut text: String, most: usize) -> String {
    if text.len() > most {
        text.truncate(boundary(&text, most));
        text.push('…');
    }
    text
}

/// Returns the text of an inner 4xx whose code was not recognised (R3). Returns `None` if the text is a page, JSON or a
/// stack trace.
pub fn from_foreign_text(text: &str) -> Option<Cow<'_, str>> {
    match text {
        _ if is_ordinary(text) => Some(Cow::Borrowed(text)),
        _ if has_markup(text) => None,
        _ => of_recognised_text(text),
    }
}

/// Returns true if a text has a line of a stack trace.
pub fn has_trace(text: &str) -> bool {
    before_trace(text).is_some()
}

/// Returns the part of a text before its stack trace, or `None` if it has none.
pub fn before_trace(text: &str) -> Option<&str> {
    trace::start(text).map(|at| text[..at].trim_end())
}

/// Returns the text of a JSON body, for a client (R3). Inline markup, and a stack trace behind the text, are removed.
/// Returns `None` if nothing is left, if the text still has a tag, or if the text is JSON itself.
pub fn from_json_text(text: &str) -> Option<Cow<'_, str>> {
    if is_ordinary(text) {
        return Some(Cow::Borrowed(text));
    }
    // The text behind this position is never sent. Without the limit, a text with many unclosed tags would take long.
    let text = &text[..boundary(text, 4 * MAX_BYTES)];
    // A trace may have something that looks like a tag, and a tag may be the line break before a trace.
    let before = before_trace(text);
    let text = trace::behind_a_call(before.filter(|before| !before.trim().is_empty()).unwrap_or(text));
    let text = match has_any(text.as_bytes(), [b'<', b'&']) {
        true => markup::as_text(text)?,
        false => Cow::Borrowed(text),
    };
    let line = match text {
        Cow::Borrowed(_) if before.is_some_and(|before| before.trim().is_empty()) => return None,
        Cow::Borrowed(text) => clean(text)?,
        Cow::Owned(text) => Cow::Owned(clean(before_trace(&text).unwrap_or(&text))?.into_owned()),
    };
    (!is_json(&line)).then_some(line)
}

/// Returns true if a text certainly passes unchanged, because it has none of the characters that other checks search
/// for. The check is quick, and most texts pass it.
#[inline]
fn is_ordinary(text: &str) -> bool {
    let ends_in_words = matches!(text.as_bytes(), [b'!'..=b'~', .., b'!'..=b'~']);
    let begins_like_others = text.starts_with('{') || text.starts_with("at ") || trace::is_statement(text);
    // Perl and PHP end the place of an error with the number of a line.
    let ends_like_a_trace = matches!(text.as_bytes(), [.., b'0'..=b'9'] | [.., b'0'..=b'9', b'.']);
    let is_plain = || is_plain_without(text.as_bytes(), [b'<', b'&', b':', b'[', b'#', b'(']);
    ends_in_words && !begins_like_others && !ends_like_a_trace && text.len() <= MAX_BYTES && is_plain()
}

/// Returns true if a text outside of JSON may be a message (R3), because it has at most 8 lines.
pub fn has_few_lines(text: &str) -> bool {
    const MOST: usize = 8;

    let text = trimmed(text);
    is_plain(text.as_bytes())
        || text.lines().flat_map(|line| line.split(trace::is_break)).take(MOST + 1).count() <= MOST
}

/// Returns the text, followed by the number of issues that were left out of the list (R4).
pub fn with_more(text: &str, more: usize) -> Cow<'_, str> {
    truncated(Cow::Owned(format!("{text} (and {more} more)")))
}

/// Returns the text of a body whose code or message was recognised (R3). Returns `None` if the text is markup or JSON.
pub fn of_recognised_text(text: &str) -> Option<Cow<'_, str>> {
    // The checks come after the cleaning, so that invisible characters cannot hide markup or a trace.
    clean(trace::behind_a_call(text)).filter(|line| !is_wrapped(line) && trace::start(text).is_none())
}

/// Returns the text without the white space around it. Most texts are ASCII and have no such white space.
#[inline]
pub fn trimmed(text: &str) -> &str {
    let bytes = text.as_bytes();
    match (bytes.first(), bytes.last()) {
        (Some(b'!'..=b'~'), Some(b'!'..=b'~')) => text,
        _ => text.trim(),
    }
}

/// Returns true if a text contains a piece of an HTML page anywhere.
fn has_markup(text: &str) -> bool {
    if !has_byte(text.as_bytes(), b'<') {
        return false;
    }
    let text = text.to_ascii_lowercase();
    ["</", "<!--", "<!doctype", "<html", "<body", "<?xml"].iter().any(|sign| text.contains(sign))
}

/// Returns true if a text that is not declared as `text/plain` may be an HTML page (R3), because it contains markup, an
/// entity or a control character.
#[inline]
pub fn is_page(text: &str) -> bool {
    let is_other = |it: char| it == '<' || it.is_control() && !matches!(it, '\n' | '\r');
    text.contains(is_other) || has_entity(text)
}

fn has_entity(text: &str) -> bool {
    text.split('&').skip(1).any(|behind| {
        let name = behind.strip_prefix('#').unwrap_or(behind);
        let end = name.find(|it: char| !it.is_ascii_alphanumeric()).unwrap_or(name.len());
        end > 0 && name[end..].starts_with(';')
    })
}

/// Returns true if a text itself is markup or JSON, which must not be wrapped again (R3).
fn is_wrapped(text: &str) -> bool {
    let mut rest = text.chars();
    match rest.next() {
        Some('<') => rest.next().is_some_and(|next| next.is_ascii_alphabetic() || matches!(next, '!' | '/' | '?')),
        // JSON that was cut off is invalid, but it is not a message either. An object that Python printed is not a
        // message either.
        Some('{') => matches!(rest.as_str().trim_start().chars().next(), None | Some('"' | '\'' | '}')),
        Some('[') => matches!(rest.as_str().trim_start().chars().next(), Some('{' | '[' | '"' | ']')) || is_json(text),
        _ => false,
    }
}

/// Returns true if a text is a JSON object or array as a whole.
pub fn is_json(text: &str) -> bool {
    text.starts_with(['{', '[']) && serde_json::from_str::<&serde_json::value::RawValue>(text).is_ok()
}

/// Returns the text as one line without unprintable characters. The line ends soon after [`MAX_BYTES`], because callers
/// cut the line there.
fn printable(text: &str) -> String {
    let mut line = String::with_capacity(text.len().min(2 * MAX_BYTES));
    let mut gap = false;
    for character in text.chars() {
        if is_break(character) || gap && character == ' ' {
            gap = true;
        } else if !is_unprintable(character) {
            if std::mem::take(&mut gap) && !line.ends_with(' ') {
                line.push(' ');
            }
            line.push(character);
            if line.len() > MAX_BYTES && character != ' ' {
                break;
            }
        }
    }
    line.trim().to_owned()
}

fn truncated(line: Cow<'_, str>) -> Cow<'_, str> {
    const MARK: &str = "…";
    if line.len() > MAX_BYTES {
        let end = boundary(&line, MAX_BYTES - MARK.len());
        return Cow::Owned([&line[..end], MARK].concat());
    }
    line
}

fn is_break(character: char) -> bool {
    character == '\t' || trace::is_break(character)
}

/// Returns true if [`clean`] removes a character. `clean` removes all [invisible](is_invisible) characters that no
/// script needs. `clean` keeps the joiners U+200C and U+200D, without which Persian, Indic scripts and emoji are not
/// readable. `clean` also keeps the fillers that stand in for a letter without a shape.
pub fn is_unprintable(character: char) -> bool {
    const KEPT: [std::ops::RangeInclusive<char>; 7] = [
        '\u{115f}'..='\u{1160}',
        '\u{17b4}'..='\u{17b5}',
        '\u{180b}'..='\u{180f}',
        '\u{200c}'..='\u{200d}',
        '\u{3164}'..='\u{3164}',
        '\u{ffa0}'..='\u{ffa0}',
        '\u{e0080}'..='\u{e0fff}',
    ];
    is_invisible(character) && !KEPT.iter().any(|kept| kept.contains(&character))
}

/// Returns true if a character is invisible, breaks a line, or changes the direction of writing. Such characters are
/// control characters, separators, marks of direction, joiners, fillers and variation selectors. In texts for
/// operators, the numbers of such characters are shown instead.
#[must_use]
pub fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(
            u32::from(character),
            0xad | 0x61c | 0x115f..=0x1160 | 0x17b4..=0x17b5 | 0x180b..=0x180f | 0x200b..=0x200f | 0x2028..=0x202e
                | 0x2060..=0x206f | 0x3164 | 0xfeff | 0xffa0 | 0xfff0..=0xfffb | 0xe0000..=0xe0fff
        )
}

/// The most bytes of a client's text in a log line. A longer text is cut and ends with `…`. This limits the memory for
/// log lines that wait to be written.
const MAX_TEXT: usize = 1024;

/// Returns a client's text on one line. Invisible characters, and those that change the direction of writing, are
/// escaped.
#[must_use]
pub fn on_one_line(text: &str) -> Cow<'_, str> {
    let is_plain = |it: char| !is_invisible(it);
    if text.len() <= MAX_TEXT && text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(MAX_TEXT);
    for it in text.chars() {
        if shown.len() >= MAX_TEXT {
            shown.push('…');
            break;
        }
        if is_plain(it) { shown.push(it) } else { shown.extend(it.escape_unicode()) }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l3_a_text_of_a_client_is_one_visible_line() {
        let shown = on_one_line("/p\u{9b}31m\u{202e}\u{2028}é\n");
        assert_eq!(shown, "/p\\u{9b}31m\\u{202e}\\u{2028}é\\u{a}");
        assert_eq!(on_one_line(&"x".repeat(2000)).len(), MAX_TEXT + '…'.len_utf8());
    }

    #[test]
    fn e2_a_message_is_one_printable_line() {
        for (text, line) in [
            ("plain", "plain"),
            ("  two  words ", "two  words"),
            ("first\r\nsecond\tthird\u{1b}[31m\u{7f}", "first second third[31m"),
            ("a\u{202e}b\u{2066}c\u{200b}d", "abcd"),
            ("a \n b", "a b"),
            ("می\u{200c}خواهم", "می\u{200c}خواهم"),
            ("one\u{2028}two", "one two"),
        ] {
            assert_eq!(clean(text).as_deref(), Some(line), "{text:?}");
        }
        for nothing in ["", " \n ", "\u{200b}", "\u{0}\u{7}"] {
            assert_eq!(clean(nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn e2_a_long_message_is_cut_on_a_character_boundary_and_marked() {
        let long = "é".repeat(600);
        let cut = clean(&long).unwrap();
        assert_eq!(cut, format!("{}…", "é".repeat(510)));
        assert!(cut.len() <= MAX_BYTES);
        assert_eq!(clean(&"a".repeat(1024)).unwrap().len(), 1024);
    }

    #[test]
    fn r3_markup_json_and_stacks_are_no_messages() {
        for text in [
            "<html>x</html>",
            "<!doctype html>",
            "{\"a\":1}",
            "{\"a\":",
            "{'a': 1}",
            "[1,2]",
            "[]",
            "\u{200b}<b>x</b>",
            "\u{7}{\"a\":1}",
            "no\n\tat com.shop.Cart.add(Cart.java:41)",
            "Error: no\n    at f (/srv/tram.js:1:2)",
            "Error: no\n    at async /srv/tram.js:1:2",
            "at Shop.Cart.Add(String sku) in C:\\cart.cs:line 4",
            "Traceback (most recent call last):",
            "File \"a.py\", line 1\nFile \"b.py\", line 2",
        ] {
            assert_eq!(from_foreign_text(text), None, "{text}");
        }
        for text in [
            "[timeout] no answer",
            "\"x\" is not a number",
            "<3 items",
            "{id} is missing",
            "404 page not found\n",
            "a < b",
            "\"quoted\"",
            "at the counter",
            "at 10:30 (see the desk)",
            "at [Source: (a); line: 1]",
            "File \"orders.csv\", line 3: no date",
        ] {
            assert_eq!(from_foreign_text(text).as_deref(), Some(text.trim()), "{text}");
        }
        assert_eq!(
            from_foreign_text("Sold out. Meet us\nat the counter.").as_deref(),
            Some("Sold out. Meet us at the counter.")
        );
        assert_eq!(from_foreign_text(&"a".repeat(1024)).unwrap().len(), 1024);
        assert!(from_foreign_text(&"a".repeat(1025)).unwrap().ends_with('…'));
    }

    proptest::proptest! {
        #[test]
        fn e7_cleaning_twice_changes_nothing(text in "\\PC{0,40}|[\\x00-\\xff\\u{2000}-\\u{2100}\\u{202a}-\\u{202e} \\n]{0,1200}") {
            if let Some(once) = clean(&text) {
                proptest::prop_assert!(clean(&once).is_some_and(|twice| twice == once));
                proptest::prop_assert!(once.len() <= MAX_BYTES && !once.chars().any(is_unprintable));
            }
        }
    }
}
