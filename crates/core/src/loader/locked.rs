//! `locked`: settings that neither an included scope, nor a later base, nor the user of a base may weaken (POLICY.md).
//!
//! A lock is tried with requests: one of each pattern, and one of each two that meet. On each of them the table that decides a
//! locked setting is compared with what would hold without its file.

use std::collections::HashSet;

use http::Method;

use super::file::{FileDefaults, Lock, PolicyFile};
use super::setting_names::value_of;
use super::witness::any_method;
use crate::guard::pattern::Pattern;
use crate::policy::Mode;
use crate::policy::choice::KeywordValue;
use crate::policy::error::{PolicyError, TablePath};
use crate::policy::keys::TableSettings;

/// A table that applies to a request, and its file.
struct AppliedTable<'a> {
    place: TablePath,
    file: usize,
    keys: &'a TableSettings,
}

impl PolicyFile {
    /// Returns this file, or an error if it weakens a locked setting.
    pub(super) fn held_to_locks(self) -> Result<Self, PolicyError> {
        match self.weakened().into_iter().next() {
            Some(first) => Err(first),
            None => Ok(self),
        }
    }

    /// The settings that are weaker than their lock allows, each listed once.
    pub(super) fn weakened(&self) -> Vec<PolicyError> {
        let mut found = Vec::new();
        if self.locked_settings.is_empty() {
            return found;
        }
        let (patterns, mut reported) = (self.patterns(), HashSet::new());
        for part in 0..patterns.len() {
            let host = self.host_of(part);
            for (method, path) in self.requests_of(part, &patterns) {
                let chain = self.chain(&method, &host, path.as_bytes());
                if chain.part != part {
                    continue;
                }
                let tables: Vec<_> = chain.tables.iter().flat_map(|(place, keys)| self.by_file(place, keys)).collect();
                for (lock, key) in
                    self.locked_settings.iter().flat_map(|lock| covered(lock).iter().map(move |key| (lock, *key)))
                {
                    if let Some((at, error)) = self.weakens_lock(lock, key, &tables)
                        && reported.insert((at, key))
                    {
                        found.push(error);
                    }
                }
            }
        }
        found
    }

    /// The tables at one place, one for each file: several files may have defaults for the same part.
    fn by_file<'a>(&'a self, place: &TablePath, keys: &'a TableSettings) -> Vec<AppliedTable<'a>> {
        if let TablePath::Defaults(part) = place {
            let own = self.defaults.iter().filter(|it| it.part == *part);
            let table = |it: &'a FileDefaults| AppliedTable { place: place.clone(), file: it.file, keys: &it.keys };
            return own.map(table).collect();
        }
        let file = self.sources.file_of(place).unwrap_or_default();
        vec![AppliedTable { place: place.clone(), file, keys }]
    }

    fn weakens_lock(
        &self,
        lock: &Lock,
        key: &'static str,
        tables: &[AppliedTable<'_>],
    ) -> Option<(TablePath, PolicyError)> {
        let sets = |table: &&AppliedTable<'_>| value_of(table.keys, key).is_some();
        let own = tables.iter().find(sets).filter(|own| self.binds(lock, own))?;
        let wider = tables.iter().filter(|table| table.file != own.file).find(sets);
        let defaults = TableSettings::defaults();
        if !weakens(own.keys, wider.map_or(&defaults, |wider| wider.keys), key) {
            return None;
        }
        let (name, value) = value_of(own.keys, key)?;
        let locked = match wider.and_then(|wider| Some((value_of(wider.keys, key)?, wider))) {
            Some(((name, value), wider)) => {
                let line = self.sources.line_in(&wider.place, wider.file, name).unwrap_or_default();
                format!("{name} = {value} ({line})")
            }
            None => format!("the default {key} = {}", defaults.written(key).unwrap_or_default()),
        };
        let wrong =
            format!("{name} = {value} requires less than {locked}, and {} is locked ({})", lock.key, lock.location);
        let right = "remove it, or set what requires at least as much";
        let error = match self.span_of(&own.place, name) {
            Some(at) => PolicyError::spanned(&at, wrong, right),
            None => PolicyError::new(Some(name.to_owned()), wrong, right),
        };
        Some((own.place.clone(), error))
    }

    /// Whether a lock applies to a table: every lock applies to a scope, and the lock of a file to the files that use it.
    fn binds(&self, lock: &Lock, table: &AppliedTable<'_>) -> bool {
        table.file != lock.file && (table.place.part() != Some(0) || self.sources.precedes(table.file, lock.file))
    }

    /// Requests of a part: one of each pattern that applies there, and one of each two that meet.
    fn requests_of(&self, part: usize, patterns: &[Vec<Pattern>]) -> Vec<(Method, String)> {
        let deepest = patterns.iter().flatten().map(|pattern| pattern.segments().len()).max().unwrap_or(0);
        let around: Vec<&Pattern> = self.around(part).flat_map(|at| &patterns[at]).collect();
        let fresh = |pattern: &Pattern| {
            let path = self.path_of(part, pattern.segments(), if pattern.has_rest() { deepest + 1 } else { 0 });
            (pattern.methods().first().cloned().unwrap_or_else(any_method), path)
        };
        let anywhere = (any_method(), self.path_of(part, &[], deepest + 1));
        let met = patterns[part].iter().flat_map(|one| around.iter().filter_map(move |other| one.meeting(other)));
        let requests = around.iter().map(|pattern| fresh(pattern)).chain([anywhere]).chain(met);
        requests.filter(|(_, path)| self.is_inside(part, path)).collect()
    }
}

/// The keys that a lock holds.
fn covered(lock: &Lock) -> &'static [&'static str] {
    match lock.key {
        "auth" => &["auth", "auth_observe", "auth_optional"],
        "body_limit" => &["body_limit", "body_limit_per"],
        "json" | "content_types" => &["json"],
        "require_headers" => &["require_headers"],
        "mode" => &["mode"],
        "paths" => &["paths"],
        "case" => &["case"],
        _ => &["preflight"],
    }
}

