//! Compares the settings of routes: each key of each table with the same key of the same table.

use std::collections::{BTreeMap, BTreeSet};

use super::change::{ChangeKind, PlacedValue, PolicyChange};
use crate::guard::pattern::Pattern;
use crate::loader::chain::{keys, value_of};
use crate::loader::file::PolicyFile;
use crate::policy::keys::RouteTable;
use crate::table::TablePath;

/// The `[defaults]` of a part, or a route.
struct Table<'a> {
    place: TablePath,
    keys: &'a RouteTable,
    /// Matches all requests of the table.
    pattern: Pattern,
}

/// The tables of a policy, by the hosts and the prefix of their scope and by their name.
struct Tables<'a> {
    policy: &'a PolicyFile,
    parts: BTreeMap<String, usize>,
    by_name: BTreeMap<(String, String), Table<'a>>,
    defaults: RouteTable,
}

/// The keys that differ, or that only one of the policies sets.
pub(super) fn changed_settings(old: &PolicyFile, new: &PolicyFile) -> Vec<PolicyChange> {
    let (old, new) = (Tables::new(old), Tables::new(new));
    let names: BTreeSet<_> = old.by_name.keys().chain(new.by_name.keys()).collect();
    names.into_iter().flat_map(|name| old.changes_to(&new, name)).collect()
}

impl<'a> Tables<'a> {
    fn new(policy: &'a PolicyFile) -> Self {
        let mut tables =
            Self { policy, parts: BTreeMap::new(), by_name: BTreeMap::new(), defaults: RouteTable::defaults() };
        for (part, patterns) in policy.patterns().into_iter().enumerate() {
            let (scope, own) = (policy.scope_suffix(part), policy.part(part));
            tables.parts.insert(scope.clone(), part);
            let prefix: String = policy.prefix_of(part).iter().map(|segment| format!("/{segment}")).collect();
            if let Ok(pattern) = Pattern::parse("", &format!("{prefix}/{{*rest}}")) {
                let table = Table { place: TablePath::Defaults(part), keys: &own.keys, pattern };
                tables.by_name.insert((scope.clone(), "defaults".to_owned()), table);
            }
            for (index, (pattern, route)) in patterns.iter().cloned().zip(&own.routes).enumerate() {
                let name = format!("route[{}]", pattern.written());
                let table = Table { place: TablePath::Route(part, index), keys: &route.keys, pattern };
                tables.by_name.insert((scope.clone(), name), table);
            }
        }
        tables
    }

    fn changes_to(&self, new: &Self, name: &(String, String)) -> Vec<PolicyChange> {
        let (before, after) = (self.by_name.get(name), new.by_name.get(name));
        let Some(pattern) = before.or(after).map(|table| &table.pattern) else { return Vec::new() };
        let changed = keys().filter_map(|key| {
            let (old_value, new_value) = (self.value(before, key), new.value(after, key));
            if old_value.as_ref().map(PlacedValue::value) == new_value.as_ref().map(PlacedValue::value) {
                return None;
            }
            let decides = |tables: &Self, table: Option<&Table<'a>>| {
                let own = table.map(|table| table.keys).filter(|keys| value_of(keys, key).is_some());
                own.unwrap_or_else(|| tables.inherited(name, pattern, key)).clone()
            };
            let (earlier, later) = (decides(self, before), decides(new, after));
            let begins_to_enforce = key == "mode" && earlier.weakens(&later, key);
            let kind = match key {
                _ if later.weakens(&earlier, key) => ChangeKind::Opens,
                _ if earlier.weakens(&later, key) && !begins_to_enforce => ChangeKind::Closes,
                _ if value_of(&earlier, key).map(|it| it.1) == value_of(&later, key).map(|it| it.1) => {
                    ChangeKind::Neither
                }
                _ => ChangeKind::Answers,
            };
            let change = PolicyChange::new(kind, format!("{}.{key}{}", name.1, name.0), old_value, new_value);
            Some(PolicyChange { begins_to_enforce, ..change })
        });
        changed.collect()
    }

    fn value(&self, table: Option<&Table<'_>>, key: &'static str) -> Option<PlacedValue> {
        let table = table?;
        let (name, value) = value_of(table.keys, key)?;
        Some(PlacedValue { value, from: Some(self.policy.place(&table.place, name)) })
    }

    /// The next wider table that sets a key which the table of this name does not set: the narrowest route that covers
    /// its requests, else the defaults around it.
    fn inherited(&self, (scope, name): &(String, String), pattern: &Pattern, key: &'static str) -> &RouteTable {
        let sets = |keys: &RouteTable| value_of(keys, key).is_some();
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

impl PolicyFile {
    /// The hosts and the prefix of a scope, as a changed key names them; empty for the policy itself.
    fn scope_suffix(&self, part: usize) -> String {
        let Some(scope) = part.checked_sub(1).and_then(|at| self.builder.scopes.get(at)) else { return String::new() };
        let hosts = Some(format!("{:?}", scope.hosts())).filter(|_| !scope.hosts().is_empty());
        let prefix = scope.path_prefix().map(|prefix| format!("{prefix:?}"));
        format!(" of the scope {}", hosts.into_iter().chain(prefix).collect::<Vec<_>>().join(" "))
    }
}
