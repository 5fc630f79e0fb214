//! Compiles an `[auth.*]` table into a [`Scheme`], or reports the first mistake in it (rule M2).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;

use super::challenge::{Challenges, PreparedRejections};
#[cfg(feature = "jwt")]
use super::jwt::{JwtKeys, JwtSettings, RemoteKeys, Tokens};
#[cfg(feature = "auth")]
use super::keys::KeyCheck;
#[cfg(feature = "jwt")]
use super::scheme::SchemeTable;
use super::scheme::{AuthMessages, AuthScheme, SchemeKind};
use crate::code::{CodeSet, ErrorCode};
use crate::fields::is_same_to_cgi;
#[cfg(feature = "jwt")]
use crate::table::OneOrMore;
use crate::table::{Kind, Refusals, SettingError, TablePath, advice_for_unknown};

/// The longest time limit for a verifier, or for fetching keys. No client waits longer.
const LONGEST: Duration = Duration::from_secs(300);

/// A valid [`AuthScheme`].
pub(crate) struct Scheme {
    pub(crate) name: Arc<str>,
    pub(super) check: Check,
    pub(super) challenges: Challenges,
    pub(crate) forward_id: Option<HeaderName>,
    pub(crate) timeout: Duration,
    pub(super) unavailable_code: ErrorCode,
    pub(super) words: AuthMessages,
    /// The refusals of requests that the scheme does not let in, if it is the only scheme of its route.
    pub(super) refusals: PreparedRejections,
}

/// The headers of a scheme: the header of its keys, if they are not in `authorization`, and the headers of their ids.
struct Headers {
    key: Option<HeaderName>,
    id_header: Option<HeaderName>,
    forward_id: Option<HeaderName>,
}

/// How credentials are checked.
pub(super) enum Check {
    #[cfg(feature = "auth")]
    Key(KeyCheck),
    #[cfg(feature = "jwt")]
    Jwt(Box<Tokens>),
    Certificate,
    Custom,
}

impl Scheme {
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
}

impl fmt::Debug for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scheme").field("name", &self.name).finish_non_exhaustive()
    }
}

impl AuthScheme {
    /// Compiles the settings. `codes` are the codes that the policy defines.
    pub(crate) fn compile(mut self, name: &str, codes: &CodeSet, refusals: &mut Refusals) -> Option<Scheme> {
        let kind = self.kind();
        self.refuse_unknown_kind(kind, refusals);
        self.refuse_foreign_keys(kind, refusals);
        let words = self.table.messages.take().unwrap_or_default();
        for (key, word) in words.all() {
            refusals.keep(SettingError::check_message(key, word));
        }
        let timeout = self.table.timeout();
        if timeout.is_zero() || timeout > LONGEST {
            let (wrong, right) = ("the timeout is out of range", "set more than 0 and at most 5 minutes");
            refusals.add(SettingError::new("timeout", wrong, right).of_kind(Kind::OutOfRange));
        }
        let code = SettingError::known_code("unavailable_code", self.table.unavailable_code(), codes);
        let unavailable_code = refusals.keep(code);
        let headers = self.headers(kind, refusals);
        let challenges = refusals.keep(self.challenges(kind, headers.key.as_ref()));
        let (name, forward_id): (Arc<str>, _) = (name.into(), headers.forward_id.clone());
        let check = self.check(kind?, &name, headers, refusals);
        Some(Scheme {
            name,
            check: check?,
            challenges: challenges?,
            forward_id,
            timeout,
            unavailable_code: unavailable_code?,
            words,
            refusals: PreparedRejections::default(),
        })
    }

