//! What lies around a policy's text.

use std::path::{Path, PathBuf};

use super::gather::read_text;
use crate::policy::error::PolicyError;

/// What lies outside of a policy's files.
pub(crate) trait Surroundings {
    /// The value of an environment variable.
    #[cfg_attr(not(feature = "jwt"), allow(dead_code, reason = "the secrets of tokens alone come from there"))]
    fn variable(&self, name: &str) -> Option<String>;

    /// Whether the layer has a verifier of that name.
    fn has_verifier(&self, name: &str) -> bool;

    /// The text of a file that a policy names.
    fn text_of(&self, path: &Path) -> Result<String, PolicyError> {
        read_text(path)
    }

    /// Whether a file that does not say its version is refused.
    fn asks_version(&self) -> bool {
        true
    }

    /// What to do where it has none.
    fn instead_of_verifier(&self, name: &str) -> String;
}

/// A file that a value names: keys.
pub(super) struct Named {
    pub(super) path: PathBuf,
    pub(super) text: String,
}
