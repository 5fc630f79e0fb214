//! Regular expressions that a whole header value must match (rules G1, G2), and those that none can: a guard that lets
//! nobody in looks like one that works (M2).

use std::collections::HashSet;

use regex::bytes::Regex;
use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::nfa::thompson;
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input};

use super::pattern::Refused;

/// How much memory asking for a match may take. Patterns of a few hundred states need less; a larger one is believed.
const MOST_BYTES: usize = 1024 * 1024;

/// What such a value is made of, and what it is called.
#[derive(Clone, Copy)]
pub(super) struct Values {
    pub(super) name: &'static str,
    pub(super) has: fn(u8) -> bool,
    pub(super) may_be_empty: bool,
}

/// RFC 9110 §5.5, as the crate http holds it.
pub(super) const HEADER_VALUES: Values =
    Values { name: "header value", has: |byte| byte == b'\t' || byte >= b' ' && byte != 0x7f, may_be_empty: true };

/// The pattern is compiled by itself first, so that `a)|(b` cannot step out of the anchors.
pub(super) fn whole_value(pattern: &str, values: Values) -> Result<Regex, Refused> {
    let anchored = format!(r"\A(?:{pattern})\z");
    let compiled = Regex::new(pattern).and_then(|_| Regex::new(&anchored)).map_err(|error| {
        Refused::new("pattern", one_line(&error), "write a regular expression in the syntax of the crate regex")
    })?;
    if matches_nothing(&anchored, values) {
        let wrong = format!("no {} matches the pattern: nobody could pass", values.name);
        return Err(Refused::new(
            "pattern",
            wrong,
            format!("write one that the whole of a right {} matches", values.name),
        ));
    }
    Ok(compiled)
}

/// The last line of a regex error says what is wrong; those above it draw where.
pub(crate) fn one_line(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    format!("the pattern does not compile: {}", last.trim_start_matches("error: "))
}

/// Whether no value leads from the automaton's start to a match. What cannot be built or told in time matches.
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

    fn whole_value(pattern: &str) -> Result<Regex, Refused> {
        super::whole_value(pattern, HEADER_VALUES)
    }

    #[test]
    fn m2_a_pattern_cannot_step_out_of_its_anchors() {
        for pattern in ["a)|(b", "(?x)a #", "("] {
            assert_eq!(whole_value(pattern).unwrap_err().key, "pattern", "{pattern}");
        }
        let multi_line = whole_value("(?m)^a$").unwrap();
        assert!(multi_line.is_match(b"a") && !multi_line.is_match(b"a\tb"));
    }

    #[test]
    fn m2_a_pattern_that_nothing_matches_is_refused() {
        for pattern in ["a^b", "a$b", r"[^\s\S]", r"a\n", r"\x00+", r"[a&&b]", r"(?-u:\b)(?-u:\B)a", r"x\Ay"] {
            let refused = whole_value(pattern).unwrap_err();
            assert!(refused.wrong.contains("no header value matches"), "{pattern}: {}", refused.wrong);
        }
    }

    #[test]
    fn m2_what_values_are_made_of_counts() {
        let words = Values { name: "word", has: |byte| byte.is_ascii_lowercase(), may_be_empty: false };
        for pattern in ["", "a b", "[A-Z]+", "é", "^$|-"] {
            let refused = super::whole_value(pattern, words).unwrap_err();
            assert_eq!(refused.wrong, "no word matches the pattern: nobody could pass", "{pattern}");
        }
        for pattern in ["(a|-)*", "a?", "(?i)[A-Z]{3}", r"[\s\S]"] {
            assert!(super::whole_value(pattern, words).is_ok(), "{pattern}");
        }
    }

    #[test]
    fn m2_a_pattern_that_something_matches_is_taken() {
        for pattern in
            ["", "a", "^a$", "[A-Za-z0-9_-]{16,64}", r"\w{1,64}", ".*", "é+", r"(?-u)\xff", r"a\b.b", r"\bx\b", "a|b^c"]
        {
            assert!(whole_value(pattern).is_ok(), "{pattern}");
        }
        // Too large to tell.
        assert!(whole_value(r"\w{150}").is_ok());
    }
}
