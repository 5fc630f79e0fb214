//! Collects the files of a policy: the first file, its bases, the files that it includes, and their bases and included
//! files.

use std::path::{Path, PathBuf};

use toml::de::DeValue;

use super::sources::{Parent, SourceFile};
use super::tables::{FileTable, PlacedText, misplaced};
use crate::table::{Document, Found, Kind, Leaf, MAX_FILE_BYTES, NamedFile, PolicyError, Reading, closest, read_text};

/// The maximum number of files of one policy. One process may have this many services behind it. The limit also stops a
/// pattern that matches too many files.
const MAX_FILES: usize = 4096;

/// The maximum number of folders to watch. Each file may be in a separate folder, which may itself be in a separate
/// folder. A pattern that needs more folders, such as `/**/*.toml`, would search the whole machine. Systems also limit
/// how many folders they watch for one user, to about 8,000.
const MAX_FOLDERS: usize = 2 * MAX_FILES;

/// All files of a policy with their tables, and the folders in which more files may appear.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) files: Vec<SourceFile>,
    pub(super) tables: Vec<FileTable>,
    pub(super) mistakes: Vec<PolicyError>,
    pub(super) named_files: Vec<NamedFile>,
    pub(super) folders: Vec<PathBuf>,
}

impl Gathered {
    /// Collects the files of a policy whose first file has this name and text.
    pub(super) fn new(name: &str, text: String) -> Self {
        let mut gathered = Self::default();
        gathered.read(name, text, None);
        let mut at = 0;
        while at < gathered.files.len() {
            gathered.gather_named(at);
            at += 1;
        }
        gathered
    }

    /// Returns the files in the order of precedence. Each file comes before its bases, of which the last base comes
    /// first. The files that a file includes come after its bases.
    pub(super) fn in_order(&self) -> Vec<usize> {
        fn visit(files: &[SourceFile], file: usize, order: &mut Vec<usize>) {
            order.push(file);
            let named = (0..files.len()).filter_map(|at| Some((at, files[at].parent.as_ref()?)));
            let named = named.filter(|(_, parent)| parent.file == file);
            let (bases, included): (Vec<_>, Vec<_>) = named.partition(|(_, parent)| parent.is_base);
            bases.iter().rev().chain(&included).for_each(|(at, _)| visit(files, *at, order));
        }
        let mut order = Vec::new();
        visit(&self.files, 0, &mut order);
        order
    }

    /// Reads the tables of a file.
    fn read(&mut self, name: &str, text: String, parent: Option<Parent>) {
        let document = Document::parse(name, &text);
        let mut at = Reading::new(name, &text, misplaced);
        let table = FileTable::read(&DeValue::Table(document.root.clone()), &mut at).unwrap_or_default();
        let Found { mut mistakes, places, moved, named_files } = at.found;
        // The keys of an unknown version cannot be checked. Mistakes in a file that a key names are reported
        // separately.
        let is_own = |mistake: &PolicyError| mistake.file() == Some(name);
        let is_version = |mistake: &PolicyError| mistake.kind() == Kind::Version.as_str();
        let other_version = mistakes.iter().position(|mistake| is_own(mistake) && is_version(mistake));
        let is_known = other_version.is_none();
        if let Some(only) = other_version {
            mistakes = vec![mistakes.swap_remove(only)];
        }
        self.mistakes.extend(document.syntax_errors());
        self.mistakes.extend(mistakes.into_iter().filter(|mistake| !is_own(mistake) || !document.explains(mistake)));
        let (is_whole, canonical) = (document.is_toml() && is_known, Path::new(name).canonicalize().ok());
        drop(document);
        self.named_files.extend(named_files);
        self.tables.push(if is_known { table } else { FileTable::default() });
        let line_ends = text.bytes().enumerate().filter_map(|(at, byte)| (byte == b'\n').then_some(at)).collect();
        let name = name.to_owned();
        self.files.push(SourceFile { name, text, line_ends, parent, canonical, places, moved, is_whole });
    }

    fn gather_named(&mut self, at: usize) {
        let folder = Path::new(&self.files[at].name).parent().unwrap_or(Path::new("")).to_owned();
        let (bases, patterns) = (self.tables[at].base.clone(), self.tables[at].include.clone());
        // A file with a scope cannot have a base. The key is refused when the tables are put together.
        let has_scope = self.files[at].places.contains_key("scope");
        for name in bases.into_iter().flatten().filter(|_| !has_scope) {
            let refuse = |kind, wrong, right: &str| self.error(at, &name, kind, wrong, right);
            let path = if is_wildcard(&name.text) {
                let right = "name each file; if two bases set the same key, the last one applies";
                Err(refuse(Kind::InvalidValue, "a base cannot have a wildcard".to_owned(), right))
            } else {
                named_file(&folder, &name.text, &refuse)
            };
            let read = path.and_then(|path| self.insert((at, true), &name, &path));
            self.mistakes.extend(read.err());
        }
        for pattern in patterns.into_iter().flatten() {
            let read = self.include_pattern(at, &folder, &pattern);
            self.mistakes.extend(read.err());
        }
    }

    /// Returns an error at the path of a file, or at a pattern.
    fn error(&self, file: usize, text: &PlacedText, kind: Kind, wrong: String, right: &str) -> PolicyError {
        self.files[file].error(&text.path, kind, wrong, right)
    }

