//! What has no look of its own, or turns the direction of writing, is written as its number.

use std::borrow::Cow;
use std::fmt::Write;

/// The text on one line.
pub(crate) fn line(text: &str) -> Cow<'_, str> {
    shown(text, false)
}

/// The text with its lines.
pub(crate) fn lines(text: &str) -> Cow<'_, str> {
    shown(text, true)
}

fn shown(text: &str, keeps_lines: bool) -> Cow<'_, str> {
    let is_hidden = |letter: char| is_invisible(letter) && !(keeps_lines && matches!(letter, '\n' | '\t'));
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\r' if keeps_lines && letters.peek() == Some(&'\n') => {}
            _ if is_hidden(letter) => drop(write!(out, "⟨U+{:04X}⟩", u32::from(letter))),
            _ => out.push(letter),
        }
    }
    Cow::Owned(out)
}

/// Controls, marks of direction, what joins or has no width, and what fonts do not draw.
pub(crate) fn is_invisible(letter: char) -> bool {
    letter.is_control()
        || matches!(
            u32::from(letter),
            0xad | 0x61c | 0x115f..=0x1160 | 0x17b4..=0x17b5 | 0x180b..=0x180f | 0x200b..=0x200f | 0x2028..=0x202e
                | 0x2060..=0x206f | 0x3164 | 0xfeff | 0xffa0 | 0xfff0..=0xfffb | 0xe0000..=0xe0fff
        )
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
