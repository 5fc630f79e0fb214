//! Writes invisible characters, and characters that change the direction of writing, as their numbers.

use std::borrow::Cow;
use std::fmt::Write;

pub(crate) use error_envelope_core::message::is_invisible;

/// The text on one line, with such characters as numbers.
pub(crate) fn line(text: &str) -> Cow<'_, str> {
    make_visible(text, false)
}

/// The text on its own lines, with such characters as numbers.
pub(crate) fn lines(text: &str) -> Cow<'_, str> {
    make_visible(text, true)
}

fn make_visible(text: &str, keeps_lines: bool) -> Cow<'_, str> {
    let is_hidden = |letter: char| is_invisible(letter) && !(keeps_lines && matches!(letter, '\n' | '\t'));
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for (at, letter) in text.char_indices() {
        match letter {
            '\r' if keeps_lines && text[at..].starts_with("\r\n") => {}
            _ if is_hidden(letter) => drop(write!(out, "⟨U+{:04X}⟩", u32::from(letter))),
            _ => out.push(letter),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::{line, lines};

    #[test]
    fn nothing_is_hidden_and_nothing_turns_the_line() {
        assert_eq!(line("plain é 漢"), "plain é 漢");
        assert_eq!(line("a\u{202e}b\0c\nd"), "a⟨U+202E⟩b⟨U+0000⟩c⟨U+000A⟩d");
        assert_eq!(lines("a\r\nb\tc\rd\u{200b}"), "a\nb\tc⟨U+000D⟩d⟨U+200B⟩");
    }
}
