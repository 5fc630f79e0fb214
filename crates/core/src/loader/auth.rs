//! `[auth.*]`: a scheme, its keys, and the files and variables that it names. No error quotes a text in it (L3).

use std::time::{Duration, SystemTime};

use toml::de::DeValue;

use crate::code::ErrorCode;
use crate::guard::auth::{AuthMessages, AuthScheme, Key};
#[cfg(feature = "jwt")]
use crate::guard::auth::{JwtKeys, RemoteKeys};
use crate::table::{
    Document, Kind, Leaf, MAX_FILE_BYTES, NamedText, OneOrMore, Reading, Refusals, SettingError, Version,
    advice_for_unknown, closest, tables,
};

/// The values that a policy needs in addition to its own text.
pub(super) struct PolicyEnv {
    /// The values of environment variables.
    #[cfg_attr(not(feature = "jwt"), allow(dead_code, reason = "only the secrets of tokens are in variables"))]
    pub(super) variable: Box<Variables>,
    pub(super) verifiers: Verifiers,
    /// Advice for a scheme `certificate`, or `None` if client certificates are available.
    pub(super) certificate_advice: Option<String>,
    /// Returns the keys at a URL. The error is advice for an operator whose key sets are not fetched.
    #[cfg(feature = "jwt")]
    pub(super) key_sets: Box<KeySets>,
}

type Variables = dyn Fn(&str) -> Option<String> + Send + Sync;

#[cfg(feature = "jwt")]
type KeySets = dyn Fn(&str) -> Result<RemoteKeys, String> + Send + Sync;

pub(super) enum Verifiers {
    Any,
    These(Vec<String>),
    /// No verifier is available. The text is advice for operators whose policy needs one.
    None(String),
}

/// The kinds of schemes, and the keys of each in addition to `scheme`, `forward_id`, `messages` and `challenge`.
const SCHEMES: [(&str, &str); 5] = [
    ("bearer", "id_header pattern keys keys_file unavailable_code"),
    ("header", "header id_header pattern keys keys_file unavailable_code"),
    (
        "jwt",
        "secret_env jwks_file jwks_url timeout unavailable_code algorithms issuer audience leeway require_verified_email",
    ),
    ("certificate", ""),
    ("custom", "timeout unavailable_code"),
];

/// Returns true if a kind has this key.
fn is_of(keys: &str, key: &str) -> bool {
    keys.split(' ').any(|known| known == key)
}

tables! {
    /// The keys of all kinds of schemes together.
    pub(super) struct AuthTable {
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
        timeout: Duration,
        unavailable_code: ErrorCode,
        algorithms: Algorithms,
        issuer: String,
        audience: OneOrMore,
        leeway: Duration,
        require_verified_email: bool,
    }

    /// A key in a policy or in a file of keys.
    pub(super) struct KeyTable {
        id: String = required,
        sha256: KeyHash = required,
        revoked: bool,
        expires: SystemTime,
    }

    /// A file of keys.
    pub(super) struct KeysFileTable {
        version: Version,
        keys: Keys = required,
    }
}

type Keys = Vec<KeyTable>;
type Algorithms = Vec<String>;

/// A scheme with only the keys of its kind.
#[derive(Clone, Debug)]
pub(super) struct Scheme(pub(super) AuthTable);

impl Leaf for Scheme {
    fn read(value: &DeValue<'_>, at: &mut Reading<'_>) -> Option<Self> {
        let table = at.table(value)?;
        let written = table.get("scheme").and_then(|scheme| scheme.get_ref().as_str()).unwrap_or_default();
        let kind = SCHEMES.iter().find(|(name, _)| closest(written, std::iter::once(*name)).is_some());
        // A key that only other kinds have is refused in `refuse_foreign_keys`, with its place.
        let is_known =
            |key: &&&str| kind.is_none_or(|(_, own)| is_of(own, key) || is_shared(key) || table.contains_key(**key));
        at.refuse_others(table, &AuthTable::KEYS.iter().filter(is_known).copied().collect::<Vec<_>>());
        Some(Self(AuthTable::read_keys(table, at)))
    }
}

