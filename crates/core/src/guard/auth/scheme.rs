//! The settings of an `[auth.*]` table before they are checked. This module also contains client certificates, which
//! the server of the TLS handshake verifies, and `forward_id`, which replaces a header of the client with the verified
//! id.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONNECTION, Entry};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};

#[cfg(feature = "jwt")]
use super::jwt::JwtKeys;
#[cfg(feature = "policy-file")]
use super::key::KeysFile;
#[cfg(feature = "auth")]
use super::key::{Key, Keys};
use crate::code::ErrorCode;
use crate::fields::is_same_to_cgi;
#[cfg(feature = "policy-file")]
use crate::table::NamedText;
use crate::table::{Message, OneOrMore, closest, named, table_setters, tables};

/// A way for callers to prove their identity: `[auth.*]` in the policy file (rule G2). Routes name the schemes that
/// they accept.
///
/// The policy is refused if a scheme has a mistake.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use tower_error_envelope::auth::{AuthScheme, Key};
///
/// let digest = "fa93378f7d690467a255d8e41ef2cf3a009121a8df7e07df956b401ba231bd66";
/// let scheme = AuthScheme::bearer()
///     .key(Key::sha256("acme", digest))
///     .key(Key::of_secret("trial", "trial-key-1").expires(SystemTime::now() + Duration::from_secs(86_400)))
///     .forward_id("x-consumer-id");
/// # let _ = scheme;
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct AuthScheme {
    pub(crate) table: SchemeTable,
    /// The keys that verify tokens, or `None` if the scheme has no such keys, or if they cannot be read from their
    /// file.
    #[cfg(feature = "jwt")]
    pub(crate) tokens: Option<JwtKeys>,
}

tables! {
    /// The keys of an `[auth.*]` table, for all kinds of schemes. [`SchemeKind::with`] lists the keys that only some
    /// kinds have.
    pub(crate) struct SchemeTable {
        scheme: String = required,
        forward_id: String,
        messages: AuthMessages,
        challenge: String,
        header: String,
        id_header: String,
        pattern: String,
        keys: Keys,
        keys_file: KeysFile,
        secret_env: String,
        jwks_file: NamedText,
        jwks_url: String,
        timeout: Duration = TIMEOUT,
        unavailable_code: ErrorCode = (ErrorCode::SERVICE_UNAVAILABLE),
        algorithms: Algorithms,
        issuer: String,
        audience: OneOrMore,
        leeway: Duration = (Duration::ZERO),
        require_verified_email: bool = false,
    }
}

/// The default time limit for a verifier, or for fetching keys. A healthy lookup takes less time, and clients wait
/// longer.
const TIMEOUT: Duration = Duration::from_secs(2);

type Algorithms = Vec<String>;

// Builds without these features cannot set the keys.
#[cfg(not(feature = "auth"))]
type Keys = ();
#[cfg(not(feature = "policy-file"))]
type KeysFile = ();
#[cfg(not(feature = "policy-file"))]
type NamedText = ();

named! {
    "Returns the word in the policy file."
    /// The ways in which callers prove their identity.
    pub(crate) enum SchemeKind {
        Bearer = "bearer",
        Header = "header",
        Jwt = "jwt",
        Certificate = "certificate",
        Custom = "custom",
    }
}

impl SchemeKind {
    /// Returns the kind with this name. For a misspelled name, returns the kind that was probably meant, so that the
    /// other keys can be checked.
    pub(crate) fn near(word: &str) -> Option<Self> {
        let word = closest(word, Self::VALUES.iter().copied().map(Self::as_str))?;
        Self::VALUES.iter().copied().find(|kind| kind.as_str() == word)
    }

    /// Returns the kinds of schemes that have this key.
    pub(crate) fn with(key: &str) -> &'static [Self] {
        match key {
            "header" => &[Self::Header],
            "id_header" | "pattern" | "keys" | "keys_file" => &[Self::Bearer, Self::Header],
            "secret_env"
            | "jwks_file"
            | "jwks_url"
            | "algorithms"
            | "issuer"
            | "audience"
            | "leeway"
            | "require_verified_email" => &[Self::Jwt],
            "timeout" => &[Self::Jwt, Self::Custom],
            // A scheme with keys accepts this setting, although it has no effect until a verifier replaces the keys.
            "unavailable_code" => &[Self::Bearer, Self::Header, Self::Jwt, Self::Custom],
            _ => Self::VALUES,
        }
    }
}

