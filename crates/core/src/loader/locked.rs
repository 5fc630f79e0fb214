//! `locked`: settings that neither an included scope, nor a later base, nor the user of a base may weaken (POLICY.md).
//!
//! Locks are checked with sample requests. For each two tables that may apply to the same request, there is a request
//! for each method and path length that makes a difference, to which as few other tables as possible apply. For each of
//! these requests, the table of every file is compared with the next wider table of another file.

use std::collections::HashSet;

use http::Method;

use super::file::{FileDefaults, Lock, PolicyFile};
use super::setting_names::value_of;
use super::witness::{FRESH, any_method};
use crate::guard::pattern::{Pattern, Segment};
use crate::policy::choice::{KeywordValue, LetterCase};
use crate::policy::error::{PolicyError, TablePath};
use crate::policy::keys::TableSettings;
use crate::policy::{Mode, inheritance};

/// A table that applies to a request, and its file.
struct AppliedTable<'a> {
    place: TablePath,
    file: usize,
    keys: &'a TableSettings,
}

/// The requests to which a table applies: those that a pattern matches, or all below a prefix.
struct TableReach {
    part: usize,
    pattern: Pattern,
    /// A file sets a locked setting in this table.
    is_bound: bool,
}

impl PolicyFile {
    /// Returns the policy, unless it weakens a locked setting.
    pub(super) fn checked_for_locks(self) -> Result<Self, PolicyError> {
        match self.weakened_locks().into_iter().next() {
            Some(first) => Err(first),
            None => Ok(self),
        }
    }

    /// The errors of settings that require less than a lock allows, each once.
    pub(super) fn weakened_locks(&self) -> Vec<PolicyError> {
        if self.locked_settings.is_empty() {
            return Vec::new();
        }
        let (tables, mut found, mut reported) = (self.reaches(), Vec::new(), HashSet::new());
        for part in
            (0..=self.builder.scopes.len()).filter(|part| tables.iter().any(|it| it.part == *part && it.is_bound))
        {
            for (host, method, path) in self.requests_of(part, &tables) {
                let applied = self.tables_for(part, &host, &method, &path);
                for (lock, key) in
                    self.locked_settings.iter().flat_map(|lock| locked_keys(lock).iter().map(move |key| (lock, *key)))
                {
                    for (place, error) in self.weakened_in(lock, key, &applied) {
                        if reported.insert((place, key)) {
                            found.push(error);
                        }
                    }
                }
            }
        }
        found
    }