/// Returns true if all kinds of schemes have the key.
fn is_shared(key: &str) -> bool {
    !SCHEMES.iter().any(|(_, keys)| is_of(keys, key))
}

/// The SHA-256 of a key, as 64 hexadecimal digits.
#[derive(Clone, Debug)]
pub(super) struct KeyHash(String);

impl Leaf for KeyHash {
    fn read(value: &DeValue<'_>, at: &mut Reading<'_>) -> Option<Self> {
        let text = String::read(value, at)?;
        if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Some(Self(text));
        }
        let right = "write the key's SHA-256 as 64 hexadecimal digits; a policy holds hashes, never the key itself";
        at.refuse(Kind::InvalidValue, "this is not a SHA-256 hash", right)
    }
}

/// The keys in a file that the policy names.
#[derive(Clone, Debug)]
pub(super) struct KeysFile(Keys);

impl Leaf for KeysFile {
    fn read(value: &DeValue<'_>, at: &mut Reading<'_>) -> Option<Self> {
        let name = String::read(value, at)?;
        let (path, text) = at.read_file(&name, MAX_FILE_BYTES)?;
        let document = Document::parse(&path, &text);
        let before = at.found.mistakes.len();
        document.syntax_errors().for_each(|error| at.add(error));
        let keys = at.in_secret_file(&path, &text, |at| {
            let read = KeysFileTable::read(&DeValue::Table(document.root.clone()), at);
            at.found.mistakes.retain(|mistake| !document.explains(mistake));
            read
        });
        // A list without a key would be refused as well.
        let is_right = at.found.mistakes.len() == before;
        let keys = keys.and_then(|table| table.keys).filter(|keys| is_right || !keys.is_empty());
        Some(Self(keys.unwrap_or_else(|| vec![KeyTable::default()])))
    }
}

impl AuthTable {
    /// Returns the scheme. Wrong parts of it are replaced, so that its other keys are checked as well.
    pub(super) fn into_scheme(self, name: &str, env: &PolicyEnv, refusals: &mut Refusals) -> AuthScheme {
        let kind = self.scheme.as_deref().map(|written| known_or_near(written, refusals));
        let kind = kind.flatten().unwrap_or_default();
        self.refuse_foreign_keys(kind, refusals);
        let scheme = match kind {
            "bearer" => AuthScheme::bearer(),
            "header" => {
                if self.header.is_none() {
                    refusals.add(missing("header"));
                }
                AuthScheme::header(self.header.as_deref().unwrap_or("x-unknown"))
            }
            "jwt" => self.jwt(env, refusals),
            "certificate" => {
                if let Some(advice) = &env.certificate_advice {
                    let wrong = "scheme \"certificate\" is not available here";
                    refusals.add(SettingError::new("scheme", wrong, advice).of_kind(Kind::Unavailable));
                }
                AuthScheme::certificate()
            }
            _ => {
                let advice = match &env.verifiers {
                    Verifiers::None(advice) => Some(advice.clone()),
                    Verifiers::These(names) if names.iter().all(|known| known != name) => {
                        Some(format!("register one in Rust, before the file is read: .verifier({name:?}, ..)"))
                    }
                    Verifiers::Any | Verifiers::These(_) => None,
                };
                if let Some(right) = advice.filter(|_| kind == "custom") {
                    let wrong = format!("no verifier is registered for scheme {name:?}");
                    refusals.add(SettingError::new("", wrong, right).of_kind(Kind::Unavailable));
                }
                AuthScheme::custom()
            }
        };
        let has = |key| SCHEMES.iter().any(|(name, keys)| *name == kind && is_of(keys, key));
        let keys = self.keys.into_iter().chain(self.keys_file.map(|KeysFile(keys)| keys)).flatten();
        let keys: Vec<_> = keys.filter(|_| has("keys")).collect();
        // This key replaces keys with a mistake, which was noted when they were read.
        let is_whole = keys.iter().all(|key| key.id.is_some() && key.sha256.is_some());
        let keys = if is_whole { keys } else { vec![KeyTable::unknown()] };
        let scheme = keys.into_iter().fold(scheme, |scheme, KeyTable { id, sha256, revoked, expires }| {
            let key = Key::sha256(id.unwrap_or_default(), sha256.map(|KeyHash(hash)| hash).unwrap_or_default());
            let key = if revoked == Some(true) { key.revoked() } else { key };
            scheme.key(expires.into_iter().fold(key, Key::expires))
        });
        let scheme = self.pattern.filter(|_| has("pattern")).into_iter().fold(scheme, AuthScheme::pattern);
        let scheme = self.timeout.filter(|_| has("timeout")).into_iter().fold(scheme, AuthScheme::timeout);
        let code = self.unavailable_code.filter(|_| has("unavailable_code"));
        let scheme = code.into_iter().fold(scheme, AuthScheme::unavailable_code);
        let scheme = self.id_header.filter(|_| has("id_header")).into_iter().fold(scheme, AuthScheme::id_header);
        let scheme = self.forward_id.into_iter().fold(scheme, AuthScheme::forward_id);
        let scheme = self.challenge.into_iter().fold(scheme, AuthScheme::challenge);
        scheme.with_messages(self.messages.unwrap_or_default())
    }

