//! The settings of an `[auth.*]` table, before they are checked.

use std::borrow::Cow;
use std::time::Duration;

#[cfg(feature = "jwt")]
use super::jwt::{JwtKeys, JwtSettings};
#[cfg(feature = "keys")]
use super::key::Key;

/// A way for callers to prove their identity: `[auth.*]` in the policy file (rule G2). Routes name the schemes that
/// they accept.
///
/// The policy is refused if a scheme has an error.
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
    pub(super) kind: SchemeKind,
    #[cfg(feature = "keys")]
    pub(super) keys: Vec<Key>,
    pub(super) pattern: Option<String>,
    pub(super) challenge: Option<String>,
    pub(super) forward_id: Option<String>,
    pub(super) timeout: Option<Duration>,
    pub(super) words: AuthMessages,
    #[cfg(feature = "jwt")]
    pub(super) jwt: JwtSettings,
}

#[derive(Clone, Debug)]
pub(super) enum SchemeKind {
    #[cfg(feature = "keys")]
    Bearer,
    #[cfg(feature = "keys")]
    Header(String),
    #[cfg(feature = "jwt")]
    Jwt(JwtKeys),
    Certificate,
    Custom,
}

/// Messages for clients in place of the code's own message.
#[derive(Clone, Debug, Default)]
pub(super) struct AuthMessages {
    pub(super) missing: Option<Cow<'static, str>>,
    pub(super) malformed: Option<Cow<'static, str>>,
    pub(super) invalid: Option<Cow<'static, str>>,
    pub(super) expired: Option<Cow<'static, str>>,
    pub(super) no_email: Option<Cow<'static, str>>,
    pub(super) unavailable: Option<Cow<'static, str>>,
}

impl AuthScheme {
    /// Keys that are sent as `Authorization: Bearer <key>` (RFC 6750): `scheme = "bearer"`.
    #[cfg(feature = "keys")]
    #[cfg_attr(docsrs, doc(cfg(feature = "keys")))]
    pub fn bearer() -> Self {
        Self::new(SchemeKind::Bearer)
    }

    /// Keys that are sent in a separate header, such as `x-api-key`: `scheme = "header"`.
    #[cfg(feature = "keys")]
    #[cfg_attr(docsrs, doc(cfg(feature = "keys")))]
    pub fn header(name: impl Into<String>) -> Self {
        Self::new(SchemeKind::Header(name.into()))
    }

    /// Signed tokens that are sent as `Authorization: Bearer <JWT>` (RFC 7519): `scheme = "jwt"`.
    ///
    /// The [algorithms](Self::algorithms) that may sign them are required. A token needs an expiry (`exp`). If it has
    /// an audience, the policy must list that audience. Its subject is the [`Identity`](super::Identity)'s id; handlers
    /// read its claims with [`Identity::claims`](super::Identity::claims).
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_error_envelope::auth::{AuthScheme, JwtKeys};
    /// use tower_error_envelope::{Policy, Route};
    ///
    /// let web = AuthScheme::jwt(JwtKeys::secret(b"at least 32 random bytes, not this".to_vec()))
    ///     .algorithms(["HS256"])
    ///     .issuer("https://id.example.com")
    ///     .audience("orders")
    ///     .leeway(Duration::from_secs(30));
    /// let policy = Policy::builder()
    ///     .scheme("web", web)
    ///     .auth(["web"])
    ///     .route(Route::new("GET /health").open())
    ///     .build()?;
    /// # let _ = policy;
    /// # Ok::<(), tower_error_envelope::PolicyError>(())
    /// ```
    #[cfg(feature = "jwt")]
    #[cfg_attr(docsrs, doc(cfg(feature = "jwt")))]
    pub fn jwt(keys: JwtKeys) -> Self {
        Self::new(SchemeKind::Jwt(keys))
    }

    /// The client's certificate from its TLS handshake: `scheme = "certificate"`. The server that verified it puts a
    /// [`ClientCertificate`](super::ClientCertificate) into the request's extensions. Its name is the identity's id.
    /// Without a certificate the request gets `auth_missing`.
    pub fn certificate() -> Self {
        Self::new(SchemeKind::Certificate)
    }

    /// Credentials that your own verifier checks: `scheme = "custom"`. Register the verifier with the layer under the
    /// scheme's name in the policy. Without it every request gets 503.
    pub fn custom() -> Self {
        Self::new(SchemeKind::Custom)
    }

