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

/// The pattern is compiled by itself first, so that `a)|(b` cannot step out of the anchors.
pub(super) fn whole_value(pattern: &str) -> Result<Regex, Refused> {
    let anchored = format!(r"\A(?:{pattern})\z");
    let compiled = Regex::new(pattern).and_then(|_| Regex::new(&anchored)).map_err(|error| {
        Refused::new("pattern", one_line(&error), "write a regular expression in the syntax of the crate regex")
    })?;
    if matches_nothing(&anchored) {
        let wrong = "no header value matches the pattern: nobody could pass";
        return Err(Refused::new("pattern", wrong, "write one that the whole value of a right header matches"));
    }
    Ok(compiled)
}

/// The last line of a regex error says what is wrong; those above it draw where.
pub(crate) fn one_line(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    format!("the pattern does not compile: {}", last.trim_start_matches("error: "))
}

/// Whether no header value leads from the automaton's start to a match. What cannot be built or told in time matches.
fn matches_nothing(anchored: &str) -> bool {
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
    let mut seen = HashSet::from([start]);
    let mut left = vec![start];
    while let Some(state) = left.pop() {
        if automaton.is_quit_state(state) || automaton.is_match_state(automaton.next_eoi_state(state)) {
            return false;
        }
        let next = (u8::MIN..=u8::MAX).filter(is_of_values).map(|byte| automaton.next_state(state, byte));
        left.extend(next.filter(|next| seen.insert(*next)));
    }
    true
}

/// RFC 9110 §5.5, as the crate http holds it.
fn is_of_values(byte: &u8) -> bool {
    *byte == b'\t' || *byte >= b' ' && *byte != 0x7f
}

#[cfg(test)]
mod tests {
    use super::*;

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