impl From<SchemeTable> for AuthScheme {
    fn from(table: SchemeTable) -> Self {
        Self {
            table,
            #[cfg(feature = "jwt")]
            tokens: None,
        }
    }
}

impl AuthScheme {
    /// Creates a scheme of keys that are sent as `Authorization: Bearer <key>` (RFC 6750): `scheme = "bearer"`.
    #[cfg(feature = "auth")]
    pub fn bearer() -> Self {
        Self::new(SchemeKind::Bearer)
    }

    /// Creates a scheme of keys that are sent in a separate header, such as `x-api-key`: `scheme = "header"`.
    #[cfg(feature = "auth")]
    pub fn header(name: impl Into<String>) -> Self {
        let mut scheme = Self::new(SchemeKind::Header);
        scheme.table.header = Some(name.into());
        scheme
    }

    /// Creates a scheme of signed tokens that are sent as `Authorization: Bearer <JWT>` (RFC 7519): `scheme = "jwt"`.
    ///
    /// The [algorithms](Self::algorithms) that may sign the tokens are required. A token needs an expiry (`exp`). If
    /// the token has an audience, the policy must list that audience. The token's subject is the id of the
    /// [`Identity`](super::Identity). Handlers read the token's claims with
    /// [`Identity::claims`](super::Identity::claims).
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_error_envelope::auth::{AuthScheme, JwtKeys};
    /// use tower_error_envelope::{Policy, RouteRule};
    ///
    /// let web = AuthScheme::jwt(JwtKeys::secret(b"at least 32 random bytes, not this".to_vec()))
    ///     .algorithms(["HS256"])
    ///     .issuer("https://id.example.com")
    ///     .audience("orders")
    ///     .leeway(Duration::from_secs(30));
    /// let policy = Policy::builder()
    ///     .scheme("web", web)
    ///     .auth(["web"])
    ///     .route(RouteRule::new("GET /health").open())
    ///     .build()?;
    /// # let _ = policy;
    /// # Ok::<(), tower_error_envelope::PolicyError>(())
    /// ```
    #[cfg(feature = "jwt")]
    pub fn jwt(keys: JwtKeys) -> Self {
        Self { tokens: Some(keys), ..Self::new(SchemeKind::Jwt) }.algorithms([""; 0])
    }

    /// Creates a scheme for the client's certificate from the TLS handshake: `scheme = "certificate"`. The server that
    /// verified the certificate adds a [`ClientCertificate`](super::ClientCertificate) to the extensions of the
    /// request. The name of the certificate is the id of the identity. A request without a certificate gets
    /// `auth_missing`.
    pub fn certificate() -> Self {
        Self::new(SchemeKind::Certificate)
    }

    /// Creates a scheme of credentials that your own verifier checks: `scheme = "custom"`. Register the verifier with
    /// the layer, under the name that the scheme has in the policy. Without a verifier, every request gets 503.
    pub fn custom() -> Self {
        Self::new(SchemeKind::Custom)
    }

    fn new(kind: SchemeKind) -> Self {
        SchemeTable { scheme: Some(kind.as_str().to_owned()), ..SchemeTable::default() }.into()
    }

    pub(crate) fn kind(&self) -> Option<SchemeKind> {
        self.table.scheme.as_deref().and_then(SchemeKind::near)
    }

    /// Adds a key, which may already be revoked or expired.
    #[cfg(feature = "auth")]
    pub fn key(mut self, key: Key) -> Self {
        self.table.keys.get_or_insert_default().push(key.0);
        self
    }

    /// Returns the ids of the scheme's API keys that are neither revoked nor expired.
    #[cfg(feature = "policy-file")]
    pub(crate) fn live_keys(&self, now: std::time::SystemTime) -> impl Iterator<Item = &str> {
        let keys = self.table.keys.iter().flatten();
        let live = keys.filter(move |key| !key.revoked() && key.expires.is_none_or(|expires| expires > now));
        live.filter_map(|key| key.id.as_deref())
    }
}

