//! What lies around a policy's text.

use std::path::PathBuf;

/// What lies outside of a policy's files.
pub(crate) trait Surroundings {
    /// The value of an environment variable.
    #[cfg_attr(not(feature = "jwt"), allow(dead_code, reason = "the secrets of tokens alone come from there"))]
    fn variable(&self, name: &str) -> Option<String>;

    /// Whether the layer has a verifier of that name.
    fn has_verifier(&self, name: &str) -> bool;

    /// What to do where it has none.
    fn instead_of_verifier(&self, name: &str) -> String;
}

/// A file that a value names: keys.
pub(super) struct Named {
    pub(super) path: PathBuf,
    pub(super) text: String,
}
