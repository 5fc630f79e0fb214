//! Compares a text with the pattern of a row. The pattern is a literal text with placeholders, and must match the whole
//! text.
//!
//! | Placeholder | Fits | Passes on |
//! |---|---|---|
//! | `{path}` | a place of names, dots and brackets | as it is |
//! | `{field}` | a `{path}` that may be a program's field: no capital, no pronoun, no part of the request | as it is |
//! | `{deep}` | a `{path}` of several steps | as it is |
//! | `{owned}` | a place behind the name of a program's type | never |
//! | `{part}` | a place that begins with a part of the request | never |
//! | `{name}` | a name that ends the place | as it is |
//! | `{index}`, `{word}` | digits; letters and digits | as they are |
//! | `{kind}` | anything | its first word |
//! | `{type}` | anything | the type, unless it is a program's own type |
//! | `{text}` | anything | as it is |
//! | `{bean}` | a text of a constraint of Bean Validation | as it is |
//! | `{argument}` | a place behind the name of a method's parameter | never |
//! | `{quoted}` | a value in quotes or brackets, a number or a literal | never |
//! | `{value}` | anything, up to the last occurrence of the text behind it | never |
//! | `{subject}` | a word that is not the name of a field (only in rows that only quote a value) | never |
//! | `{repr}` | a `{value}` as Python prints it | never |
//! | `{serde}` | a message of serde | without the value |

use std::borrow::Cow;

use memchr::memmem;

use crate::field_names::is_part;
use crate::place::{Place, is_dotted};

/// The names of a pattern's placeholders and the texts that they match, in their order.
pub(super) type Captures<'t> = Vec<(&'static str, &'t str)>;

/// Words that no program uses as the name of a field.
const PRONOUNS: [&str; 10] = ["it", "this", "that", "there", "they", "you", "we", "what", "value", "one"];

pub(super) fn match_pattern<'t>(pattern: &'static str, text: &'t str) -> Option<Captures<'t>> {
    let mut captures = Captures::new();
    let (mut pattern, mut text) = (pattern, text);
    while let Some((literal, behind)) = pattern.split_once('{') {
        text = text.strip_prefix(literal)?;
        let (kind, behind) = behind.split_once('}')?;
        let next = &behind[..behind.find('{').unwrap_or(behind.len())];
        let end = end_of(kind, text, next, next.len() == behind.len())?;
        captures.push((kind, &text[..end]));
        (pattern, text) = (behind, &text[end..]);
    }
    (text == pattern).then_some(captures)
}

/// Returns the position at which the text of a placeholder ends. `next` is the literal text that follows the
/// placeholder in the pattern.
fn end_of(kind: &str, text: &str, next: &str, is_last: bool) -> Option<usize> {
    if is_last {
        let end = text.strip_suffix(next)?.len();
        return is_of_kind(kind, &text[..end]).then_some(end);
    }
    if matches!(kind, "value" | "repr") {
        return memmem::rfind(text.as_bytes(), next.as_bytes()).filter(|end| is_of_kind(kind, &text[..*end]));
    }
    memmem::find_iter(text.as_bytes(), next).take(MOST_TRIES).find(|end| is_of_kind(kind, &text[..*end]))
}

/// The most places in a text that are tried as the end of a name.
const MOST_TRIES: usize = 32;

pub(super) fn is_of_kind(kind: &str, text: &str) -> bool {
    match kind {
        "path" => is_dotted(text),
        "field" => is_field(text),
        "deep" => is_dotted(text) && text.contains('.'),
        "owned" => text.is_empty() || is_dotted(text),
        "part" => {
            let first = text.split(['/', '.', '[']).next().unwrap_or_default();
            let is_part = is_part(first);
            is_part
                && !text.contains(' ')
                && !text.ends_with(['/', '.', ':'])
                && (text.contains('/') || is_dotted(text))
        }
        "index" => !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()),
        "word" => text.len() <= 64 && text.chars().all(|it| it.is_alphanumeric() || matches!(it, '_' | '-' | '.')),
        "repr" => is_repr(text),
        "quoted" => is_quoted(text),
        "name" => !text.is_empty() && !text.contains('`'),
        "bean" => BEAN_TEXTS.iter().any(|begins| text.starts_with(begins)),
        "subject" => !text.is_empty() && !text.contains(char::is_whitespace) && !may_be_field_name(text),
        "value" => true,
        _ => !text.is_empty(),
    }
}

