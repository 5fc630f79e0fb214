//! Recognises numbers of payment cards. Such a number has 13 to 19 digits, a prefix and a length that an issuer uses,
//! and the right check digit (ISO/IEC 7812). A number in four groups of four digits is always treated as the number of
//! a card. Of other numbers in errors, such as times and ids, one in ten has the right check digit by chance.

/// The minimum number of digits of a card number.
pub(super) const SHORTEST: usize = 13;
const LONGEST: usize = 19;

/// Returns true if any number in a run of digits may be the number of a card. Single spaces or dashes may separate the
/// digits.
pub(super) fn is_in(run: &str) -> bool {
    let run = Run::find(run);
    run.has_fours() || run.numbers().any(is_card_number)
}

struct Run {
    digits: Vec<u8>,
    /// The position in `digits` at which each group begins, and the end of the last group.
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

    /// Returns the numbers that consist of whole groups, and are not longer than the number of a card. At most
    /// [`LONGEST`] of these numbers begin with the same group, so the time grows in proportion to the number of digits.
    fn numbers(&self) -> impl Iterator<Item = &[u8]> {
        self.bounds.iter().enumerate().flat_map(move |(at, from)| {
            let numbers = self.bounds[at + 1..].iter().map(move |to| &self.digits[*from..*to]);
            numbers.take_while(|number| number.len() <= LONGEST)
        })
    }
}

fn is_card_number(digits: &[u8]) -> bool {
    let digit = |(at, byte): (usize, &u8)| match (at % 2, u32::from(byte - b'0')) {
        (0, digit) => digit,
        (_, digit) if digit > 4 => digit * 2 - 9,
        (_, digit) => digit * 2,
    };
    has_issuer_prefix(digits) && digits.iter().rev().enumerate().map(digit).sum::<u32>().is_multiple_of(10)
}

/// Returns true if an issuer has cards with this beginning and length.
fn has_issuer_prefix(digits: &[u8]) -> bool {
    if !(SHORTEST..=LONGEST).contains(&digits.len()) {
        return false;
    }
    let first = digits[..4].iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0'));
    match first {
        // Visa, American Express and Diners Club use these prefixes.
        4000..=4999 => matches!(digits.len(), 13 | 16 | 19),
        3400..=3499 | 3700..=3799 => digits.len() == 15,
        3000..=3059 | 3095 | 3600..=3699 | 3800..=3999 => digits.len() == 14,
        // Mastercard, JCB, UnionPay, Discover and Maestro use these prefixes.
        5100..=5599 | 2221..=2720 => digits.len() == 16,
        3528..=3589 | 6200..=6299 | 6011 | 6440..=6599 => digits.len() >= 16,
        5018 | 5020 | 5038 | 5893 | 6304 | 6759 | 6761..=6763 => true,
        _ => false,
    }
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