    /// Refuses keys that only other kinds of schemes have.
    fn refuse_foreign_keys(&self, kind: &str, refusals: &mut Refusals) {
        let Some((_, own)) = SCHEMES.iter().find(|(name, _)| *name == kind) else { return };
        for key in Self::KEYS.iter().filter(|key| !is_of(own, key) && self.written(key).is_some()) {
            let theirs = SCHEMES.iter().filter(|(_, keys)| is_of(keys, key)).map(|(name, _)| format!("{name:?}"));
            let theirs = theirs.collect::<Vec<_>>().join(" or ");
            if !theirs.is_empty() {
                let wrong = format!("the key {key} does not apply to scheme {kind:?}");
                let right = format!("remove it: it applies to scheme {theirs}");
                refusals.add(SettingError::new(*key, wrong, right).of_kind(Kind::Conflict));
            }
        }
    }

    #[cfg(not(feature = "jwt"))]
    fn jwt(&self, _: &PolicyEnv, refusals: &mut Refusals) -> AuthScheme {
        let (wrong, right) =
            ("session tokens are not part of this build", "build with the feature \"jwt\" of tower-error-envelope");
        refusals.add(SettingError::new("scheme", wrong, right).of_kind(Kind::Unavailable));
        AuthScheme::custom()
    }

    #[cfg(feature = "jwt")]
    fn jwt(&self, env: &PolicyEnv, refusals: &mut Refusals) -> AuthScheme {
        let set = ["secret_env", "jwks_file", "jwks_url"].into_iter();
        let set: Vec<&str> = set.filter(|key| self.written(key).is_some()).collect();
        if let [first, second, ..] = set[..] {
            let wrong = format!("{first} and {second} are mutually exclusive");
            refusals.add(SettingError::new(second.to_owned(), wrong, "keep one of them").of_kind(Kind::Conflict));
        } else if set.is_empty() {
            let right = "set one of them: secret_env = \"…\", jwks_file = \"…\" or jwks_url = \"…\"";
            let wrong = "the scheme has neither a secret nor a key set";
            refusals.add(SettingError::new("", wrong, right).of_kind(Kind::MissingKey));
        }
        let secret = self.secret_env.as_deref().map(|name| refusals.keep(read_secret(name, env)).map(JwtKeys::secret));
        let file = self.jwks_file.as_ref().map(|NamedText(text)| Some(JwtKeys::jwks(text.clone())));
        let url = self.jwks_url.as_deref().map(|url| {
            let refused = |advice| {
                SettingError::new("jwks_url", "this program does not fetch key sets", advice).of_kind(Kind::Unavailable)
            };
            refusals.keep((env.key_sets)(url).map_err(refused)).map(JwtKeys::remote)
        });
        let algorithms = self.algorithms.as_deref().unwrap_or_else(|| {
            refusals.add(missing("algorithms"));
            &[]
        });
        let known = refuse_algorithms(algorithms, refusals);
        let has_public_keys = self.jwks_file.is_some() || self.jwks_url.is_some();
        let is_secret = known.first().map_or(!has_public_keys, |name| name.starts_with("HS"));
        let unknown = || match is_secret {
            true => JwtKeys::secret("stands for a secret that is wrong; as long as the longest asks for"),
            false => JwtKeys::remote(RemoteKeys::never_fetched("https://unknown.invalid/")),
        };
        let scheme = AuthScheme::jwt(secret.or(file).or(url).flatten().unwrap_or_else(unknown));
        // Without any algorithm, the list itself would be refused as well.
        let known = if known.is_empty() && self.algorithms.as_ref().is_none_or(|all| !all.is_empty()) {
            vec![if is_secret { "HS256".to_owned() } else { "RS256".to_owned() }]
        } else {
            known
        };
        let scheme = self.issuer.iter().fold(scheme.algorithms(known), AuthScheme::issuer);
        let scheme = self.audience.iter().flat_map(|OneOrMore(all)| all).fold(scheme, AuthScheme::audience);
        let scheme = self.leeway.into_iter().fold(scheme, AuthScheme::leeway);
        self.require_verified_email.into_iter().fold(scheme, AuthScheme::require_verified_email)
    }
}

