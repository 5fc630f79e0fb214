//! Compiles regular expressions, and refuses those that cannot match any value. Otherwise a guard that refuses every
//! request could look like a guard that works (M2).

use std::collections::HashSet;

use regex::{Error, Regex, bytes};
use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::nfa::thompson;
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input};

use super::Values;
use crate::table::SettingError;

/// The maximum number of bytes that the search for a match may use. Patterns with a few hundred states need less. If a
/// pattern needs more bytes, it is accepted unchecked.
const MOST_BYTES: usize = 1024 * 1024;

/// A pattern that must match a whole value.
#[derive(Clone, Debug)]
pub(crate) struct WholeValue(bytes::Regex);

impl WholeValue {
    /// Compiles the pattern alone first, so that `a)|(b` cannot escape from the anchors that are then added.
    pub(crate) fn compile(pattern: &str, values: Values) -> Result<Self, SettingError> {
        let anchored = format!(r"\A(?:{pattern})\z");
        let compiled = bytes::Regex::new(pattern).and_then(|_| bytes::Regex::new(&anchored));
        let compiled = compiled.map_err(|error| does_not_compile("pattern", &error))?;
        if matches_nothing(&anchored, values) {
            let wrong = format!("no {} can match the pattern, so every request would be refused", values.name);
            let right = format!("write a pattern that matches a whole valid {}", values.name);
            return Err(SettingError::new("pattern", wrong, right));
        }
        Ok(Self(compiled))
    }

    pub(crate) fn matches(&self, value: &[u8]) -> bool {
        self.0.is_match(value)
    }
}

/// A pattern that is searched for in a text.
#[derive(Debug)]
pub(crate) struct InText(Regex);

impl InText {
    pub(crate) fn compile(key: &'static str, pattern: &str) -> Result<Self, SettingError> {
        // No text can match, because the pattern requires a character of an empty class.
        if syntax::parse(pattern).is_ok_and(|parsed| parsed.properties().minimum_len().is_none()) {
            let right = "write a pattern that matches an error's message";
            return Err(SettingError::new(key, "no text can match the pattern", right));
        }
        Regex::new(pattern).map(Self).map_err(|error| does_not_compile(key, &error))
    }

    pub(crate) fn is_in(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}

/// Two patterns are equal if their texts are equal. A pattern with another text may still match the same texts.
impl PartialEq for InText {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

/// Returns the error for a pattern that does not compile. The last line of the regex error states what is wrong. The
/// second-last line marks the position of the mistake, if the pattern has only one line.
fn does_not_compile(key: &'static str, error: &Error) -> SettingError {
    const INDENT: usize = 4;
    let text = error.to_string();
    let mut lines = text.lines().rev();
    let wrong = lines.next().unwrap_or_default().trim_start_matches("error: ");
    let pointer = lines.next().filter(|line| line.trim_start().starts_with('^'));
    let column = pointer.and_then(|line| (line.find('^')? + 1).checked_sub(INDENT));
    let place = column.map_or_else(String::new, |column| format!(" at character {column}"));
    let wrong = format!("the pattern does not compile{place}: {wrong}");
    SettingError::new(key, wrong, "correct it; https://docs.rs/regex has the syntax")
}

/// Returns true if no value can match, because no path of the automaton leads to a match. Returns false if the
/// automaton cannot be built or searched within the limits.
fn matches_nothing(anchored: &str, values: Values) -> bool {
    let config = dense::Config::new()
        .start_kind(StartKind::Anchored)
        .accelerate(false)
        .dfa_size_limit(Some(MOST_BYTES))
        .determinize_size_limit(Some(MOST_BYTES));
    let automaton = dense::Builder::new()
        .configure(config)
        .syntax(syntax::Config::new().utf8(false))
        .thompson(thompson::Config::new().utf8(false))
        .build(anchored);
    let Ok(automaton) = automaton else { return false };
    let Ok(start) = automaton.start_state_forward(&Input::new("").anchored(Anchored::Yes)) else { return false };
    let is_end = |state| automaton.is_quit_state(state) || automaton.is_match_state(automaton.next_eoi_state(state));
    if values.may_be_empty && is_end(start) {
        return false;
    }
    let mut seen = HashSet::new();
    let mut left = vec![start];
    while let Some(state) = left.pop() {
        let bytes = (u8::MIN..=u8::MAX).filter(|byte| (values.has)(*byte));
        let next: Vec<_> = bytes.map(|byte| automaton.next_state(state, byte)).filter(|it| seen.insert(*it)).collect();
        if next.iter().any(|state| is_end(*state)) {
            return false;
        }
        left.extend(next);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::expression::HEADER_VALUES;

    fn whole_value(pattern: &str) -> Result<WholeValue, SettingError> {
        WholeValue::compile(pattern, HEADER_VALUES)
    }

    #[test]
    fn m2_a_pattern_cannot_step_out_of_its_anchors() {
        for pattern in ["a)|(b", "(?x)a #", "("] {
            assert_eq!(whole_value(pattern).unwrap_err().key, "pattern", "{pattern}");
        }
        let multi_line = whole_value("(?m)^a$").unwrap();
        assert!(multi_line.matches(b"a") && !multi_line.matches(b"a\tb"));
    }

    #[test]
    fn m2_the_place_of_a_mistake_in_a_pattern_is_a_character() {
        for (pattern, begins) in
            [("(", " at character 1: "), ("é[", " at character 2: "), ("a\n(", ": "), (r"\w{9999999}", ": ")]
        {
            let wrong = whole_value(pattern).unwrap_err().wrong;
            assert!(wrong.starts_with(&format!("the pattern does not compile{begins}")), "{pattern}: {wrong}");
        }
    }

    #[test]
    fn m2_a_pattern_that_nothing_matches_is_refused() {
        for pattern in ["a^b", "a$b", r"[^\s\S]", r"a\n", r"\x00+", r"[a&&b]", r"(?-u:\b)(?-u:\B)a", r"x\Ay"] {
            let refused = whole_value(pattern).unwrap_err();
            assert!(refused.wrong.contains("no header value can match"), "{pattern}: {}", refused.wrong);
        }
    }

    #[test]
    fn m2_what_values_are_made_of_counts() {
        let words = Values { name: "word", has: |byte| byte.is_ascii_lowercase(), may_be_empty: false };
        for pattern in ["", "a b", "[A-Z]+", "é", "^$|-"] {
            let refused = WholeValue::compile(pattern, words).unwrap_err();
            assert_eq!(refused.wrong, "no word can match the pattern, so every request would be refused", "{pattern}");
        }
        for pattern in ["(a|-)*", "a?", "(?i)[A-Z]{3}", r"[\s\S]"] {
            assert!(WholeValue::compile(pattern, words).is_ok(), "{pattern}");
        }
    }

    #[test]
    fn m2_a_pattern_that_something_matches_is_taken() {
        for pattern in
            ["", "a", "^a$", "[A-Za-z0-9_-]{16,64}", r"\w{1,64}", ".*", "é+", r"(?-u)\xff", r"a\b.b", r"\bx\b", "a|b^c"]
        {
            assert!(whole_value(pattern).is_ok(), "{pattern}");
        }
        // This pattern is too large to decide.
        assert!(whole_value(r"\w{150}").is_ok());
    }
}