    fn new(kind: SchemeKind) -> Self {
        Self {
            kind,
            #[cfg(feature = "keys")]
            keys: Vec::new(),
            pattern: None,
            challenge: None,
            forward_id: None,
            timeout: None,
            words: AuthMessages::default(),
            #[cfg(feature = "jwt")]
            jwt: JwtSettings::default(),
        }
    }

    /// Adds a key, which may also be revoked or expired.
    #[cfg(feature = "keys")]
    #[cfg_attr(docsrs, doc(cfg(feature = "keys")))]
    pub fn key(mut self, key: Key) -> Self {
        self.keys.push(key);
        self
    }

    /// Sets the regular expression that a whole key must match. Any other key is `auth_malformed`, and is not hashed.
    #[cfg(all(feature = "keys", feature = "pattern"))]
    #[cfg_attr(docsrs, doc(cfg(all(feature = "keys", feature = "pattern"))))]
    pub fn pattern(mut self, pattern: impl Into<String>) -> Self {
        self.pattern = Some(pattern.into());
        self
    }

    /// Sets the `www-authenticate` of a 401 (rule G2), such as `Bearer resource_metadata="https://…"` (RFC 9728). The
    /// default is `ApiKey header="<name>"` for a key header, `ClientCertificate` for certificates, else `Bearer`.
    ///
    /// If a token was sent, RFC 6750's `error` is added to a Bearer challenge, unless it already has one.
    pub fn challenge(mut self, challenge: impl Into<String>) -> Self {
        self.challenge = Some(challenge.into());
        self
    }

    /// Sets the header that carries the key's id, or the token's subject, to the inner service. A client's own header
    /// of that name is removed on every route.
    pub fn forward_id(mut self, header: impl Into<String>) -> Self {
        self.forward_id = Some(header.into());
        self
    }

    /// Sets the time limit of a custom scheme's verifier, or of a token's wait for a fetch of keys: 2 s by default, at
    /// most 5 min.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
}

macro_rules! words {
    ($($(#[$doc:meta])* $word:ident,)*) => {
        /// Wording: one line each, instead of the code's own.
        impl AuthScheme {
            $($(#[$doc])*
            pub fn $word(mut self, message: impl Into<Cow<'static, str>>) -> Self {
                self.words.$word = Some(message.into());
                self
            })*
        }

        impl AuthMessages {
            /// Each message that is set, with its key in the policy file.
            pub(super) fn all(&self) -> impl Iterator<Item = (&'static str, &Cow<'static, str>)> {
                let all = [$((concat!("messages.", stringify!($word)), &self.$word)),*];
                all.into_iter().filter_map(|(key, word)| Some((key, word.as_ref()?)))
            }
        }
    };
}

words! {
    /// Sets the message where no credentials were sent (`auth_missing`).
    missing,
    /// Sets the message where they are of no known form (`auth_malformed`).
    malformed,
    /// Sets the message where they match no key (`auth_invalid`).
    invalid,
    /// Sets the message where they have expired or were revoked (`auth_expired`).
    expired,
    /// Sets the message where a session has no verified email address (`auth_no_email`).
    no_email,
    /// Sets the message where a verifier failed (`service_unavailable`).
    unavailable,
}

/// Requirements for JSON web tokens.
#[cfg(feature = "jwt")]
#[cfg_attr(docsrs, doc(cfg(feature = "jwt")))]
impl AuthScheme {
    /// Sets the algorithms that may sign a token, by their names in RFC 7518 and RFC 8037: HS256, HS384, HS512 with a
    /// secret, else RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA. At least one is required. `none` is
    /// not supported.
    pub fn algorithms<T: Into<String>>(mut self, algorithms: impl IntoIterator<Item = T>) -> Self {
        self.jwt.algorithms = algorithms.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the issuer that a token must have (`iss`). By default any issuer is accepted.
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.jwt.issuer = Some(issuer.into());
        self
    }

    /// Adds an audience; a token must have one of them (`aud`). If none is set, a token with an audience is refused,
    /// because it is for another service (RFC 7519 §4.1.3).
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.jwt.audiences.push(audience.into());
        self
    }

    /// Sets the allowed difference between clocks for `exp` and `nbf`: 0 by default, at most 5 min.
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.jwt.leeway = leeway;
        self
    }

    /// Sets whether the claim `email_verified` must be true: false by default. A token without it is `auth_no_email`.
    pub fn require_verified_email(mut self, required: bool) -> Self {
        self.jwt.require_verified_email = required;
        self
    }
}
