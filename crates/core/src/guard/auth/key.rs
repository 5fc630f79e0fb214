//! Keys of callers. Only the SHA-256 of a key is stored (rule G2).

use std::fmt;
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};

use crate::table::tables;

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
#[derive(Clone, Debug)]
#[must_use]
pub struct Key(pub(super) KeyTable);

tables! {
    /// A key in a policy or in a file of keys.
    pub(crate) struct KeyTable {
        id: String = required,
        sha256: KeyHash = required,
        revoked: bool = false,
        expires: SystemTime,
    }
}

pub(crate) type Keys = Vec<KeyTable>;

/// The keys in a file that the policy names.
#[cfg(feature = "policy-file")]
#[derive(Clone, Debug)]
pub(crate) struct KeysFile(pub(crate) Keys);

/// The SHA-256 of a key, as hexadecimal digits. It is never shown.
#[derive(Clone)]
pub(crate) struct KeyHash(pub(crate) String);

impl Key {
    /// Creates a key from its SHA-256, as 64 hexadecimal digits.
    pub fn sha256(id: impl Into<String>, digest: impl Into<String>) -> Self {
        Self(KeyTable { id: Some(id.into()), sha256: Some(KeyHash(digest.into())), ..KeyTable::default() })
    }

    /// Creates a key from its secret text, which is hashed at once. Use it in tests, and for keys from a secret store.
    pub fn of_secret(id: impl Into<String>, secret: impl AsRef<[u8]>) -> Self {
        Self::sha256(id, hex(&Sha256::digest(secret.as_ref())))
    }

    /// Marks the key as revoked. A request that sends the key gets `auth_expired`.
    pub fn revoked(mut self) -> Self {
        self.0.revoked = Some(true);
        self
    }

    /// Sets when the key expires. From that time on, the key is refused (`auth_expired`).
    pub fn expires(mut self, at: SystemTime) -> Self {
        self.0.expires = Some(at);
        self
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