    fn include_pattern(&mut self, at: usize, folder: &Path, text: &PlacedText) -> Result<(), PolicyError> {
        let (written, refuse) = (&*text.text, |kind, wrong, right: &str| self.error(at, text, kind, wrong, right));
        if !is_wildcard(written) {
            let path = named_file(folder, written, &refuse)?;
            return self.insert((at, false), text, &path);
        }
        let Some(folders) = folders_of(folder, written) else {
            let wrong = format!("{written:?} searches more than {MAX_FOLDERS} folders");
            return Err(refuse(Kind::File, wrong, "narrow the pattern"));
        };
        let found = matching_files(folder, written, &refuse)?;
        if found.is_empty() {
            // If nothing were reported, a renamed folder would silently remove the guards in its files.
            let wrong = format!("{written:?} matches no file");
            let right = match with_near_folder(folder, written) {
                Some(near) => format!("did you mean {near:?}?"),
                None => "create the first file, or remove the line".to_owned(),
            };
            let refused = refuse(Kind::File, wrong, &right);
            return Err(folders.iter().fold(refused, |error, folder| error.without(&folder.join("*"))));
        }
        self.folders.extend(folders);
        found.iter().try_for_each(|path| self.insert((at, false), text, path))
    }

    fn insert(&mut self, (file, is_base): (usize, bool), text: &PlacedText, path: &Path) -> Result<(), PolicyError> {
        let content = read_text(path, MAX_FILE_BYTES)?;
        let (name, canonical) = (path.display().to_string(), path.canonicalize().ok());
        let is_same = |it: &&SourceFile| it.name == name || canonical.is_some() && it.canonical == canonical;
        if let Some(twice) = self.files.iter().find(is_same) {
            let wrong = format!("{} is already part of the policy", twice.name);
            let right = "name each file once, and never a file that includes this one or uses it as a base";
            return Err(self.error(file, text, Kind::File, wrong, right));
        }
        if self.files.len() == MAX_FILES {
            let wrong = format!("the policy has more than {MAX_FILES} files");
            return Err(self.error(file, text, Kind::File, wrong, "narrow the pattern"));
        }
        let parent = Parent { file, is_base, location: self.files[file].location(&text.path) };
        self.read(&name, content, Some(parent));
        Ok(())
    }
}

type Refuse<'a> = &'a dyn Fn(Kind, String, &str) -> PolicyError;

/// Returns the file of a name without a wildcard.
fn named_file(folder: &Path, written: &str, refuse: Refuse<'_>) -> Result<PathBuf, PolicyError> {
    if written.is_empty() {
        let right = "write a path, as in \"services/*.toml\"";
        return Err(refuse(Kind::InvalidValue, "the file name is empty".to_owned(), right));
    }
    let path = folder.join(written);
    match path.metadata() {
        Ok(meta) if meta.is_dir() => {
            let wrong = format!("{} is a folder", path.display());
            Err(refuse(Kind::File, wrong, "name its files, as in \"services/*.toml\""))
        }
        // A path that is not a regular file is refused when it is read.
        Ok(_) => Ok(path),
        Err(_) => {
            let wrong = format!("{} is not a file", path.display());
            Err(refuse(Kind::File, wrong, "create the file, or remove its name here").without(&path))
        }
    }
}

/// Returns the files that match an element of `include` with a wildcard, sorted by name.
fn matching_files(folder: &Path, written: &str, refuse: Refuse<'_>) -> Result<Vec<PathBuf>, PolicyError> {
    let escaped = glob::Pattern::escape(&folder.display().to_string());
    let full = Path::new(&escaped).join(written);
    let hidden = glob::MatchOptions { require_literal_leading_dot: true, ..glob::MatchOptions::new() };
    let paths = glob::glob_with(&full.display().to_string(), hidden).map_err(|error| {
        // The position in the error is left out, because it is counted from the beginning of the folder's name, which
        // is not in the file.
        let wrong = format!("{written:?} is not a pattern: {}", error.msg);
        refuse(Kind::InvalidValue, wrong, "write one such as \"services/*.toml\"")
    })?;
    let mut found = Vec::new();
    for path in paths {
        let path = path.map_err(|error| {
            let wrong = format!("{} cannot be read: {}", error.path().display(), error.error());
            refuse(Kind::File, wrong, "make it readable")
        })?;
        // Everything except a folder is a part of the policy. A pipe or a dangling link is refused when it is read. If
        // it were left out instead, the guards in it would be missing without notice.
        if path.metadata().map_or_else(|_| path.is_symlink(), |meta| !meta.is_dir()) {
            found.push(path);
        }
    }
    Ok(found)
}

/// Returns this pattern with the name of a similar folder that exists, if the folder in the pattern does not exist.
fn with_near_folder(folder: &Path, written: &str) -> Option<String> {
    let mut parts: Vec<&str> = written.split('/').collect();
    let above = |at: usize| Path::new(".").join(folder).join(parts[..at].join("/"));
    let missing = (1..parts.len()).find(|at| !above(*at).is_dir())? - 1;
    let beside = above(missing).read_dir().ok()?.flatten().filter(|entry| entry.path().is_dir());
    let names: Vec<String> = beside.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    parts[missing] = closest(parts[missing], names.iter().map(String::as_str))?;
    Some(parts.join("/"))
}

fn is_wildcard(written: &str) -> bool {
    written.contains(['*', '?', '['])
}

/// Returns the folders in which a new file or folder could match the pattern, or `None` if they are too many.
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