    /// The tables that apply to a request of a part, beginning with the most specific. Letter case is ignored, unless
    /// it matters to the guards there.
    fn tables_for(&self, part: usize, host: &str, method: &Method, path: &str) -> Vec<AppliedTable<'_>> {
        let narrowest = self.narrowest(part, host, path);
        let tables = |is_exact: bool| {
            let mut routes = Vec::new();
            for at in self.around(narrowest) {
                let matcher = &self.policy.parts[at].matcher;
                matcher.each_match(method, path.as_bytes(), &mut |route, exact| {
                    routes.extend((exact || !is_exact).then_some(route));
                });
            }
            let chain = self.deciding_tables(narrowest, &routes);
            chain.tables.into_iter().flat_map(|(place, keys)| self.tables_at(&place, keys)).collect::<Vec<_>>()
        };
        let folded = tables(false);
        let case = folded.iter().find_map(|table| table.keys.case).unwrap_or_default();
        if case == LetterCase::Fold { folded } else { tables(true) }
    }

    /// The narrowest scope that covers a request, of this part and those inside it.
    fn narrowest(&self, part: usize, host: &str, path: &str) -> usize {
        let covers = |at: usize| {
            let is_named = |named: &String| {
                let named = named.to_ascii_lowercase();
                named.strip_prefix('*').map_or(named == host, |below| host.ends_with(below))
            };
            let hosts = &self.builder.scopes[at - 1].hosts;
            (hosts.is_empty() || hosts.iter().any(is_named)) && self.is_inside(at, path)
        };
        let inside = |at: &usize| inheritance::around(&self.policy.parts, *at).any(|it| it == part) && covers(*at);
        let depth = |at: &usize| self.around(*at).count();
        (1..=self.builder.scopes.len()).filter(inside).max_by_key(depth).unwrap_or(part)
    }

    /// The tables at one place: the defaults of one part may be in several files.
    fn tables_at<'a>(&'a self, place: &TablePath, keys: &'a TableSettings) -> Vec<AppliedTable<'a>> {
        if let TablePath::Defaults(part) = place {
            let own = self.defaults.iter().filter(|it| it.part == *part);
            let table = |it: &'a FileDefaults| AppliedTable { place: place.clone(), file: it.file, keys: &it.keys };
            return own.map(table).collect();
        }
        let file = self.sources.file_of(place).unwrap_or_default();
        vec![AppliedTable { place: place.clone(), file, keys }]
    }

    /// Errors for the tables that require less than the next wider table of another file.
    fn weakened_in(
        &self,
        lock: &Lock,
        key: &'static str,
        tables: &[AppliedTable<'_>],
    ) -> Vec<(TablePath, PolicyError)> {
        let mut files = HashSet::new();
        let sets = |table: &&AppliedTable<'_>| value_of(table.keys, key).is_some();
        // Only the first table of each file counts: the others are wider, so they decide less.
        let firsts = tables.iter().enumerate().filter(|(_, table)| sets(table) && files.insert(table.file));
        let bound = firsts.filter(|(_, own)| self.applies_to(lock, own));
        let weakens = bound.filter_map(|(at, own)| {
            let wider = tables[at..].iter().filter(|table| table.file != own.file).find(sets);
            self.weakening_error(lock, key, own, wider)
        });
        weakens.collect()
    }

    fn weakening_error(
        &self,
        lock: &Lock,
        key: &'static str,
        own: &AppliedTable<'_>,
        wider: Option<&AppliedTable<'_>>,
    ) -> Option<(TablePath, PolicyError)> {
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
        let right = "remove it, or set a value that requires at least as much";
        let error = match self.span_of(&own.place, name) {
            Some(at) => PolicyError::spanned(&at, wrong, right),
            None => PolicyError::new(Some(name.to_owned()), wrong, right),
        };
        Some((own.place.clone(), error))
    }

    /// Whether a lock applies to a table. In a scope, every lock of another file does. Elsewhere, only those of files
    /// with a lower precedence do.
    fn applies_to(&self, lock: &Lock, table: &AppliedTable<'_>) -> bool {
        table.file != lock.file && (table.place.part() != Some(0) || self.sources.precedes(table.file, lock.file))
    }

    /// The requests of those tables in each part that set a locked setting.
    fn reaches(&self) -> Vec<TableReach> {
        let is_locked = |keys: &TableSettings| {
            self.locked_settings.iter().flat_map(locked_keys).any(|key| value_of(keys, key).is_some())
        };
        let mut reaches = Vec::new();
        for (part, patterns) in self.patterns().into_iter().enumerate() {
            let is_bound = |place: TablePath, keys: &TableSettings| {
                let has_lock =
                    |table: &AppliedTable<'_>| self.locked_settings.iter().any(|lock| self.applies_to(lock, table));
                is_locked(keys) && self.tables_at(&place, keys).iter().any(has_lock)
            };
            let all = Pattern::parse(
                "",
                &format!("{}/{{*rest}}", self.prefix_of(part).iter().map(|it| format!("/{it}")).collect::<String>()),
            );
            let own = self.part(part);
            reaches.extend(all.ok().filter(|_| is_locked(&own.keys)).map(|pattern| TableReach {
                part,
                pattern,
                is_bound: is_bound(TablePath::Defaults(part), &own.keys),
            }));
            for (index, pattern) in patterns.into_iter().enumerate() {
                let keys = &own.routes[index].keys;
                if is_locked(keys) {
                    reaches.push(TableReach { part, pattern, is_bound: is_bound(TablePath::Route(part, index), keys) });
                }
            }
        }
        reaches
    }

    /// Sample requests of a part: for each table with a locked setting, alone and together with each other table.
    fn requests_of(&self, part: usize, tables: &[TableReach]) -> HashSet<(String, Method, String)> {
        let around: Vec<&TableReach> = tables.iter().filter(|it| self.around(part).any(|at| at == it.part)).collect();
        let mut methods: Vec<Method> = around.iter().flat_map(|it| it.pattern.methods()).cloned().collect();
        methods.sort_by(|one, other| one.as_str().cmp(other.as_str()));
        methods.dedup();
        methods.push(any_method());
        let deepest = around.iter().map(|it| it.pattern.segments().len()).max().unwrap_or(0);
        let mut hosts: Vec<String> = self.around(part).flat_map(|at| self.hosts_of(at)).collect();
        if hosts.is_empty() {
            hosts.push(String::new());
        }
        let mut requests = HashSet::new();
        for own in around.iter().filter(|own| own.part == part && own.is_bound) {
            for other in &around {
                for path in shared_paths(&own.pattern, &other.pattern, &self.prefix_of(part), deepest + 1) {
                    let covered =
                        |method: &&Method| own.pattern.covers_method(method) && other.pattern.covers_method(method);
                    for method in methods.iter().filter(covered) {
                        requests.extend(hosts.iter().map(|host| (host.clone(), method.clone(), path.clone())));
                    }
                }
            }
        }
        requests
    }
}

