//! Checks texts for certain bytes. The text of each error is checked several times, and most texts are short. Eight
//! bytes are checked at once, without branching for each.

/// The lowest bit (`LOW`) and the highest bit (`HIGH`) of each of eight bytes.
const LOW: u64 = u64::from_ne_bytes([0x01; 8]);
const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);

/// Returns true if the text contains this byte.
#[inline]
pub fn has_byte(text: &[u8], byte: u8) -> bool {
    any_word(text, |eight| equal(eight, byte))
}

/// Returns true if the text contains any of these bytes.
#[inline]
pub fn has_any<const N: usize>(text: &[u8], bytes: [u8; N]) -> bool {
    any_word(text, |eight| bytes.iter().fold(0, |found, byte| found | equal(eight, *byte)))
}

/// Returns true if the text is printable ASCII.
#[inline]
pub(super) fn is_plain(text: &[u8]) -> bool {
    is_plain_without(text, [])
}

/// Returns true if the text is printable ASCII, and contains none of these bytes.
#[inline]
pub(super) fn is_plain_without<const N: usize>(text: &[u8], bytes: [u8; N]) -> bool {
    !any_word(text, |eight| {
        let special = eight | controls(eight) | equal(eight, 0x7f);
        bytes.iter().fold(special, |found, byte| found | equal(eight, *byte))
    })
}

/// Returns true if the text contains a character that JSON escapes.
#[inline]
pub fn has_escape(text: &[u8]) -> bool {
    any_word(text, |eight| controls(eight) | equal(eight, b'"') | equal(eight, b'\\'))
}

/// Returns true if `found` marks a byte anywhere in the text, by setting the byte's highest bit.
#[inline(always)]
fn any_word(text: &[u8], found: impl Fn(u64) -> u64) -> bool {
    let Some(first) = text.first() else { return false };
    let mut filled = [*first; 8];
    let last = match text.last_chunk() {
        // These are the last eight bytes. Some of them may be checked twice.
        Some(last) => last,
        None => {
            filled[..text.len()].copy_from_slice(text);
            &filled
        }
    };
    let all = text.as_chunks().0.iter().chain([last]);
    all.fold(0, |any, eight| any | found(u64::from_ne_bytes(*eight))) & HIGH != 0
}

/// Sets the highest bit of each byte that equals `byte`. The function may also set the highest bit of the next byte, if
/// the two bytes differ only in their lowest bit. So the result shows exactly whether any byte matches, but not how
/// many match.
#[inline(always)]
fn equal(eight: u64, byte: u8) -> u64 {
    let others = eight ^ (LOW * u64::from(byte));
    others.wrapping_sub(LOW) & !others
}

/// Sets the highest bit of each byte that is below a space, and so is a control character.
#[inline(always)]
fn controls(eight: u64) -> u64 {
    !((eight | HIGH) - (LOW * 0x20)) & !eight
}

/// Returns the position at which a text must be cut, so that at most this many bytes are left.
pub fn boundary(text: &str, most: usize) -> usize {
    (0..=most.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn eight_at_once_are_as_one_by_one(text in proptest::collection::vec(prop_byte(), 0..40), byte in prop_byte()) {
            proptest::prop_assert_eq!(has_byte(&text, byte), text.contains(&byte));
            proptest::prop_assert_eq!(has_any(&text, [byte, b'#']), text.contains(&byte) || text.contains(&b'#'));
            proptest::prop_assert_eq!(is_plain(&text), text.iter().all(|byte| (b' '..=b'~').contains(byte)));
            let is_fit = |it: &u8| (b' '..=b'~').contains(it) && *it != byte && *it != b'#';
            proptest::prop_assert_eq!(is_plain_without(&text, [byte, b'#']), text.iter().all(is_fit));
            let escaped = |byte: &u8| *byte < b' ' || matches!(byte, b'"' | b'\\');
            proptest::prop_assert_eq!(has_escape(&text), text.iter().any(escaped));
        }
    }

    /// Generates bytes, and prefers those at the limits of the checks.
    fn prop_byte() -> impl proptest::strategy::Strategy<Value = u8> {
        use proptest::prelude::*;
        prop_oneof![
            any::<u8>(),
            proptest::sample::select(vec![
                0, 1, 0x1f, b' ', b'!', b'"', b'#', b'[', b'\\', b']', b'~', 0x7f, 0x80, 0x9f, 0xa0, 0xff
            ])
        ]
    }
}
