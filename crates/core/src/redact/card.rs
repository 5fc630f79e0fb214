//! Numbers of cards: 13 to 19 digits whose check digit is right (ISO/IEC 7812), or four groups of four.

const SHORTEST: usize = 13;
const LONGEST: usize = 19;

/// Whether one of the numbers in a run of digits, with single spaces or dashes between them, may be that of a card.
pub(super) fn is_in(run: &str) -> bool {
    let run = Run::find(run);
    run.has_fours() || run.numbers().any(is_one)
}

struct Run {
    digits: Vec<u8>,
    /// Where each group begins in the digits, and where the last one ends.
    bounds: Vec<usize>,
}

impl Run {
    fn find(run: &str) -> Self {
        let mut all = Self { digits: Vec::with_capacity(run.len()), bounds: vec![0] };
        for group in run.split([' ', '-']).filter(|group| !group.is_empty()) {
            all.digits.extend(group.bytes());
            all.bounds.push(all.digits.len());
        }
        all
    }

    fn has_fours(&self) -> bool {
        self.bounds.windows(5).any(|four| four.windows(2).all(|group| group[1] - group[0] == 4))
    }

    /// The numbers that whole groups form, up to the longest that may be a card's: a group begins at most [`LONGEST`] of them, so
    /// that a body of digits takes time in proportion to its length.
    fn numbers(&self) -> impl Iterator<Item = &[u8]> {
        self.bounds.iter().enumerate().flat_map(move |(at, from)| {
            let numbers = self.bounds[at + 1..].iter().map(move |to| &self.digits[*from..*to]);
            numbers.take_while(|number| number.len() <= LONGEST)
        })
    }
}

fn is_one(digits: &[u8]) -> bool {
    let digit = |(at, byte): (usize, &u8)| match (at % 2, u32::from(byte - b'0')) {
        (0, digit) => digit,
        (_, digit) if digit > 4 => digit * 2 - 9,
        (_, digit) => digit * 2,
    };
    (SHORTEST..=LONGEST).contains(&digits.len())
        && digits.iter().rev().enumerate().map(digit).sum::<u32>().is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, Run, is_in};

    #[test]
    fn a_number_of_a_card_is_one_however_it_is_grouped() {
        for (run, is) in [
            ("4111111111111111", true),
            ("4111 1111 1111 1111", true),
            ("4111-1111-1111-1111", true),
            ("12 4111 1111 1111 1111", true),
            ("378282246310005", true),
            ("1234 5678 9012 3456", true),
            ("4111111111111112", false),
            ("1763743320000", false),
            ("12345", false),
        ] {
            assert_eq!(is_in(run), is, "{run}");
        }
    }

    #[test]
    fn no_digit_begins_more_numbers_than_a_card_is_long() {
        for unit in ["1 ", "1-", "1", "12-3 ", "1234 5"] {
            let run = Run::find(&unit.repeat(8192 / unit.len()));
            assert!(run.numbers().count() <= LONGEST * run.digits.len(), "{unit}");
        }
        assert_eq!(Run::find(&"1 ".repeat(4000)).numbers().count(), LONGEST * 4000 - LONGEST * (LONGEST - 1) / 2);
    }
}
