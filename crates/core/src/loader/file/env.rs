//! What a policy needs from its environment: variables, verifiers, and the files that it names.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::regular::read_regular;
use super::sources::line_of;
use super::value::{Value, size};
use crate::guard::mistake::Kind;
use crate::policy::error::PolicyError;

/// The largest file that is read: policies are written by people, so a larger file is something else.
pub(crate) const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

/// What a policy needs besides its own text.
pub(crate) trait PolicyEnv {
    /// The value of an environment variable.
    #[cfg_attr(not(feature = "jwt"), allow(dead_code, reason = "the secrets of tokens alone come from there"))]
    fn variable(&self, name: &str) -> Option<String>;

    /// Whether the layer has a verifier with that name.
    fn has_verifier(&self, name: &str) -> bool;

    /// The keys at a URL. The error is advice for an operator whose key sets are not fetched.
    #[cfg(feature = "jwt")]
    fn remote_keys(&self, url: &str) -> Result<crate::guard::auth::RemoteKeys, String>;

    /// Reads a file of the policy, or one that it names. Longer files than `most` bytes are refused.
    fn load_text(&self, path: &Path, most: u64) -> Result<String, PolicyError> {
        read_text(path, most)
    }

    /// Advice for a scheme `custom` whose verifier is not registered.
    fn verifier_advice(&self, name: &str) -> String;

    /// Advice for a scheme `certificate`; `None` if client certificates are available.
    fn certificate_advice(&self) -> Option<String>;
}

/// A file that a value names, such as a file with keys, a schema or a page.
pub(super) struct NamedFile {
    pub(super) path: PathBuf,
    pub(super) text: String,
}

/// Reads the files that the values of one file name.
pub(in crate::loader) struct NamedFiles<'a> {
    /// The folder to which relative names refer.
    pub(super) folder: &'a Path,
    pub(super) env: &'a dyn PolicyEnv,
    pub(super) read: &'a mut Vec<NamedFile>,
}

impl NamedFiles<'_> {
    /// The name and the text of the file that a value names.
    pub(super) fn read(&mut self, file: &Value<'_>, most: u64) -> Result<(String, String), PolicyError> {
        let path = self.folder.join(file.text()?);
        let name = path.display().to_string();
        let text = self.env.load_text(&path, most).map_err(|error| {
            let wrong = format!("{name} {}", error.wrong());
            let right = format!("name a readable UTF-8 file of at most {}", size(most));
            file.error(wrong, right).of_kind(Kind::File).without(&path).caused_by(error)
        })?;
        self.read.push(NamedFile { path, text: text.clone() });
        Ok((name, text))
    }
}

/// The text of a file.
fn read_text(path: &Path, most: u64) -> Result<String, PolicyError> {
    let name = path.display().to_string();
    let refused =
        |wrong: String, right: &str| PolicyError::new(None, wrong, right).of_kind(Kind::File).in_file(&name, None);
    let bytes = read_regular(path, most).map_err(|error| match error.kind() {
        ErrorKind::FileTooLarge => refused(format!("is larger than {}", size(most)), "name a policy file"),
        ErrorKind::InvalidInput => refused(format!("cannot be read: {error}"), "name a regular file").caused_by(error),
        _ => refused(format!("cannot be read: {error}"), "name a readable file").caused_by(error),
    })?;
    String::from_utf8(bytes).map_err(|error| {
        let line = line_of(error.as_bytes(), error.utf8_error().valid_up_to());
        refused("is not UTF-8".to_owned(), "save it as UTF-8").in_file(&name, Some(line))
    })
}
