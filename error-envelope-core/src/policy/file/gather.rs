//! The files of one policy: the first, and those that it includes, and those that they include.

use std::path::{Path, PathBuf};

use super::document::Document;
use super::env::{MAX_FILE_BYTES, PolicyEnv};
use super::mistakes::{KnownMistakes, Mistakes};
use super::value::Value;
use crate::policy::error::PolicyError;

/// As many services as one process may have in front of it, and a bound for a pattern that is too wide.
const MAX_FILES: usize = 4096;

/// Each of so many files may have a folder of its own, and so may those. What looks through more is a pattern such as
/// `/**/*.toml`, which would look through all that the machine has; systems watch some 8,000 folders of one user's, too.
const MAX_FOLDERS: usize = 2 * MAX_FILES;

/// A file, and what it includes.
pub(super) struct Text {
    /// What errors call it.
    pub(super) name: String,
    pub(super) text: String,
    /// The place of the file that includes it.
    pub(super) includer: Option<usize>,
    folder: PathBuf,
    canonical: Option<PathBuf>,
}

/// All files, and the folders in which more may appear.
pub(super) struct SourceFiles {
    pub(super) texts: Vec<Text>,
    pub(super) folders: Vec<PathBuf>,
}

/// The files of a policy whose first one has this name and text.
pub(super) fn gather(
    name: &str,
    text: &str,
    env: &dyn PolicyEnv,
    mistakes: &Mistakes,
    known: &KnownMistakes,
) -> SourceFiles {
    let mut gathered = SourceFiles { texts: vec![Text::new(name, text.to_owned(), None)], folders: Vec::new() };
    let mut at = 0;
    while at < gathered.texts.len() {
        gathered.include(at, env, mistakes, known);
        at += 1;
    }
    gathered
}

impl SourceFiles {
    fn include(&mut self, at: usize, env: &dyn PolicyEnv, mistakes: &Mistakes, known: &KnownMistakes) {
        let Text { name, text, folder, .. } = &self.texts[at];
        let (name, text, folder) = (name.clone(), text.clone(), folder.clone());
        let document = Document::parse(&name, &text, mistakes, known);
        document.report_syntax();
        for pattern in document.root().read("include", Value::elements).into_iter().flatten() {
            document.keep(self.include_pattern(at, &folder, &pattern, env));
        }
    }

    fn include_pattern(
        &mut self,
        at: usize,
        folder: &Path,
        pattern: &Value<'_>,
        env: &dyn PolicyEnv,
    ) -> Result<(), PolicyError> {
        let Some(folders) = folders_of(folder, pattern.text()?) else {
            let wrong = format!("{:?} searches more than {MAX_FOLDERS} folders", pattern.text()?);
            return Err(pattern.error(wrong, "narrow the pattern"));
        };
        let found = files_of(folder, pattern)?;
        self.folders.extend(folders);
        found.iter().try_for_each(|path| self.insert(at, pattern, path, env))
    }

    fn insert(
        &mut self,
        includer: usize,
        pattern: &Value<'_>,
        path: &Path,
        env: &dyn PolicyEnv,
    ) -> Result<(), PolicyError> {
        let text = env.load_text(path, MAX_FILE_BYTES)?;
        let text = Text::new(&path.display().to_string(), text, Some(includer));
        if let Some(twice) = self.texts.iter().find(|other| other.is(&text)) {
            let wrong = format!("{} is part of the policy already", twice.name);
            return Err(pattern.error(wrong, "include each file once, and no file that includes this one"));
        }
        if self.texts.len() == MAX_FILES {
            let wrong = format!("the policy has more than {MAX_FILES} files");
            return Err(pattern.error(wrong, "narrow the pattern"));
        }
        self.texts.push(text);
        Ok(())
    }
}

impl Text {
    fn new(name: &str, text: String, includer: Option<usize>) -> Self {
        let path = Path::new(name);
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        Self { name: name.to_owned(), text, includer, folder, canonical: path.canonicalize().ok() }
    }

    fn is(&self, other: &Self) -> bool {
        self.name == other.name || self.canonical.is_some() && self.canonical == other.canonical
    }
}

/// The files that an element of `include` names, in the order of their names.
fn files_of(folder: &Path, pattern: &Value<'_>) -> Result<Vec<PathBuf>, PolicyError> {
    let written = pattern.text()?;
    if written.is_empty() {
        return Err(pattern.error("\"\" names no file", "write a path, as in \"services/*.toml\""));
    }
    if !is_wildcard(written) {
        let path = folder.join(written);
        return match path.metadata() {
            Ok(meta) if meta.is_dir() => {
                let wrong = format!("{} is a folder", path.display());
                Err(pattern.error(wrong, "name its files, as in \"services/*.toml\""))
            }
            // What is no regular file is refused where it is read.
            Ok(_) => Ok(vec![path]),
            Err(_) => {
                let refused = pattern.error(format!("{} is not a file", path.display()), "name a file that exists");
                Err(refused.without(&path))
            }
        };
    }
    let escaped = glob::Pattern::escape(&folder.display().to_string());
    let full = Path::new(&escaped).join(written);
    let hidden = glob::MatchOptions { require_literal_leading_dot: true, ..glob::MatchOptions::new() };
    let paths = glob::glob_with(&full.display().to_string(), hidden).map_err(|error| {
        // Its position counts the folder, too.
        pattern.error(format!("{written:?} is not a pattern: {}", error.msg), "write one such as \"services/*.toml\"")
    })?;
    let mut found = Vec::new();
    for path in paths {
        let path = path.map_err(|error| {
            pattern.error(format!("{} cannot be read: {}", error.path().display(), error.error()), "make it readable")
        })?;
        if is_part(&path) {
            found.push(path);
        }
    }
    Ok(found)
}

/// A pipe, or a link that leads nowhere, stands where a part of the policy should: it is refused where it is read. Left
/// out, it would take that part's guards with it.
fn is_part(path: &Path) -> bool {
    path.metadata().map_or_else(|_| path.is_symlink(), |meta| !meta.is_dir())
}

fn is_wildcard(written: &str) -> bool {
    written.contains(['*', '?', '['])
}

/// The folders in which a file or a folder may appear that a pattern would find; `None` where there are too many.
fn folders_of(folder: &Path, written: &str) -> Option<Vec<PathBuf>> {
    if !is_wildcard(written) {
        return Some(Vec::new());
    }
    let Some(above) = Path::new(written).parent() else { return Some(Vec::new()) };
    let escaped = Path::new(&glob::Pattern::escape(&folder.display().to_string())).join(above);
    let inside = glob::glob(&escaped.display().to_string()).into_iter().flatten().filter_map(Result::ok);
    let mut folders: Vec<PathBuf> = inside.filter(|path| path.is_dir()).take(MAX_FOLDERS + 1).collect();
    if !is_wildcard(&above.display().to_string()) {
        folders = vec![folder.join(above)];
    }
    folders.extend(folders_of(folder, &above.display().to_string())?);
    (folders.len() <= MAX_FOLDERS).then_some(folders)
}
