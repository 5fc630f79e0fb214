//! The policy file: TOML that says what the builders say, refused whole where anything in it is wrong (rule M2).
//!
//! 1. The file and all that it includes are gathered; each is parsed, and names a key that it does not have by line.
//! 2. Each file's tables become part of the builder: those of a file with a `[scope]` a part of their own, those of
//!    any other file a part of the file that includes it, its rules before that file's.
//! 3. The builder refuses what is wrong in them, and the refusal is led back to its file and line.
//!
//! Reading checks types and words; all else is the builder's. The environment is the adapter's to know: it is asked
//! through [`Surroundings`].

mod auth;
mod details;
mod document;
mod env;
mod gather;
pub(super) mod key_value;
mod mistakes;
mod read;
mod regular;
mod shape;
mod sources;
mod tables;
pub(super) mod value;

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use self::document::Document;
pub(super) use self::env::NamedFiles;
pub(crate) use self::env::PolicyEnv;
use self::env::{MAX_FILE_BYTES, NamedFile};
use self::gather::{SourceFiles, Text, gather};
use self::mistakes::{MAX_MISTAKES, Mistakes};
pub(super) use self::read::Table;
pub use self::regular::read_regular;
pub(crate) use self::sources::Sources;
use self::sources::TableAt;
use self::tables::Budgets;
use self::value::Codes;
use super::error::{PolicyError, Problems, TablePath};
use super::keys::TableSettings;
use super::scope::Scope;
use super::{Origin, Policy, PolicyBuilder};
use crate::code::{CodeSet, ErrorCode};

/// A policy as it was read.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) policy: Policy,
    /// What the policy was built from.
    pub(crate) builder: PolicyBuilder,
    pub(crate) sources: Sources,
    /// The same for the same texts.
    pub(crate) fingerprint: u64,
    /// Every file that was read.
    pub(crate) files: Vec<PathBuf>,
    /// The folders in which included files may appear.
    pub(crate) folders: Vec<PathBuf>,
}

impl Loaded {
    /// Reads the file at `path`, and what it names.
    pub(crate) fn from_file(path: &Path, around: &dyn PolicyEnv) -> Result<Self, PolicyError> {
        let text = around.text_of(path, MAX_FILE_BYTES)?;
        Self::from_text(&path.display().to_string(), &text, around)
    }

    /// As [`Loaded::from_file`], with all that is wrong, by file and line.
    pub(crate) fn check(path: &Path, around: &dyn PolicyEnv) -> Result<Self, Vec<PolicyError>> {
        let text = around.text_of(path, MAX_FILE_BYTES).map_err(|error| vec![error])?;
        Self::from_text_or_all(&path.display().to_string(), &text, around).map_err(mistakes::in_order)
    }

    /// Reads the text of a file of that name; what it names is read relative to the name.
    pub(crate) fn from_text(name: &str, text: &str, around: &dyn PolicyEnv) -> Result<Self, PolicyError> {
        Self::from_text_or_all(name, text, around).map_err(|mut all| all.swap_remove(0))
    }

    /// The same, or what is wrong, in the order in which it was found.
    fn from_text_or_all(name: &str, text: &str, around: &dyn PolicyEnv) -> Result<Self, Vec<PolicyError>> {
        let mistakes = Mistakes::default();
        let SourceFiles { texts, folders } = gather(name, text, around, &mistakes);
        let parsed: Vec<_> = texts.iter().map(|it| Document::parse(&it.name, &it.text, &mistakes)).collect();
        let roots: Vec<Table<'_>> = parsed.iter().map(Document::root).collect();
        let is_toml = parsed.iter().all(Document::is_toml);
        let mut reader = Reader::new(&texts, &roots, around, &mistakes);
        let has_known_version = reader.read_shared(is_toml);
        if has_known_version {
            reader.in_order().into_iter().for_each(|file| reader.read(file));
        }
        let Reader { builder, sources, more_files, mut problems, .. } = reader;
        let policy = builder.clone().compile_all(&mut problems);
        // A table that is no TOML may have any name.
        if is_toml && has_known_version {
            problems.all.into_iter().take(MAX_MISTAKES).for_each(|it| mistakes.add(sources.led_back(it)));
        }
        let mistakes = mistakes.take();
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let fingerprint = fingerprint(&texts, &more_files);
        let files = texts
            .iter()
            .map(|text| PathBuf::from(&text.name))
            .chain(more_files.into_iter().map(|file| file.path))
            .collect();
        let policy = Policy { origin: Origin::File(name.into()), ..policy };
        Ok(Self { policy, builder, sources, fingerprint, files, folders })
    }

