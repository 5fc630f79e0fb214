//! Compares two policies for [`PolicyFile::changes_to`].
//!
//! 1. The settings of `[defaults]` and routes are compared key by key at the same table. If only one policy sets a key
//!    in this table, the value is compared with the next wider table of the other policy. `weaker` in the row of the
//!    key decides whether the new value requires less. Guards that a mode only observes require nothing, so a mode that
//!    begins to enforce them is of the kind `Closes`.
//! 2. Everything else is compared as text, key by key. An addition to a scheme, a header or a scope is of the kind
//!    `Closes`. Any other change of a scheme, a header or a scope may let more requests in. A person must judge this
//!    change, so it is of the kind `Opens`. A code or a rule is compared as one line. A default that is written out,
//!    and an API key that lets nobody in, change nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;
use std::time::SystemTime;

use toml::de::{DeArray, DeTable, DeValue};

use super::build::Lock;
use super::file::PolicyFile;
use super::keys::PlacedValue;
use crate::guard::auth::{KeyTable, SchemeTable};
use crate::guard::pattern::Pattern;
use crate::policy::Mode;
use crate::policy::keys::RouteTable;
use crate::policy::process::{AdviceTable, CorsTable, RequestIdTable, RpcTable};
use crate::table::{TablePath, line_of};

/// The effect of a change. A list of changes is in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// A guard requires more than before, so it may refuse clients that it let in before. Or a setting is newly locked.
    Closes,
    /// A guard requires less than before, or a setting is no longer locked. Or the definition of a scheme, a header or
    /// a scope differs in a way that a person must judge.
    Opens,
    /// Clients get other responses.
    Answers,
    /// The change affects neither which requests are let in nor any response.
    Neither,
}

/// A setting that differs between two policies.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PolicyChange {
    /// The effect of the change.
    pub kind: ChangeKind,
    /// The dotted key with its table, as in `defaults.auth` or `route[GET /a].auth`, and with its scope if it has one.
    pub key: String,
    /// The old value, or `None` if the old policy has no value.
    pub old: Option<PlacedValue>,
    /// The new value, or `None` if the new policy has no value.
    pub new: Option<PlacedValue>,
    /// True if this is a mode that changes from observing to enforcing.
    begins_to_enforce: bool,
}

impl PolicyFile {
    /// Returns the changes from this policy to another one, by their kinds and then by key. If a mode begins to enforce
    /// guards, its change comes first among the changes of the kind `Answers`.
    ///
    /// ```
    /// use error_envelope_core::loader::{ChangeKind, PolicyLoader};
    ///
    /// let read = |text: &str| PolicyLoader::new().parse("policy.toml", text);
    /// let (old, new) = (read("version = 1\n")?, read("version = 1\n[defaults]\nbody_limit = \"none\"\n")?);
    /// let changes = old.changes_to(&new, std::time::SystemTime::UNIX_EPOCH);
    /// assert_eq!((changes.len(), changes[0].kind, &*changes[0].key), (1, ChangeKind::Opens, "defaults.body_limit"));
    /// # Ok::<(), tower_error_envelope::PolicyError>(())
    /// ```
    #[must_use]
    #[doc(hidden)]
    pub fn changes_to(&self, new: &Self, now: SystemTime) -> Vec<PolicyChange> {
        let mut changes: Vec<_> = self.changed_locks(new).chain(changed_settings(self, new)).collect();
        changes.extend(changed_tables(self, new, now));
        changes.sort_by_key(|change| (change.kind, !change.begins_to_enforce));
        changes
    }

    /// Returns the settings that only one of the policies locks.
    fn changed_locks<'a>(&'a self, new: &'a Self) -> impl Iterator<Item = PolicyChange> {
        let missing = |one: &'a Self, other: &'a Self| {
            let is_missing = |lock: &&Lock| other.locked_settings.iter().all(|it| it.key != lock.key);
            one.locked_settings
                .iter()
                .filter(is_missing)
                .map(|lock| PlacedValue { value: format!("{:?}", lock.key), from: Some(lock.location.clone()) })
        };
        let change =
            |kind, old, new| PolicyChange { kind, key: "locked".to_owned(), old, new, begins_to_enforce: false };
        let removed = missing(self, new).map(move |lock| change(ChangeKind::Opens, Some(lock), None));
        removed.chain(missing(new, self).map(move |lock| change(ChangeKind::Closes, None, Some(lock))))
    }
}

/// The `[defaults]` of a part, or a route.
struct Table<'a> {
    place: TablePath,
    keys: &'a RouteTable,
    /// A pattern that matches all requests of the table.
    pattern: Pattern,
}

