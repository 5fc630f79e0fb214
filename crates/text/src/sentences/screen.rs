//! Rules out the rows of the table that cannot fit a text, by the pairs of adjacent bytes in that text.
//!
//! A text that fits a row contains the words of the row, and therefore each pair of letters in them. One pass over the
//! text collects its pairs. Most rows have a pair that the text lacks.

use std::array;
use std::collections::HashMap;
use std::sync::LazyLock;

use super::table::{SENTENCES, Sentence};

/// The pairs of adjacent bytes in a text. Two pairs may share one position in this set, so the set may contain a pair
/// that the text does not have.
pub(super) struct BytePairs([u64; PLACES / 64]);

const PLACES: usize = 1024;

/// The byte pairs that a text must contain to fit a row. These pairs are the row's six pairs that are rarest in the
/// table, with the rarest first. A row with fewer than six pairs repeats its rarest pair.
#[derive(Clone, Copy)]
pub(super) struct NeededPairs([usize; 6]);

impl BytePairs {
    pub(super) fn of(text: &str) -> Self {
        let mut has = [0; PLACES / 64];
        text.as_bytes().windows(2).map(index_of_pair).for_each(|at| has[at / 64] |= 1 << (at % 64));
        Self(has)
    }

    pub(super) fn contain_all(&self, needed: NeededPairs) -> bool {
        needed.0.iter().all(|at| self.0[*at % PLACES / 64] >> (at % 64) & 1 == 1)
    }

    /// Returns the rows that may fit the text, because the text has all the pairs that these rows need.
    pub(super) fn rows(&self) -> impl Iterator<Item = &'static Sentence> {
        ROWS.iter().filter(|(_, needed)| needed.is_none_or(|needed| self.contain_all(needed))).map(|(row, _)| *row)
    }
}

fn index_of_pair(pair: &[u8]) -> usize {
    (usize::from(pair[0]) * 37 + usize::from(pair[1])) % PLACES
}

/// All rows, each with the pairs that it needs, or `None` if its words have no pair.
static ROWS: LazyLock<Vec<(&Sentence, Option<NeededPairs>)>> = LazyLock::new(|| {
    let mut times = HashMap::new();
    SENTENCES.iter().flat_map(|row| pairs(row.pattern)).for_each(|pair| *times.entry(pair).or_insert(0) += 1);
    SENTENCES.iter().map(|row| (row, rarest_pairs(row.pattern, &times))).collect()
});

/// Returns the pairs that a row of the table needs.
pub(super) fn needed_by(row: &Sentence) -> Option<NeededPairs> {
    ROWS.iter().find(|(other, _)| std::ptr::eq(*other, row))?.1
}

fn rarest_pairs(pattern: &str, times: &HashMap<usize, usize>) -> Option<NeededPairs> {
    let mut pairs: Vec<usize> = pairs(pattern).collect();
    pairs.sort_by_key(|pair| (times[pair], *pair));
    pairs.dedup();
    let first = *pairs.first()?;
    Some(NeededPairs(array::from_fn(|at| pairs.get(at).copied().unwrap_or(first))))
}

/// Returns the pairs in the words of a pattern. Placeholders are ignored.
fn pairs(pattern: &str) -> impl Iterator<Item = usize> {
    let words = pattern.split(['{', '…']).map(|part| part.split_once('}').map_or(part, |(_, words)| words));
    words.flat_map(|words| words.as_bytes().windows(2).map(index_of_pair))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_takes_a_text_of_its_own_words() {
        for row in &SENTENCES {
            let words = row.pattern.split(['{', '…']).map(|part| part.split_once('}').map_or(part, |(_, words)| words));
            let text = words.collect::<Vec<_>>().join("x");
            assert!(BytePairs::of(&text).rows().any(|it| std::ptr::eq(it, row)), "{text}");
        }
        let plain = BytePairs::of("Nothing fits in here.");
        assert!(plain.rows().filter(|row| row.pattern.len() > 12).count() < 10);
    }
}
