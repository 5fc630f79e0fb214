//! Reads policies from files. Their inputs are the environment and the layer's verifiers.

mod auth;
mod build;
mod chain;
mod compare;
mod details;
mod digest;
mod effective;
mod file;
mod gather;
mod including;
mod keys;
mod lint;
mod locked;
mod sources;
mod tables;
#[cfg(test)]
mod tests;
mod values;
mod witness;

use std::fmt;
use std::path::Path;

use self::auth::PolicyEnv;
pub use self::compare::{ChangeKind, PlacedValue, PolicyChange};
pub use self::effective::{Effective, PathReading, Setting};
pub use self::file::PolicyFile;
pub use self::lint::Lint;
#[cfg(feature = "jwt")]
use crate::guard::auth::RemoteKeys;
use crate::policy::Policy;
use crate::policy::keys::RouteTable;
use crate::table::{MAX_FILE_BYTES, PolicyError, read_text};
pub use crate::table::{parse_size, read_regular};

/// The names of the keys that a route may have, in the order of the manual.
pub const ROUTE_KEYS: &[&str] = RouteTable::KEYS;

/// Reads policy files, with [`PolicyLoader::load`].
///
/// By default, secrets come from the environment of the process, and a scheme that needs a verifier of the user is
/// refused. The loading methods of `ErrorEnvelopeLayer` use the verifiers of the layer.
///
/// ```
/// use tower_error_envelope::policy::PolicyLoader;
///
/// let text = "version = 1\n[auth.partner]\nscheme = \"custom\"\n";
/// assert!(PolicyLoader::new().parse("policy.toml", text).is_err());
/// assert!(PolicyLoader::new().verifiers(["partner"]).parse("policy.toml", text).is_ok());
/// ```
#[must_use]
pub struct PolicyLoader {
    environment: Box<Environment>,
    verifiers: Verifiers,
    certificate_advice: Option<String>,
    #[cfg(feature = "jwt")]
    key_sets: Box<KeySets>,
}

#[cfg(feature = "jwt")]
type KeySets = dyn Fn(&str) -> Result<RemoteKeys, String> + Send + Sync;

type Environment = dyn Fn(&str) -> Option<String> + Send + Sync;

enum Verifiers {
    Any,
    These(Vec<String>),
    /// No key sets are fetched. The text advises operators whose policy needs one.
    None(String),
}

impl PolicyLoader {
    /// A loader that uses the environment of the process, and has no verifiers.
    pub fn new() -> Self {
        Self {
            environment: Box::new(|name| std::env::var(name).ok()),
            verifiers: Verifiers::These(Vec::new()),
            certificate_advice: None,
            #[cfg(feature = "jwt")]
            key_sets: Box::new(|_| {
                Err("use jwks_file, or load the policy with a layer that has the feature \"jwks-url\"".to_owned())
            }),
        }
    }

    /// Sets the source of secrets, instead of the process's environment.
    pub fn environment(mut self, variable: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        self.environment = Box::new(variable);
        self
    }

