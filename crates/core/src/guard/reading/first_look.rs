//! A quick check of a path, which is enough for most paths (G0).

/// Returns true if a path may have other readings than itself, regardless of letter case. Most paths have no other
/// readings. One pass over the path, with eight bytes at a time, can show this without an allocation. For an ASCII
/// path, the result is exact.
#[inline(always)]
pub(crate) fn has_readings(path: &[u8]) -> bool {
    let Some(last) = path.last_chunk::<8>() else { return short_has_readings(path) };
    let (mut behind_slash, mut found) = (0, 0);
    for word in path.as_chunks::<8>().0 {
        let word = u64::from_le_bytes(*word);
        found |= mark_special_bytes(word, behind_slash);
        behind_slash = mark_zero_bytes(word ^ repeat_byte(b'/')) >> 56;
    }
    // The last eight bytes are read as one word, although some of them are checked twice.
    if !path.len().is_multiple_of(8) {
        found |= mark_special_bytes(u64::from_le_bytes(*last), 0);
    }
    found & repeat_byte(0x80) != 0 || path.ends_with(b"/")
}

fn short_has_readings(path: &[u8]) -> bool {
    path.iter().any(|byte| matches!(byte, b'%' | b'&' | b'+' | b',' | b'\\' | b';' | 0x80..))
        || path.windows(2).any(|pair| matches!(pair, [b'/', b'/' | b'.']))
        || path.len() > 1 && path.ends_with(b"/")
}

/// Sets the highest bit of each byte that is `%`, `&`, `+`, `,`, `\` or `;`, or a slash or dot after a slash.
/// `behind_slash` marks the first byte if a slash comes before it. All other bits have no meaning.
#[inline(always)]
const fn mark_special_bytes(word: u64, behind_slash: u64) -> u64 {
    let slashes = mark_zero_bytes(word ^ repeat_byte(b'/'));
    // A dot and a slash differ only in their last bit.
    let ends = mark_zero_bytes((word | repeat_byte(1)) ^ repeat_byte(b'/'));
    let special = mark_zero_bytes(word ^ repeat_byte(b'%'))
        | mark_zero_bytes(word ^ repeat_byte(b'&'))
        | mark_zero_bytes(word ^ repeat_byte(b','))
        | mark_zero_bytes(word ^ repeat_byte(b'\\'))
        // `+` and `;` differ in one bit.
        | mark_zero_bytes((word | repeat_byte(b'+' ^ b';')) ^ repeat_byte(b';'));
    special | ends & (slashes << 8 | behind_slash)
}

/// Sets the highest bit of each byte that is zero. The bit may also be set in a byte above 0x80, and in a 1 after a
/// zero byte, which is a dot after a slash.
#[inline(always)]
const fn mark_zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(repeat_byte(1))
}

#[inline(always)]
const fn repeat_byte(byte: u8) -> u64 {
    u64::MAX / 255 * byte as u64
}
