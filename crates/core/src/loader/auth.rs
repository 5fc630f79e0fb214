//! Reads `[auth.*]`: a scheme, its keys, and the files and variables that it names. No error quotes a text of an
//! `[auth.*]` table (L3).

use toml::de::DeValue;

use crate::guard::auth::{AuthScheme, KeyHash, KeyTable, Keys, KeysFile, SchemeKind, SchemeTable};
#[cfg(feature = "jwt")]
use crate::guard::auth::{JwtKeys, RemoteKeys};
#[cfg(feature = "jwt")]
use crate::table::NamedText;
use crate::table::{Document, Kind, Leaf, MAX_FILE_BYTES, Reading, Refusals, SettingError, Version, tables};

/// The values that a policy needs in addition to its own text.
pub(super) struct PolicyEnv {
    /// The values of environment variables.
    #[cfg_attr(not(feature = "jwt"), allow(dead_code, reason = "only the secrets of tokens come from variables"))]
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
    /// No verifier is available. The text is advice for operators whose policy needs a verifier.
    None(String),
}

/// A scheme, in which only the keys of its kind are known.
impl Leaf for AuthScheme {
    fn read(value: &DeValue<'_>, at: &mut Reading<'_>) -> Option<Self> {
        let table = at.table(value)?;
        let word = table.get("scheme").and_then(|scheme| scheme.get_ref().as_str());
        let kind = word.and_then(SchemeKind::near);
        // A key that only other kinds have is refused with its place when the policy is built.
        let is_known =
            |key: &&&str| kind.is_none_or(|kind| SchemeKind::with(key).contains(&kind)) || table.contains_key(**key);
        at.refuse_others(table, &SchemeTable::KEYS.iter().filter(is_known).copied().collect::<Vec<_>>());
        Some(Self::from(SchemeTable::read_keys(table, at)))
    }
}

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

tables! {
    /// A file of keys.
    pub(super) struct KeysFileTable {
        version: Version,
        keys: Keys = required,
    }
}

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
        // If the file has a mistake, an empty list is replaced, because it would be refused as a second mistake.
        let is_right = at.found.mistakes.len() == before;
        let keys = keys.and_then(|table| table.keys).filter(|keys| is_right || !keys.is_empty());
        Some(Self(keys.unwrap_or_else(|| vec![KeyTable::default()])))
    }
}

impl AuthScheme {
    /// Returns the scheme with the keys from its files and variables. Refuses a scheme that needs a verifier or
    /// certificates that the program does not have.
    pub(super) fn resolved(mut self, name: &str, env: &PolicyEnv, refusals: &mut Refusals) -> Self {
        match (self.kind(), &env.verifiers) {
            (Some(SchemeKind::Bearer | SchemeKind::Header), _) => {
                let of_file = self.table.keys_file.take().into_iter().flat_map(|KeysFile(keys)| keys);
                self.table.keys.get_or_insert_default().extend(of_file);
            }
            #[cfg(feature = "jwt")]
            (Some(SchemeKind::Jwt), _) => self.tokens = self.table.token_keys(env, refusals),
            (Some(SchemeKind::Certificate), _) => {
                if let Some(advice) = &env.certificate_advice {
                    let wrong = "scheme \"certificate\" is not available here";
                    refusals.add(SettingError::new("scheme", wrong, advice).of_kind(Kind::Unavailable));
                }
            }
            (Some(SchemeKind::Custom), Verifiers::None(advice)) => refusals.add(no_verifier(name, advice.clone())),
            (Some(SchemeKind::Custom), Verifiers::These(names)) if names.iter().all(|known| known != name) => {
                let advice = format!("register one in Rust, before the file is read: .verifier({name:?}, ..)");
                refusals.add(no_verifier(name, advice));
            }
            _ => {}
        }
        self
    }
}

fn no_verifier(name: &str, advice: String) -> SettingError {
    SettingError::new("", format!("no verifier is registered for scheme {name:?}"), advice).of_kind(Kind::Unavailable)
}

#[cfg(feature = "jwt")]
impl SchemeTable {
    /// Returns the keys of tokens, or `None` if they are wrong.
    fn token_keys(&self, env: &PolicyEnv, refusals: &mut Refusals) -> Option<JwtKeys> {
        let set = self.set_keys().filter(|key| ["secret_env", "jwks_file", "jwks_url"].contains(key));
        let set: Vec<&str> = set.collect();
        if let [first, second, ..] = set[..] {
            let wrong = format!("{first} and {second} are mutually exclusive");
            refusals.add(SettingError::new(second, wrong, "keep one of them").of_kind(Kind::Conflict));
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
        secret.or(file).or(url).flatten()
    }
}

/// Returns true if the text is the name of an environment variable, which an error may quote. Any other text may be the
/// secret itself (L3), such as 32 letters in base 32.
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
            (format!("there is no environment variable {name}"), "set it to the secret, or name another variable")
        }
        None => (
            "there is no such environment variable".to_owned(),
            "write the name of an environment variable that contains the secret, such as \"JWT_SECRET\", and set it; \
             never write the secret into the policy",
        ),
    };
    Err(SettingError::new("secret_env", wrong, right).of_kind(Kind::Unavailable))
}