    /// Sets the names of the layer's verifiers. A custom scheme with any other name is refused.
    pub fn verifiers<T: Into<String>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.verifiers = Verifiers::These(names.into_iter().map(Into::into).collect());
        self
    }

    /// Sets where the keys of a `jwks_url` come from. An error of the function is advice for the operator. Without this
    /// setting, such a URL is refused. The function is called while a policy is read, even if the policy is then
    /// refused.
    #[cfg(feature = "jwt")]
    #[cfg_attr(docsrs, doc(cfg(feature = "jwt")))]
    pub fn key_sets(mut self, by_url: impl Fn(&str) -> Result<RemoteKeys, String> + Send + Sync + 'static) -> Self {
        self.key_sets = Box::new(by_url);
        self
    }

    /// Accepts verifiers of any name, and fetches no keys: for inspecting policies without their service.
    pub fn any_verifier(mut self) -> Self {
        self.verifiers = Verifiers::Any;
        #[cfg(feature = "jwt")]
        {
            self.key_sets = Box::new(|url| Ok(RemoteKeys::never_fetched(url)));
        }
        self
    }

    /// Declares that no verifier is available: a scheme that needs one is refused with this advice.
    pub fn no_verifiers(mut self, advice: impl Into<String>) -> Self {
        self.verifiers = Verifiers::None(advice.into());
        self
    }

    /// Declares that client certificates are not available: a scheme `certificate` is refused with this advice.
    pub fn no_certificates(mut self, advice: impl Into<String>) -> Self {
        self.certificate_advice = Some(advice.into());
        self
    }

    /// Reads a policy file and its included files. Relative names in a file are relative to that file.
    ///
    /// # Errors
    ///
    /// The first mistake, with its file, line and key. A file is also refused if it cannot be read, is not a regular
    /// file, is larger than 4 MiB, or is not UTF-8. An environment variable that is not set is a mistake, too.
    pub fn load(&self, path: impl AsRef<Path>) -> Result<PolicyFile, PolicyError> {
        self.check(path).map_err(first)
    }

    /// Like [`PolicyLoader::load`], but reports all mistakes at once, for operators who correct a file.
    ///
    /// A mistake that only follows from another one is not reported: for example, a name whose table has a mistake. If
    /// a file has lines that are not TOML, the rest of the files is checked as well, except for names: these are
    /// checked once all files are TOML.
    ///
    /// # Errors
    ///
    /// All mistakes, sorted by file and line: at least one and at most 200.
    pub fn check(&self, path: impl AsRef<Path>) -> Result<PolicyFile, Vec<PolicyError>> {
        let path = path.as_ref();
        let text = read_text(path, MAX_FILE_BYTES).map_err(|error| vec![error])?;
        self.check_text(&path.display().to_string(), &text)
    }

    /// Like [`PolicyLoader::check`], for a text. `name` is its name in errors, and included files are relative to it.
    ///
    /// # Errors
    ///
    /// Like [`PolicyLoader::check`].
    pub fn check_text(&self, name: &str, text: &str) -> Result<PolicyFile, Vec<PolicyError>> {
        let file = PolicyFile::read(name, text.to_owned(), self)?;
        let refused = file.set_although_locked();
        if refused.is_empty() { Ok(file) } else { Err(refused) }
    }

    /// Reads a policy file from its text. `name` is its name in errors, and included files are relative to it.
    ///
    /// # Errors
    ///
    /// Like [`PolicyLoader::load`].
    pub fn parse(&self, name: &str, text: &str) -> Result<PolicyFile, PolicyError> {
        self.check_text(name, text).map_err(first)
    }
}

/// The first of all mistakes.
fn first(mut mistakes: Vec<PolicyError>) -> PolicyError {
    mistakes.swap_remove(0)
}

impl Default for PolicyLoader {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for PolicyLoader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PolicyLoader").finish_non_exhaustive()
    }
}

impl PolicyEnv for PolicyLoader {
    fn variable(&self, name: &str) -> Option<String> {
        (self.environment)(name)
    }

    fn has_verifier(&self, name: &str) -> bool {
        match &self.verifiers {
            Verifiers::Any => true,
            Verifiers::These(names) => names.iter().any(|known| known == name),
            Verifiers::None(_) => false,
        }
    }

    #[cfg(feature = "jwt")]
    fn remote_keys(&self, url: &str) -> Result<RemoteKeys, String> {
        (self.key_sets)(url)
    }

    fn certificate_advice(&self) -> Option<String> {
        self.certificate_advice.clone()
    }

    fn verifier_advice(&self, name: &str) -> String {
        match &self.verifiers {
            Verifiers::None(advice) => advice.clone(),
            Verifiers::Any | Verifiers::These(_) => format!("register one in Rust: .verifier({name:?}, ..)"),
        }
    }
}

impl Policy {
    /// Reads a policy file and its included files, with [`PolicyLoader::new`].
    ///
    /// # Errors
    ///
    /// Like [`PolicyLoader::load`].
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, PolicyError> {
        PolicyLoader::new().load(path).map(PolicyFile::into_policy)
    }

    /// Reads a policy file from its text. `name` is its name in errors, and included files are relative to it.
    ///
    /// # Errors
    ///
    /// Like [`PolicyLoader::load`].
    pub fn from_toml(name: &str, text: &str) -> Result<Self, PolicyError> {
        PolicyLoader::new().parse(name, text).map(PolicyFile::into_policy)
    }
}