/// Paths below a prefix that both patterns match in any letter case: one of each length up to the longest. A segment
/// that neither pattern names is one that no pattern has.
fn shared_paths(one: &Pattern, other: &Pattern, prefix: &[&str], longest: usize) -> Vec<String> {
    let min_length = one.segments().len().max(other.segments().len()).max(prefix.len());
    let max_length = if one.has_rest() && other.has_rest() { longest.max(min_length) } else { min_length };
    // A pattern without a rest only matches paths of its own length.
    let matches_min_length = |pattern: &&Pattern| pattern.has_rest() || pattern.segments().len() == min_length;
    if ![one, other].iter().all(matches_min_length) {
        return Vec::new();
    }
    let shared_segment = |at: usize| {
        let literal = |pattern: &Pattern| match pattern.segments().get(at) {
            Some(Segment::Literal(literal)) => Some(literal.to_string()),
            _ => None,
        };
        let mut literals =
            [literal(one), literal(other), prefix.get(at).map(|it| (*it).to_owned())].into_iter().flatten();
        let first = literals.next().unwrap_or_else(|| FRESH.to_owned());
        literals.all(|it| it.eq_ignore_ascii_case(&first)).then_some(first)
    };
    let Some(fixed) = (0..min_length).map(shared_segment).collect::<Option<Vec<_>>>() else { return Vec::new() };
    let path = |length: usize| {
        let more = std::iter::repeat_n(FRESH, length - min_length);
        let path: String = fixed.iter().map(String::as_str).chain(more).map(|segment| format!("/{segment}")).collect();
        if path.is_empty() { "/".to_owned() } else { path }
    };
    (min_length..=max_length).map(path).collect()
}