/// The tables of a policy, by the hosts and the prefix of their scope and by their name.
struct Tables<'a> {
    policy: &'a PolicyFile,
    parts: BTreeMap<String, usize>,
    by_name: BTreeMap<(String, String), Table<'a>>,
    defaults: RouteTable,
}

/// Returns the keys that differ, or that only one of the policies sets.
pub(super) fn changed_settings(old: &PolicyFile, new: &PolicyFile) -> Vec<PolicyChange> {
    let (old, new) = (Tables::new(old), Tables::new(new));
    let names: BTreeSet<_> = old.by_name.keys().chain(new.by_name.keys()).collect();
    names.into_iter().flat_map(|name| old.changes_to(&new, name)).collect()
}

impl<'a> Tables<'a> {
    fn new(policy: &'a PolicyFile) -> Self {
        let mut tables =
            Self { policy, parts: BTreeMap::new(), by_name: BTreeMap::new(), defaults: RouteTable::defaults() };
        for (part, compiled) in policy.policy.parts.iter().enumerate() {
            let (scope, own) = (policy.scope_suffix(part), policy.part(part));
            tables.parts.insert(scope.clone(), part);
            let prefix: String = policy.prefix_of(part).iter().map(|it| format!("/{it}")).collect();
            if let Ok(pattern) = Pattern::parse("", &format!("{prefix}/{{*rest}}")) {
                let table = Table { place: TablePath::Defaults(part), keys: &own.keys, pattern };
                tables.by_name.insert((scope.clone(), "defaults".to_owned()), table);
            }
            for (index, (pattern, route)) in compiled.matcher.patterns.iter().zip(&own.routes).enumerate() {
                let name = format!("route[{}]", pattern.written);
                let table = Table { place: TablePath::Route(part, index), keys: &route.keys, pattern: pattern.clone() };
                tables.by_name.insert((scope.clone(), name), table);
            }
        }
        tables
    }

    fn changes_to(&self, new: &Self, name: &(String, String)) -> Vec<PolicyChange> {
        let (before, after) = (self.by_name.get(name), new.by_name.get(name));
        let Some(pattern) = before.or(after).map(|table| &table.pattern) else { return Vec::new() };
        let changed = RouteTable::settings().filter_map(|key| {
            let (old_value, new_value) = (self.value(before, key), new.value(after, key));
            if old_value.as_ref().map(|it| &it.value) == new_value.as_ref().map(|it| &it.value) {
                return None;
            }
            let (earlier, later) = (self.deciding(name, pattern, key), new.deciding(name, pattern, key));
            let begins_to_enforce = key == "mode" && earlier.weakens(later, key);
            let is_observed = |tables: &Self| OBSERVED.contains(&key) && !tables.enforces(name, pattern);
            let opens =
                later.weakens(earlier, key) || new_value.is_none() && new.weakens_beside(name, pattern, (earlier, key));
            let kind = match key {
                _ if begins_to_enforce && new.guards(name, pattern) => ChangeKind::Closes,
                _ if opens && !is_observed(self) => ChangeKind::Opens,
                _ if is_observed(new) => ChangeKind::Neither,
                _ if earlier.weakens(later, key) && !begins_to_enforce => ChangeKind::Closes,
                // Neither `off` nor `observe` changes a response (M1).
                "mode" if ![earlier, later].iter().any(|table| is_enforced(table)) => ChangeKind::Neither,
                _ if opens || effective(earlier, key) == effective(later, key) => ChangeKind::Neither,
                _ => ChangeKind::Answers,
            };
            let key = format!("{}.{key}{}", name.1, name.0);
            Some(PolicyChange { kind, key, old: old_value, new: new_value, begins_to_enforce })
        });
        changed.collect()
    }

    fn value(&self, table: Option<&Table<'_>>, key: &'static str) -> Option<PlacedValue> {
        let table = table?;
        let (name, value) = table.keys.value_of(key)?;
        Some(PlacedValue { value, from: Some(self.policy.place(&table.place, name)) })
    }

    /// Returns the table that sets a key for the requests of the table with this name.
    fn deciding(&self, name: &(String, String), pattern: &Pattern, key: &'static str) -> &RouteTable {
        let own = self.by_name.get(name).map(|table| table.keys).filter(|keys| keys.value_of(key).is_some());
        own.unwrap_or_else(|| self.inherited(name, pattern, key))
    }

    /// Returns true if guards that `observe` only observes are enforced, by the mode of the table or of a table that
    /// shares a request with it.
    fn enforces(&self, name: &(String, String), pattern: &Pattern) -> bool {
        let mut inside = self.by_name.values().filter(|table| pattern.common_request(&table.pattern).is_some());
        is_enforced(self.deciding(name, pattern, "mode")) || inside.any(|table| is_enforced(table.keys))
    }

