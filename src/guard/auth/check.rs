//! One scheme and one request's headers (rule G2).

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::alphabet::{is_key_byte, is_token_byte};
use super::compile::{Check, Scheme, header_value};
use super::identity::Identity;
use super::key::{Digest, position};

/// The longest key or token, in bytes: room for a token with many claims. A longer one is not looked at.
const MAX_LENGTH: usize = 8 * 1024;

/// What a scheme says of a request.
#[derive(Debug)]
pub(super) enum Checked {
    In(Passed),
    Not(Not),
    /// A verifier of the user's own knows.
    Ask,
}

/// A request that may pass, and what the inner service is told of it.
#[derive(Clone, Debug)]
pub(crate) struct Passed {
    pub(super) identity: Identity,
    pub(super) forward: Option<(HeaderName, HeaderValue)>,
}

/// A request that a scheme does not let in.
#[derive(Clone, Debug)]
pub(super) struct Not {
    pub(super) why: Why,
    /// A token was sent, whatever was wrong with it: RFC 6750 has an error for that.
    pub(super) token_sent: bool,
    pub(super) cause: Option<Cause>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    Missing,
    Malformed,
    Invalid,
    Expired,
    NoEmail,
    Unavailable,
}

/// More than the client is told, for the log.
#[derive(Clone)]
pub(super) enum Cause {
    Known(&'static str),
    Failed(Arc<dyn Error + Send + Sync>),
}

impl Scheme {
    /// Asks the scheme. The time is asked for where a key or token has an end.
    pub(super) fn check(&self, headers: &HeaderMap, now: &dyn Fn() -> SystemTime) -> Checked {
        let checked = match &self.check {
            Check::Custom => return Checked::Ask,
            Check::Key { .. } => self.check_key(headers, now),
            #[cfg(feature = "jwt")]
            Check::Jwt(tokens) => {
                bearer_token(headers).and_then(|token| self.pass(tokens.check(token, now)?.as_deref()))
            }
        };
        checked.map_or_else(Checked::Not, Checked::In)
    }

    fn check_key(&self, headers: &HeaderMap, now: &dyn Fn() -> SystemTime) -> Result<Passed, Not> {
        let Check::Key { header, pattern, keys } = &self.check else { return Err(Why::Unavailable.into()) };
        let key = match header {
            Some(name) => header_key(headers, name),
            None => bearer_token(headers),
        }?;
        if pattern.as_ref().is_some_and(|pattern| !pattern.is_match(key)) {
            return Err(Not::token(Why::Malformed));
        }
        let place = position(&Digest::of(key), &keys.digests);
        let Some(known) = place.and_then(|place| keys.known.get(place)) else { return Err(Not::token(Why::Invalid)) };
        if known.revoked || known.expires.is_some_and(|expires| expires <= now()) {
            return Err(Not::token(Why::Expired));
        }
        let forward = self.forward_id.clone().zip(known.value.clone());
        Ok(Passed { identity: known.identity.clone(), forward })
    }

    /// Lets in whom a token or a verifier names. Where the inner service is to be told, there must be something to tell.
    pub(super) fn pass(&self, id: Option<&str>) -> Result<Passed, Not> {
        let id = id.filter(|id| !id.is_empty());
        let forward = match &self.forward_id {
            None => None,
            Some(name) => {
                let cause = "no subject that can be sent in a header, and forward_id would";
                let value = id.and_then(header_value).ok_or(Not::token(Why::Invalid).because(cause))?;
                Some((name.clone(), value))
            }
        };
        Ok(Passed { identity: Identity::new(self.name.clone(), id), forward })
    }
}

impl Passed {
    /// Tells the inner service who it is.
    pub(crate) fn mark(self, head: &mut Parts) {
        if let Some((name, value)) = self.forward {
            head.headers.insert(name, value);
        }
        head.extensions.insert(self.identity);
    }
}

impl Not {
    /// It is so with a token that was sent.
    pub(super) fn token(why: Why) -> Self {
        Self { why, token_sent: true, cause: None }
    }

    pub(super) fn because(self, cause: &'static str) -> Self {
        Self { cause: Some(Cause::Known(cause)), ..self }
    }
}

impl From<Why> for Not {
    fn from(why: Why) -> Self {
        Self { why, token_sent: false, cause: None }
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cause")
    }
}

/// The token of `Authorization: Bearer <token>` (RFC 6750 §2.1), its scheme in any case (RFC 9110 §11.1).
fn bearer_token(headers: &HeaderMap) -> Result<&[u8], Not> {
    let value = only_line(headers, &AUTHORIZATION)?;
    let end = value.iter().position(|byte| *byte == b' ').unwrap_or(value.len());
    let (scheme, rest) = value.split_at(end);
    let token = rest.iter().position(|byte| *byte != b' ').map_or(&b""[..], |start| &rest[start..]);
    if !scheme.eq_ignore_ascii_case(b"bearer") || token.is_empty() {
        return Err(Why::Malformed.into());
    }
    if token.len() > MAX_LENGTH || !is_b64token(token) { Err(Not::token(Why::Malformed)) } else { Ok(token) }
}

fn is_b64token(token: &[u8]) -> bool {
    let padding = token.iter().rev().take_while(|byte| **byte == b'=').count();
    let characters = &token[..token.len() - padding];
    !characters.is_empty() && characters.iter().copied().all(is_token_byte)
}

/// A key in a header of its own.
fn header_key<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<&'h [u8], Not> {
    let key = only_line(headers, name)?;
    let right = key.len() <= MAX_LENGTH && key.iter().copied().all(is_key_byte) && key.trim_ascii() == key;
    if right { Ok(key) } else { Err(Not::token(Why::Malformed)) }
}

/// An empty line says as little as none; two lines may say two things.
fn only_line<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<&'h [u8], Not> {
    let mut lines = headers.get_all(name).iter().map(HeaderValue::as_bytes);
    match (lines.next(), lines.next()) {
        (None, _) => Err(Why::Missing.into()),
        (Some(line), None) if line.trim_ascii().is_empty() => Err(Why::Missing.into()),
        (Some(line), None) => Ok(line),
        (Some(_), Some(_)) => Err(Not::token(Why::Malformed)),
    }
}
