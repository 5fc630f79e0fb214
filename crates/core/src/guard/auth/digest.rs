//! The SHA-256 of a key, which is compared in constant time (rule G2).

use sha2::{Digest as _, Sha256};
use subtle::{ConditionallySelectable, ConstantTimeEq};

/// A digest as four words. Comparing two digests takes four instructions for any value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Digest([u64; 4]);

impl Digest {
    pub(super) const OF_NOTHING: &'static str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    pub(super) fn hash(secret: &[u8]) -> Self {
        Self::from_bytes(&Sha256::digest(secret).into())
    }

    pub(super) fn from_bytes(bytes: &[u8; 32]) -> Self {
        let mut words = [0; 4];
        for (word, bytes) in words.iter_mut().zip(bytes.as_chunks().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        Self(words)
    }

    /// Parses 64 hexadecimal digits.
    pub(super) fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
        if pairs.len() != bytes.len() {
            return None;
        }
        let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|it| u8::try_from(it).ok());
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = digit(*high)? << 4 | digit(*low)?;
        }
        Some(Self::from_bytes(&bytes))
    }
}

/// Returns the index of a digest in a list. Every digest in the list is compared, in the same time, so that the
/// duration reveals only the length of the list. A hash table would be faster for thousands of keys, but its timing
/// would reveal which buckets are in use, and a comparison takes only a few nanoseconds.
pub(super) fn position(of: &Digest, among: &[Digest]) -> Option<usize> {
    let mut found = u64::MAX;
    for (place, digest) in (0_u64..).zip(among) {
        let differs = of.0.iter().zip(digest.0).fold(0, |differs, (a, b)| differs | (a ^ b));
        found.conditional_assign(&place, differs.ct_eq(&0));
    }
    usize::try_from(found).ok().filter(|place| *place < among.len())
}
