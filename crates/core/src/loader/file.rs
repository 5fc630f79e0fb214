//! The policy file, in TOML, with the same settings as the builders have. If anything in it is wrong, the whole file is
//! refused (rule M2).
//!
//! 1. The file, its bases and its included files are collected. Each is parsed, and unknown keys are reported with
//!    their lines.
//! 2. The tables of each file become a part of the builder. An included file, which has a `[scope]`, becomes a part of
//!    its own. A base joins the part of the file that uses it, whose keys and rules take precedence over the base's.
//! 3. The builder refuses mistakes, and each of its errors is traced back to a file and a line.
//!
//! Only types and words are checked while reading; the builder checks the rest. The adapter supplies the environment:
//! see [`PolicyEnv`].

mod auth;
mod details;
mod digest;
mod document;
mod env;
mod gather;
mod key_value;
pub(super) mod keys;
mod misplaced;
mod mistakes;
mod read;
mod reader;
mod regular;
mod shape;
mod sources;
mod tables;
mod value;
mod weaker;

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use self::document::Document;
use self::env::NamedFile;
pub(crate) use self::env::{MAX_FILE_BYTES, PolicyEnv};
use self::gather::{SourceFiles, Text, gather};
use self::mistakes::{KnownMistakes, MAX_MISTAKES, Mistakes};
use self::read::Table;
use self::reader::Reader;
pub use self::regular::read_regular;
pub(super) use self::sources::line_of;
pub(crate) use self::sources::{Override, Sources};
pub(super) use self::tables::Lock;
pub use self::value::parse_size;
use crate::policy::error::PolicyError;
use crate::policy::{Origin, Policy, PolicyBuilder};

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
        let policy = self.builder.clone().compile().map_err(|problem| self.sources.located_in_file(*problem))?;
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
    /// Reads the file at `path`, and all files that it names.
    pub(super) fn from_file(path: &Path, env: &dyn PolicyEnv) -> Result<Self, PolicyError> {
        let text = env.load_text(path, MAX_FILE_BYTES)?;
        Self::from_text(&path.display().to_string(), &text, env)
    }

    /// Like [`PolicyFile::from_text`], but reports all mistakes, by file and line.
    pub(super) fn check(name: &str, text: &str, env: &dyn PolicyEnv) -> Result<Self, Vec<PolicyError>> {
        let read = |known: &KnownMistakes| Self::read(name, text, env, known);
        read(&KnownMistakes::default()).map_err(|first| mistakes::in_order(with_those_behind(first, read)))
    }

    /// Reads a file of this name from its text. The files that it names are relative to the name.
    pub(super) fn from_text(name: &str, text: &str, env: &dyn PolicyEnv) -> Result<Self, PolicyError> {
        Self::read(name, text, env, &KnownMistakes::default()).map_err(|mut all| all.swap_remove(0))
    }

    /// Reads a policy. Errors are in the order in which they are found.
    fn read(name: &str, text: &str, env: &dyn PolicyEnv, known: &KnownMistakes) -> Result<Self, Vec<PolicyError>> {
        let mistakes = Mistakes::default();
        let gathered = gather(name, text, env, &mistakes, known);
        let order = gathered.in_order();
        // If a file is not TOML, or is missing, it may define any name.
        let is_whole = mistakes.count() == 0;
        let SourceFiles { texts, folders } = gathered;
        let parsed: Vec<_> = texts.iter().map(|it| Document::parse(&it.name, &it.text, &mistakes, known)).collect();
        let roots: Vec<Table<'_>> = parsed.iter().map(Document::root).collect();
        let mut reader = Reader::new((&texts, &order), &roots, env, &mistakes);
        let has_known_version = reader.read_shared(is_whole);
        if has_known_version {
            order.iter().for_each(|file| reader.read(*file));
        }
        let Reader { builder, sources, more_files, mut problems, locked_settings, .. } = reader;
        problems.names_are_complete = is_whole;
        let policy = builder.clone().compile_all(&mut problems);
        if has_known_version {
            let of = |error: &PolicyError| parsed.iter().find(|it| error.file().is_some_and(|file| it.has_name(file)));
            let found = problems.all.into_iter().take(MAX_MISTAKES).map(|it| sources.located_in_file(it));
            found.filter(|it| of(it).is_none_or(|file| !file.follows_from_syntax(it))).for_each(|it| mistakes.add(it));
        }
        let mistakes = mistakes.take();
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let fingerprint = fingerprint(&texts, &more_files);
        let hash = digest::digest_of_files(&texts, &more_files);
        let named_files = more_files.iter().map(|file| (file.path.clone(), digest::digest(&file.text))).collect();
        let files = texts
            .iter()
            .map(|text| PathBuf::from(&text.name))
            .chain(more_files.into_iter().map(|file| file.path))
            .collect();
        let policy = policy.with_origin(Origin::File { name: name.into(), hash: hash.into() });
        Ok(Self { policy, builder, sources, locked_settings, named_files, fingerprint, files, folders })
    }
}

/// Whether a file has a `[scope]`, even if other parts of it are wrong. Returns `false` if the file cannot be read.
pub(super) fn has_scope(path: &Path, env: &dyn PolicyEnv) -> bool {
    let (mistakes, known) = (Mistakes::default(), KnownMistakes::default());
    let scope = |text: String| Document::parse("", &text, &mistakes, &known).root.contains_key("scope");
    env.load_text(path, MAX_FILE_BYTES).is_ok_and(scope)
}

/// The files of a policy, even if parts of it are wrong; none if the first one cannot be read.
pub(super) fn source_files(path: &Path, env: &dyn PolicyEnv) -> Vec<PathBuf> {
    let (mistakes, known) = (Mistakes::default(), KnownMistakes::default());
    let Ok(text) = env.load_text(path, MAX_FILE_BYTES) else { return Vec::new() };
    let files = gather(&path.display().to_string(), &text, env, &mistakes, &known);
    files.texts.into_iter().map(|text| text.name.into()).collect()
}

/// Adds the mistakes that these mistakes hide: reading a table only reports its first mistake.
fn with_those_behind(
    mut all: Vec<PolicyError>,
    read: impl Fn(&KnownMistakes) -> Result<PolicyFile, Vec<PolicyError>>,
) -> Vec<PolicyError> {
    let mut known = KnownMistakes::default();
    while all.len() < MAX_MISTAKES && known.note(&all) {
        let more = read(&known).err().unwrap_or_default();
        all.extend(more.into_iter().filter(|error| known.was_hiding(error)));
    }
    all
}

fn fingerprint(texts: &[Text], more: &[NamedFile]) -> u64 {
    let mut hasher = DefaultHasher::new();
    texts.iter().for_each(|it| (&it.name, &it.text).hash(&mut hasher));
    more.iter().for_each(|it| (&it.path, &it.text).hash(&mut hasher));
    hasher.finish()
}

#[cfg(test)]
mod tests;
