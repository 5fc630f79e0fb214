//! Puts the tables of a policy's files together, and stores the place of each table.

use std::collections::HashSet;

use super::auth::PolicyEnv;
use super::gather::Gathered;
use super::sources::{Override, Sources};
use super::tables::{DefinedCode, FileTable, PlacedText};
use crate::body_shape::BodyShape;
use crate::policy::PolicyBuilder;
use crate::policy::keys::RouteTable;
use crate::policy::process::ProcessTables;
use crate::policy::scope::{PolicyPart, Scope};
use crate::table::{
    Kind, MAX_MISTAKES, Named, PolicyError, Refusals, SettingError, TablePath, Tables, advice_for_unknown, closest,
    dotted,
};

/// A key of `[defaults]` that a file locks.
#[derive(Debug)]
pub(super) struct Lock {
    pub(super) key: &'static str,
    pub(super) file: usize,
    /// The place of the lock, as `FILE:LINE`.
    pub(super) location: String,
}

/// The content of all files of a policy together.
#[derive(Default)]
pub(super) struct Assembly {
    pub(super) builder: PolicyBuilder,
    pub(super) sources: Sources,
    pub(super) locks: Vec<Lock>,
    pub(super) problems: Refusals,
    pub(super) mistakes: Vec<PolicyError>,
}

impl Assembly {
    /// Puts the tables together. The tables of a base join the part of the file that uses the base.
    pub(super) fn new(gathered: Gathered, env: &PolicyEnv) -> Self {
        let order = gathered.in_order();
        let Gathered { files, mut tables, mistakes, .. } = gathered;
        let sources = Sources { files, order: order.clone(), ..Sources::default() };
        let mut all = Self { sources, mistakes, ..Self::default() };
        let mut parts = Vec::new();
        for (file, table) in tables.iter_mut().enumerate() {
            all.read_locks(file, table);
            let part = all.part_for_file(file, table, &parts);
            parts.push(part);
            all.read_codes(file, table);
        }
        for file in order {
            all.read_tables(file, parts[file], std::mem::take(&mut tables[file]), env);
        }
        all
    }

    fn refuse(&mut self, file: usize, path: &str, wrong: impl Into<String>, right: impl Into<String>) {
        self.mistakes.push(self.sources.files[file].error(path, Kind::Conflict, wrong, right));
    }

    /// Reads the keys that a file locks.
    fn read_locks(&mut self, file: usize, table: &FileTable) {
        let names = table.locked.iter().flatten();
        if table.locked.is_some() && table.scope.is_some() {
            let right = "list the settings in the file that includes this one, or in its base";
            return self.refuse(file, "locked", "a file with a [scope] cannot lock settings", right);
        }
        for PlacedText { text, path } in names {
            match RouteTable::KEYS.iter().find(|key| *key == text) {
                Some(key) => {
                    let location = self.sources.files[file].location(path);
                    self.locks.push(Lock { key, file, location });
                }
                None => {
                    let wrong = format!("{text:?} is not a setting that can be locked");
                    let right = advice_for_unknown(text, RouteTable::KEYS.iter().copied());
                    self.mistakes.push(self.sources.files[file].error(path, Kind::UnknownWord, wrong, right));
                }
            }
        }
    }

    /// Returns the index of the part for a file. A file with a scope has its own part. A base belongs to the part of
    /// the file that names it.
    fn part_for_file(&mut self, file: usize, table: &mut FileTable, parts: &[usize]) -> usize {
        let source = &self.sources.files[file];
        let (has_scope, parent) = (source.places.contains_key("scope"), source.parent.as_ref());
        let around = parent.map_or(0, |parent| parts[parent.file]);
        let is_base = parent.map(|parent| (parent.is_base, parent.location.clone()));
        match is_base {
            _ if !source.is_whole => {}
            Some((false, location)) if !has_scope => {
                let right = format!("add [scope], or name the file in `base` instead of `include` ({location})");
                self.refuse(file, "scope", "an included file needs a [scope]", right);
            }
            Some((true, location)) if has_scope => {
                let right = format!("remove [scope], or name the file in `include` instead of `base` ({location})");
                self.refuse(file, "scope", "a base cannot have a [scope]", right);
                return around;
            }
            _ if has_scope && table.base.is_some() => {
                let right = "name the base in the file that includes this one";
                self.refuse(file, "base", "a file with a [scope] cannot have a base", right);
            }
            _ => {}
        }
        let Some(table) = table.scope.take() else { return around };
        let part = self.builder.scopes.len() + 1;
        self.sources.insert(TablePath::Scope(part), file, "scope".to_owned());
        self.builder.scopes.push(Scope { table, ..Scope::new() });
        // A mistake in one of the scopes is reported when the policy is built.
        let cover = |part: usize| self.builder.scopes.get(part.checked_sub(1)?)?.cover(&mut Refusals::default());
        if let (Some(cover), Some(wider)) = (cover(part), cover(around))
            && !cover.is_narrower_than(&wider)
        {
            let wrong = "the scope is not inside the scope of the including file";
            let right = "narrow it, or include the file from a file without a scope";
            let refused = SettingError::new("", wrong, right).of_kind(Kind::Conflict);
            self.problems.add(refused.in_tables(TablePath::Scope(part), TablePath::Scope(around)));
        }
        part
    }

