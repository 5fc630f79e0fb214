//! Checks a token: its form, its signature and its claims, in this order.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use jsonwebtoken::crypto::rust_crypto::DEFAULT_PROVIDER;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::jwks::{KeySet, VerifyingKey};
use super::{JwtSettings, Tokens};
use crate::guard::auth::outcome::{AuthFailure, Rejection};

/// A token that has passed all checks.
pub(in crate::guard::auth) struct VerifiedToken {
    pub(in crate::guard::auth) subject: Option<String>,
    pub(in crate::guard::auth) claims: String,
}

/// The decoded parts of a token.
struct Token<'t> {
    header: Header,
    signed: &'t [u8],
    claims: String,
    signature: Vec<u8>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    #[serde(default)]
    crit: Present,
}

/// True if a field is in the JSON, even if it is `null`.
#[derive(Default)]
struct Present(bool);

impl<'de> Deserialize<'de> for Present {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self(true))
    }
}

#[derive(Deserialize)]
struct Claims {
    iss: Option<String>,
    sub: Option<String>,
    aud: Option<Audience>,
    exp: Option<f64>,
    nbf: Option<f64>,
    #[serde(default)]
    email_verified: Value,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Tokens {
    #[cfg(feature = "openapi")]
    pub(in super::super) fn require_verified_email(&self) -> bool {
        self.settings.require_verified_email
    }

    /// Checks a token, and returns its subject and its claims.
    pub(in crate::guard::auth) fn check(
        &self,
        token: &[u8],
        now: &dyn Fn() -> SystemTime,
    ) -> Result<VerifiedToken, Rejection> {
        let token = Token::parse(token).ok_or(Rejection::token(AuthFailure::Malformed))?;
        if token.header.crit.0 {
            return Err(invalid("the token has critical extensions, which are not supported"));
        }
        let algorithm = token.header.alg.parse().ok().filter(|it| self.algorithms.contains(it));
        let algorithm = algorithm.ok_or(invalid("the token is not signed with an algorithm of the policy"))?;
        let Some(set) = self.keys.current() else {
            let unknown = Rejection::token(AuthFailure::Unavailable).with_cause("no key set has been fetched yet");
            return Err(if self.claims_pass(&token, now) { unknown.unless_keys_change() } else { unknown });
        };
        if !set.0.iter().any(|key| key.verifies(&token, algorithm)) {
            let refused = invalid("no key verifies the token's signature");
            let newer_may_verify = !set.has_key_of(&token) && self.claims_pass(&token, now);
            return Err(if newer_may_verify { refused.unless_keys_change() } else { refused });
        }
        let claims: Claims =
            serde_json::from_str(&token.claims).map_err(|_| invalid(misformed_claim(&token.claims)))?;
        let is_fit = claims.check_against(&self.settings, now());
        is_fit.map_err(|refused| refused.of_caller(claims.sub.as_deref()))?;
        Ok(VerifiedToken { subject: claims.sub, claims: token.claims })
    }

    /// Returns true if the token's claims pass. If the claims do not pass, no other key could change the result, so no
    /// keys are fetched for the token.
    fn claims_pass(&self, token: &Token<'_>, now: &dyn Fn() -> SystemTime) -> bool {
        serde_json::from_str(&token.claims)
            .is_ok_and(|claims: Claims| claims.check_against(&self.settings, now()).is_ok())
    }
}

impl<'t> Token<'t> {
    /// Parses a token: three parts in base64url, of which the first two are JSON objects (RFC 7519 §7.2).
    fn parse(token: &'t [u8]) -> Option<Self> {
        let mut parts = token.split(|byte| *byte == b'.');
        let (header, claims, signature) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let decoded = |part: &[u8]| URL_SAFE_NO_PAD.decode(part).ok();
        let object = |part: &[u8]| String::from_utf8(decoded(part)?).ok().filter(|json| is_object(json));
        Some(Self {
            header: serde_json::from_str(&object(header)?).ok()?,
            signed: &token[..header.len() + 1 + claims.len()],
            claims: object(claims)?,
            signature: decoded(signature)?,
        })
    }
}

/// Returns true if the text is a JSON object. serde would also accept an array in place of a struct.
fn is_object(json: &str) -> bool {
    json.trim_ascii_start().starts_with('{') && serde_json::from_str::<IgnoredAny>(json).is_ok()
}

impl KeySet {
    /// Returns true if a newer set is not worth fetching for this token, because this set has the key that the token
    /// names, or because the token names no key.
    fn has_key_of(&self, token: &Token<'_>) -> bool {
        let is_of = |kid: &str| self.0.iter().any(|key| key.kid.as_deref() == Some(kid));
        token.header.kid.as_deref().is_none_or(is_of)
    }
}

impl VerifyingKey {
    /// Returns true if this key verifies the token's signature. A key without an id is tried for every token.
    fn verifies(&self, token: &Token<'_>, algorithm: Algorithm) -> bool {
        let named = match (&self.kid, &token.header.kid) {
            (Some(kid), Some(of_token)) => **kid == **of_token,
            _ => true,
        };
        // The backend is named explicitly, because the process may have another default backend, or none.
        let verifier = || (DEFAULT_PROVIDER.verifier_factory)(&algorithm, &self.key).ok();
        named
            && self.algorithms.contains(&algorithm)
            && verifier().is_some_and(|verifier| verifier.verify(token.signed, &token.signature).is_ok())
    }
}

impl Claims {
    fn check_against(&self, settings: &JwtSettings, now: SystemTime) -> Result<(), Rejection> {
        if settings.issuer.as_ref().is_some_and(|issuer| self.iss.as_ref() != Some(issuer)) {
            return Err(invalid("the token is from another issuer"));
        }
        if !self.is_for(&settings.audiences) {
            return Err(invalid("the token is for another audience"));
        }
        let now = seconds(now);
        let leeway = settings.leeway.as_secs_f64();
        if self.nbf.is_some_and(|nbf| nbf > now + leeway) {
            return Err(invalid("the token is not valid yet"));
        }
        match self.exp {
            None => return Err(invalid("the token has no expiry")),
            Some(exp) if exp.is_finite() && exp + leeway > now => {}
            Some(_) => return Err(Rejection::token(AuthFailure::Expired)),
        }
        if settings.require_verified_email && self.email_verified != true {
            return Err(Rejection::token(AuthFailure::NoEmail));
        }
        Ok(())
    }

