//! The challenge of a 401: `www-authenticate` (RFC 9110 §11.6.1, RFC 6750 §3).

use http::HeaderValue;
use http_auth::parser::ChallengeParser;
#[cfg(feature = "openapi")]
use serde_json::{Value, json};

use crate::guard::pattern::SettingError;

/// The challenge lines of one scheme.
#[derive(Debug)]
pub(super) enum Challenges {
    /// `Bearer`, with an error where a token was sent.
    Bearer,
    /// Always the same.
    Own(HeaderValue),
}

/// The fault of a token, as RFC 6750 names it. Its expiry is in the description alone: the reader of an inner 401
/// looks for it there (R1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenError {
    NoToken,
    Invalid,
    Expired,
}

impl Challenges {
    pub(super) fn line(&self, error: TokenError) -> HeaderValue {
        match (self, error) {
            (Self::Own(challenge), _) => challenge.clone(),
            (Self::Bearer, TokenError::NoToken) => HeaderValue::from_static("Bearer"),
            (Self::Bearer, TokenError::Invalid) => HeaderValue::from_static("Bearer error=\"invalid_token\""),
            (Self::Bearer, TokenError::Expired) => HeaderValue::from_static(
                "Bearer error=\"invalid_token\", error_description=\"The token has expired or was revoked\"",
            ),
        }
    }
}

/// The names of schemes that OpenAPI's `http` may have: those of IANA's registry that its tools know.
#[cfg(feature = "openapi")]
const REGISTERED: [&str; 10] =
    ["basic", "bearer", "digest", "hoba", "mutual", "negotiate", "oauth", "scram-sha-1", "scram-sha-256", "vapid"];

#[cfg(feature = "openapi")]
impl Challenges {
    /// The scheme as OpenAPI describes it: by its name if that is registered, else by the header that its parameter `header`
    /// names, as in `ApiKey header="x-api-key"`, or `authorization`.
    pub(super) fn described(&self) -> Value {
        let line = self.line(TokenError::NoToken);
        let text = line.to_str().unwrap_or_default();
        let Some(Ok(challenge)) = ChallengeParser::new(text).next() else { return json!({}) };
        let scheme = challenge.scheme.to_ascii_lowercase();
        if REGISTERED.contains(&&*scheme) {
            return json!({ "type": "http", "scheme": scheme });
        }
        let header = challenge.params.iter().find(|(name, _)| name.eq_ignore_ascii_case("header"));
        let header = header.map_or_else(|| "authorization".to_owned(), |(_, value)| value.to_unescaped());
        json!({ "type": "apiKey", "in": "header", "name": header })
    }
}

/// A challenge that clients can parse.
pub(super) fn parse(challenge: &str) -> Result<HeaderValue, SettingError> {
    let mut challenges = ChallengeParser::new(challenge);
    let parses = matches!(challenges.next(), Some(Ok(_))) && challenges.all(|it| it.is_ok());
    match HeaderValue::from_str(challenge) {
        Ok(value) if parses && challenge.is_ascii() => Ok(value),
        _ => {
            let wrong = format!("{challenge:?} is not a valid challenge");
            Err(SettingError::new(
                "challenge",
                wrong,
                "write one such as 'ApiKey header=\"x-api-key\"' (RFC 9110 §11.6.1)",
            ))
        }
    }
}