    /// Returns true if a guard that `observe` only observes requires something of the requests of the table, or of a
    /// table that shares a request with it.
    fn guards(&self, name: &(String, String), pattern: &Pattern) -> bool {
        let open = RouteTable {
            body_limit: Some(None),
            json: Some(false),
            require_headers: Some(Vec::new()),
            ..RouteTable::default()
        };
        let requires = |keys: &RouteTable| OBSERVED.iter().any(|key| open.weakens(keys, key));
        let mut inside = self.by_name.values().filter(|table| pattern.common_request(&table.pattern).is_some());
        OBSERVED.iter().any(|key| open.weakens(self.deciding(name, pattern, key), key))
            || inside.any(|table| requires(table.keys))
    }

    /// Returns true if a route now decides about some requests of the pattern, and requires less than `earlier` (G0).
    /// This route shares requests with the pattern, but is neither wider nor narrower than the pattern.
    fn weakens_beside(&self, name: &(String, String), pattern: &Pattern, (earlier, key): (&RouteTable, &str)) -> bool {
        self.by_name.iter().any(|(its, table)| {
            let is_beside = || !table.pattern.covers(pattern) && !pattern.covers(&table.pattern);
            its != name
                && table.keys.weakens(earlier, key)
                && is_beside()
                && pattern.common_request(&table.pattern).is_some()
        })
    }

    /// Returns the table that decides a key which the table of this name does not set. The narrowest route that covers
    /// this table's requests and sets the key decides, or else the defaults around the table.
    fn inherited(&self, (scope, name): &(String, String), pattern: &Pattern, key: &'static str) -> &RouteTable {
        let sets = |keys: &RouteTable| keys.value_of(key).is_some();
        for part in self.policy.around(self.parts.get(scope).copied().unwrap_or_default()) {
            let covering = self.by_name.iter().filter(|((_, its), table)| {
                let is_here = matches!(table.place, TablePath::Route(at, _) if at == part);
                is_here && its != name && sets(table.keys) && table.pattern.covers(pattern)
            });
            let narrowest = covering
                .map(|(_, table)| table)
                .reduce(|best, it| if best.pattern.covers(&it.pattern) { it } else { best });
            if let Some(route) = narrowest {
                return route.keys;
            }
            let defaults = &self.policy.part(part).keys;
            if sets(defaults) {
                return defaults;
            }
        }
        &self.defaults
    }
}

fn is_enforced(table: &RouteTable) -> bool {
    table.mode.is_some_and(Mode::is_enforced)
}

/// Returns the value of a key that has an effect. Without an inherited list, `json = false` and an empty list of content
/// types have none.
fn effective(table: &RouteTable, key: &'static str) -> Option<String> {
    let allows_all = |value: &str| matches!(key, "json" | "content_types") && matches!(value, "false" | "[]");
    table.value_of(key).map(|(_, value)| value).filter(|value| !allows_all(value))
}

impl PolicyFile {
    /// Returns the hosts and the prefix of a scope, in the form of [`PolicyChange::key`]. Returns an empty text for the
    /// policy itself.
    fn scope_suffix(&self, part: usize) -> String {
        let Some(scope) = self.builder.scope_of(part) else { return String::new() };
        let hosts = Some(format!("{:?}", scope.hosts())).filter(|_| !scope.hosts().is_empty());
        let prefix = scope.path_prefix().map(|prefix| format!("{prefix:?}"));
        format!(" of the scope {}", hosts.into_iter().chain(prefix).collect::<Vec<_>>().join(" "))
    }
}

/// Guards that `off` and `observe` do not enforce (M1).
const OBSERVED: [&str; 5] = ["body_limit", "body_limit_per", "json", "content_types", "require_headers"];
/// Keys that are not settings. These keys describe the files, or are locks, which are compared separately.
const NO_SETTINGS: [&str; 4] = ["version", "include", "base", "locked"];
/// Tables whose settings are compared separately. With the other tables, only the texts of files that these tables name
/// are compared.
const SETTINGS: [&str; 2] = ["defaults", "route"];
/// Tables with definitions of guards.
const GUARDS: [&str; 3] = ["auth", "header", "scope"];
/// Tables that affect neither which requests are let in nor any response.
const NEITHER: [&str; 3] = ["inspect", "drain", "observe"];
/// Lists whose order matters, because the first entry that matches decides.
const RULES: [&str; 2] = ["map", "outward"];
/// Lists in which each entry is compared as one line.
const ONE_LINE: [&str; 1] = ["code"];

