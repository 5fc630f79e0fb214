//! Collects the files of a policy: the first one, its bases, the files that it includes, and their bases and included
//! files.

use std::path::{Path, PathBuf};

use super::document::Document;
use super::env::{MAX_FILE_BYTES, PolicyEnv};
use super::mistakes::{KnownMistakes, Mistakes};
use super::value::Value;
use crate::guard::mistake::Kind;
use crate::policy::error::PolicyError;
use crate::policy::suggestion::closest;

/// The most files of one policy: as many as there may be services behind one process. It also bounds a pattern that is
/// too wide.
const MAX_FILES: usize = 4096;

/// The most folders to watch. Each file may be in a folder of its own, and each of these in another one. A pattern that
/// needs more, such as `/**/*.toml`, would search the whole machine. Systems also limit how many folders they watch for
/// one user, to about 8,000.
const MAX_FOLDERS: usize = 2 * MAX_FILES;

/// A file with its text, and the file that names it.
pub(super) struct Text {
    /// The name of the file in errors.
    pub(super) name: String,
    pub(super) text: String,
    /// The file that names it; `None` for the first file.
    pub(super) parent: Option<Parent>,
    folder: PathBuf,
    canonical: Option<PathBuf>,
}

/// The file that names another one.
pub(super) struct Parent {
    pub(super) file: usize,
    /// Whether `base` names it, and not `include`.
    pub(super) is_base: bool,
    /// Where it is named, as `FILE:LINE`.
    pub(super) location: String,
}

/// All files of a policy, and the folders in which more may appear.
pub(super) struct SourceFiles {
    pub(super) texts: Vec<Text>,
    pub(super) folders: Vec<PathBuf>,
}

/// Collects the files of a policy whose first file has this name and text.
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
        gathered.gather_named(at, env, mistakes, known);
        at += 1;
    }
    gathered
}

impl SourceFiles {
    /// The files in the order of precedence. Each file comes before its bases, and these begin with the last one. The
    /// files that it includes come after that.
    pub(super) fn in_order(&self) -> Vec<usize> {
        fn visit(texts: &[Text], file: usize, order: &mut Vec<usize>) {
            order.push(file);
            let named = (0..texts.len()).filter_map(|at| Some((at, texts[at].parent.as_ref()?)));
            let named = named.filter(|(_, parent)| parent.file == file);
            let (bases, included): (Vec<_>, Vec<_>) = named.partition(|(_, parent)| parent.is_base);
            bases.iter().rev().chain(&included).for_each(|(at, _)| visit(texts, *at, order));
        }
        let mut order = Vec::new();
        visit(&self.texts, 0, &mut order);
        order
    }

    fn gather_named(&mut self, at: usize, env: &dyn PolicyEnv, mistakes: &Mistakes, known: &KnownMistakes) {
        let Text { name, text, folder, .. } = &self.texts[at];
        let (name, text, folder) = (name.clone(), text.clone(), folder.clone());
        let document = Document::parse(&name, &text, mistakes, known);
        document.report_syntax();
        let root = document.root();
        // A file with a scope cannot have a base: the key is refused when that file is read.
        for base in root.read("base", Value::elements).filter(|_| root.get("scope").is_none()).into_iter().flatten() {
            document.keep(base_of(&folder, &base).and_then(|path| self.insert((at, true), &base, &path, env)));
        }
        for pattern in root.read("include", Value::elements).into_iter().flatten() {
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
        let written = pattern.text()?;
        if !is_wildcard(written) {
            return self.insert((at, false), pattern, &named_file(folder, pattern)?, env);
        }
        let Some(folders) = folders_of(folder, written) else {
            let wrong = format!("{written:?} searches more than {MAX_FOLDERS} folders");
            return Err(pattern.error(wrong, "narrow the pattern").of_kind(Kind::File));
        };
        let found = matching_files(folder, pattern)?;
        if found.is_empty() {
            // If nothing were reported, a renamed folder would silently remove the guards in its files.
            let wrong = format!("{written:?} matches no file");
            let right = match with_near_folder(folder, written) {
                Some(near) => format!("did you mean {near:?}?"),
                None => "create the first file, or remove the line".to_owned(),
            };
            let refused = pattern.error(wrong, right).of_kind(Kind::File);
            return Err(folders.iter().fold(refused, |error, folder| error.without(&folder.join("*"))));
        }
        self.folders.extend(folders);
        found.iter().try_for_each(|path| self.insert((at, false), pattern, path, env))
    }

    fn insert(
        &mut self,
        (file, is_base): (usize, bool),
        name: &Value<'_>,
        path: &Path,
        env: &dyn PolicyEnv,
    ) -> Result<(), PolicyError> {
        let text = env.load_text(path, MAX_FILE_BYTES)?;
        let parent = Parent { file, is_base, location: name.location() };
        let text = Text::new(&path.display().to_string(), text, Some(parent));
        if let Some(twice) = self.texts.iter().find(|other| other.is_same_file(&text)) {
            let wrong = format!("{} is part of the policy already", twice.name);
            return Err(name
                .error(wrong, "name each file once, and never a file that includes this one or uses it as a base")
                .of_kind(Kind::File));
        }
        if self.texts.len() == MAX_FILES {
            let wrong = format!("the policy has more than {MAX_FILES} files");
            return Err(name.error(wrong, "narrow the pattern").of_kind(Kind::File));
        }
        self.texts.push(text);
        Ok(())
    }
}

impl Text {
    fn new(name: &str, text: String, parent: Option<Parent>) -> Self {
        let path = Path::new(name);
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        Self { name: name.to_owned(), text, parent, folder, canonical: path.canonicalize().ok() }
    }