table_setters! { AuthScheme:
    /// Sets a regular expression that the whole key must match. A key that does not match is refused with
    /// `auth_malformed`, and is not hashed.
    #[cfg(all(feature = "auth", feature = "pattern"))]
    pattern: impl Into<String>,

    /// Sets the `www-authenticate` of a 401 (rule G2), such as `Bearer resource_metadata="https://…"` (RFC 9728). The
    /// default is `ApiKey header="<name>"` for a key header, `ClientCertificate` for certificates, else `Bearer`.
    ///
    /// If a token was sent, RFC 6750's `error` is added to a Bearer challenge, unless it already has one.
    challenge: impl Into<String>,

    /// Sets the header in which the inner service gets the key's id, or the token's subject. If the client sends a
    /// header of this name, the header is removed on every route.
    forward_id: impl Into<String>,

    /// Sets the header in which a request must repeat the id of its key (rule G2), so that a key belongs to one app
    /// only. If the header is missing, repeated or different, the request gets 403 `forbidden`.
    #[cfg(feature = "auth")]
    id_header: impl Into<String>,

    /// Sets how long a custom scheme's verifier may take, or how long a token waits for keys to be fetched: 2 s by
    /// default, at most 5 min.
    timeout: Duration,

    /// Sets the code for requests whose verifier failed, or whose keys could not be fetched (rule G2). The default is
    /// [`ErrorCode::SERVICE_UNAVAILABLE`]. The response has the status of this code.
    unavailable_code: ErrorCode,

    /// Sets the issuer that a token must have (`iss`). By default any issuer is accepted.
    #[cfg(feature = "jwt")]
    issuer: impl Into<String>,

    /// Sets by how much clocks may differ when `exp` and `nbf` are checked: 0 by default, at most 5 min.
    #[cfg(feature = "jwt")]
    leeway: Duration,

    /// Sets whether the claim `email_verified` must be true: false by default. A token without this claim is refused
    /// with `auth_no_email`.
    #[cfg(feature = "jwt")]
    require_verified_email: bool,
}

