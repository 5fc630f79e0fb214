//! The keys of a scheme, and the check of a key that was sent after `Bearer` or in another header (rule G2).

use std::sync::Arc;
use std::time::SystemTime;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::Identity;
use super::digest::{Digest, position};
use super::key::{KeyHash, Keys};
use super::outcome::{AuthFailure, Granted, Rejection};
use super::scheme::header_value;
use crate::fields;
use crate::guard::expression::{Values, WholeValue};
use crate::table::{Refusals, SettingError};

/// The way in which keys are checked.
pub(super) struct KeyCheck {
    /// The header in which keys are sent, if that is not `authorization`.
    pub(super) header: Option<HeaderName>,
    /// The header in which a request must repeat the id of its key.
    pub(super) id_header: Option<HeaderName>,
    pattern: Option<WholeValue>,
    keys: ApiKeys,
}

/// The keys of one scheme: their digests next to each other, and their records in the same order.
#[derive(Default)]
struct ApiKeys {
    digests: Box<[Digest]>,
    known: Box<[KeyRecord]>,
}

pub(super) struct KeyRecord {
    identity: Identity,
    /// The id, as the headers `forward_id` and `id_header` contain it.
    value: Option<HeaderValue>,
    revoked: bool,
    expires: Option<SystemTime>,
}

impl KeyCheck {
    pub(super) fn compile(
        (header, id_header): (Option<HeaderName>, Option<HeaderName>),
        pattern: Option<&str>,
        keys: Keys,
        scheme: &Arc<str>,
        is_sent: bool,
        refusals: &mut Refusals,
    ) -> Option<Self> {
        let values = if header.is_some() { KEYS } else { TOKENS };
        let pattern = refusals.keep_some(pattern, |it| WholeValue::compile(it, values));
        let keys = refusals.keep(ApiKeys::new(keys, scheme, is_sent));
        Some(Self { header, id_header, pattern: pattern?, keys: keys? })
    }

    /// Returns the record of the key that was sent, if the key lets the request in.
    pub(super) fn check(&self, headers: &HeaderMap, now: &dyn Fn() -> SystemTime) -> Result<&KeyRecord, Rejection> {
        let key = match &self.header {
            Some(name) => header_key(headers, name),
            None => bearer_token(headers),
        }?;
        if self.pattern.as_ref().is_some_and(|pattern| !pattern.matches(key)) {
            return Err(Rejection::token(AuthFailure::Malformed));
        }
        let place = position(&Digest::hash(key), &self.keys.digests);
        let known = place.and_then(|place| self.keys.known.get(place)).ok_or(Rejection::token(AuthFailure::Invalid))?;
        if known.revoked || known.expires.is_some_and(|expires| expires <= now()) {
            return Err(Rejection::token(AuthFailure::Expired).of_caller(known.identity.id()));
        }
        if let Some(name) = &self.id_header
            && !matches!(fields::with_rivals(headers, name), (Some(id), false) if Some(id) == known.value.as_ref())
        {
            return Err(Rejection::token(AuthFailure::OtherId).of_caller(known.identity.id()));
        }
        Ok(known)
    }
}

impl KeyRecord {
    /// Creates the result that lets in the owner of the key. `name` is the header in which the inner service gets the
    /// owner's id.
    pub(super) fn pass(&self, name: Option<&HeaderName>) -> Granted {
        Granted { identity: self.identity.clone(), forward: name.cloned().zip(self.value.clone()) }
    }
}

impl ApiKeys {
    fn new(keys: Keys, scheme: &Arc<str>, is_sent: bool) -> Result<Self, SettingError> {
        if keys.is_empty() {
            let wrong = "the scheme has no key, so every request would be refused";
            let right = "add a key, or remove the table; for your own verifier use AuthScheme::custom()";
            return Err(SettingError::new("keys", wrong, right));
        }
        let mut digests: Vec<Digest> = Vec::new();
        let mut known: Vec<KeyRecord> = Vec::new();
        let mut ids = std::collections::HashSet::new();
        let mut seen = std::collections::HashSet::new();
        let keys = keys.into_iter().map(|key| Some((key.revoked(), key.id?, key.sha256?, key.expires)));
        // A mistake in a key was noted when it was read.
        let Some(keys) = keys.collect::<Option<Vec<_>>>() else { return Ok(Self::default()) };
        for (revoked, id, KeyHash(digest), expires) in keys {
            let value = usable_id(&id, is_sent)?;
            if !ids.insert(id.clone()) {
                return Err(SettingError::new("keys", "two keys have the same id", "give each a different id"));
            }
            let digest = parse_digest(&digest)?;
            if !seen.insert(digest) {
                return Err(SettingError::new("keys", "two keys have the same hash", "keep one of them"));
            }
            digests.push(digest);
            known.push(KeyRecord { identity: Identity::new(scheme.clone(), Some(&id)), value, revoked, expires });
        }
        Ok(Self { digests: digests.into(), known: known.into() })
    }
}

