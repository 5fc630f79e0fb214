//! A policy as the user names it: a file, or `REVISION:FILE` as in `git show`, with all files that it includes.
//!
//! The files of the revision are written to a temporary folder, through a separate Git index: the work tree and its
//! index stay unchanged. Reports show the names that the files have in the revision.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use tower_error_envelope::PolicyError;

use crate::failure::CommandError;

/// A policy to read.
pub(crate) struct PolicySource {
    pub(crate) path: PathBuf,
    revision: Option<WrittenTree>,
}

/// A temporary folder with the files of a revision. Dropping it removes them.
struct WrittenTree {
    name: String,
    folder: TempDir,
}

impl PolicySource {
    /// Finds the policy.
    ///
    /// # Errors
    ///
    /// Git cannot be run, or has no such revision. A file that does not exist is reported where it is read.
    pub(crate) fn find(name: &Path) -> Result<Self, CommandError> {
        let text = name.to_string_lossy();
        match text.split_once(':').filter(|(revision, _)| !revision.is_empty() && !name.exists()) {
            Some((revision, file)) => Self::at_revision(revision, file),
            None => Ok(Self { path: name.to_owned(), revision: None }),
        }
    }

    fn at_revision(revision: &str, file: &str) -> Result<Self, CommandError> {
        let tree = git(
            &["rev-parse", "--verify", "--quiet", "--end-of-options", &format!("{revision}^{{tree}}")],
            None,
            revision,
        )?;
        let root = git(&["rev-parse", "--show-toplevel"], None, revision)?;
        // As in `git show`, a path is relative to the root unless it begins with a dot.
        let below =
            if file.starts_with('.') { git(&["rev-parse", "--show-prefix"], None, revision)? } else { String::new() };
        let folder = tempfile::tempdir().map_err(|error| failed(revision, &format!("no temporary folder: {error}")))?;
        let index = folder.path().join("index");
        let files = folder.path().join("tree");
        let prefix = format!("--prefix={}/", files.display());
        git(&["-C", &root, "read-tree", &tree], Some(&index), revision)?;
        git(&["-C", &root, "checkout-index", "--all", &prefix], Some(&index), revision)?;
        let path = files.join(below).join(file);
        Ok(Self { path, revision: Some(WrittenTree { name: revision.to_owned(), folder }) })
    }

    /// The text, with the name of the temporary folder replaced by the revision.
    pub(crate) fn named(&self, text: &str) -> String {
        let Some(WrittenTree { name, folder }) = &self.revision else { return text.to_owned() };
        text.replace(&format!("{}/", folder.path().join("tree").display()), &format!("{name}:"))
    }

    /// The failure for the errors of reading this policy.
    pub(crate) fn failure(&self, errors: Vec<PolicyError>) -> CommandError {
        match CommandError::from(errors) {
            CommandError::Refused(why) => CommandError::Refused(self.named(&why)),
            CommandError::Io(why) => CommandError::Io(self.named(&why)),
            other => other,
        }
    }
}

/// The output of Git, without its last newline.
fn git(args: &[&str], index: Option<&Path>, revision: &str) -> Result<String, CommandError> {
    let mut command = Command::new("git");
    command.args(args).envs(index.map(|index| ("GIT_INDEX_FILE", index)));
    let output = command.output().map_err(|error| failed(revision, &format!("git cannot be run: {error}")))?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(failed(revision, if why.is_empty() { "Git does not find this revision here" } else { &why }));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}

fn failed(revision: &str, why: &str) -> CommandError {
    let help = "name a file, or REVISION:FILE inside a Git work tree, as in main:policy.toml";
    CommandError::Io(format!("{revision}: cannot be read: {why}\n = help: {help}"))
}