    fn is_same_file(&self, other: &Self) -> bool {
        self.name == other.name || self.canonical.is_some() && self.canonical == other.canonical
    }
}

/// The file that an element of `base` names.
fn base_of(folder: &Path, name: &Value<'_>) -> Result<PathBuf, PolicyError> {
    if is_wildcard(name.text()?) {
        return Err(name.error(
            "a base cannot have a wildcard",
            "name each file; if two bases set the same key, the last one applies",
        ));
    }
    named_file(folder, name)
}

/// The file of a name without a wildcard.
fn named_file(folder: &Path, name: &Value<'_>) -> Result<PathBuf, PolicyError> {
    let written = name.text()?;
    if written.is_empty() {
        return Err(name.error("the file name is empty", "write a path, as in \"services/*.toml\""));
    }
    let path = folder.join(written);
    match path.metadata() {
        Ok(meta) if meta.is_dir() => {
            let wrong = format!("{} is a folder", path.display());
            Err(name.error(wrong, "name its files, as in \"services/*.toml\"").of_kind(Kind::File))
        }
        // A path that is not a regular file is refused when it is read.
        Ok(_) => Ok(path),
        Err(_) => {
            let wrong = format!("{} is not a file", path.display());
            Err(name.error(wrong, "create the file, or remove its name here").of_kind(Kind::File).without(&path))
        }
    }
}

/// The files that match an element of `include` with a wildcard, sorted by name.
fn matching_files(folder: &Path, pattern: &Value<'_>) -> Result<Vec<PathBuf>, PolicyError> {
    let written = pattern.text()?;
    let escaped = glob::Pattern::escape(&folder.display().to_string());
    let full = Path::new(&escaped).join(written);
    let hidden = glob::MatchOptions { require_literal_leading_dot: true, ..glob::MatchOptions::new() };
    let paths = glob::glob_with(&full.display().to_string(), hidden).map_err(|error| {
        // The position in the error is left out: it counts from the beginning of the folder's name, which is not in the
        // file.
        pattern.error(format!("{written:?} is not a pattern: {}", error.msg), "write one such as \"services/*.toml\"")
    })?;
    let mut found = Vec::new();
    for path in paths {
        let path = path.map_err(|error| {
            pattern
                .error(format!("{} cannot be read: {}", error.path().display(), error.error()), "make it readable")
                .of_kind(Kind::File)
        })?;
        if is_part(&path) {
            found.push(path);
        }
    }
    Ok(found)
}

/// The same pattern with the name of a similar folder that exists, if its own folder does not exist.
fn with_near_folder(folder: &Path, written: &str) -> Option<String> {
    let mut parts: Vec<&str> = written.split('/').collect();
    let above = |at: usize| Path::new(".").join(folder).join(parts[..at].join("/"));
    let missing = (1..parts.len()).find(|at| !above(*at).is_dir())? - 1;
    let beside = above(missing).read_dir().ok()?.flatten().filter(|entry| entry.path().is_dir());
    let names: Vec<String> = beside.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    parts[missing] = closest(parts[missing], names.iter().map(String::as_str))?;
    Some(parts.join("/"))
}

/// Whether a path that matches counts as a part of the policy: everything except a folder does. A pipe or a dangling
/// link is refused when it is read. If it were left out instead, the guards in it would be missing without notice.
fn is_part(path: &Path) -> bool {
    path.metadata().map_or_else(|_| path.is_symlink(), |meta| !meta.is_dir())
}

fn is_wildcard(written: &str) -> bool {
    written.contains(['*', '?', '['])
}

/// The folders in which a new file or folder could match the pattern; `None` if they are too many.
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
