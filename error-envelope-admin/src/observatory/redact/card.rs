//! Numbers of cards: 13 to 19 digits whose check digit is right (ISO/IEC 7812), or four groups of four.

const SHORTEST: usize = 13;
const LONGEST: usize = 19;

/// Whether one of the numbers in a run of digits, with single spaces or dashes between them, may be that of a card.
pub(super) fn is_in(run: &str) -> bool {
    let groups: Vec<&str> = run.split([' ', '-']).collect();
    let in_fours = groups.windows(4).any(|four| four.iter().all(|group| group.len() == 4));
    in_fours || (0..groups.len()).any(|from| (from + 1..=groups.len()).any(|to| is_one(&groups[from..to].concat())))
}

fn is_one(digits: &str) -> bool {
    let digit = |(at, byte): (usize, u8)| match (at % 2, u32::from(byte - b'0')) {
        (0, digit) => digit,
        (_, digit) if digit > 4 => digit * 2 - 9,
        (_, digit) => digit * 2,
    };
    (SHORTEST..=LONGEST).contains(&digits.len())
        && digits.bytes().rev().enumerate().map(digit).sum::<u32>().is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::is_in;

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
}
