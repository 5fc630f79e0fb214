//! Finds the policy that includes a team's file: [`PolicyLoader::policies_including`].

use std::fs;
use std::path::{Path, PathBuf};

use super::PolicyLoader;
use super::file::source_files;

/// How many folders are searched if no `.git` ends the search: no policy is known to have deeper folders.
const MAX_FOLDERS: usize = 8;

impl PolicyLoader {
    /// Whether a file has a `[scope]`, and therefore is a part of another policy. Returns `false` if it cannot be read.
    pub fn has_scope(&self, path: &Path) -> bool {
        source_files(path).first().is_some_and(|(_, has_scope)| *has_scope)
    }

    /// The policies that include this file. They are in the nearest folder that has any: the folder of the file, or one
    /// above it. The search ends at the root of a Git work tree, or after eight folders. The paths are absolute, and
    /// sorted by name.
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

    /// Whether a policy includes this file, even if the policy is not valid. A file with a `[scope]` is not a policy
    /// itself.
    pub fn includes(&self, policy: &Path, file: &Path) -> bool {
        let Ok(file) = file.canonicalize() else { return false };
        let is_file = |(part, _): &(PathBuf, bool)| part.canonicalize().is_ok_and(|part| part == file);
        let files = source_files(policy);
        files.first().is_some_and(|(_, has_scope)| !has_scope) && files.iter().skip(1).any(is_file)
    }
}

/// The TOML files in a folder.
fn policies_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
    let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|it| it == "toml")).collect();
    files.sort();
    files
}