    fn read_codes(&mut self, file: usize, table: &mut FileTable) {
        for (index, DefinedCode(table)) in table.code.take().into_iter().flat_map(|Tables(codes)| codes).enumerate() {
            let place = TablePath::Code(self.builder.codes.len());
            self.sources.insert(place.clone(), file, format!("code[{index}]"));
            let code = self.problems.read(&place, |refusals| table.into_code(refusals));
            self.builder.codes.push(code);
        }
    }

    fn read_tables(&mut self, file: usize, part: usize, table: FileTable, env: &PolicyEnv) {
        let mut table = table;
        self.read_process(file, part, &mut table);
        if let Some(keys) = table.defaults {
            self.put_defaults(file, part, keys);
        }
        for (name, header) in table.header.into_iter().flat_map(|Named(all)| all) {
            if self.is_new(TablePath::Header(name.clone()), file, dotted("header", &name)) {
                self.builder.headers.push((name, header));
            }
        }
        for (name, scheme) in table.auth.into_iter().flat_map(|Named(all)| all) {
            let place = TablePath::Auth(name.clone());
            if self.is_new(place.clone(), file, dotted("auth", &name)) {
                let scheme = self.problems.read(&place, |refusals| scheme.resolved(&name, env, refusals));
                self.builder.schemes.push((name, scheme));
            }
        }
        for (name, table) in table.shape.into_iter().flat_map(|Named(all)| all) {
            if self.is_new(TablePath::Shape(name.clone()), file, dotted("shape", &name)) {
                self.part(part).shapes.push(BodyShape { name, table });
            }
        }
        macro_rules! read_lists {
            ($($key:ident $place:ident $list:ident),*) => {$(
                for (index, it) in table.$key.into_iter().flat_map(|Tables(all)| all).enumerate() {
                    let place = TablePath::$place(part, self.part(part).$list.len());
                    self.sources.insert(place, file, format!("{}[{index}]", stringify!($key)));
                    self.part(part).$list.push(it);
                }
            )*};
        }
        read_lists!(map Map rules, outward Outward outward, route Route routes);
    }

    /// Reads the tables that apply to the whole process, so that no scope may have them.
    fn read_process(&mut self, file: usize, part: usize, table: &mut FileTable) {
        macro_rules! read {
            ($($key:ident)*) => {$(
                if let Some(base) = table.$key.take() {
                    if file != 0 && part != 0 {
                        let wrong = concat!("[", stringify!($key), "] applies to the whole process, but this file has a scope");
                        self.refuse(file, stringify!($key), wrong, "set it in the file without a scope");
                    } else {
                        self.sources.insert(TablePath::Process(stringify!($key)), file, stringify!($key).to_owned());
                        let process: &mut ProcessTables = &mut self.builder.process;
                        process.$key = Some(match process.$key.take() {
                            Some(own) => own.overriding(base),
                            None => base,
                        });
                    }
                }
            )*};
        }
        read! { request_id rpc inspect observe drain advice cors proxy }
    }

    /// Returns true if no other file has a table of this name, because names are shared by all files.
    fn is_new(&mut self, place: TablePath, file: usize, path: String) -> bool {
        let Some(first) = self.sources.locate(&place, "") else {
            self.sources.insert(place, file, path);
            return true;
        };
        let wrong = format!("the name is used twice ({}:{})", first.file, first.line);
        let error = self.sources.files[file].error(&path, Kind::DefinedTwice, wrong, "rename one of them");
        self.mistakes.push(error);
        false
    }

