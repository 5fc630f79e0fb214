//! The policy file, in TOML, with the same settings as the builders have. If anything in it is wrong, the whole file is
//! refused (rule M2).
//!
//! 1. The file, its bases and its included files are collected ([`gather`](super::gather)). The tables of each are read:
//!    they are the structs of the builder.
//! 2. The tables are put together ([`build`](super::build)). An included file, which has a `[scope]`, becomes a part of
//!    its own. A base joins the part of the file that uses it, whose keys and rules take precedence over the base's.
//! 3. The builder refuses what is wrong, and each of its mistakes is traced back to a file and a line.
//!
//! Only types and words are checked while reading; the builder checks the rest. The adapter supplies the environment:
//! see [`PolicyEnv`].

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use super::auth::PolicyEnv;
use super::build::{Assembly, Lock};
use super::digest;
use super::gather::Gathered;
use super::sources::{SourceFile, Sources};
use crate::policy::{Origin, Policy, PolicyBuilder};
use crate::table::{MAX_FILE_BYTES, NamedFile, PolicyError, read_text};

/// A policy, and the files from which it was read.
#[derive(Debug)]
pub struct PolicyFile {
    pub(super) policy: Policy,
    /// The builder from which the policy was built.
    pub(super) builder: PolicyBuilder,
    pub(super) sources: Sources,
    pub(super) locked_settings: Vec<Lock>,
    /// The hashes of files that values name, such as files with keys.
    pub(super) named_files: HashMap<PathBuf, String>,
    pub(super) fingerprint: u64,
    pub(super) files: Vec<PathBuf>,
    pub(super) folders: Vec<PathBuf>,
}

impl PolicyFile {
    /// The policy.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The policy, without the facts about its files.
    #[must_use]
    pub fn into_policy(self) -> Policy {
        self.policy
    }

    /// Builds another policy from the same texts, without reading any file again.
    ///
    /// # Errors
    ///
    /// Like [`PolicyLoader::load`](super::PolicyLoader::load).
    pub fn another_policy(&self) -> Result<Policy, PolicyError> {
        let policy = self.builder.compile().map_err(|problem| self.sources.located_in_file(problem))?;
        Ok(policy.with_origin(self.policy.origin.clone()))
    }

    /// All files that were read: the policy, the files that it includes, and files with keys.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(PathBuf::as_path)
    }

    /// The folders in which a new file may appear that the policy would include.
    pub fn folders(&self) -> impl Iterator<Item = &Path> {
        self.folders.iter().map(PathBuf::as_path)
    }

    /// A hash that is equal for the same files with the same texts.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }
}

impl PolicyFile {
    /// Reads a file of this name from its text. The files that it names are relative to the name. Errors are by file
    /// and line; there is at least one, and at most 200.
    pub(super) fn read(name: &str, text: String, env: &dyn PolicyEnv) -> Result<Self, Vec<PolicyError>> {
        let mut gathered = Gathered::new(name, text);
        let (more_files, folders) = (std::mem::take(&mut gathered.named_files), std::mem::take(&mut gathered.folders));
        let mut all = Assembly::new(gathered, env);
        let policy = all.builder.compile_all(&mut all.problems);
        let mistakes = all.all_mistakes();
        let Assembly { builder, sources, locks, .. } = all;
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let fingerprint = fingerprint(&sources.files, &more_files);
        let hash = digest::digest_of_files(&sources.files, &more_files);
        let named_files = more_files.iter().map(|file| (file.path.clone(), digest::digest(&file.text))).collect();
        let files = sources.files.iter().map(|file| PathBuf::from(&file.name));
        let files = files.chain(more_files.into_iter().map(|file| file.path)).collect();
        let policy = policy.with_origin(Origin::File { name: name.into(), hash: hash.into() });
        Ok(Self { policy, builder, sources, locked_settings: locks, named_files, fingerprint, files, folders })
    }
}

/// The files of a policy, even if parts of it are wrong, each with whether it has a `[scope]`; none if the first one
/// cannot be read.
pub(super) fn source_files(path: &Path) -> Vec<(PathBuf, bool)> {
    let Ok(text) = read_text(path, MAX_FILE_BYTES) else { return Vec::new() };
    let gathered = Gathered::new(&path.display().to_string(), text);
    gathered.files.into_iter().map(|file| (file.name.into(), file.places.contains_key("scope"))).collect()
}

fn fingerprint(texts: &[SourceFile], more: &[NamedFile]) -> u64 {
    let mut hasher = DefaultHasher::new();
    texts.iter().for_each(|it| (&it.name, &it.text).hash(&mut hasher));
    more.iter().for_each(|it| (&it.path, &it.text).hash(&mut hasher));
    hasher.finish()
}

#[cfg(test)]
mod tests;
