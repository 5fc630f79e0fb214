//! The policy file: TOML that says what the builders say, refused whole where anything in it is wrong (rule M2).
//!
//! 1. The file and all that it includes are gathered; each is parsed, and names a key that it does not have by line.
//! 2. Each file's tables become part of the builder: those of a file with a `[scope]` a part of their own, those of
//!    any other file a part of the file that includes it, its rules before that file's.
//! 3. The builder refuses what is wrong in them, and the refusal is led back to its file and line.
//!
//! Reading checks types and words; all else is the builder's. The environment is the adapter's to know: it is asked
//! through [`Surroundings`].

mod around;
mod auth;
mod details;
mod document;
mod gather;
mod mistakes;
mod read;
mod regular;
mod sources;
mod tables;
pub(super) mod value;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use self::around::NamedFile;
pub(crate) use self::around::PolicyEnv;
use self::document::Document;
use self::gather::{SourceFiles, Text, gather};
use self::read::Table;
pub use self::regular::read_regular;
pub(crate) use self::sources::Sources;
use self::tables::Budgets;
use super::error::{PolicyError, TablePath};
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
        let text = around.text_of(path)?;
        Self::from_text(&path.display().to_string(), &text, around)
    }

    /// Reads the text of a file of that name; what it names is read relative to the name.
    pub(crate) fn from_text(name: &str, text: &str, around: &dyn PolicyEnv) -> Result<Self, PolicyError> {
        let SourceFiles { texts, folders } = gather(name, text, around)?;
        let parsed = texts.iter().map(|it| Document::parse(&it.name, &it.text)).collect::<Result<Vec<_>, _>>()?;
        let roots: Vec<Table<'_>> = parsed.iter().map(Document::root).collect();
        let mut reader = Reader::new(&texts, &roots, around)?;
        for file in reader.in_order() {
            reader.read(file)?;
        }
        let Reader { builder, sources, more_files, .. } = reader;
        let fingerprint = fingerprint(&texts, &more_files);
        let policy = builder.clone().compile().map_err(|problem| sources.led_back(*problem))?;
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
    known: CodeSet,
    own: Vec<ErrorCode>,
    budgets: Budgets,
    builder: PolicyBuilder,
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
    /// Reads what all files must know of each other: their versions, scopes and codes.
    fn new(texts: &'a [Text], roots: &'a [Table<'a>], around: &'a dyn PolicyEnv) -> Result<Self, PolicyError> {
        let mut reader = Self {
            texts,
            roots,
            around,
            parts: Vec::new(),
            known: CodeSet::default(),
            own: Vec::new(),
            budgets: Budgets::default(),
            builder: Policy::builder(),
            sources: Sources::new(texts.iter().map(|it| (it.name.clone(), it.text.clone())).collect()),
            more_files: Vec::new(),
        };
        for (file, root) in roots.iter().enumerate() {
            if around.asks_version() || root.get("version").is_some() {
                tables::read_version(root)?;
            }
            tables::check_root(root)?;
            let part = reader.part_of(file)?;
            reader.parts.push(part);
            for table in root.tables("code")? {
                reader.sources.insert(TablePath::Code(reader.own.len()), table.placed(file));
                let mut code = tables::read_code(&table)?;
                if let Some(details) = table.get("details") {
                    let folder = reader.folder_of(file);
                    code = code.with_details(details::read(&details, folder, around, &mut reader.more_files)?);
                }
                reader.own.push(code);
            }
        }
        reader.known = CodeSet::new(reader.own.clone());
        reader.builder.codes = reader.own.clone();
        Ok(reader)
    }

    /// What relative names in a file are relative to.
    fn folder_of(&self, file: usize) -> &'a Path {
        Path::new(&self.texts[file].name).parent().unwrap_or(Path::new(""))
    }

    /// A file with a scope makes a part; one without adds to the part of the file that includes it.
    fn part_of(&mut self, file: usize) -> Result<usize, PolicyError> {
        let around = self.texts[file].includer.map_or(0, |includer| self.parts[includer]);
        let Some(table) = self.roots[file].table("scope")? else { return Ok(around) };
        let scope = tables::read_scope(&table)?;
        self.builder.scopes.push(scope);
        let part = self.builder.scopes.len();
        self.sources.insert(TablePath::Scope(part), table.placed(file));
        self.refuse_outside(part, around)?;
        Ok(part)
    }

    fn refuse_outside(&self, part: usize, around: usize) -> Result<(), PolicyError> {
        let cover = |part: usize| {
            let scope = part.checked_sub(1).and_then(|at| self.builder.scopes.get(at));
            scope
                .map(Scope::cover)
                .transpose()
                .map_err(|refused| self.sources.led_back(*refused.at_path(TablePath::Scope(part))))
        };
        let (Some(cover), Some(wider)) = (cover(part)?, cover(around)?) else { return Ok(()) };
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

    fn read(&mut self, file: usize) -> Result<(), PolicyError> {
        let (root, part) = (&self.roots[file], self.parts[file]);
        self.read_process_wide(file)?;
        if let Some(table) = root.table("defaults")? {
            let keys = tables::read_keys(&table, &[])?;
            self.put_defaults(file, part, &table, keys)?;
        }
        for (name, table) in root.children_of("header")? {
            self.refuse_twice(&TablePath::Header(name.clone()), &table)?;
            self.sources.insert(TablePath::Header(name.clone()), table.placed(file));
            self.builder.headers.push((name, tables::read_header(&table)?));
        }
        for (name, table) in root.children_of("auth")? {
            self.refuse_twice(&TablePath::Auth(name.clone()), &table)?;
            let mut placed = table.placed(file);
            if let Some(messages) = table.table("messages")? {
                let keys = messages.placed(file).keys;
                placed.keys.extend(keys.into_iter().map(|(key, span)| (format!("messages.{key}"), span)));
            }
            // TableSettings are the builder's `keys`, wherever they come from.
            if let Some((_, span)) = placed.keys.iter().find(|(key, _)| key == "keys_file").cloned()
                && !placed.keys.iter().any(|(key, _)| key == "keys")
            {
                placed.keys.push(("keys".to_owned(), span));
            }
            self.sources.insert(TablePath::Auth(name.clone()), placed);
            let scheme = auth::read(&name, &table, self.folder_of(file), self.around, &mut self.more_files)?;
            self.builder.schemes.push((name, scheme));
        }
        for table in root.tables("map")? {
            let rule = tables::read_rule(&table, &self.known, &self.own)?;
            let place = TablePath::Map(part, self.part(part).rules.len());
            self.sources.insert(place, table.placed(file));
            self.part(part).rules.push(rule);
        }
        for table in root.tables("outward")? {
            let rule = tables::read_outward(&table, &self.known, &self.own)?;
            let place = TablePath::Outward(part, self.part(part).outward.len());
            self.sources.insert(place, table.placed(file));
            self.part(part).outward.push(rule);
        }
        for table in root.tables("route")? {
            let route = tables::read_route(&table)?;
            let place = TablePath::Route(part, self.part(part).routes.len());
            self.sources.insert(place, table.placed(file));
            self.part(part).routes.push(route);
        }
        Ok(())
    }

    /// `[request_id]`, `[rpc]`, `[inspect]`, `[observe]` and `[drain]` hold for the process: no scope can have its own.
    fn read_process_wide(&mut self, file: usize) -> Result<(), PolicyError> {
        let root = &self.roots[file];
        let scoped = file != 0 && self.parts[file] != 0;
        let tables = [
            ("request_id", None),
            ("rpc", Some(TablePath::Rpc)),
            ("inspect", Some(TablePath::Inspect)),
            ("observe", None),
            ("drain", Some(TablePath::Drain)),
        ];
        for (key, place) in tables {
            let Some(table) = root.table(key)? else { continue };
            if scoped {
                let wrong = format!("[{key}] applies to the whole process, but this file has a scope");
                return Err(root.refused_key(key, wrong, "set it in the file without a scope"));
            }
            if let Some(other) = self.budgets.read(key, &table, file, &mut self.builder)? {
                let wrong = format!("[{key}] is already set in {}", self.texts[other].name);
                return Err(root.refused_key(key, wrong, "keep one of them"));
            }
            if let Some(place) = place {
                self.sources.insert(place, table.placed(file));
            }
        }
        Ok(())
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
    fn put_defaults(
        &mut self,
        file: usize,
        part: usize,
        table: &Table<'_>,
        keys: TableSettings,
    ) -> Result<(), PolicyError> {
        let place = TablePath::Defaults(part);
        let known = self.part(part).keys.clone();
        let is_in_both = |key: &str| known.written(key).is_some() && keys.written(key).is_some();
        if let Some(key) = TableSettings::NAMES.iter().find(|key| is_in_both(key)) {
            let first = self.sources.locate(&place, key).map(|at| format!("{}:{}", at.file, at.line));
            let wrong = format!("{key} is already set ({})", first.unwrap_or_default());
            return Err(table.refused_key(key, wrong, "set it once for each scope"));
        }
        self.part(part).keys = known.and(keys);
        self.sources.insert(place, table.placed(file));
        Ok(())
    }

    fn part(&mut self, part: usize) -> &mut super::scope::PolicyPart {
        match part.checked_sub(1) {
            Some(scope) => &mut self.builder.scopes[scope].part,
            None => &mut self.builder.part,
        }
    }
}

#[cfg(test)]
mod tests;