    /// Adds defaults. Several files of a part may have defaults. For each key, the value of a file takes precedence
    /// over the values of its bases.
    fn put_defaults(&mut self, file: usize, part: usize, keys: RouteTable) {
        let (place, known) = (TablePath::Defaults(part), self.part(part).keys.clone());
        for key in RouteTable::settings() {
            let Some((name, value)) = keys.value_of(key) else { continue };
            let Some(own) = self.sources.set_key(&place, RouteTable::names_of(key)) else { continue };
            if known.weakens(&keys, key) {
                let base =
                    (format!("{name} = {value}"), self.sources.files[file].location(&format!("defaults.{name}")));
                self.sources.overrides.push(Override { place: place.clone(), key: own.to_owned(), base });
            }
        }
        self.part(part).keys = known.over_base(keys);
        self.sources.insert(place, file, "defaults".to_owned());
    }

    fn part(&mut self, part: usize) -> &mut PolicyPart {
        match part.checked_sub(1) {
            Some(scope) => &mut self.builder.scopes[scope].part,
            None => &mut self.builder.part,
        }
    }

    /// Returns all mistakes, including mistakes of locked keys, by file and line. At each key, only the first mistake
    /// stays. A mistake that follows from another mistake is left out. An unknown name is also left out if files that
    /// could not be read may define it.
    pub(super) fn all_mistakes(&mut self, locked: Vec<PolicyError>) -> Vec<PolicyError> {
        let is_lost = |mistake: &PolicyError| {
            let names_file = mistake.key().is_none_or(|key| key.starts_with("include") || key.starts_with("base"));
            names_file && mistake.kind() == Kind::File.as_str()
        };
        let is_whole = self.sources.files.iter().all(|file| file.is_whole) && !self.mistakes.iter().any(is_lost);
        let problems = std::mem::take(&mut self.problems.0).into_iter();
        let problems = problems.filter(|problem| is_whole || problem.kind != Kind::UnknownName);
        let found: Vec<_> = problems
            .filter(|problem| !self.sources.explain(&self.mistakes, problem))
            .take(MAX_MISTAKES)
            .map(|problem| self.sources.located_in_file(problem))
            .collect();
        let mut all = std::mem::take(&mut self.mistakes);
        all.extend(locked);
        all.extend(found);
        let mut files: Vec<_> = self.sources.files.iter().map(|file| Some(file.name.clone())).collect();
        files.extend(all.iter().map(|error| error.file().map(str::to_owned)));
        let file_of = |error: &PolicyError| files.iter().position(|name| name.as_deref() == error.file());
        let place = |error: &PolicyError| {
            let span = error.span().unwrap_or_default();
            (file_of(error), error.line(), span.is_empty(), span.start)
        };
        all.sort_by_cached_key(place);
        all.truncate(2 * MAX_MISTAKES);
        let follows: Vec<bool> =
            all.iter().map(|mistake| all.iter().any(|other| follows_from(mistake, other))).collect();
        let mut follows = follows.into_iter();
        all.retain(|_| !follows.next().unwrap_or_default());
        let mut seen = HashSet::new();
        all.retain(|error| {
            let is_one = error.span().is_some_and(|span| !span.is_empty());
            let place = (error.file(), error.line(), error.key());
            seen.insert(if is_one { format!("{place:?}") } else { error.to_string() })
        });
        all.truncate(MAX_MISTAKES);
        all
    }
}

/// Returns true if a mistake follows from another mistake. A mistake follows if it is in a line that is not TOML, or if
/// its key is only missing because the key's name is misspelled.
fn follows_from(mistake: &PolicyError, other: &PolicyError) -> bool {
    let is = |error: &PolicyError, kind: Kind| error.kind() == kind.as_str();
    let table_and_name = |error: &PolicyError| {
        let key = error.key().unwrap_or_default();
        key.rsplit_once('.')
            .map_or((String::new(), key.to_owned()), |(table, name)| (table.to_owned(), name.to_owned()))
    };
    let is_misspelled = || {
        let ((table, missing), (of_other, unknown)) = (table_and_name(mistake), table_and_name(other));
        table == of_other && closest(&unknown, std::iter::once(missing.as_str())).is_some()
    };
    mistake.file() == other.file()
        && (is(other, Kind::Syntax) && !is(mistake, Kind::Syntax) && mistake.line() == other.line()
            || is(mistake, Kind::MissingKey) && is(other, Kind::UnknownKey) && is_misspelled())
}