/// The keys to which a lock applies.
fn locked_keys(lock: &Lock) -> &'static [&'static str] {
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

/// Whether a key requires less in the first table than in the wider one. Each mode requires less than the next one.
pub(super) fn weakens(own: &TableSettings, wider: &TableSettings, key: &str) -> bool {
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

    /// Reads a policy with these further files.
    fn read_all(name: &str, files: &[(&str, &str)]) -> Result<(), PolicyError> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tmp").join(name);
        fs::create_dir_all(&folder).unwrap();
        files.iter().for_each(|(file, text)| fs::write(folder.join(file), format!("version = 1\n{text}")).unwrap());
        PolicyLoader::new().load(folder.join("policy.toml")).map(drop)
    }

    #[test]
    fn m2_no_file_hides_another_one() {
        let org = format!("locked = [\"auth\"]\n[defaults]\nauth = [\"k\"]\n{KEYS}");
        let open = "[defaults]\nauth = []";
        let both = [
            ("org.toml", &*org),
            ("team.toml", open),
            ("policy.toml", "base = [\"org.toml\", \"team.toml\"]\n[defaults]\nauth = []"),
        ];
        assert!(read_all("locked-bases", &both).is_err());
        let top = format!("include = [\"1.toml\", \"2.toml\"]\n{org}");
        let wide = "[scope]\nprefix = \"/a\"\n[[route]]\nmatch = \"/a/b/{*rest}\"\nauth = []";
        let narrow = "[scope]\nprefix = \"/a/b\"\n[defaults]\nauth = []";
        assert!(read_all("locked-scopes", &[("policy.toml", &top), ("1.toml", wide), ("2.toml", narrow)]).is_err());
        let two = "[scope]\nhosts = [\"a.example.com\", \"b.example.com\"]\n[defaults]\nauth = []";
        let one = "[scope]\nhosts = [\"a.example.com\"]\nprefix = \"/\"\n[defaults]\nauth = [\"k\"]";
        assert!(read_all("locked-hosts", &[("policy.toml", &top), ("1.toml", two), ("2.toml", one)]).is_err());
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
            // A wide setting of a scope comes before a narrow one around it.
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
            // What a file locks, it may set.
            ("[defaults]\nauth = [\"k\"]", "locked = [\"auth\"]\n[defaults]\nauth = []", "", false),
        ] {
            let read = read(base, user, scope);
            assert_eq!(read.is_err(), is_refused, "{base}\n{user}\n{scope}\n{read:?}");
        }
        // A method, a segment or a letter case that hides a part of what is weakened.
        let closed = |pattern: &str| locked("auth", &format!("[[route]]\nmatch = {pattern:?}\nauth = [\"k\"]"));
        let scope = |routes: &[(&str, &str)]| {
            let route = |(pattern, auth): &(&str, &str)| format!("[[route]]\nmatch = {pattern:?}\nauth = [{auth}]\n");
            routes.iter().map(route).collect::<String>()
        };
        let admin = closed("/a/admin/{*rest}");
        for (base, scope, is_refused) in [
            (&admin, scope(&[("/a/{x}/users", ""), ("GET /a/admin/users", "\"k\"")]), true),
            (&admin, scope(&[("/a/{x}/{y}", ""), ("/a/admin/x", "\"k\"")]), true),
            (&admin, scope(&[("/a/{x}", ""), ("/a/admin", "\"k\"")]), false),
            (
                &closed("GET|POST /a/admin"),
                "[defaults]\nauth = []\n".to_owned() + &scope(&[("GET /a/admin", "\"k\"")]),
                true,
            ),
            (&closed("/a/{*r}"), scope(&[("GET|POST /a/x", "")]), true),
            (&closed("/a/Admin/{*rest}"), scope(&[("/a/admin/{*rest}", "")]), true),
            (&closed("/A/Admin/{*rest}"), "[defaults]\nauth = []\n".to_owned(), true),
        ] {
            assert_eq!(read(base, "", &scope).is_err(), is_refused, "{base}\n{scope}");
        }
        let error = read(&auth, "", "[defaults]\nauth = []").unwrap_err();
        assert!(error.to_string().contains("org.toml:2"), "{error}");
        let text = "version = 1\nlocked = [\"auth\"]\n[scope]\nprefix = \"/a\"\n";
        let error = PolicyLoader::new().parse("a.toml", text).unwrap_err();
        assert!(error.to_string().contains("cannot lock settings"), "{error}");
        assert!(read("locked = [\"dialect\"]", "", "").unwrap_err().to_string().contains("can be locked"));
    }
}
