//! Keys of callers. Only their SHA-256 is stored, and it is compared in constant time (rule G2).

use std::fmt;
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};
use subtle::{ConditionallySelectable, ConstantTimeEq};

/// A key that callers may send, as its id and its SHA-256. Only the caller has the key itself.
///
/// In contrast to a password, a key needs no slow hash, because it is long and random and cannot be guessed.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use tower_error_envelope::Policy;
/// use tower_error_envelope::auth::{AuthScheme, Key};
///
/// // printf %s "$KEY" | sha256sum
/// let digest = "fa93378f7d690467a255d8e41ef2cf3a009121a8df7e07df956b401ba231bd66";
/// let keys = AuthScheme::header("x-api-key")
///     .key(Key::sha256("acme", digest))
///     .key(Key::of_secret("trial", "trial-key-1").expires(SystemTime::now() + Duration::from_secs(86_400)))
///     .key(Key::of_secret("old", "key-of-2019").revoked());
/// let policy = Policy::builder().scheme("app", keys).auth(["app"]).build()?;
/// # let _ = policy;
/// # Ok::<(), tower_error_envelope::PolicyError>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct Key {
    pub(super) id: String,
    pub(super) digest: String,
    pub(super) revoked: bool,
    pub(super) expires: Option<SystemTime>,
}

impl Key {
    /// Creates a key from its SHA-256, as 64 hexadecimal digits.
    pub fn sha256(id: impl Into<String>, digest: impl Into<String>) -> Self {
        Self { id: id.into(), digest: digest.into(), revoked: false, expires: None }
    }

    /// Creates a key from its secret text, which is hashed at once. This is for tests, and for keys from a secret
    /// store.
    pub fn of_secret(id: impl Into<String>, secret: impl AsRef<[u8]>) -> Self {
        Self::sha256(id, hex(&Sha256::digest(secret.as_ref())))
    }

    /// Marks the key as revoked. A request that sends it gets `auth_expired`.
    pub fn revoked(mut self) -> Self {
        self.revoked = true;
        self
    }

    /// Sets when the key expires. From then on it is refused (`auth_expired`).
    pub fn expires(mut self, at: SystemTime) -> Self {
        self.expires = Some(at);
        self
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, revoked, expires, .. } = self;
        f.debug_struct("Key")
            .field("id", id)
            .field("revoked", revoked)
            .field("expires", expires)
            .finish_non_exhaustive()
    }
}

/// A digest as four words. Comparing it takes four instructions for any value.
#[derive(Clone, Copy, PartialEq, Eq)]
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

    pub(super) fn words(&self) -> [u64; 4] {
        self.0
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

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