    /// Returns true if the token is for this service (RFC 7519 §4.1.3). The token's `aud` must name one of the policy's
    /// audiences. A policy without audiences accepts only tokens without `aud`.
    fn is_for(&self, audiences: &[String]) -> bool {
        match &self.aud {
            None => audiences.is_empty(),
            Some(Audience::One(one)) => audiences.contains(one),
            Some(Audience::Many(many)) => many.iter().any(|one| audiences.contains(one)),
        }
    }
}

/// Returns, for the log, the name of the first checked claim whose type differs from RFC 7519 §4.1.
#[cold]
fn misformed_claim(claims: &str) -> &'static str {
    type Fits = fn(&Value) -> bool;
    let is_audience: Fits = |aud| aud.is_string() || aud.as_array().is_some_and(|aud| aud.iter().all(Value::is_string));
    let rows: [(&str, Fits, &str); 5] = [
        ("exp", Value::is_number, "the token's exp is not a number of seconds"),
        ("nbf", Value::is_number, "the token's nbf is not a number of seconds"),
        ("iss", Value::is_string, "the token's iss is not a string"),
        ("sub", Value::is_string, "the token's sub is not a string"),
        ("aud", is_audience, "the token's aud is neither a text nor a list of texts"),
    ];
    let claims: Value = serde_json::from_str(claims).unwrap_or_default();
    let has_another_type =
        |name: &str, fits: Fits| claims.get(name).is_some_and(|value| !value.is_null() && !fits(value));
    let found = rows.into_iter().find(|(name, fits, _)| has_another_type(name, *fits));
    found.map_or("the token's claims have no known form", |(_, _, text)| text)
}

fn invalid(cause: &'static str) -> Rejection {
    Rejection::token(AuthFailure::Invalid).with_cause(cause)
}

/// Returns a time in seconds since 1970 (RFC 7519 §2), or 0 for an earlier time.
fn seconds(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs_f64()
}
