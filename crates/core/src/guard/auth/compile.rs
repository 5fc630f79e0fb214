//! Compiles an `[auth.*]` table into a [`Scheme`], or reports the first mistake in it (rule M2).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;

use super::challenge::{Challenges, PreparedRejections};
#[cfg(feature = "jwt")]
use super::jwt::{RemoteKeys, Tokens};
#[cfg(feature = "auth")]
use super::keys::KeyCheck;
use super::scheme::{AuthMessages, AuthScheme, SchemeKind};
use crate::code::{CodeSet, ErrorCode};
use crate::fields::is_same_to_cgi;
use crate::table::{Kind, Refusals, SettingError, TablePath};

/// The default time limit for a verifier, or for fetching keys. It is longer than a healthy lookup takes, but shorter
/// than clients wait.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The longest time limit for a verifier that can be set, and the largest tolerance for expiry. No client waits longer,
/// and no clocks differ by more.
const LONGEST: Duration = Duration::from_secs(300);

/// A valid [`AuthScheme`].
pub(crate) struct Scheme {
    pub(super) name: Arc<str>,
    pub(super) check: Check,
    pub(super) challenges: Challenges,
    pub(super) forward_id: Option<HeaderName>,
    pub(super) timeout: Duration,
    pub(super) unavailable_code: ErrorCode,
    pub(super) words: AuthMessages,
    /// The answers to requests that the scheme does not let in, if it is the only scheme of its route.
    pub(super) refusals: PreparedRejections,
}

/// The way in which credentials are checked.
pub(super) enum Check {
    #[cfg(feature = "auth")]
    Key(KeyCheck),
    #[cfg(feature = "jwt")]
    Jwt(Box<Tokens>),
    Certificate,
    Custom,
}

impl Scheme {
    /// Returns the scheme's name in the policy.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Returns the header in which the inner service gets the caller's id.
    pub(crate) fn forward_id(&self) -> Option<&HeaderName> {
        self.forward_id.as_ref()
    }

    /// Returns the header in which keys are sent, if that is not `authorization`.
    pub(crate) fn key_header(&self) -> Option<&HeaderName> {
        #[cfg(feature = "auth")]
        if let Check::Key(keys) = &self.check {
            return keys.header.as_ref();
        }
        None
    }

    /// Returns the header in which a request repeats the id of its key.
    pub(crate) fn id_header(&self) -> Option<&HeaderName> {
        #[cfg(feature = "auth")]
        if let Check::Key(keys) = &self.check {
            return keys.id_header.as_ref();
        }
        None
    }

    /// Returns true if the credentials are in the TLS handshake instead of a header.
    pub(crate) fn is_certificate(&self) -> bool {
        matches!(self.check, Check::Certificate)
    }

    /// Returns true if the user's own verifier checks the credentials.
    pub(crate) fn is_custom(&self) -> bool {
        matches!(self.check, Check::Custom)
    }

    /// Returns the keys that an adapter fetches.
    #[cfg(feature = "jwt")]
    pub(crate) fn remote_keys(&self) -> Option<&RemoteKeys> {
        match &self.check {
            Check::Jwt(tokens) => tokens.remote_keys(),
            _ => None,
        }
    }

    /// Returns the time limit for the verifier, or for fetching keys.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }
}

impl fmt::Debug for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scheme").field("name", &self.name).finish_non_exhaustive()
    }
}

