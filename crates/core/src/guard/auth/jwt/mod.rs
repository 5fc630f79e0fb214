//! JSON Web Tokens (RFC 7519), checked as rule G2 requires.

mod jwks;
mod remote;
mod token;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};

pub use self::remote::RemoteKeys;

use self::jwks::{KeySet, VerifyingKey};
use crate::table::{Kind, Refusals, SettingError, advice_for_unknown};

/// The keys for checking tokens: a secret that the issuer shares, or the public keys of the issuer.
///
/// The policy is refused if the keys are wrong. Examples are a secret that is too short, a set without a usable key,
/// and a private key.
///
/// ```
/// use tower_error_envelope::Policy;
/// use tower_error_envelope::auth::{AuthScheme, JwtKeys};
///
/// let public = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"2026","use":"sig","alg":"EdDSA",
///     "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
/// let partner = AuthScheme::jwt(JwtKeys::jwks(public)).algorithms(["EdDSA"]);
/// let web = AuthScheme::jwt(JwtKeys::secret([7; 32])).algorithms(["HS256"]);
/// assert!(Policy::builder().scheme("partner", partner).scheme("web", web).auth(["web", "partner"]).build().is_ok());
///
/// let short = AuthScheme::jwt(JwtKeys::secret(*b"hunter2")).algorithms(["HS256"]);
/// assert!(Policy::builder().scheme("web", short).auth(["web"]).build().is_err());
/// ```
#[derive(Clone)]
#[must_use]
pub struct JwtKeys(Material);

#[derive(Clone)]
enum Material {
    Secret(Vec<u8>),
    Jwks(String),
    Remote(RemoteKeys),
}

impl JwtKeys {
    /// Uses a secret for HS256, HS384 or HS512. The secret needs at least as many bytes as the hash (32, 48 or 64).
    pub fn secret(secret: impl Into<Vec<u8>>) -> Self {
        Self(Material::Secret(secret.into()))
    }

    /// Uses a JWK set (RFC 7517) as JSON text, with only public keys. Keys of unknown types and for other uses are
    /// skipped.
    pub fn jwks(json: impl Into<String>) -> Self {
        Self(Material::Jwks(json.into()))
    }

    /// Uses a JWK set that an adapter fetches from an `https` URL, and may replace at any time.
    pub fn remote(keys: RemoteKeys) -> Self {
        Self(Material::Remote(keys))
    }

    /// Returns keys in place of keys that cannot be read, so that the algorithms are checked as well.
    fn unknown(algorithms: &[Algorithm]) -> Self {
        match algorithms.first().is_some_and(|it| it.family() == AlgorithmFamily::Hmac) {
            true => Self::secret([0; 64]),
            false => Self::remote(RemoteKeys::never_fetched("https://unknown.invalid/")),
        }
    }

    /// Returns true if an adapter fetches the keys, so that tokens may have to wait for them.
    pub(super) fn are_remote(&self) -> bool {
        matches!(self.0, Material::Remote(_))
    }
}

impl fmt::Debug for JwtKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Material::Secret(_) => "JwtKeys(a secret)",
            Material::Jwks(_) => "JwtKeys(a key set)",
            Material::Remote(_) => "JwtKeys(a key set by its URL)",
        })
    }
}

/// The requirements that a token must meet.
pub(super) struct JwtSettings {
    pub(super) algorithms: Option<Vec<String>>,
    pub(super) issuer: Option<String>,
    pub(super) audiences: Vec<String>,
    pub(super) leeway: Duration,
    pub(super) require_verified_email: bool,
}

/// The keys and the requirements by which tokens are checked.
pub(super) struct Tokens {
    algorithms: Box<[Algorithm]>,
    keys: Keys,
    settings: JwtSettings,
}

enum Keys {
    Fixed(Arc<KeySet>),
    Remote(RemoteKeys),
}

const NAME_ALGORITHMS: &str = "list the algorithms that the issuer signs with, such as [\"RS256\"]";

/// The largest tolerance for expiry that can be set. No clocks differ by more.
const LONGEST_LEEWAY: Duration = Duration::from_secs(300);

