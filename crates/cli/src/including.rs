//! Finds the policy to check for a file: a team's own file is part of another policy, which has its names and its
//! locks.

use std::env;
use std::path::{Path, PathBuf};

use tower_error_envelope::policy::PolicyLoader;

use crate::failure::CommandError;
use crate::stdin;

/// The policy to read for a file that the user named.
pub(crate) struct CheckedFile {
    /// The whole policy.
    pub(crate) policy: PathBuf,
    /// The file, if it is only a part of the policy.
    pub(crate) part: Option<PathBuf>,
    /// Whether the file has a `[scope]`, but no policy was found that includes it.
    pub(crate) is_alone: bool,
}

impl CheckedFile {
    /// Finds the policy of this file, unless the user named one.
    ///
    /// # Errors
    ///
    /// The named policy does not include the file, or several do and none is named.
    pub(crate) fn find(file: &Path, named: Option<&Path>) -> Result<Self, CommandError> {
        let loader = PolicyLoader::new().any_verifier();
        let part_of = |policy: PathBuf| Self { policy, part: Some(file.to_owned()), is_alone: false };
        if file == Path::new(stdin::NAME) && named.is_none() {
            return Ok(Self { policy: file.to_owned(), part: None, is_alone: false });
        }
        if let Some(policy) = named {
            return if loader.includes(policy, file) {
                Ok(part_of(policy.to_owned()))
            } else {
                Err(not_included_error(file, policy))
            };
        }
        let has_scope = loader.has_scope(file);
        let mut found = if has_scope { loader.policies_including(file) } else { Vec::new() };
        match found.len() {
            0 => Ok(Self { policy: file.to_owned(), part: None, is_alone: has_scope }),
            1 => Ok(part_of(from_here(&found.remove(0)))),
            _ => Err(several_policies_error(file, &found)),
        }
    }

    /// Whether warnings and notes in this file are reported. For the policy's other files, only errors are.
    pub(crate) fn covers(&self, file: &str) -> bool {
        let is = |part: &PathBuf| part.canonicalize().ok() == Path::new(file).canonicalize().ok();
        self.part.as_ref().is_none_or(is)
    }
}

fn not_included_error(file: &Path, policy: &Path) -> CommandError {
    let (file, policy) = (file.display(), policy.display());
    CommandError::Io(format!(
        "{file}: {policy} does not include this file\n = help: add it to `include` in {policy}, or name the policy that includes it"
    ))
}

fn several_policies_error(file: &Path, policies: &[PathBuf]) -> CommandError {
    let names: Vec<_> = policies.iter().map(|policy| from_here(policy).display().to_string()).collect();
    let (file, first) = (file.display(), &names[0]);
    CommandError::Io(format!(
        "{file}: {} include this file\n = help: name one of them: --policy {first}",
        names.join(" and ")
    ))
}

/// An absolute path, written relative to the current folder if it is below it.
fn from_here(path: &Path) -> PathBuf {
    let Ok(here) = env::current_dir().and_then(|here| here.canonicalize()) else { return path.to_owned() };
    let relative = |(up, folder): (usize, &Path)| {
        let below = path.strip_prefix(folder).ok()?;
        Some(std::iter::repeat_n("..", up).collect::<PathBuf>().join(below))
    };
    here.ancestors().enumerate().find_map(relative).unwrap_or_else(|| path.to_owned())
}