/// Returns true if a word may be the name of a field. Secrets and identifiers have digits between their letters, and
/// addresses have signs.
pub(super) fn may_be_field_name(word: &str) -> bool {
    let is_name = |step: &str| {
        let name = step.trim_end_matches(|it: char| it.is_ascii_digit());
        step.starts_with(|first: char| first.is_alphabetic() || first == '_')
            && name.chars().all(|it| it.is_alphabetic() || matches!(it, '_' | '-' | '$'))
    };
    let is_index = |step: &str| step.is_empty() || step == "*" || step.bytes().all(|byte| byte.is_ascii_digit());
    // Other rows read names in quotes.
    let mut steps = word.trim_matches(['"', '\'', '`', '“', '”']).split(['.', '[', ']', '/']);
    let first = steps.by_ref().find(|step| !step.is_empty());
    first.is_some_and(is_name) && steps.all(|step| is_index(step) || is_name(step))
}

/// Returns true if a text may be a value as Python prints it.
fn is_repr(text: &str) -> bool {
    text.starts_with(['\'', '"', '[', '{', '(', '-']) && text.len() > 1
        || text.starts_with(|first: char| first.is_ascii_digit())
        || matches!(text, "True" | "False" | "None")
}

/// The beginnings of the texts of Bean Validation's own constraints (Hibernate Validator 8).
const BEAN_TEXTS: [&str; 6] =
    ["must ", "may not ", "size must ", "length must ", "not a well-formed ", "numeric value out of bounds "];

/// Returns true if a text is exactly a value in quotes or brackets, a number or a literal.
fn is_quoted(text: &str) -> bool {
    const QUOTES: [(char, char); 8] =
        [('"', '"'), ('\'', '\''), ('`', '`'), ('“', '”'), ('‘', '’'), ('[', ']'), ('{', '}'), ('(', ')')];

    let text = text.trim();
    let is_within = |(open, close): &(char, char)| text.len() > 1 && text.starts_with(*open) && text.ends_with(*close);
    let is_literal =
        || matches!(text, "true" | "false" | "null" | "undefined" | "True" | "False" | "None" | "NaN" | "nan" | "nil");
    QUOTES.iter().any(is_within) || is_literal() || text.parse::<f64>().is_ok()
}

/// Returns true if a sentence of a list is about a field, and is not just an English sentence. Either a colon follows
/// the first word, or the first word has the notation of a field and the rest has the words of a validator.
pub(super) fn shows_field(pattern: &str, captures: &Captures<'_>) -> bool {
    // These are the words after `must` and `should` in class-validator's own messages.
    const CONSTRAINTS: [&[&str]; 5] = [
        &["be true", "be false", "be null", "be empty", "be valid", "be unique", "be a ", "be an ", "be one "],
        &["be longer ", "be shorter ", "be less ", "be greater ", "be equal ", "be between ", "be in ", "be either "],
        &["be positive", "be negative", "be divisible ", "be latitude", "be longitude"],
        &["be base", "be lowercase", "be uppercase", "be ISO", "contain ", "match "],
        &["not be ", "not contain ", "not have ", "not exist"],
    ];

    let is_constraint = |text: &str| CONSTRAINTS.iter().copied().flatten().any(|begins| text.starts_with(begins));
    pattern.starts_with("{field}:")
        || captures.iter().all(|(kind, text)| match *kind {
            "field" => has_notation(text),
            "text" => is_constraint(text),
            "bean" => text.strip_prefix("must ").is_none_or(is_constraint),
            _ => true,
        })
}