macro_rules! words {
    ($($(#[$doc:meta])* $word:ident,)*) => {
        /// Sets messages. A message is one line, and replaces the default message of its code.
        impl AuthScheme {
            $($(#[$doc])*
            pub fn $word(mut self, message: impl Into<Cow<'static, str>>) -> Self {
                self.table.messages.get_or_insert_default().$word = Some(message.into());
                self
            })*
        }

        tables! {
            /// The messages of a scheme that replace the messages of the layer.
            pub(crate) struct AuthMessages {
                $($word: Message,)*
            }
        }

        impl AuthMessages {
            /// Returns all messages that are set, with their keys in the policy file.
            pub(super) fn all(&self) -> impl Iterator<Item = (&'static str, &Cow<'static, str>)> {
                let all = [$((concat!("messages.", stringify!($word)), &self.$word)),*];
                all.into_iter().filter_map(|(key, word)| Some((key, word.as_ref()?)))
            }
        }
    };
}

words! {
    /// Sets the message for requests without credentials (`auth_missing`).
    missing,
    /// Sets the message for credentials that have no known form (`auth_malformed`).
    malformed,
    /// Sets the message for credentials that match no key (`auth_invalid`).
    invalid,
    /// Sets the message for credentials that have expired or were revoked (`auth_expired`).
    expired,
    /// Sets the message for sessions without a verified email address (`auth_no_email`).
    no_email,
    /// Sets the message for requests whose verifier failed (`service_unavailable`, or
    /// [`unavailable_code`](Self::unavailable_code)).
    unavailable,
}

/// Requirements for JSON web tokens.
#[cfg(feature = "jwt")]
impl AuthScheme {
    /// Sets the algorithms with which a token may be signed, by their names in RFC 7518 and RFC
    /// 8037. With a secret, the possible algorithms are HS256, HS384 and HS512. With public keys,
    /// the possible algorithms are RS256, RS384, RS512, PS256, PS384, PS512, ES256,
    ///       ES384 and EdDSA. At least one algorithm is required. `none` is not supported.
    pub fn algorithms<T: Into<String>>(mut self, algorithms: impl IntoIterator<Item = T>) -> Self {
        self.table.algorithms = Some(algorithms.into_iter().map(Into::into).collect());
        self
    }

    /// Adds an audience. A token must have one of the audiences (`aud`). If no audience is set, a token with an
    /// audience is refused, because it is for another service (RFC 7519 §4.1.3).
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.table.audience.get_or_insert_default().0.push(audience.into());
        self
    }
}

/// The name in a client's verified TLS certificate, for the scheme "certificate" (rule G2).
///
/// The TLS server verifies the certificate, and adds this value to the extensions of each request on that connection.
/// `error-envelope gateway` adds this value itself. Your own service must add this value in its acceptor. Clients
/// cannot add anything to the extensions.
///
/// ```
/// use http::Request;
/// use tower_error_envelope::auth::ClientCertificate;
///
/// let mut request = Request::new(());
/// request.extensions_mut().insert(ClientCertificate::new("spiffe://example.org/billing"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClientCertificate(Arc<str>);

impl ClientCertificate {
    /// Creates a certificate with this name. If the name is empty, the certificate lets no request in.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// Returns the name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }
}

/// The parts of a request that may contain credentials.
#[derive(Clone, Copy)]
pub(crate) struct Sent<'a> {
    #[cfg_attr(not(feature = "auth"), expect(dead_code, reason = "only schemes with keys or tokens read headers"))]
    pub(super) headers: &'a HeaderMap,
    pub(super) certificate: Option<&'a ClientCertificate>,
}

impl<'a> From<&'a Parts> for Sent<'a> {
    fn from(head: &'a Parts) -> Self {
        Self { headers: &head.headers, certificate: head.extensions.get() }
    }
}

#[cfg(feature = "policy-file")]
impl AuthScheme {
    /// Returns true if this is a JWT scheme without an audience. Such a scheme accepts only tokens that have no `aud`
    /// (RFC 7519 §4.1.3).
    pub(crate) fn is_jwt_without_audience(&self) -> bool {
        let is_empty = |OneOrMore(audiences): &OneOrMore| audiences.is_empty();
        self.kind() == Some(SchemeKind::Jwt) && self.table.audience.as_ref().is_none_or(is_empty)
    }
}

/// Returns the id as the value of a header. The id must be printable ASCII, so that all services read it in the same
/// way.
pub(super) fn header_value(id: &str) -> Option<HeaderValue> {
    let printable = id.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if printable && !id.is_empty() && id.trim() == id { HeaderValue::from_str(id).ok() } else { None }
}

/// Removes the headers of these names that the client has sent, in any spelling. Also removes these names from
/// `connection`. If `connection` named such a header, an inner proxy would take it for a header of one hop, and drop
/// the value that the layer sets (RFC 9110 §7.6.1).
pub(crate) fn remove_forwarded(ids: &[HeaderName], headers: &mut HeaderMap) {
    if ids.is_empty() {
        return;
    }
    let one_of_them = |name: &HeaderName| ids.iter().any(|id| is_same_to_cgi(name.as_str(), id.as_str()));
    while let Some(name) = headers.keys().find(|name| one_of_them(name)).cloned() {
        headers.remove(name);
    }
    let names_one = |option: &&[u8]| HeaderName::from_bytes(option.trim_ascii()).is_ok_and(|name| one_of_them(&name));
    let Entry::Occupied(connection) = headers.entry(CONNECTION) else { return };
    let options = || connection.iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    if !options().any(|option| names_one(&option)) {
        return;
    }
    let kept: Vec<&[u8]> = options().filter(|option| !names_one(option)).collect();
    let kept = HeaderValue::from_bytes(kept.join(&b',').trim_ascii()).ok().filter(|kept| !kept.is_empty());
    connection.remove_entry_mult();
    if let Some(kept) = kept {
        headers.insert(CONNECTION, kept);
    }
}