/// Whether a key requires less in one table than in another; each mode requires less than the next one.
fn weakens(own: &TableSettings, wider: &TableSettings, key: &str) -> bool {
    let rank = |keys: &TableSettings| Mode::ALL.iter().position(|mode| Some(*mode) == keys.mode);
    if key == "mode" { rank(own) < rank(wider) } else { own.weakens(wider, key) }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use crate::loader::PolicyLoader;
    use crate::policy::PolicyError;

    const KEYS: &str = "[auth.k]\nscheme = \"bearer\"\nkeys = [{ id = \"a\", sha256 = \
                        \"627c8a152519f9f3da4d61fa329dc9fb559e10d8e336ca7797c953773fe47836\" }]\n[header.h]\nname = \"x-h\"\n";

    /// Reads a policy of three files: an organisation's base, the file that uses it, and a scope.
    fn read(base: &str, user: &str, scope: &str) -> Result<(), PolicyError> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tmp/locked");
        fs::create_dir_all(&folder).unwrap();
        let write = |name: &str, text: String| fs::write(folder.join(name), text).unwrap();
        write("org.toml", format!("version = 1\n{base}\n{KEYS}"));
        write("policy.toml", format!("version = 1\nbase = [\"org.toml\"]\ninclude = [\"a.toml\"]\n{user}"));
        write("a.toml", format!("version = 1\n[scope]\nprefix = \"/a\"\n{scope}"));
        PolicyLoader::new().load(folder.join("policy.toml")).map(drop)
    }

    #[test]
    fn m2_nothing_requires_less_than_what_is_locked() {
        let locked = |key: &str, rest: &str| format!("locked = [{key:?}]\n{rest}");
        let auth = locked("auth", "[defaults]\nauth = [\"k\"]");
        let admin = locked("auth", "[[route]]\nmatch = \"/a/admin/{*rest}\"\nauth = [\"k\"]");
        for (base, user, scope, is_refused) in [
            (&*auth, "", "", false),
            (&auth, "", "[defaults]\nauth = []", true),
            (&auth, "[defaults]\nauth = []", "", true),
            (&auth, "[[route]]\nmatch = \"/open\"\nauth = []", "", true),
            (&auth, "", "[[route]]\nmatch = \"GET /a/{x}\"\nauth = []", true),
            (&auth, "", "[defaults]\nauth_observe = true", true),
            (&auth, "", "[defaults]\nauth = [\"k\"]", false),
            // A setting for a whole scope wins over one for a single route outside of it.
            (&admin, "", "[defaults]\nauth = []", true),
            (&admin, "", "[[route]]\nmatch = \"/a/{x}/users\"\nauth = []", true),
            (&admin, "", "[[route]]\nmatch = \"/a/open\"\nauth = []", false),
            (&locked("mode", ""), "", "[defaults]\nmode = \"own\"", true),
            (&locked("mode", "[defaults]\nmode = \"observe\""), "", "[defaults]\nmode = \"own\"", false),
            (&locked("body_limit", ""), "", "[defaults]\nbody_limit = \"2 MiB\"", true),
            (&locked("body_limit", ""), "", "[defaults]\nbody_limit = \"none\"", true),
            (&locked("body_limit", ""), "", "[defaults]\nbody_limit = 5", false),
            (&locked("body_limit", ""), "", "[defaults]\nbody_limit_per = \"message\"", true),
            (
                &locked("require_headers", "[defaults]\nrequire_headers = [\"h\"]"),
                "",
                "[defaults]\nrequire_headers = []",
                true,
            ),
            (&locked("json", "[defaults]\njson = true"), "", "[defaults]\njson = false", true),
            (&locked("content_types", "[defaults]\njson = true"), "", "[defaults]\ncontent_types = [\"a/b\"]", true),
            (&locked("paths", "[defaults]\npaths = \"refuse\""), "", "[defaults]\npaths = \"guard\"", true),
            (&locked("case", ""), "", "[defaults]\ncase = \"exact\"", true),
            (&locked("preflight", "[defaults]\npreflight = \"guard\""), "", "[defaults]\npreflight = \"pass\"", true),
            ("", "", "[defaults]\nmode = \"off\"", false),
            // The file that locks a setting may itself set it.
            ("[defaults]\nauth = [\"k\"]", "locked = [\"auth\"]\n[defaults]\nauth = []", "", false),
        ] {
            let read = read(base, user, scope);
            assert_eq!(read.is_err(), is_refused, "{base}\n{user}\n{scope}\n{read:?}");
        }
        let error = read(&auth, "", "[defaults]\nauth = []").unwrap_err();
        assert!(error.to_string().contains("org.toml:2"), "{error}");
        let text = "version = 1\nlocked = [\"auth\"]\n[scope]\nprefix = \"/a\"\n";
        let error = PolicyLoader::new().parse("a.toml", text).unwrap_err();
        assert!(error.to_string().contains("locks nothing"), "{error}");
        assert!(read("locked = [\"dialect\"]", "", "").unwrap_err().to_string().contains("can be locked"));
    }
}