/// Checks an id. `is_sent` is true if the id is the value of a header.
fn usable_id(id: &str, is_sent: bool) -> Result<Option<HeaderValue>, SettingError> {
    if id.is_empty() {
        return Err(SettingError::new("keys", "a key has an empty id", "give it an id, which the log shows"));
    }
    match header_value(id) {
        value if !is_sent => Ok(value),
        Some(value) => Ok(Some(value)),
        None => {
            let wrong = "an id cannot be sent in a header, as forward_id and id_header require";
            Err(SettingError::new("keys", wrong, "use printable ASCII, without white space around it"))
        }
    }
}

/// Parses a digest. Errors never quote the text, which may be the key itself (L3).
fn parse_digest(digest: &str) -> Result<Digest, SettingError> {
    if digest.eq_ignore_ascii_case(Digest::OF_NOTHING) {
        let wrong = "a key is the SHA-256 of an empty text";
        return Err(SettingError::new("keys", wrong, "hash the key itself"));
    }
    Digest::from_hex(digest).ok_or_else(|| {
        let wrong = "the sha256 of a key is not 64 hexadecimal digits";
        let right = "write the key's SHA-256 in hex; never write a key in clear text into a policy";
        SettingError::new("keys", wrong, right)
    })
}

/// The characters of values that are compared with patterns. These values are tokens after `Bearer`. [`KEYS`] describes
/// keys in other headers.
pub(super) const TOKENS: Values =
    Values { name: "token", has: |byte| is_token_byte(byte) || byte == b'=', may_be_empty: false };
pub(super) const KEYS: Values = Values { name: "key", has: is_key_byte, may_be_empty: false };

pub(super) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte)
}

/// Returns true if a key may contain this character, which is printable ASCII except the comma. A comma joins two lines
/// into one line (RFC 9110 §5.3), so a comma cannot be a part of a key.
pub(super) fn is_key_byte(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b','
}

/// The maximum length of a key or token, in bytes. This length is enough for a token with many claims. A longer value
/// is refused without a check.
const MAX_LENGTH: usize = 8 * 1024;

/// Returns the token of `Authorization: Bearer <token>` (RFC 6750 §2.1). The name of the scheme may be in any letter
/// case (RFC 9110 §11.1).
pub(super) fn bearer_token(headers: &HeaderMap) -> Result<&[u8], Rejection> {
    let value = only_line(headers, &AUTHORIZATION)?;
    let end = value.iter().position(|byte| *byte == b' ').unwrap_or(value.len());
    let (scheme, rest) = value.split_at(end);
    let token = rest.iter().position(|byte| *byte != b' ').map_or(&b""[..], |start| &rest[start..]);
    if !scheme.eq_ignore_ascii_case(b"bearer") || token.is_empty() {
        return Err(AuthFailure::Malformed.into());
    }
    if token.len() > MAX_LENGTH || !is_b64token(token) {
        Err(Rejection::token(AuthFailure::Malformed))
    } else {
        Ok(token)
    }
}

fn is_b64token(token: &[u8]) -> bool {
    let padding = token.iter().rev().take_while(|byte| **byte == b'=').count();
    let characters = &token[..token.len() - padding];
    !characters.is_empty() && characters.iter().copied().all(is_token_byte)
}

/// Returns the key in the scheme's header. A line whose name looks the same to a service that works like CGI is treated
/// as a second line.
pub(super) fn header_key<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<&'h [u8], Rejection> {
    let key = only_line(headers, name)?;
    let right = key.len() <= MAX_LENGTH && key.iter().copied().all(is_key_byte) && key.trim_ascii() == key;
    if right { Ok(key) } else { Err(Rejection::token(AuthFailure::Malformed)) }
}

/// Returns the only line of a header. An empty line is treated as missing. Several lines of the header are refused,
/// because the lines may differ.
fn only_line<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<&'h [u8], Rejection> {
    match fields::with_rivals(headers, name) {
        // A service that works like CGI takes a look-alike for the header. A request with only a look-alike is thus not
        // anonymous.
        (_, true) => Err(Rejection::token(AuthFailure::Malformed)),
        (Some(line), false) if !line.as_bytes().trim_ascii().is_empty() => Ok(line.as_bytes()),
        _ => Err(AuthFailure::Missing.into()),
    }
}
