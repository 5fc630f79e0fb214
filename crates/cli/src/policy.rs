//! Reads a policy without its service, for example in CI.
//!
//! In CI, the service's verifiers do not exist, and its secrets should not exist. So each verifier is assumed to exist.
//! A missing secret is assumed to be valid if the name of its variable is valid. All other errors are reported as in
//! the layer (M2).

use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use error_envelope_core::loader::is_variable_name;
use error_envelope_runtime::FilterPolicy;
use tower_error_envelope::PolicyError;
use tower_error_envelope::auth::RemoteKeys;
use tower_error_envelope::policy::{PolicyFile, PolicyLoader};

use crate::stdin;

/// The text to use in place of a secret that the environment lacks. It is long enough for every signature algorithm.
const SOME_SECRET: &str = "a secret that is not there, taken for one of sixty-four bytes...";

/// A policy file, and the environment variables for secrets that are missing.
pub(crate) struct LoadedPolicy {
    pub(crate) file: PolicyFile,
    missing: Vec<String>,
}

/// The file and line in which a text occurs.
pub(crate) struct SourceLocation {
    pub(crate) file: String,
    pub(crate) line: usize,
    pub(crate) span: Range<usize>,
}

impl LoadedPolicy {
    /// Returns the missing environment variables, and where the policy's files name them.
    pub(crate) fn missing(&self) -> impl Iterator<Item = (&str, Option<SourceLocation>)> {
        self.missing.iter().map(|name| (name.as_str(), self.file.files().find_map(|file| display_name(file, name))))
    }
}

/// Finds the line that contains a variable's name, because the loader keeps only the name.
fn display_name(file: &Path, name: &str) -> Option<SourceLocation> {
    let text = stdin::text_of(file.to_str()?)?;
    let mut start = 0;
    for (line, content) in (1..).zip(text.split('\n')) {
        if let Some(at) = content.find(name).filter(|_| content.contains("secret_env")) {
            let span = start + at..start + at + name.len();
            return Some(SourceLocation { file: file.display().to_string(), line, span });
        }
        start += content.len() + 1;
    }
    None
}

/// Reads the file and all included files. In a policy from standard input, names of files are relative to the current
/// folder.
///
/// # Errors
///
/// All errors.
pub(crate) fn read(path: &Path) -> Result<LoadedPolicy, Vec<PolicyError>> {
    read_by(PolicyLoader::new().any_verifier(), |loader| match stdin::policy(path) {
        Some(text) => loader.check_text(stdin::NAME, text),
        None => loader.check(path),
    })
}

/// Works like [`read`], but applies the rules for the Envoy module, or for the external processor, which fetches key
/// sets. Both support no verifiers.
///
/// # Errors
///
/// All errors.
pub(crate) fn read_in_envoy(path: &Path, is_processor: bool) -> Result<LoadedPolicy, Vec<PolicyError>> {
    let loader = FilterPolicy::loader();
    let loader = if is_processor { loader.key_sets(|url| Ok(RemoteKeys::never_fetched(url))) } else { loader };
    read_by(loader, |loader| loader.check(path))
}

/// Returns a loader for a program that checks no credentials. Secrets and verifiers may be missing.
pub(crate) fn loader_without_credentials() -> PolicyLoader {
    let variable =
        |name: &str| std::env::var(name).ok().or_else(|| is_variable_name(name).then(|| SOME_SECRET.to_owned()));
    PolicyLoader::new().any_verifier().environment(variable)
}

fn read_by(
    loader: PolicyLoader,
    read: impl FnOnce(PolicyLoader) -> Result<PolicyFile, Vec<PolicyError>>,
) -> Result<LoadedPolicy, Vec<PolicyError>> {
    let missing = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&missing);
    let variable = move |name: &str| {
        let set = std::env::var(name).ok().filter(|value| !value.is_empty());
        set.or_else(|| {
            is_variable_name(name).then(|| {
                noted.lock().unwrap_or_else(PoisonError::into_inner).push(name.to_owned());
                SOME_SECRET.to_owned()
            })
        })
    };
    let file = read(loader.environment(variable))?;
    let missing = std::mem::take(&mut *missing.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(LoadedPolicy { file, missing })
}