impl KeyTable {
    fn unknown() -> Self {
        let hash = KeyHash("0".repeat(64));
        Self { id: Some("unknown".to_owned()), sha256: Some(hash), ..Self::default() }
    }
}

fn missing(key: &'static str) -> SettingError {
    SettingError::new(key, "the key is missing", format!("add {key} = … to the table")).of_kind(Kind::MissingKey)
}

/// Returns the kind of a scheme. If it is misspelled, the kind that was probably meant is used for the other keys.
fn known_or_near(written: &str, refusals: &mut Refusals) -> Option<&'static str> {
    let known = SCHEMES.iter().map(|(name, _)| *name);
    known.clone().find(|name| *name == written).or_else(|| {
        let right = advice_for_unknown(written, known.clone());
        refusals.add(SettingError::new("scheme", "unknown scheme", right).of_kind(Kind::UnknownWord));
        closest(written, known)
    })
}

/// Returns true if the text is the name of a variable, which an error may quote. Any other text may be the secret
/// itself (L3), such as 32 letters in base 32.
#[must_use]
pub fn is_variable_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    !text.is_empty() && text.bytes().all(fits) && (text.len() < 32 || text.contains('_'))
}

#[cfg(feature = "jwt")]
fn read_secret(name: &str, env: &PolicyEnv) -> Result<String, SettingError> {
    let (wrong, right) = match (env.variable)(name) {
        Some(secret) if !secret.is_empty() => return Ok(secret),
        Some(_) => (format!("the environment variable {name} is empty"), "set it to the secret"),
        None if is_variable_name(name) => {
            (format!("there is no environment variable {name}"), "set it to the secret, or write the name of another")
        }
        None => (
            "there is no such environment variable".to_owned(),
            "write the name of a variable that has the secret, as in \"JWT_SECRET\", and set it; a policy never has the \
             secret itself",
        ),
    };
    Err(SettingError::new("secret_env", wrong, right).of_kind(Kind::Unavailable))
}

/// Returns the known algorithms, and refuses the others. The builder refuses `none`, and algorithms that do not fit the
/// keys.
#[cfg(feature = "jwt")]
fn refuse_algorithms(names: &[String], refusals: &mut Refusals) -> Vec<String> {
    const KNOWN: [&str; 12] =
        ["HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];
    let is_known = |name: &str| KNOWN.contains(&name) || name.eq_ignore_ascii_case("none");
    for (at, name) in names.iter().enumerate().filter(|(_, name)| !is_known(name)) {
        let right = advice_for_unknown(name, KNOWN.into_iter());
        let refused = SettingError::new(format!("algorithms[{at}]"), "unknown algorithm", right);
        refusals.add(refused.of_kind(Kind::UnknownWord));
    }
    names.iter().filter(|name| is_known(name)).cloned().collect()
}
