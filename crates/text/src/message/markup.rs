//! Removes inline markup from the texts of JSON bodies (R3).

use std::borrow::Cow;

/// Tags that only format a text, or that break its lines.
const INLINE: [&str; 11] = ["a", "b", "br", "code", "em", "i", "p", "small", "span", "strong", "u"];

/// Other elements of HTML. Elements whose names may also be the name of a value are left out, as in `<title> is
/// required`.
const OTHERS: [&str; 58] = [
    "abbr", "article", "audio", "body", "button", "canvas", "center", "dd", "dialog", "div", "dl", "dt", "embed",
    "fieldset", "font", "footer", "form", "frame", "frameset", "h1", "h2", "h3", "h4", "h5", "h6", "head", "hr",
    "html", "iframe", "img", "input", "li", "main", "marquee", "math", "meta", "nav", "noscript", "object", "ol",
    "pre", "script", "section", "select", "style", "svg", "table", "tbody", "td", "template", "textarea", "th",
    "thead", "tr", "tt", "ul", "var", "video",
];

/// Returns the text without its inline tags, and with its entities decoded. Returns `None` if the result still has a
/// tag.
pub(super) fn as_text(text: &str) -> Option<Cow<'_, str>> {
    let text = match replaced(text, '<', inline_tag) {
        Cow::Borrowed(text) => replaced(text, '&', entity),
        Cow::Owned(text) => Cow::Owned(replaced(&text, '&', entity).into_owned()),
    };
    (!has_tag(&text)).then_some(text)
}

/// A function that returns the character which replaces a tag or an entity, and the text behind it.
type Replace = fn(&str) -> Option<(Option<char>, &str)>;

/// Returns the text with its inline tags or entities replaced. `mark` is the character with which a tag or an entity
/// begins.
fn replaced(text: &str, mark: char, read: Replace) -> Cow<'_, str> {
    let mut left = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once(mark) {
        left.push_str(before);
        let (character, behind) = read(behind).unwrap_or((Some(mark), behind));
        left.extend(character);
        rest = behind;
    }
    if rest.len() == text.len() {
        return Cow::Borrowed(text);
    }
    left.push_str(rest);
    Cow::Owned(left)
}

fn inline_tag(text: &str) -> Option<(Option<char>, &str)> {
    let inside = text.strip_prefix('/').unwrap_or(text);
    let name = INLINE.iter().find(|name| starts_with_name(inside, name))?;
    let mut quote = None;
    let end = inside.find(|character| match (quote, character) {
        (None, '"' | '\'') => {
            quote = Some(character);
            false
        }
        (Some(open), _) => {
            quote = Some(open).filter(|open| *open != character);
            false
        }
        (None, character) => character == '>',
    })?;
    Some((Some('\n').filter(|_| matches!(*name, "br" | "p")), &inside[end + 1..]))
}

/// Returns true if a text begins with this name of a tag, and the name ends there.
fn starts_with_name(text: &str, name: &str) -> bool {
    text.get(..name.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(name))
        && text[name.len()..].starts_with(|next: char| next == '>' || next == '/' || next.is_whitespace())
}

/// Returns true if a text contains a tag, a comment or a declaration. A type with parameters (`List<String>`) and a
/// placeholder (`<key> is required`) are not tags.
fn has_tag(text: &str) -> bool {
    text.match_indices('<').any(|(at, _)| {
        let behind = &text[at + 1..];
        let name = behind.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'-').count();
        let has_attribute = || {
            let inside = behind[name..].split('>').next().unwrap_or_default();
            inside.len() < behind[name..].len() && inside.starts_with([' ', '/', '\n', '\t']) && inside.contains('=')
        };
        behind.starts_with(['/', '!', '?'])
            || name > 0 && has_attribute()
            || INLINE.iter().chain(&OTHERS).any(|name| starts_with_name(behind, name))
    })
}

/// Decodes an entity: a number, or one of the names that occur in messages.
fn entity(text: &str) -> Option<(Option<char>, &str)> {
    let (name, behind) = text.split_once(';')?;
    Some((Some(character(name)?), behind))
}

/// Returns the character that the number of a reference means, as in `&#64;` and `&#x40;`.
pub fn character_of_number(number: &str) -> Option<char> {
    let hex = number.strip_prefix(['x', 'X']);
    char::from_u32(hex.map_or_else(|| number.parse(), |hex| u32::from_str_radix(hex, 16)).ok()?)
}

fn character(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        return character_of_number(number);
    }
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => ' ',
        "hellip" => '…',
        "mdash" => '—',
        "ndash" => '–',
        "lsquo" => '‘',
        "rsquo" => '’',
        "ldquo" => '“',
        "rdquo" => '”',
        "laquo" => '«',
        "raquo" => '»',
        _ => return None,
    })
}