/// Returns the keys that differ, or that only one of the policies has.
pub(super) fn changed_tables(old: &PolicyFile, new: &PolicyFile, now: SystemTime) -> Vec<PolicyChange> {
    let (mut before, mut after) = (Leaves::new(old), Leaves::new(new));
    let live: HashSet<String> = [old, new].iter().flat_map(|policy| policy.live_keys(now)).collect();
    let (old_rules, new_rules) = (before.rules_shared_with(&after), after.rules_shared_with(&before));
    if old_rules != new_rules {
        before.insert("order of the rules", old_rules.join(", "), None);
        after.insert("order of the rules", new_rules.join(", "), None);
    }
    let keys = before.values.keys().chain(after.values.keys().filter(|key| !before.values.contains_key(*key)));
    let change = |key: &String| {
        let (old, new) = (before.values.get(key), after.values.get(key));
        let is_same = old.map(|it| &it.value) == new.map(|it| &it.value);
        // No text of `[auth.*]` is shown (L3), except for the ids of its keys, which the log shows, too.
        let shown = |placed: &PlacedValue| match key.starts_with("auth.") {
            true => PlacedValue { value: "…".to_owned(), ..placed.clone() },
            false => placed.clone(),
        };
        let lets_nobody_in = key_of_caller(key).is_some_and(|it| !live.contains(it));
        let is_default = old.xor(new).is_some_and(|it| default_of(key).as_ref() == Some(&it.value));
        let kind = match lets_nobody_in || is_default {
            true => ChangeKind::Neither,
            false => kind_of(key, old.is_none(), new.is_none()),
        };
        let (key, old, new) = (key.clone(), old.map(shown), new.map(shown));
        (!is_same).then_some(PolicyChange { kind, key, old, new, begins_to_enforce: false })
    };
    keys.filter_map(change).collect()
}

/// Returns the effect of a change of a key, which may be new or gone.
fn kind_of(key: &str, is_new: bool, is_gone: bool) -> ChangeKind {
    let root = key.split(['.', '[', ' ']).next().unwrap_or_default();
    let is_revocation = key.ends_with(".revoked") || key.ends_with(".expires");
    // A new key lets its owner in, and a removed key does not.
    let closes = if key.contains(".keys[") && !is_revocation { is_gone } else { is_new };
    match root {
        _ if NEITHER.contains(&root) => ChangeKind::Neither,
        _ if !GUARDS.contains(&root) => ChangeKind::Answers,
        _ if key.contains(".messages.") || key.ends_with(".missing") || key.ends_with(".invalid") => {
            ChangeKind::Answers
        }
        _ if closes => ChangeKind::Closes,
        _ => ChangeKind::Opens,
    }
}

/// Returns `auth.app.keys[demo]` for `auth.app.keys[demo].revoked`.
fn key_of_caller(key: &str) -> Option<&str> {
    let is_key = key.starts_with("auth.") && key.contains(".keys[");
    key.rfind(']').filter(|_| is_key).map(|end| &key[..=end])
}

/// Returns the default of a key, spelled as in a file. Writing this value has the same effect as leaving the key out.
fn default_of(key: &str) -> Option<String> {
    let (table, key) = key.rsplit_once('.')?;
    match table.split('.').next()? {
        "request_id" => RequestIdTable::default_of(key),
        "rpc" => RpcTable::default_of(key),
        "advice" => AdviceTable::default_of(key),
        "cors" => CorsTable::default_of(key),
        "auth" if table.ends_with(']') => KeyTable::default_of(key),
        "auth" => SchemeTable::default_of(key),
        _ => None,
    }
}

impl PolicyFile {
    /// Returns the API keys that are neither revoked nor expired, in the form of [`PolicyChange::key`].
    fn live_keys(&self, now: SystemTime) -> impl Iterator<Item = String> {
        self.builder
            .schemes
            .iter()
            .flat_map(move |(name, scheme)| scheme.live_keys(now).map(move |id| format!("auth.{name}.keys[{id}]")))
    }
}

/// All keys that have a value, with their dotted names.
struct Leaves<'a> {
    policy: &'a PolicyFile,
    values: BTreeMap<String, PlacedValue>,
    /// The keys of rules, in the order of the rules.
    rules: Vec<String>,
}

/// A file whose keys are being read.
struct Source<'a> {
    file: &'a str,
    text: &'a str,
    /// The scope of the file, in the form of [`PolicyChange::key`], for keys that every scope may have.
    scope: String,
}