    fn headers(&self, kind: Option<SchemeKind>, refusals: &mut Refusals) -> Headers {
        let key = (kind == Some(SchemeKind::Header)).then(|| {
            let name = self.table.header.as_deref().ok_or_else(|| SettingError::missing("header")).and_then(key_header);
            // This name replaces a wrong one, so that the pattern of the keys is checked as well.
            refusals.keep(name).unwrap_or(HeaderName::from_static("x-unknown"))
        });
        let mut id = |name: &'static str, header: &Option<String>, example: &str, other: &str| {
            let header = refusals.keep(header_name(name, header.as_deref()?, example))?;
            if key.as_ref().is_some_and(|key| is_same_to_cgi(key.as_str(), header.as_str())) {
                let wrong = "this header carries the key itself";
                refusals.add(SettingError::new(name, wrong, other).of_kind(Kind::Conflict));
            }
            Some(header)
        };
        let right = "forward the id in another header, because the layer removes the client's own values of a forward_id header";
        let forward_id = id("forward_id", &self.table.forward_id, "write one such as \"x-consumer-id\"", right);
        let right = "expect the id in another header";
        let id_header = id("id_header", &self.table.id_header, "write one such as \"x-app-id\"", right);
        Headers { key, id_header, forward_id }
    }

    fn check(self, kind: SchemeKind, name: &Arc<str>, headers: Headers, refusals: &mut Refusals) -> Option<Check> {
        match kind {
            #[cfg(feature = "auth")]
            SchemeKind::Bearer | SchemeKind::Header => {
                let (pattern, keys) = (self.table.pattern.as_deref(), self.table.keys.unwrap_or_default());
                let is_sent = headers.forward_id.is_some() || headers.id_header.is_some();
                let headers = (headers.key, headers.id_header);
                KeyCheck::compile(headers, pattern, keys, name, is_sent, refusals).map(Check::Key)
            }
            // Without the feature, neither Rust code nor a policy file can create such a scheme.
            #[cfg(not(feature = "auth"))]
            SchemeKind::Bearer | SchemeKind::Header => {
                let _ = (name, headers.id_header);
                None
            }
            #[cfg(feature = "jwt")]
            SchemeKind::Jwt => {
                let (leeway, require_verified_email) = (self.table.leeway(), self.table.require_verified_email());
                let SchemeTable { algorithms, issuer, audience, .. } = self.table;
                let OneOrMore(audiences) = audience.unwrap_or_default();
                let settings = JwtSettings { algorithms, issuer, audiences, leeway, require_verified_email };
                Tokens::new(self.tokens, settings, refusals).map(Box::new).map(Check::Jwt)
            }
            #[cfg(not(feature = "jwt"))]
            SchemeKind::Jwt => {
                let wrong = "session tokens are not part of this build";
                let right = "build with the feature \"jwt\" of tower-error-envelope";
                refusals.keep(Err(SettingError::new("scheme", wrong, right).of_kind(Kind::Unavailable)))
            }
            SchemeKind::Certificate => Some(Check::Certificate),
            SchemeKind::Custom => Some(Check::Custom),
        }
    }

    fn refuse_unknown_kind(&self, kind: Option<SchemeKind>, refusals: &mut Refusals) {
        let is_wrong = |word: &&str| kind.is_none_or(|kind| kind.as_str() != *word);
        if let Some(word) = self.table.scheme.as_deref().filter(is_wrong) {
            let right = advice_for_unknown(word, SchemeKind::VALUES.iter().map(|kind| kind.as_str()));
            refusals.add(SettingError::new("scheme", "unknown scheme", right).of_kind(Kind::UnknownWord));
        }
    }

    /// Refuses keys that this kind of scheme does not have. Such keys would have no effect, but look as if they guarded
    /// something.
    fn refuse_foreign_keys(&self, kind: Option<SchemeKind>, refusals: &mut Refusals) {
        let Some(kind) = kind else { return };
        // A token only waits for keys that are fetched. A policy file that names a secret or a file of keys fetches
        // none, even if the secret or the file cannot be read.
        let waits = self.table.secret_env.is_none() && self.table.jwks_file.is_none();
        #[cfg(feature = "jwt")]
        let waits = waits && self.tokens.as_ref().is_none_or(JwtKeys::are_remote);
        for key in self.table.set_keys() {
            let kinds = SchemeKind::with(key);
            let (wrong, theirs) = if !kinds.contains(&kind) {
                let theirs: Vec<_> = kinds.iter().map(|kind| format!("{:?}", kind.as_str())).collect();
                (format!("the key {key} does not apply to scheme {:?}", kind.as_str()), theirs.join(" or "))
            } else if kind == SchemeKind::Jwt && !waits && matches!(key, "timeout" | "unavailable_code") {
                let wrong = "this setting does not apply to scheme \"jwt\"".to_owned();
                (wrong, "\"custom\" and schemes with jwks_url".to_owned())
            } else {
                continue;
            };
            let right = format!("remove the key, which applies only to scheme {theirs}");
            refusals.add(SettingError::new(key, wrong, right).of_kind(Kind::Conflict));
        }
    }

    fn challenges(&self, kind: Option<SchemeKind>, header: Option<&HeaderName>) -> Result<Challenges, SettingError> {
        match (&self.table.challenge, header) {
            (Some(challenge), _) => Challenges::parse(challenge),
            (None, Some(header)) => Challenges::parse(&format!("ApiKey header=\"{header}\"")),
            (None, None) if kind == Some(SchemeKind::Certificate) => Challenges::parse("ClientCertificate"),
            (None, None) => Challenges::parse("Bearer"),
        }
    }
}

/// The header of a scheme's keys.
fn key_header(name: &str) -> Result<HeaderName, SettingError> {
    let right = match name.eq_ignore_ascii_case("authorization") {
        true => "use scheme = \"bearer\" for tokens in this header",
        false => "write one such as \"x-api-key\"",
    };
    header_name("header", name, right)
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

/// Returns true if HTTP, this layer or a browser sets the header. Keys in such a header could be guessed or lost, and
/// an id in such a header would mislead.
fn is_reserved(name: &HeaderName) -> bool {
    const NAMES: &str = "\
        accept accept-encoding accept-language authorization cache-control connect-protocol-version connection \
        content-encoding content-length content-type cookie date expect forwarded host http2-settings if-match \
        if-none-match keep-alive origin proxy-authorization proxy-connection range referer te traceparent \
        tracestate trailer transfer-encoding upgrade user-agent via x-request-id";
    let name = name.as_str();
    NAMES.split(' ').any(|it| it == name)
        || ["access-control-", "sec-", "x-forwarded-"].iter().any(|of| name.starts_with(of))
}

/// Refuses schemes that cannot be in the same policy. The header in which one scheme forwards the id is removed from
/// requests, so another scheme could lose its keys or its `id_header`. The error names the scheme whose `forward_id` is
/// wrong.
pub(crate) fn refuse_together<'a>(schemes: impl Iterator<Item = &'a Scheme> + Clone) -> Result<(), SettingError> {
    for one in schemes.clone() {
        let Some(id) = &one.forward_id else { continue };
        let is_removed =
            |header: Option<&HeaderName>| header.is_some_and(|it| is_same_to_cgi(it.as_str(), id.as_str()));
        let lost = schemes.clone().find_map(|other| {
            let has_keys = is_removed(other.key_header()).then_some("carries the keys");
            Some((other, has_keys.or(is_removed(other.id_header()).then_some("is the id_header"))?))
        });
        if let Some((other, what)) = lost {
            let wrong = format!("this header {what} of [auth.{}]", other.name);
            let right = "forward the id in another header, because the layer removes the client's own values of a forward_id header";
            let refused = SettingError::new("forward_id", wrong, right).of_kind(Kind::Conflict);
            return Err(refused.in_table(TablePath::Auth(one.name.to_string())));
        }
    }
    Ok(())
}
