//! Reads policies from files. Reading also depends on the environment and on the layer's verifiers.

mod auth;
mod build;
mod compare;
mod details;
mod effective;
mod file;
mod gather;
mod keys;
mod lint;
mod sources;
mod tables;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::{fmt, fs};

#[doc(hidden)]
pub use self::auth::is_variable_name;
use self::auth::{PolicyEnv, Verifiers};
pub use self::compare::{ChangeKind, PolicyChange};
pub use self::effective::{Effective, PathReading};
pub use self::file::PolicyFile;
use self::gather::Gathered;
pub use self::keys::PlacedValue;
pub use self::lint::Lint;
use self::tables::FileTable;
#[cfg(feature = "jwt")]
use crate::guard::auth::RemoteKeys;
use crate::policy::Policy;
use crate::policy::keys::RouteTable;
pub use crate::table::{MAX_ANY_FILE_BYTES, format_size, parse_size, read_regular};
use crate::table::{MAX_FILE_BYTES, PolicyError, read_text};

/// The maximum number of folders that are searched if no `.git` ends the search. No known policy has deeper folders.
const MAX_FOLDERS: usize = 8;

/// The names of the keys that a route may have, in the order of the manual.
pub const ROUTE_KEYS: &[&str] = RouteTable::KEYS;

/// The names of the tables and keys at the top of a policy file.
#[doc(hidden)]
pub const FILE_KEYS: &[&str] = FileTable::KEYS;

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
    env: PolicyEnv,
}

impl PolicyLoader {
    /// Creates a loader that uses the environment of the process, and has no verifiers.
    pub fn new() -> Self {
        let env = PolicyEnv {
            variable: Box::new(|name| std::env::var(name).ok()),
            verifiers: Verifiers::These(Vec::new()),
            certificate_advice: None,
            #[cfg(feature = "jwt")]
            key_sets: Box::new(|_| {
                Err("use jwks_file, or load the policy with a layer that has the feature \"jwks-url\"".to_owned())
            }),
        };
        Self { env }
    }

    /// Sets the source of secrets, instead of the process's environment.
    pub fn environment(mut self, variable: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        self.env.variable = Box::new(variable);
        self
    }