    /// One more policy of what was read.
    pub(crate) fn another_policy(&self) -> Result<Policy, PolicyError> {
        let policy = self.builder.clone().compile().map_err(|problem| self.sources.led_back(*problem))?;
        Ok(Policy { origin: self.policy.origin.clone(), ..policy })
    }
}

/// What is made of the files so far.
struct Reader<'a> {
    texts: &'a [Text],
    roots: &'a [Table<'a>],
    around: &'a dyn PolicyEnv,
    /// For each file, the part that its tables belong to.
    parts: Vec<usize>,
    codes: Codes,
    budgets: Budgets,
    builder: PolicyBuilder,
    /// The tables that have a mistake.
    problems: Problems,
    mistakes: &'a Mistakes,
    sources: Sources,
    more_files: Vec<NamedFile>,
}

fn fingerprint(texts: &[Text], more: &[NamedFile]) -> u64 {
    let mut hasher = DefaultHasher::new();
    texts.iter().for_each(|it| (&it.name, &it.text).hash(&mut hasher));
    more.iter().for_each(|it| (&it.path, &it.text).hash(&mut hasher));
    hasher.finish()
}

impl<'a> Reader<'a> {
    fn new(texts: &'a [Text], roots: &'a [Table<'a>], around: &'a dyn PolicyEnv, mistakes: &'a Mistakes) -> Self {
        Self {
            texts,
            roots,
            around,
            parts: Vec::new(),
            codes: Codes { known: CodeSet::default(), own: Vec::new(), written: HashSet::new(), is_complete: true },
            budgets: Budgets::default(),
            builder: Policy::builder(),
            problems: Problems::default(),
            mistakes,
            sources: Sources::new(texts.iter().map(|it| (it.name.clone(), it.text.clone())).collect()),
            more_files: Vec::new(),
        }
    }

    /// Reads what all files must know of each other: their versions, scopes and codes. Whether the versions are known.
    fn read_shared(&mut self, is_toml: bool) -> bool {
        for (file, root) in self.roots.iter().enumerate() {
            if !tables::read_version(root) {
                return false;
            }
            tables::check_root(root);
            let part = self.part_of(file);
            self.parts.push(part);
            root.tables("code").iter().for_each(|table| self.read_code(file, table));
        }
        self.codes.is_complete = is_toml;
        self.codes.known = CodeSet::new(self.codes.own.clone());
        self.builder.codes = self.codes.own.clone();
        true
    }

    fn read_code(&mut self, file: usize, table: &Table<'_>) {
        let code = self.read_table(file, TablePath::Code(self.codes.own.len()), table, |reader| {
            let code = tables::read_code(table);
            let details = table.read("details", |details| details::read(details, &mut reader.files_of(file)));
            details.into_iter().fold(code, ErrorCode::with_details)
        });
        self.codes.own.push(code);
        self.codes.written.extend(table.get("code").and_then(|name| name.owned().ok()));
    }

    /// The files that a file names.
    fn files_of(&mut self, file: usize) -> NamedFiles<'_> {
        let folder = Path::new(&self.texts[file].name).parent().unwrap_or(Path::new(""));
        NamedFiles { folder, around: self.around, read: &mut self.more_files }
    }

