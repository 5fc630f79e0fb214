//! The challenge of a 401: `www-authenticate` (RFC 9110 §11.6.1, RFC 6750 §3).

use std::sync::OnceLock;

use http::HeaderValue;
use http_auth::parser::ChallengeParser;
#[cfg(feature = "openapi")]
use serde_json::{Value, json};

use crate::fault::Fault;
use crate::table::SettingError;

/// The challenge lines of one scheme, one for each [`TokenError`], in its order. All lines are the same if the scheme
/// is not Bearer.
#[derive(Debug)]
pub(super) struct Challenges([HeaderValue; 3]);

/// The error of a token, as RFC 6750 names it. Only the description states that a token has expired. A layer that gets
/// a 401 reads the expiry from the description (R1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenError {
    NoToken,
    Invalid,
    Expired,
}

impl Challenges {
    pub(super) fn line(&self, error: TokenError) -> HeaderValue {
        self.0[error as usize].clone()
    }

    /// Parses a challenge, and refuses a challenge that clients cannot parse.
    pub(super) fn parse(challenge: &str) -> Result<Self, SettingError> {
        const EXPIRED: &str = "error=\"invalid_token\", error_description=\"The token has expired or was revoked\"";

        let has_error = has_own_error(challenge);
        let lines = [None, with_error(challenge, "error=\"invalid_token\""), with_error(challenge, EXPIRED)];
        let lines = lines.map(|line| {
            let line = line.filter(|_| has_error == Some(false));
            HeaderValue::try_from(line.as_deref().unwrap_or(challenge)).ok()
        });
        match (has_error.filter(|_| challenge.is_ascii()), lines) {
            (Some(_), [Some(no_token), Some(invalid), Some(expired)]) => Ok(Self([no_token, invalid, expired])),
            _ => {
                let wrong = "this is not a valid challenge";
                let right = "write one such as 'ApiKey header=\"x-api-key\"' (RFC 9110 §11.6.1)";
                Err(SettingError::new("challenge", wrong, right))
            }
        }
    }
}

/// Schemes that OpenAPI can describe as `http`. The list contains the schemes in IANA's registry that OpenAPI's tools
/// support.
#[cfg(feature = "openapi")]
const REGISTERED: [&str; 10] =
    ["basic", "bearer", "digest", "hoba", "mutual", "negotiate", "oauth", "scram-sha-1", "scram-sha-256", "vapid"];

#[cfg(feature = "openapi")]
impl Challenges {
    /// Returns the scheme as OpenAPI describes it. A registered scheme is described by its name. Any other scheme is
    /// described as a key in a header. The header is the one that the parameter `header` names, as in `ApiKey
    /// header="x-api-key"`, or else `authorization`.
    pub(super) fn as_openapi(&self) -> Value {
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

const BEARER: &str = "Bearer";

/// Returns true if the challenge already has an error. Returns `None` if clients cannot parse the challenge.
fn has_own_error(challenge: &str) -> Option<bool> {
    let challenges: Vec<_> = ChallengeParser::new(challenge).collect::<Result<_, _>>().ok()?;
    let names_error = |name: &&str| name.eq_ignore_ascii_case("error");
    let params = || challenges.iter().flat_map(|it| it.params.iter().map(|(name, _)| *name));
    (!challenges.is_empty()).then(|| params().any(|name| names_error(&name)))
}

/// Adds the error as a parameter to a challenge of the scheme Bearer (RFC 6750 §3). Returns `None` for any other
/// scheme.
fn with_error(challenge: &str, error: &str) -> Option<String> {
    let (scheme, params) = challenge.split_at_checked(BEARER.len())?;
    if !scheme.eq_ignore_ascii_case(BEARER) || !(params.is_empty() || params.starts_with([' ', ','])) {
        return None;
    }
    let params = params.trim_start_matches([' ', ',']);
    let more = if params.is_empty() { "" } else { ", " };
    Some(format!("{scheme} {error}{more}{params}"))
}

/// The faults of a scheme that is the only scheme of its route. There is one fault for each reason to refuse, with and
/// without a token in the request. Each fault is created only once, because refusals may come in large numbers.
#[derive(Default)]
pub(super) struct PreparedRejections([OnceLock<Fault>; 2 * MOST]);

const MOST: usize = 7;

impl PreparedRejections {
    pub(super) fn get_or_prepare(&self, why: usize, token_sent: bool, make: impl FnOnce() -> Fault) -> Fault {
        match self.0.get(2 * why + usize::from(token_sent)) {
            Some(kept) => kept.get_or_init(|| make().with_stored_reply()).clone(),
            None => make(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g2_the_error_of_a_token_is_a_parameter_of_bearer() {
        for (challenge, invalid) in [
            ("Bearer", "Bearer error=\"invalid_token\""),
            ("bearer realm=\"x\"", "bearer error=\"invalid_token\", realm=\"x\""),
            ("Bearer error=\"other\"", "Bearer error=\"other\""),
            ("Bearer, Own realm=\"x\"", "Bearer error=\"invalid_token\", Own realm=\"x\""),
            ("Bearers realm=\"x\"", "Bearers realm=\"x\""),
            ("Own realm=\"x\"", "Own realm=\"x\""),
        ] {
            let lines = Challenges::parse(challenge).unwrap();
            assert_eq!(lines.line(TokenError::NoToken), challenge);
            assert_eq!(lines.line(TokenError::Invalid), invalid);
        }
        for wrong in ["", "Bearer realm=", "B\u{e4}", "a\nb"] {
            assert_eq!(Challenges::parse(wrong).unwrap_err().key, "challenge", "{wrong}");
        }
    }
}