    /// Sets the names of the layer's verifiers. A custom scheme with any other name is refused.
    pub fn verifiers<T: Into<String>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.env.verifiers = Verifiers::These(names.into_iter().map(Into::into).collect());
        self
    }

    /// Sets the source of the keys of a `jwks_url`. An error of the function is advice for the operator. Without this
    /// setting, a policy with a `jwks_url` is refused. The function is called while a policy is read, even if the
    /// policy is then refused.
    #[cfg(feature = "jwt")]
    pub fn key_sets(mut self, by_url: impl Fn(&str) -> Result<RemoteKeys, String> + Send + Sync + 'static) -> Self {
        self.env.key_sets = Box::new(by_url);
        self
    }

    /// Accepts verifiers of any name, and fetches no keys. Use this setting to inspect policies without their service.
    pub fn any_verifier(mut self) -> Self {
        self.env.verifiers = Verifiers::Any;
        #[cfg(feature = "jwt")]
        {
            self.env.key_sets = Box::new(|url| Ok(RemoteKeys::never_fetched(url)));
        }
        self
    }

    /// Declares that no verifier is available. A scheme that needs a verifier is refused with this advice.
    pub fn no_verifiers(mut self, advice: impl Into<String>) -> Self {
        self.env.verifiers = Verifiers::None(advice.into());
        self
    }

    /// Declares that client certificates are not available. A scheme `certificate` is refused with this advice.
    pub fn no_certificates(mut self, advice: impl Into<String>) -> Self {
        self.env.certificate_advice = Some(advice.into());
        self
    }

    /// Reads a policy file and its included files. Relative names in a file are relative to that file.
    ///
    /// # Errors
    ///
    /// Returns the first mistake, with its file, line and key. A file is also refused if it cannot be read, is not a
    /// regular file, is larger than 4 MiB, or is not UTF-8. An environment variable that is not set is a mistake, too.
    pub fn load(&self, path: impl AsRef<Path>) -> Result<PolicyFile, PolicyError> {
        self.check(path).map_err(first)
    }

    /// Does the same as [`PolicyLoader::load`], but reports all mistakes at once, for operators who correct a file.
    ///
    /// A mistake that only follows from another mistake is not reported. An example is a name whose table has a
    /// mistake. If a file has lines that are not TOML, all other lines of the files are still checked, except for
    /// names. Names are checked only if all files are valid TOML.
    ///
    /// # Errors
    ///
    /// Returns all mistakes, sorted by file and line. The list contains at least one mistake, and at most 200.
    pub fn check(&self, path: impl AsRef<Path>) -> Result<PolicyFile, Vec<PolicyError>> {
        let path = path.as_ref();
        let text = read_text(path, MAX_FILE_BYTES).map_err(|error| vec![error])?;
        self.check_text(&path.display().to_string(), &text)
    }

    /// Does the same as [`PolicyLoader::check`], for a text. `name` is the name of the file in errors, and the names of
    /// included files are relative to `name`.
    ///
    /// # Errors
    ///
    /// Returns the same errors as [`PolicyLoader::check`].
    pub fn check_text(&self, name: &str, text: &str) -> Result<PolicyFile, Vec<PolicyError>> {
        PolicyFile::read(name, text.to_owned(), &self.env).map(PolicyFile::with_places)
    }

    /// Reads a policy file from its text. `name` is the name of the file in errors, and the names of included files are
    /// relative to `name`.
    ///
    /// # Errors
    ///
    /// Returns the same errors as [`PolicyLoader::load`].
    pub fn parse(&self, name: &str, text: &str) -> Result<PolicyFile, PolicyError> {
        self.check_text(name, text).map_err(first)
    }

    /// Returns true if a file has a `[scope]`, and therefore is a part of another policy. Returns `false` if the file
    /// cannot be read.
    pub fn has_scope(&self, path: &Path) -> bool {
        source_files(path).first().is_some_and(|(_, has_scope)| *has_scope)
    }

    /// Returns the policies that include this file. The search begins in the folder of the file, and continues in the
    /// folders above. The search ends at the first folder with such a policy, at the root of a Git work tree, or after
    /// eight folders. The paths are absolute, and sorted by name.
    pub fn policies_including(&self, path: &Path) -> Vec<PathBuf> {
        let Ok(file) = path.canonicalize() else { return Vec::new() };
        for folder in file.ancestors().skip(1).take(MAX_FOLDERS) {
            let found: Vec<_> = policies_in(folder).into_iter().filter(|policy| self.includes(policy, &file)).collect();
            if !found.is_empty() || folder.join(".git").exists() {
                return found;
            }
        }
        Vec::new()
    }

    /// Returns true if a policy includes this file, even if the policy is not valid. Returns false if `policy` has a
    /// `[scope]`, because such a file is only a part of a policy.
    pub fn includes(&self, policy: &Path, file: &Path) -> bool {
        let Ok(file) = file.canonicalize() else { return false };
        let is_file = |(part, _): &(PathBuf, bool)| part.canonicalize().is_ok_and(|part| part == file);
        let files = source_files(policy);
        files.first().is_some_and(|(_, has_scope)| !has_scope) && files.iter().skip(1).any(is_file)
    }
}

/// Returns the TOML files in a folder.
fn policies_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
    let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|it| it == "toml")).collect();
    files.sort();
    files
}

/// Returns the files of a policy, even if parts of the policy are wrong. Each file is returned with true if it has a
/// `[scope]`. Returns no files if the first file cannot be read.
fn source_files(path: &Path) -> Vec<(PathBuf, bool)> {
    let Ok(text) = read_text(path, MAX_FILE_BYTES) else { return Vec::new() };
    let gathered = Gathered::new(&path.display().to_string(), text);
    gathered.files.into_iter().map(|file| (file.name.into(), file.places.contains_key("scope"))).collect()
}

/// Returns the first of all mistakes.
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

impl Policy {
    /// Reads a policy file and its included files, with [`PolicyLoader::new`].
    ///
    /// # Errors
    ///
    /// Returns the same errors as [`PolicyLoader::load`].
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, PolicyError> {
        PolicyLoader::new().load(path).map(PolicyFile::into_policy)
    }

    /// Reads a policy file from its text. `name` is the name of the file in errors, and the names of included files are
    /// relative to `name`.
    ///
    /// # Errors
    ///
    /// Returns the same errors as [`PolicyLoader::load`].
    pub fn from_toml(name: &str, text: &str) -> Result<Self, PolicyError> {
        PolicyLoader::new().parse(name, text).map(PolicyFile::into_policy)
    }
}