    /// A file with a scope makes a part; one without adds to the part of the file that includes it.
    fn part_of(&mut self, file: usize) -> usize {
        let around = self.texts[file].includer.map_or(0, |includer| self.parts[includer]);
        let Some(table) = self.roots[file].table("scope") else { return around };
        let part = self.builder.scopes.len() + 1;
        let place = TablePath::Scope(part);
        let scope = self.read_table(file, place.clone(), &table, |_| tables::read_scope(&table));
        self.builder.scopes.push(scope);
        if !self.problems.refused.contains(&place) && self.mistakes.keep(self.refuse_outside(part, around)).is_none() {
            self.problems.refused.insert(place);
        }
        part
    }

    fn refuse_outside(&self, part: usize, around: usize) -> Result<(), PolicyError> {
        let cover = |part: usize| part.checked_sub(1).and_then(|at| self.builder.scopes.get(at)).map(Scope::cover);
        let cover_of = cover(part)
            .transpose()
            .map_err(|refused| self.sources.led_back(*refused.at_path(TablePath::Scope(part))))?;
        // What is wrong with the one around it was found before.
        let (Some(cover), Some(Ok(wider))) = (cover_of, cover(around)) else { return Ok(()) };
        if cover.is_narrower_than(&wider) {
            return Ok(());
        }
        let wrong = "the scope is not inside the scope of the including file";
        let refused = crate::guard::pattern::SettingError::new(
            "",
            wrong,
            "narrow it, or include the file in a file without a scope",
        );
        Err(self.sources.led_back(*refused.with_location(TablePath::Scope(part), TablePath::Scope(around))))
    }

    /// The files, each after those that it includes: what they say comes before what it says.
    fn in_order(&self) -> Vec<usize> {
        fn visit(texts: &[Text], file: usize, order: &mut Vec<usize>) {
            for included in (0..texts.len()).filter(|other| texts[*other].includer == Some(file)) {
                visit(texts, included, order);
            }
            order.push(file);
        }
        let mut order = Vec::new();
        visit(self.texts, 0, &mut order);
        order
    }

    fn read(&mut self, file: usize) {
        let (root, part) = (&self.roots[file], self.parts[file]);
        self.read_process_wide(file);
        if let Some(table) = root.table("defaults") {
            let keys = tables::read_keys(&table, &[], &mut self.files_of(file));
            self.put_defaults(file, part, &table, keys);
        }
        for (name, table) in root.children_of("header") {
            let place = TablePath::Header(name.clone());
            let Some(()) = self.mistakes.keep(self.refuse_twice(&place, &table)) else { continue };
            let header = self.read_table(file, place, &table, |_| tables::read_header(&table));
            self.builder.headers.push((name, header));
        }
        for (name, table) in root.children_of("auth") {
            let place = TablePath::Auth(name.clone());
            let Some(()) = self.mistakes.keep(self.refuse_twice(&place, &table)) else { continue };
            let scheme =
                self.read_table(file, place, &table, |reader| auth::read(&name, &table, &mut reader.files_of(file)));
            self.builder.schemes.push((name, scheme));
        }
        for table in root.tables("map") {
            let place = TablePath::Map(part, self.part(part).rules.len());
            let rule = self.read_table(file, place, &table, |reader| tables::read_rule(&table, &reader.codes));
            self.part(part).rules.push(rule);
        }
        for table in root.tables("outward") {
            let place = TablePath::Outward(part, self.part(part).outward.len());
            let rule = self.read_table(file, place, &table, |reader| tables::read_outward(&table, &reader.codes));
            self.part(part).outward.push(rule);
        }
        for (name, table) in root.children_of("shape") {
            let place = TablePath::Shape(name.clone());
            let Some(()) = self.mistakes.keep(self.refuse_twice(&place, &table)) else { continue };
            let shape = self.read_table(file, place, &table, |reader| shape::read(&name, &table, &reader.codes));
            self.part(part).shapes.push(shape);
        }
        for table in root.tables("route") {
            let place = TablePath::Route(part, self.part(part).routes.len());
            let route =
                self.read_table(file, place, &table, |reader| tables::read_route(&table, &mut reader.files_of(file)));
            self.part(part).routes.push(route);
        }
    }

