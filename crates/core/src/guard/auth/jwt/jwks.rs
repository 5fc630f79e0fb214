//! JWK sets (RFC 7517): the public keys of token issuers.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::crypto::rust_crypto::DEFAULT_PROVIDER;
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::table::SettingError;

/// The keys that verify tokens.
pub(super) struct KeySet(pub(super) Box<[VerifyingKey]>);

/// A key, and those algorithms of the policy for which it may be used.
pub(super) struct VerifyingKey {
    pub(super) kid: Option<Box<str>>,
    pub(super) algorithms: Box<[Algorithm]>,
    pub(super) key: DecodingKey,
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Map<String, Value>>,
}

/// All supported algorithms with public keys.
pub(super) const PUBLIC_KEY_ALGORITHMS: [Algorithm; 9] = {
    use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    [RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA]
};

/// Fields that only private or symmetric keys have (RFC 7518 §6).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// The allowed lengths of an RSA key in bytes. A shorter key can be factored (RFC 7518 §3.3), and a longer key makes
/// checks too costly.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=512;

/// The allowed exponents of an RSA key. With the exponent 1, anybody can sign. With an exponent outside of these
/// bounds, the backend accepts no token.
const RSA_EXPONENTS: std::ops::RangeInclusive<u64> = 3..=(1 << 33) - 1;

/// Returns the keys in a set that can be used with one of these algorithms.
pub(super) fn parse(json: &str, algorithms: &[Algorithm]) -> Result<Box<[VerifyingKey]>, SettingError> {
    let refused = |wrong: String, right: &str| Err(SettingError::new("jwks_file", wrong, right));
    // The text of the parser's error is not used, because it may quote the input.
    let set: Set = match serde_json::from_str(json) {
        Ok(set) => set,
        Err(error) => {
            let wrong = format!("the text is not a JWK set (line {}, column {})", error.line(), error.column());
            return refused(wrong, "a JWK set looks like {\"keys\":[…]} (RFC 7517 §5)");
        }
    };
    let is_private = |key: &Map<String, Value>| PRIVATE.iter().any(|member| key.contains_key(*member));
    if set.keys.iter().any(|key| is_private(key) || text(key, "kty") == Some("oct")) {
        let wrong = "the key set contains a private or symmetric key".to_owned();
        return refused(wrong, "keep only the public keys in it");
    }
    let keys: Box<[_]> = set.keys.iter().filter_map(|key| usable_key(key, algorithms)).collect();
    if keys.is_empty() {
        let names: Vec<_> = algorithms.iter().map(|it| format!("{it:?}")).collect();
        let wrong = format!("the key set has no key for {}", names.join(" or "));
        return refused(wrong, "check the algorithms and the key set");
    }
    Ok(keys)
}

/// Refuses algorithms that need a secret, because no public key fits them. `key` is the setting that names the keys.
pub(super) fn refuse_secrets(algorithms: &[Algorithm], key: &str) -> Result<(), SettingError> {
    let Some(secret) = algorithms.iter().find(|it| it.family() == AlgorithmFamily::Hmac) else { return Ok(()) };
    let wrong = format!("{secret:?} verifies with a secret, but the scheme has public keys");
    let right = format!("set secret_env instead of {key}, or use RS256, ES256 or EdDSA");
    Err(SettingError::new("algorithms", wrong, right))
}

/// Returns a key of the set that can be used. A broken key, a key of another type and a key for another use are skipped
/// (RFC 7517 §5).
fn usable_key(jwk: &Map<String, Value>, algorithms: &[Algorithm]) -> Option<VerifyingKey> {
    let for_signatures = jwk.get("use").is_none_or(|it| it == "sig");
    let verifies = |it: &Value| it.as_array().is_some_and(|ops| ops.iter().any(|op| op == "verify"));
    if !for_signatures || !jwk.get("key_ops").is_none_or(verifies) {
        return None;
    }
    let (key, fits) = public_key(jwk)?;
    let named = jwk.get("alg");
    let fits = |it: &Algorithm| fits(*it) && named.is_none_or(|named| *named == format!("{it:?}"));
    let algorithms: Box<[_]> = algorithms.iter().copied().filter(fits).collect();
    // This checks once whether a point is on its curve, and not again for each request.
    let sound = (DEFAULT_PROVIDER.verifier_factory)(algorithms.first()?, &key).is_ok();
    let kid = match jwk.get("kid") {
        None => None,
        Some(kid) => Some(kid.as_str()?.into()),
    };
    sound.then_some(VerifyingKey { kid, algorithms, key })
}

type Fits = fn(Algorithm) -> bool;

fn public_key(jwk: &Map<String, Value>) -> Option<(DecodingKey, Fits)> {
    let bytes = |member| URL_SAFE_NO_PAD.decode(text(jwk, member)?).ok();
    match (text(jwk, "kty")?, text(jwk, "crv")) {
        ("RSA", _) => {
            let (modulus, exponent) = (bytes("n")?, bytes("e")?);
            let key = DecodingKey::from_rsa_raw_components(&modulus, &exponent);
            let sound = is_modulus(&modulus) && is_exponent(&exponent);
            sound.then_some((key, |it| it.family() == AlgorithmFamily::Rsa))
        }
        ("EC", Some("P-256")) => Some((key_of_point(bytes("x")?, bytes("y")?, 32)?, |it| it == Algorithm::ES256)),
        ("EC", Some("P-384")) => Some((key_of_point(bytes("x")?, bytes("y")?, 48)?, |it| it == Algorithm::ES384)),
        ("OKP", Some("Ed25519")) => {
            let key = bytes("x").filter(|key| key.len() == 32)?;
            Some((DecodingKey::from_ed_der(&key), |it| it == Algorithm::EdDSA))
        }
        _ => None,
    }
}

fn is_modulus(bytes: &[u8]) -> bool {
    let is_odd = bytes.last().is_some_and(|last| last % 2 == 1);
    is_odd && RSA_BYTES.contains(&without_zeros(bytes).len())
}

/// Returns true if an RSA exponent is allowed. The backend checks the exponent only when it verifies a token, and would
/// then refuse every token.
fn is_exponent(bytes: &[u8]) -> bool {
    let bytes = without_zeros(bytes);
    let number = bytes.iter().fold(0, |number: u64, byte| number << 8 | u64::from(*byte));
    bytes.len() <= 8 && number % 2 == 1 && RSA_EXPONENTS.contains(&number)
}

/// Returns the number without leading zeros. RFC 7518 §2 forbids leading zeros, but some issuers write a leading zero.
fn without_zeros(bytes: &[u8]) -> &[u8] {
    &bytes[bytes.iter().take_while(|byte| **byte == 0).count()..]
}

/// Returns a key from an uncompressed point (SEC 1 §2.3.3).
fn key_of_point(x: Vec<u8>, y: Vec<u8>, length: usize) -> Option<DecodingKey> {
    let whole = x.len() == length && y.len() == length;
    whole.then(|| DecodingKey::from_ec_der(&[&[4], &x[..], &y[..]].concat()))
}

fn text<'a>(jwk: &'a Map<String, Value>, member: &str) -> Option<&'a str> {
    jwk.get(member)?.as_str()
}
