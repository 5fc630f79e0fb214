//! Reads the tables of a policy's files into a builder, and remembers where each table is.

use std::collections::HashSet;
use std::path::Path;

use super::env::{NamedFile, NamedFiles, PolicyEnv};
use super::gather::Text;
use super::mistakes::Mistakes;
use super::read::Table;
use super::sources::{Override, Sources, TableAt};
use super::tables::{self, BaseTable, Lock, PROCESS_WIDE};
use super::value::Codes;
use super::{auth, details, shape};
use crate::code::{CodeSet, ErrorCode};
use crate::guard::mistake::Kind;
use crate::guard::pattern::SettingError;
use crate::loader::setting_names;
use crate::policy::error::{PolicyError, Problems, TablePath};
use crate::policy::keys::TableSettings;
use crate::policy::scope::{PolicyPart, Scope};
use crate::policy::{Policy, PolicyBuilder};

/// What has been read so far.
pub(super) struct Reader<'a> {
    texts: &'a [Text],
    roots: &'a [Table<'a>],
    env: &'a dyn PolicyEnv,
    /// The index of the part to which the tables of each file belong.
    parts: Vec<usize>,
    codes: Codes,
    pub(super) builder: PolicyBuilder,
    /// The tables in which mistakes were found.
    pub(super) problems: Problems,
    mistakes: &'a Mistakes,
    pub(super) sources: Sources,
    pub(super) locked_settings: Vec<Lock>,
    pub(super) more_files: Vec<NamedFile>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        (texts, order): (&'a [Text], &[usize]),
        roots: &'a [Table<'a>],
        env: &'a dyn PolicyEnv,
        mistakes: &'a Mistakes,
    ) -> Self {
        Self {
            texts,
            roots,
            env,
            parts: Vec::new(),
            codes: Codes { known: CodeSet::default(), own: Vec::new(), written: HashSet::new(), is_complete: true },
            builder: Policy::builder(),
            problems: Problems::default(),
            mistakes,
            sources: Sources::new(texts.iter().map(|it| (it.name.clone(), it.text.clone())), order),
            locked_settings: Vec::new(),
            more_files: Vec::new(),
        }
    }

    /// Reads what all files have in common: their versions, scopes and codes. Returns whether the versions are
    /// supported.
    pub(super) fn read_shared(&mut self, is_whole: bool) -> bool {
        for (file, root) in self.roots.iter().enumerate() {
            if !tables::read_version(root) {
                return false;
            }
            tables::check_root(root);
            self.locked_settings.extend(tables::read_locked(root, file));
            let part = self.part_for_file(file);
            self.parts.push(part);
            root.tables("code").iter().for_each(|table| self.read_code(file, table));
        }
        self.codes.is_complete = is_whole;
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

    /// Reads the files that this file names.
    fn files_of(&mut self, file: usize) -> NamedFiles<'_> {
        let folder = Path::new(&self.texts[file].name).parent().unwrap_or(Path::new(""));
        NamedFiles { folder, env: self.env, read: &mut self.more_files }
    }

    /// The index of the part for a file. A file with a scope has a part of its own. A base belongs to the part of the
    /// file that names it.
    fn part_for_file(&mut self, file: usize) -> usize {
        let parent = self.texts[file].parent.as_ref();
        let around = parent.map_or(0, |parent| self.parts[parent.file]);
        tables::check_scope(&self.roots[file], parent);
        let Some(table) = self.roots[file].table("scope").filter(|_| parent.is_none_or(|it| !it.is_base)) else {
            return around;
        };
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
        let located_in_file =
            |refused: SettingError| self.sources.located_in_file(*refused.at_path(TablePath::Scope(part)));
        let cover_of = cover(part).transpose().map_err(located_in_file)?;
        // A mistake in the scope of the including file was already reported.
        let (Some(cover), Some(Ok(wider))) = (cover_of, cover(around)) else { return Ok(()) };
        if cover.is_narrower_than(&wider) {
            return Ok(());
        }
        let wrong = "the scope is not inside the scope of the including file";
        let refused = SettingError::new("", wrong, "narrow it, or include the file from a file without a scope")
            .of_kind(Kind::Conflict);
        Err(self.sources.located_in_file(*refused.with_location(TablePath::Scope(part), TablePath::Scope(around))))
    }

    pub(super) fn read(&mut self, file: usize) {
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

    /// Reads a table, and notes if anything in it is wrong: the builder then does not check it.
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

    /// Reads the tables that apply to the whole process, so that no scope may have them.
    fn read_process_wide(&mut self, file: usize) {
        for (key, place) in PROCESS_WIDE {
            let Some(table) = self.roots[file].table(key) else { continue };
            if file != 0 && self.parts[file] != 0 {
                let wrong = format!("[{key}] applies to the whole process, but this file has a scope");
                let right = "set it in the file without a scope";
                self.roots[file].refuse_key(key, wrong, right);
                continue;
            }
            let at = table.table_at(file);
            let mut overridden: Vec<String> = at.keys.iter().map(|(name, _)| name.clone()).collect();
            overridden.retain(|name| self.note_override(&place, (&table, &at), (name, &[name]), false));
            tables::read_process_wide(&place, &BaseTable { table: &table, overridden: &overridden }, &mut self.builder);
            self.sources.insert(place, at);
        }
    }

    /// Returns whether a file of higher precedence sets the key (POLICY.md), under any of `names`. If so, the value in
    /// this file is noted as overridden.
    fn note_override(
        &mut self,
        place: &TablePath,
        (table, at): (&Table<'_>, &TableAt),
        (name, names): (&str, &[&str]),
        weakens: bool,
    ) -> bool {
        let Some(key) = self.sources.set_key(place, names).map(str::to_owned) else { return false };
        let base = (format!("{name} = {}", table.written(name)), self.sources.line(at, name));
        self.sources.overrides.push(Override { place: place.clone(), key, base, weakens });
        true
    }

    /// Refuses a name that another file defines, because names are shared by all files (POLICY.md).
    fn refuse_twice(&self, place: &TablePath, table: &Table<'_>) -> Result<(), PolicyError> {
        match self.sources.locate(place, "") {
            Some(first) => {
                let wrong = format!("the name is used twice ({}:{})", first.file, first.line);
                Err(table.error(wrong, "rename one of them").of_kind(Kind::DefinedTwice))
            }
            None => Ok(()),
        }
    }

    /// Adds defaults. Several files of a part may have some: key by key, those of a file take precedence over those of
    /// its bases.
    fn put_defaults(&mut self, file: usize, part: usize, table: &Table<'_>, keys: TableSettings) {
        let place = TablePath::Defaults(part);
        let (known, at) = (self.part(part).keys.clone(), table.table_at(file));
        for key in setting_names::keys() {
            let Some((name, _)) = setting_names::value_of(&keys, key) else { continue };
            let weakens = known.weakens(&keys, key);
            self.note_override(&place, (table, &at), (name, setting_names::all_names_of(key)), weakens);
        }
        self.part(part).keys = known.overriding(keys);
        self.sources.insert(place, at);
    }

    fn part(&mut self, part: usize) -> &mut PolicyPart {
        match part.checked_sub(1) {
            Some(scope) => &mut self.builder.scopes[scope].part,
            None => &mut self.builder.part,
        }
    }
}

/// Where the table is, with the positions of the keys in `messages`, and of `keys`, which the builder names in its
/// errors.
fn placed_with_messages(file: usize, table: &Table<'_>) -> TableAt {
    let mut placed = table.table_at(file);
    if let Some(Ok(messages)) = table.get("messages").map(|messages| messages.table("")) {
        let keys = messages.table_at(file).keys;
        placed.keys.extend(keys.into_iter().map(|(key, span)| (format!("messages.{key}"), span)));
    }
    if let Some((_, span)) = placed.keys.iter().find(|(key, _)| key == "keys_file").cloned()
        && !placed.keys.iter().any(|(key, _)| key == "keys")
    {
        placed.keys.push(("keys".to_owned(), span));
    }
    placed
}