/// Returns true if a word can only be the name or place of a field. Such a word has an index, an underscore, or a
/// capital behind two small letters (`items[0].qty`, `items.0.qty`, `user_id`, `firstName`).
fn has_notation(word: &str) -> bool {
    let is_index = |step: &str| !step.is_empty() && step.bytes().all(|byte| byte.is_ascii_digit());
    let is_camel = |letters: &[u8]| {
        matches!(letters, [first, second, third]
            if first.is_ascii_lowercase() && second.is_ascii_lowercase() && third.is_ascii_uppercase())
    };
    let is_dotted = word.contains(['.', '[']);
    word.split(['.', '[', ']']).any(is_index)
        || !is_dotted && (word.contains('_') || word.as_bytes().windows(3).any(is_camel))
}

fn is_field(text: &str) -> bool {
    let first = text.split(['.', '[']).next().unwrap_or_default();
    let is_whole_part = first.len() == text.len() && is_part(first);
    let begins_otherwise = text.starts_with(|first: char| first.is_uppercase() || first.is_ascii_digit());
    is_dotted(text) && !begins_otherwise && !is_whole_part && !PRONOUNS.contains(&first)
}

/// Returns the place that the captures contain. A captured name is added at the end of the place.
pub(super) fn place_of(captures: &Captures<'_>) -> Place {
    let mut place = Place::default();
    for (kind, text) in captures {
        match *kind {
            // Joi and yup use these names for the whole value.
            "path" if matches!(*text, "value" | "this") => {}
            "path" | "field" | "deep" => place.dotted(text),
            "argument" => place.dotted(text.split_once('.').map_or(*text, |(_, inside)| inside)),
            "owned" => place.dotted(text.split_once('.').map_or("", |(_, inside)| inside)),
            "part" => place = place_in_part(text),
            "index" => place.step(text),
            _ => {}
        }
    }
    if let Some((_, name)) = captures.iter().find(|(kind, _)| *kind == "name") {
        place.end_with(name.strip_prefix('.').unwrap_or(name));
    }
    place.without_argument();
    place
}

/// Returns a place that follows a part of the request: `body/items/0`, `body.items[0]`. ajv calls its whole input
/// `data`.
fn place_in_part(text: &str) -> Place {
    if let Some(inside) =
        text.strip_prefix("data").filter(|inside| inside.is_empty() || inside.starts_with(['/', '.', '[']))
    {
        return Place::parse(inside);
    }
    let mut place = Place::parse(if text.contains(['/', '.', '[']) { text } else { "/body" });
    place.without_part();
    place
}

/// Returns the message of a row for a text that matches the row. The captures fill the placeholders of the message.
pub(super) fn message_of(message: &'static str, captures: &Captures<'_>, whole: &str) -> String {
    if message.is_empty() {
        return whole.to_owned();
    }
    let mut sentence = String::new();
    let mut left = message;
    while let Some((literal, behind)) = left.split_once('{') {
        let (kind, behind) = behind.split_once('}').unwrap_or((behind, ""));
        sentence.push_str(literal);
        let text = captures.iter().find(|(it, _)| *it == kind).map_or("", |(_, text)| text);
        sentence.push_str(&capture_in_words(kind, text));
        left = behind;
    }
    sentence.push_str(left);
    sentence
}

fn capture_in_words<'t>(kind: &str, text: &'t str) -> Cow<'t, str> {
    match kind {
        "kind" => Cow::Borrowed(text.split(' ').next().unwrap_or_default()),
        // A name with a dot or a capital is one of the program's own types.
        "type" if text.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || b"[]".contains(&it)) => {
            Cow::Owned(format!("type {text}"))
        }
        "type" => Cow::Borrowed("another type"),
        _ => Cow::Borrowed(text),
    }
}