    /// Reads a table, and notes whether anything in it is wrong: the builder judges it no more then.
    fn read_table<T>(
        &mut self,
        file: usize,
        place: TablePath,
        table: &Table<'_>,
        read: impl FnOnce(&mut Self) -> T,
    ) -> T {
        self.sources.insert(place.clone(), placed_with_messages(file, table));
        let before = self.mistakes.count();
        let made = read(self);
        if self.mistakes.count() > before {
            self.problems.refused.insert(place);
        }
        made
    }

    /// `[request_id]`, `[rpc]`, `[inspect]`, `[observe]` and `[drain]` hold for the process: no scope can have its own.
    fn read_process_wide(&mut self, file: usize) {
        let tables = [
            ("request_id", None),
            ("rpc", Some(TablePath::Rpc)),
            ("inspect", Some(TablePath::Inspect)),
            ("observe", None),
            ("drain", Some(TablePath::Drain)),
        ];
        for (key, place) in tables {
            let Some(table) = self.roots[file].table(key) else { continue };
            if file != 0 && self.parts[file] != 0 {
                let wrong = format!("[{key}] applies to the whole process, but this file has a scope");
                let right = "set it in the file without a scope";
                self.roots[file].refuse_key(key, wrong, right);
            } else if let Some(other) = self.budgets.read(key, &table, file, &mut self.builder) {
                let wrong = format!("[{key}] is already set in {}", self.texts[other].name);
                self.roots[file].refuse_key(key, wrong, "keep one of them");
            } else if let Some(place) = place {
                self.sources.insert(place, table.placed(file));
            }
        }
    }

    /// Names are shared by all files (POLICY.md).
    fn refuse_twice(&self, place: &TablePath, table: &Table<'_>) -> Result<(), PolicyError> {
        match self.sources.locate(place, "") {
            Some(first) => {
                let wrong = format!("the name is used twice ({}:{})", first.file, first.line);
                Err(table.error(wrong, "rename one of them"))
            }
            None => Ok(()),
        }
    }

    /// Several files of one part may have defaults, each its own keys.
    fn put_defaults(&mut self, file: usize, part: usize, table: &Table<'_>, keys: TableSettings) {
        let place = TablePath::Defaults(part);
        let known = self.part(part).keys.clone();
        let is_in_both = |key: &str| known.written(key).is_some() && keys.written(key).is_some();
        for key in TableSettings::NAMES.iter().filter(|key| is_in_both(key)) {
            let first = self.sources.locate(&place, key).map(|at| format!("{}:{}", at.file, at.line));
            let wrong = format!("{key} is already set ({})", first.unwrap_or_default());
            table.refuse_key(key, wrong, "set it once for each scope");
        }
        self.part(part).keys = known.and(keys);
        self.sources.insert(place, table.placed(file));
    }

    fn part(&mut self, part: usize) -> &mut super::scope::PolicyPart {
        match part.checked_sub(1) {
            Some(scope) => &mut self.builder.scopes[scope].part,
            None => &mut self.builder.part,
        }
    }
}

/// With the keys of `messages`, and with the builder's `keys`, wherever they come from.
fn placed_with_messages(file: usize, table: &Table<'_>) -> TableAt {
    let mut placed = table.placed(file);
    if let Some(Ok(messages)) = table.get("messages").map(|messages| messages.table("")) {
        let keys = messages.placed(file).keys;
        placed.keys.extend(keys.into_iter().map(|(key, span)| (format!("messages.{key}"), span)));
    }
    if let Some((_, span)) = placed.keys.iter().find(|(key, _)| key == "keys_file").cloned()
        && !placed.keys.iter().any(|(key, _)| key == "keys")
    {
        placed.keys.push(("keys".to_owned(), span));
    }
    placed
}

#[cfg(test)]
mod tests;