impl AuthScheme {
    /// Compiles the scheme. `codes` are the codes that the policy defines.
    pub(crate) fn compile(self, name: &str, codes: &CodeSet, refusals: &mut Refusals) -> Option<Scheme> {
        self.refuse_foreign_settings(refusals);
        for (key, word) in self.words.all() {
            refusals.keep(SettingError::check_message(key, word));
        }
        let name: Arc<str> = name.into();
        let forward_id = refusals.keep_some(self.forward_id.as_deref(), |name| {
            header_name("forward_id", name, "write one such as \"x-consumer-id\"")
        });
        #[cfg(feature = "auth")]
        let header = match &self.kind {
            SchemeKind::Header(name) => refusals.keep(key_header(name)).map(Some),
            _ => Some(None),
        };
        #[cfg(not(feature = "auth"))]
        let header: Option<Option<HeaderName>> = Some(None);
        #[cfg(feature = "auth")]
        let id_header = refusals.keep_some(self.id_header.as_deref(), |name| {
            header_name("id_header", name, "write one such as \"x-app-id\"")
        });
        #[cfg(not(feature = "auth"))]
        let id_header: Option<Option<HeaderName>> = None;
        let moved = "forward the id in another header: the client's own values of a forward_id header are removed";
        for (key, id, right) in
            [("forward_id", &forward_id, moved), ("id_header", &id_header, "expect the id in another header")]
        {
            if let (Some(Some(header)), Some(Some(id))) = (&header, id)
                && is_same_to_cgi(header.as_str(), id.as_str())
            {
                let wrong = "this header carries the key itself";
                refusals.0.push(SettingError::new(key, wrong, right).of_kind(Kind::Conflict));
            }
        }
        let unavailable_code = self.unavailable_code.clone().unwrap_or(ErrorCode::SERVICE_UNAVAILABLE);
        let unavailable_code = refusals.keep(SettingError::known_code("unavailable_code", unavailable_code, codes));
        let challenges = refusals.keep(self.challenges(header.as_ref().and_then(Option::as_ref)));
        let words = self.words;
        let check = match self.kind {
            #[cfg(feature = "auth")]
            SchemeKind::Bearer | SchemeKind::Header(_) => {
                let has_id = matches!(forward_id, Some(Some(_))) || matches!(id_header, Some(Some(_)));
                let headers = (header.flatten(), id_header.flatten());
                KeyCheck::compile(headers, self.pattern.as_deref(), self.keys, &name, has_id, refusals).map(Check::Key)
            }
            #[cfg(feature = "jwt")]
            SchemeKind::Jwt(keys) => Tokens::new(keys, self.jwt, refusals).map(Box::new).map(Check::Jwt),
            SchemeKind::Certificate => Some(Check::Certificate),
            SchemeKind::Custom => Some(Check::Custom),
        };
        Some(Scheme {
            name,
            check: check?,
            challenges: challenges?,
            forward_id: forward_id?,
            timeout: self.timeout.unwrap_or(TIMEOUT),
            unavailable_code: unavailable_code?,
            words,
            refusals: PreparedRejections::default(),
        })
    }

    /// Refuses settings that this kind of scheme does not have. They would have no effect, but would look like a guard.
    fn refuse_foreign_settings(&self, refusals: &mut Refusals) {
        let (scheme, has_keys, waits) = match &self.kind {
            #[cfg(feature = "auth")]
            SchemeKind::Bearer => ("bearer", true, false),
            #[cfg(feature = "auth")]
            SchemeKind::Header(_) => ("header", true, false),
            #[cfg(feature = "jwt")]
            SchemeKind::Jwt(keys) => ("jwt", false, keys.are_remote()),
            SchemeKind::Certificate => ("certificate", false, false),
            SchemeKind::Custom => ("custom", false, true),
        };
        let mut without = |key: &'static str, is_set: bool, has: bool, which: &str| {
            if is_set && !has {
                let wrong = format!("this setting does not apply to scheme {scheme:?}");
                let right = format!("remove it: it applies to {which}");
                refusals.0.push(SettingError::new(key, wrong, right).of_kind(Kind::Conflict));
            }
        };
        #[cfg(feature = "auth")]
        without("keys", !self.keys.is_empty(), has_keys, "schemes \"bearer\" and \"header\"");
        without("pattern", self.pattern.is_some(), has_keys, "schemes \"bearer\" and \"header\"");
        without("id_header", self.id_header.is_some(), has_keys, "schemes \"bearer\" and \"header\"");
        without("timeout", self.timeout.is_some(), waits, "scheme \"custom\" and schemes with jwks_url");
        let has_code = self.unavailable_code.is_some();
        // With keys, this setting has no effect until a verifier replaces the keys. The same is true of the message for
        // it.
        without("unavailable_code", has_code, waits || has_keys, "schemes with keys, a verifier or jwks_url");
        #[cfg(feature = "jwt")]
        if let Some(key) = self.jwt.first_set() {
            without(key, true, matches!(self.kind, SchemeKind::Jwt(_)), "scheme \"jwt\"");
        }
        if self.timeout.is_some_and(|timeout| timeout.is_zero() || timeout > LONGEST) {
            let (wrong, right) = ("the timeout is out of range", "set more than 0 and at most 5 minutes");
            refusals.0.push(SettingError::new("timeout", wrong, right).of_kind(Kind::OutOfRange));
        }
    }

    fn challenges(&self, header: Option<&HeaderName>) -> Result<Challenges, SettingError> {
        match (&self.challenge, header) {
            (Some(challenge), _) => Challenges::parse(challenge),
            (None, Some(header)) => Challenges::parse(&format!("ApiKey header=\"{header}\"")),
            (None, None) if matches!(self.kind, SchemeKind::Certificate) => Challenges::parse("ClientCertificate"),
            (None, None) => Challenges::parse("Bearer"),
        }
    }
}

