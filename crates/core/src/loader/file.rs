//! The policy file in TOML, which has the same settings as the builders. If anything in the file is wrong, the whole
//! file is refused (rule M2).
//!
//! 1. The file, its bases and its included files are collected ([`gather`](super::gather)). The tables of each file are
//!    read into the structs of the builder.
//! 2. The tables are put together ([`build`](super::build)). An included file, which has a `[scope]`, becomes a
//!    separate part. A base joins the part of the file that uses the base. The keys and rules of this file take
//!    precedence over the keys and rules of the base.
//! 3. The builder refuses mistakes, and each mistake is traced back to a file and a line.
//!
//! Reading checks only types and words. The builder checks everything else. The adapter supplies the environment, which
//! [`PolicyEnv`] describes.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::auth::PolicyEnv;
use super::build::{Assembly, Lock};
use super::gather::Gathered;
use super::sources::{SourceFile, Sources};
use crate::policy::{Origin, Policy, PolicyBuilder};
use crate::table::{Kind, NamedFile, PolicyError};

/// Groups of keys that configure the same guard or format. Locking the first key of a group locks the whole group.
const COMPANIONS: [&[&str]; 4] = [
    &["auth", "auth_observe", "auth_optional"],
    &["body_limit", "body_limit_per"],
    &["json", "content_types"],
    &["content_types", "json"],
];

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
    pub(super) files: Vec<PathBuf>,
    pub(super) folders: Vec<PathBuf>,
}

impl PolicyFile {
    /// Returns the policy.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Returns the policy, without the facts about its files.
    #[must_use]
    pub fn into_policy(self) -> Policy {
        self.policy
    }

    /// Builds another policy from the same texts, without reading any file again.
    ///
    /// # Errors
    ///
    /// Returns the same errors as [`PolicyLoader::load`](super::PolicyLoader::load).
    pub fn another_policy(&self) -> Result<Policy, PolicyError> {
        let policy = self.builder.compile().map_err(|problem| self.sources.located_in_file(problem))?;
        Ok(policy.with_origin(self.policy.origin.clone()))
    }

    /// Returns all files that were read: the policy, the files that it includes, and files with keys.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(PathBuf::as_path)
    }

    /// Returns the folders in which a new file may appear that the policy would include.
    pub fn folders(&self) -> impl Iterator<Item = &Path> {
        self.folders.iter().map(PathBuf::as_path)
    }

    /// Reads a file of this name from its text. The names of other files in the text are relative to `name`. Errors are
    /// sorted by file and line. The list of errors has at least one element, and at most 200.
    pub(super) fn read(name: &str, text: String, env: &PolicyEnv) -> Result<Self, Vec<PolicyError>> {
        let mut gathered = Gathered::new(name, text);
        let (more_files, folders) = (std::mem::take(&mut gathered.named_files), std::mem::take(&mut gathered.folders));
        let mut all = Assembly::new(gathered, env);
        let policy = all.builder.compile_all(&mut all.problems);
        let locked = all.set_although_locked();
        let mistakes = all.all_mistakes(locked);
        let Assembly { builder, sources, locks, .. } = all;
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let hash = digest_of_files(&sources.files, &more_files);
        let named_files = more_files.iter().map(|file| (file.path.clone(), digest(&file.text))).collect();
        let files = sources.files.iter().map(|file| PathBuf::from(&file.name));
        let files = files.chain(more_files.into_iter().map(|file| file.path)).collect();
        let policy = policy.with_origin(Origin::of_files(name, hash));
        Ok(Self { policy, builder, sources, locked_settings: locks, named_files, files, folders })
    }
}

impl Assembly {
    /// Returns the errors for keys that are locked for their file, by file and line. If a file locks a key, no file
    /// below it may set the key (`manual/policy.md`). An included file is below every file that locks keys. A file is
    /// below its bases.
    fn set_although_locked(&self) -> Vec<PolicyError> {
        let refused = self.sources.route_keys().filter_map(|(part, file, name, span)| {
            let is_below = |lock: &&Lock| {
                file != lock.file && (part != 0 || self.sources.rank(file) < self.sources.rank(lock.file))
            };
            let lock = self.locks.iter().filter(is_below).find(|lock| lock.holds_for(name))?;
            let wrong = format!("{} is locked ({}), so a file below it cannot set {name}", lock.key, lock.location);
            Some(span.error(wrong, "remove it").of_kind(Kind::Locked))
        });
        refused.collect()
    }
}

impl Lock {
    fn holds_for(&self, key: &str) -> bool {
        let companions = COMPANIONS.iter().find(|group| group[0] == self.key);
        companions.map_or(self.key == key, |group| group.contains(&key))
    }
}

/// The number of digits of a hash. With so many digits, no two policies of one organisation have the same hash, and
/// people can still compare two hashes.
const DIGITS: usize = 16;

/// Returns the hash of a text, in hexadecimal digits.
fn digest(text: &str) -> String {
    shortened(Sha256::digest(text))
}

/// Returns the hash of all files of a policy. The hash ignores the folder and the file name of the policy itself,
/// because gateways may store the policy in different places.
fn digest_of_files(texts: &[SourceFile], more: &[NamedFile]) -> String {
    let folder = texts.first().and_then(|first| Path::new(&first.name).parent()).unwrap_or(Path::new(""));
    let included = texts.iter().skip(1).map(|it| (Path::new(&it.name), &it.text));
    let named = more.iter().map(|it| (it.path.as_path(), &it.text));
    let mut hasher = Sha256::new();
    for (path, text) in texts.iter().take(1).map(|it| (Path::new(""), &it.text)).chain(included).chain(named) {
        let name = path.strip_prefix(folder).unwrap_or(path).display().to_string();
        // Editors may change line ends and byte order marks. A policy in which only these differ is still the same
        // policy.
        let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
        for part in [&name, &text] {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
    }
    shortened(hasher.finalize())
}

fn shortened(digest: impl AsRef<[u8]>) -> String {
    digest.as_ref().iter().take(DIGITS / 2).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
