//! The parts of a service's text that may be written to a shared file: words that any API uses, in their places.
//!
//! A text may contain anything: names, numbers, tokens, what a client sent. No rule on the form of a word distinguishes
//! a password from a verb. So only words of a list are kept; any other word becomes a gap. A text with fewer than two
//! words of the list, or with more gaps than words, is not written at all.

/// Words of error texts that identify no person or value.
const WORDS: &str = include_str!("words.txt");

/// The longest text to make a template of: a longer one is probably a stack trace, or prose.
const LONGEST: usize = 120;

/// A text with gaps where values may be.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Part {
    /// A word with its punctuation.
    Word(String),
    Gap,
}

impl Template {
    /// Makes the template of a text. `None` if no part is safe to write, or if the text has two spaces in a row: the
    /// second would become a gap.
    pub(super) fn from_text(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.chars().count() > LONGEST || text.contains(['\n', '\r', '\t']) || text.contains("  ") {
            return None;
        }
        let template = Self(parts_of(text));
        let (words, gaps) = (template.words().count(), template.0.len() - template.words().count());
        (words >= 2 && words >= gaps).then_some(template)
    }

    /// Only the words, in lower case and without punctuation.
    pub(super) fn words(&self) -> impl Iterator<Item = String> {
        self.0.iter().filter_map(|part| match part {
            Part::Word(word) => Some(bare(word).to_ascii_lowercase()),
            Part::Gap => None,
        })
    }

    /// The whole text, if it has no gap.
    pub(super) fn exact(&self) -> Option<String> {
        let words: Option<Vec<&str>> = self
            .0
            .iter()
            .map(|part| match part {
                Part::Word(word) => Some(word.as_str()),
                Part::Gap => None,
            })
            .collect();
        Some(words?.join(" "))
    }

    /// A regular expression that matches texts of this template; it contains no quotes.
    pub(super) fn pattern(&self) -> String {
        let parts = self.0.iter().map(|part| match part {
            Part::Word(word) => word.replace('.', "\\.").replace('?', "\\?"),
            Part::Gap => ".+".to_owned(),
        });
        format!("^{}$", parts.collect::<Vec<_>>().join(" "))
    }
}

fn parts_of(text: &str) -> Vec<Part> {
    let mut quote = None;
    let part = |token: &str| {
        let was_quoted = quote.is_some();
        quote =
            quote.map_or_else(|| opens_quote(token), |closing| Some(closing).filter(|_| !ends_quote(token, closing)));
        let is_word = !was_quoted && quote.is_none() && is_listed(token);
        if is_word { Part::Word(token.to_owned()) } else { Part::Gap }
    };
    let mut parts: Vec<_> = text.split(' ').map(part).collect();
    parts.dedup_by(|one, other| *one == Part::Gap && *other == Part::Gap);
    parts
}

fn bare(token: &str) -> &str {
    token.trim_end_matches(['.', ',', ';', ':', '!', '?'])
}

fn is_listed(token: &str) -> bool {
    let is_word = |word: &str| WORDS.split_ascii_whitespace().any(|it| it.eq_ignore_ascii_case(word));
    let word = bare(token);
    // Capitals within a word are a sign of a name, or of a token that looks like a word.
    let cased = |word: &str| word.len() < 2 || !word[1..].bytes().any(|byte| byte.is_ascii_uppercase());
    token.len() - word.len() <= 1 && !word.is_empty() && word.split('-').all(|part| is_word(part) && cased(part))
}

const QUOTES: [(char, char); 7] =
    [('"', '"'), ('\'', '\''), ('`', '`'), ('“', '”'), ('‘', '’'), ('«', '»'), ('(', ')')];

/// The quote that a token opens and does not close.
fn opens_quote(token: &str) -> Option<char> {
    let first = token.chars().next()?;
    let (_, closing) = QUOTES.into_iter().find(|(opening, _)| *opening == first)?;
    let rest = &token[first.len_utf8()..];
    (!ends_quote(rest, closing)).then_some(closing)
}

fn ends_quote(token: &str, closing: char) -> bool {
    bare(token).ends_with(closing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l3_nothing_of_a_text_is_told_but_words_that_all_say() {
        for (text, pattern) in [
            ("Name is already taken.", Some("^Name is already taken\\.$")),
            ("Room not found", Some("^Room not found$")),
            ("Order 4711 not found.", Some("^Order .+ not found\\.$")),
            ("User Alice Smith does not exist", Some("^User .+ does not exist$")),
            ("Invalid token eyJhbGciOi.x.y provided", Some("^Invalid token .+ provided$")),
            ("The field \"pass word\" is required.", Some("^The field .+ is required\\.$")),
            ("The field 'is not found' is required", Some("^The field .+ is required$")),
            ("Password hunter is not valid", Some("^Password .+ is not valid$")),
            ("Email a@b.example already exists!", Some("^Email .+ already exists!$")),
            ("SECRET NOT FOUND", None),
            ("hunter2", None),
            ("not hunter2 hunter3", None),
            ("Error: connect ECONNREFUSED db:5432", Some("^Error: connect .+$")),
            ("a\nb not found", None),
            ("Room not  found", None),
            ("", None),
        ] {
            let read_pattern = Template::from_text(text).map(|it| it.pattern());
            assert_eq!(read_pattern.as_deref(), pattern, "{text}");
            for secret in ["4711", "Alice", "Smith", "eyJ", "pass", "hunter", "a@b", "ECONN", "5432"] {
                assert!(!read_pattern.as_deref().unwrap_or_default().contains(secret), "{text}");
            }
        }
    }

    #[test]
    fn a_pattern_fits_what_it_was_made_of() {
        for text in ["Room not found", "Order 4711 not found.", "Is it on? The server said no."] {
            let pattern = Template::from_text(text).unwrap().pattern();
            assert!(regex::Regex::new(&pattern).unwrap().is_match(text), "{pattern}");
        }
        assert_eq!(Template::from_text("Room not found").unwrap().exact().as_deref(), Some("Room not found"));
        assert_eq!(Template::from_text("Order 4711 not found.").unwrap().exact(), None);
    }

    #[test]
    fn the_list_has_each_word_once_and_in_order() {
        let words: Vec<&str> = WORDS.split_ascii_whitespace().collect();
        let mut sorted = words.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(words, sorted);
    }
}