/// Returns the header of a scheme's keys.
#[cfg(feature = "auth")]
fn key_header(name: &str) -> Result<HeaderName, SettingError> {
    header_name(
        "header",
        name,
        match name.eq_ignore_ascii_case("authorization") {
            true => "for tokens in it, use scheme = \"bearer\"",
            false => "write one such as \"x-api-key\"",
        },
    )
}

fn header_name(key: &'static str, name: &str, right: &str) -> Result<HeaderName, SettingError> {
    match HeaderName::from_bytes(name.as_bytes()) {
        Err(_) => Err(SettingError::new(key, "this is not a valid header name", right)),
        Ok(name) if is_reserved(&name) => {
            Err(SettingError::new(key, format!("{name} is reserved for another purpose"), right))
        }
        Ok(name) => Ok(name),
    }
}

/// Returns true if HTTP, this layer or a browser sets the header. Keys in it could be guessed or lost, and an id in it
/// would mislead.
fn is_reserved(name: &HeaderName) -> bool {
    const NAMES: [&str; 33] = [
        "accept",
        "accept-encoding",
        "accept-language",
        "authorization",
        "cache-control",
        "connect-protocol-version",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "cookie",
        "date",
        "expect",
        "forwarded",
        "host",
        "http2-settings",
        "if-match",
        "if-none-match",
        "keep-alive",
        "origin",
        "proxy-authorization",
        "proxy-connection",
        "range",
        "referer",
        "te",
        "traceparent",
        "tracestate",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "via",
        "x-request-id",
    ];
    let name = name.as_str();
    NAMES.contains(&name) || ["access-control-", "sec-", "x-forwarded-"].iter().any(|of| name.starts_with(of))
}

/// Refuses schemes that cannot be in the same policy. The header in which one scheme forwards the id is removed from
/// requests, so another scheme could lose its keys or its `id_header`. The error names the scheme whose `forward_id` is
/// wrong.
pub(crate) fn refuse_together<'a>(schemes: impl Iterator<Item = &'a Scheme> + Clone) -> Result<(), SettingError> {
    for one in schemes.clone() {
        let Some(id) = one.forward_id() else { continue };
        let is_removed =
            |header: Option<&HeaderName>| header.is_some_and(|it| is_same_to_cgi(it.as_str(), id.as_str()));
        let lost = schemes.clone().find_map(|other| {
            let has_keys = is_removed(other.key_header()).then_some("carries the keys");
            Some((other, has_keys.or(is_removed(other.id_header()).then_some("is the id_header"))?))
        });
        if let Some((other, what)) = lost {
            let wrong = format!("this header {what} of [auth.{}]", other.name());
            let right = "forward the id in another header: the client's own values of a forward_id header are removed";
            let refused = SettingError::new("forward_id", wrong, right).of_kind(Kind::Conflict);
            return Err(refused.in_table(TablePath::Auth(one.name().to_owned())));
        }
    }
    Ok(())
}