impl Tokens {
    /// Compiles the check. `keys` is `None` if the keys cannot be read. The mistake is then already in `refusals`.
    pub(super) fn new(keys: Option<JwtKeys>, settings: JwtSettings, refusals: &mut Refusals) -> Option<Self> {
        if settings.leeway > LONGEST_LEEWAY {
            let refused = SettingError::new("leeway", "the leeway is too long", "set at most 5 minutes");
            refusals.add(refused.of_kind(Kind::OutOfRange));
        }
        for (key, text) in
            settings.issuer.iter().map(|it| ("issuer", it)).chain(settings.audiences.iter().map(|it| ("audience", it)))
        {
            if text.is_empty() {
                let right = "write the value that the tokens carry, or remove the key";
                refusals.add(SettingError::new(key, "the text is empty", right));
            }
        }
        let mut algorithms = known_algorithms(settings.algorithms.as_deref(), refusals);
        let keys = keys.unwrap_or_else(|| JwtKeys::unknown(&algorithms));
        // If all algorithms are wrong, others replace them, so that the keys are checked as well.
        if algorithms.is_empty() {
            algorithms = match keys.0 {
                Material::Secret(_) => vec![Algorithm::HS256],
                Material::Jwks(_) | Material::Remote(_) => jwks::PUBLIC_KEY_ALGORITHMS.into(),
            };
        }
        let keys = match keys.0 {
            Material::Secret(secret) => Keys::with_fixed_keys([refusals.keep(key_of_secret(&secret, &algorithms))?]),
            Material::Jwks(json) => {
                let keys =
                    jwks::refuse_secrets(&algorithms, "jwks_file").and_then(|()| jwks::parse(&json, &algorithms));
                Keys::with_fixed_keys(refusals.keep(keys)?)
            }
            Material::Remote(keys) => {
                refusals.keep(remote::check_url(keys.url()));
                refusals.keep(jwks::refuse_secrets(&algorithms, "jwks_url"))?;
                Keys::Remote(keys)
            }
        };
        Some(Self { algorithms: algorithms.into(), keys, settings })
    }

    /// Returns the keys that an adapter fetches.
    pub(super) fn remote_keys(&self) -> Option<&RemoteKeys> {
        match &self.keys {
            Keys::Fixed(_) => None,
            Keys::Remote(keys) => Some(keys),
        }
    }
}

impl Keys {
    fn with_fixed_keys(keys: impl Into<Box<[VerifyingKey]>>) -> Self {
        Self::Fixed(Arc::new(KeySet(keys.into())))
    }

    /// Returns the current keys, or `None` until a set has been fetched.
    fn current(&self) -> Option<Arc<KeySet>> {
        match self {
            Self::Fixed(set) => Some(set.clone()),
            Self::Remote(keys) => keys.current(),
        }
    }
}

/// Returns the known algorithms among `names`. Refuses all other names.
fn known_algorithms(names: Option<&[String]>, refusals: &mut Refusals) -> Vec<Algorithm> {
    match names {
        None => refusals.add(SettingError::missing("algorithms")),
        Some([]) => refusals.add(SettingError::new("algorithms", "the list of algorithms is empty", NAME_ALGORITHMS)),
        Some(_) => {}
    }
    let known = names.unwrap_or_default().iter().enumerate().map(|(at, name)| {
        refusals.keep(name.parse().map_err(|_| {
            if name.eq_ignore_ascii_case("none") {
                let wrong = "\"none\" accepts tokens without a signature";
                return SettingError::new("algorithms", wrong, NAME_ALGORITHMS);
            }
            let right = advice_for_unknown(name, ALGORITHMS.into_iter());
            SettingError::new(format!("algorithms[{at}]"), "unknown algorithm", right).of_kind(Kind::UnknownWord)
        }))
    });
    known.flatten().collect()
}

const ALGORITHMS: [&str; 12] =
    ["HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];

fn key_of_secret(secret: &[u8], algorithms: &[Algorithm]) -> Result<VerifyingKey, SettingError> {
    let fits = |it: &&Algorithm| it.family() == AlgorithmFamily::Hmac;
    if let Some(other) = algorithms.iter().find(|it| !fits(it)) {
        let wrong = format!("{other:?} verifies with a public key, but the scheme has a secret");
        let right = "set jwks_file instead of secret_env, or use HS256, HS384 or HS512";
        return Err(SettingError::new("algorithms", wrong, right));
    }
    let least = algorithms.iter().map(hash_length).max().unwrap_or_default();
    if secret.len() < least {
        let wrong = format!("the secret has {} bytes, but the algorithm needs {least} (RFC 7518 §3.2)", secret.len());
        return Err(SettingError::new("secret_env", wrong, format!("use at least {least} random bytes")));
    }
    Ok(VerifyingKey { kid: None, algorithms: algorithms.into(), key: DecodingKey::from_secret(secret) })
}

fn hash_length(algorithm: &Algorithm) -> usize {
    match algorithm {
        Algorithm::HS384 => 48,
        Algorithm::HS512 => 64,
        _ => 32,
    }
}

#[cfg(test)]
mod tests;