impl<'a> Leaves<'a> {
    fn new(policy: &'a PolicyFile) -> Self {
        let mut leaves = Self { policy, values: BTreeMap::new(), rules: Vec::new() };
        let scope = |(place, tables): (&TablePath, &Vec<(usize, String)>)| match place {
            TablePath::Scope(part) => Some((tables.first()?.0, *part)),
            _ => None,
        };
        let parts: HashMap<usize, usize> = policy.sources.tables.iter().filter_map(scope).collect();
        for at in &policy.sources.order {
            let (file, text) = (&*policy.sources.files[*at].name, &*policy.sources.files[*at].text);
            // The policy was read from these texts, so they can be parsed.
            let Ok(root) = DeTable::parse(text) else { continue };
            let source = Source { file, text, scope: policy.scope_suffix(parts.get(at).copied().unwrap_or_default()) };
            for (key, value) in root.get_ref().iter().filter(|(key, _)| !NO_SETTINGS.contains(&&**key.get_ref())) {
                leaves.read(&source, key.get_ref(), value.get_ref(), value.span());
            }
        }
        leaves
    }

    fn read(&mut self, source: &Source<'_>, key: &str, value: &DeValue<'_>, span: std::ops::Range<usize>) {
        match value {
            DeValue::Table(table) => {
                // The id of an API key is a part of the key's name.
                let is_id = |name: &str| name == "id" && key.ends_with(']') && key.starts_with("auth.");
                for (name, value) in table.iter().filter(|(name, _)| !is_id(name.get_ref())) {
                    let key = format!("{key}.{}", name.get_ref());
                    self.read(source, &key, value.get_ref(), value.span());
                }
            }
            DeValue::Array(list) if list.iter().any(|it| it.get_ref().is_table()) => self.read_list(source, key, list),
            _ => self.read_value(source, key, value, span),
        }
    }

    /// Reads a list of tables. A rule is identified by its whole text, any other table by its name.
    fn read_list(&mut self, source: &Source<'_>, key: &str, list: &DeArray<'_>) {
        for element in list.iter() {
            let Some(table) = element.get_ref().as_table() else { continue };
            let named = ["id", "code", "match"].into_iter().find_map(|name| table.get(name)?.get_ref().as_str());
            match named.filter(|_| !RULES.contains(&key)) {
                Some(name) if ONE_LINE.contains(&key) && !table.contains_key("details") => {
                    let place = source.place(element.span().start);
                    self.insert(&format!("{key}[{name}]"), inline(table, source.text), Some(place));
                }
                Some(name) => self.read(source, &format!("{key}[{name}]"), element.get_ref(), element.span()),
                None => {
                    let key = format!("{key} {}{}", inline(table, source.text), source.scope);
                    self.insert(&key, "set".to_owned(), Some(source.place(element.span().start)));
                    self.rules.push(key);
                }
            }
        }
    }

    fn read_value(&mut self, source: &Source<'_>, key: &str, value: &DeValue<'_>, span: std::ops::Range<usize>) {
        let folder = Path::new(source.file).parent().unwrap_or(Path::new(""));
        let content = value.as_str().and_then(|name| self.policy.named_files.get(&folder.join(name)));
        let root = key.split(['.', '[']).next().unwrap_or_default();
        if SETTINGS.contains(&root) && content.is_none() {
            return;
        }
        let of_scope = if ["scope", "defaults", "route"].contains(&root) { &*source.scope } else { "" };
        let content = content.map(|content| format!(" with the content {content}")).unwrap_or_default();
        let text = source.text.get(span.clone()).unwrap_or_default();
        self.insert(&format!("{key}{of_scope}"), format!("{text}{content}"), Some(source.place(span.start)));
    }

    /// Adds a value. If two files set the same key, the value of the first file is used.
    fn insert(&mut self, key: &str, value: String, from: Option<String>) {
        self.values.entry(key.to_owned()).or_insert(PlacedValue { value, from });
    }

    fn rules_shared_with(&self, other: &Self) -> Vec<String> {
        self.rules.iter().filter(|rule| other.values.contains_key(*rule)).cloned().collect()
    }
}

impl Source<'_> {
    fn place(&self, at: usize) -> String {
        format!("{}:{}", self.file, line_of(self.text.as_bytes(), at))
    }
}

/// Returns the text of a table on one line.
fn inline(table: &DeTable<'_>, text: &str) -> String {
    let written = |value: &toml::Spanned<DeValue<'_>>| text.get(value.span()).unwrap_or_default().to_owned();
    let keys: Vec<_> = table.iter().map(|(key, value)| format!("{} = {}", key.get_ref(), written(value))).collect();
    format!("{{ {} }}", keys.join(", "))
}

#[cfg(test)]
mod tests;
