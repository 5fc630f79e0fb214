//! Finds the table of a policy that decides a key of a request, for programs that show it (G0).

use http::Method;

use super::file::PolicyFile;
use crate::policy::keys::RouteTable;
use crate::policy::lookup;
use crate::policy::scope::PolicyPart;
use crate::session::MapRuleId;
use crate::table::TablePath;

/// The tables that decide about a request, in their [order](lookup::tables).
#[derive(Debug)]
pub(super) struct SettingChain<'a> {
    /// The index of the narrowest scope for the request, where 0 is the policy itself.
    pub(super) part: usize,
    pub(super) tables: Vec<(TablePath, &'a RouteTable)>,
}

/// A value, spelled as in the file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PlacedValue {
    /// The value.
    pub value: String,
    /// The place of the value, as `FILE:LINE`, or `None` for a default.
    pub from: Option<String>,
}

/// The value that applies to a key, and the table that sets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ResolvedSetting {
    /// The key, which is `content_types` if that was set instead of `json`.
    pub(super) key: &'static str,
    /// The value, spelled as in the file.
    pub(super) value: String,
    /// The table that sets the value, or `None` for the default.
    pub(super) place: Option<TablePath>,
}

impl PolicyFile {
    /// Returns the tables for a request. `host` is in lower case, without a port. `path` is the reading of the path
    /// that decides the settings.
    pub(super) fn chain(&self, method: &Method, host: &str, path: &[u8]) -> SettingChain<'_> {
        let (part, routes) = self.policy.routes_of(method, host, path);
        self.deciding_tables(part, &routes)
    }

    /// Returns the tables that decide about requests that these routes match.
    pub(super) fn deciding_tables(&self, part: usize, routes: &[usize]) -> SettingChain<'_> {
        let tables = lookup::tables(&self.policy.parts, part, routes).map(|(at, route)| {
            let own = self.part(at);
            let Some(route) = route else { return (TablePath::Defaults(at), &own.keys) };
            let index = route - self.policy.parts[at].matcher.base;
            (TablePath::Route(at, index), &own.routes[index].keys)
        });
        SettingChain { part, tables: tables.collect() }
    }

    /// Returns a part of the policy and the parts around it, beginning with the narrowest.
    pub(super) fn around(&self, part: usize) -> impl Iterator<Item = usize> {
        lookup::around(&self.policy.parts, part)
    }

    /// Returns the tables of a part.
    pub(super) fn part(&self, part: usize) -> &PolicyPart {
        self.builder.scope_of(part).map_or(&self.builder.part, |scope| &scope.part)
    }

    /// Returns the file and line of a `[[map]]` rule that an event of this policy names
    /// ([`RequestRecord::map_rule`](crate::session::RequestRecord::map_rule)). Returns `None` if the rule is from
    /// another policy.
    #[must_use]
    pub fn map_rule(&self, rule: MapRuleId) -> Option<(&str, usize)> {
        // The rules of a part are followed by those of the parts around it.
        let mut left = rule.index as usize;
        for at in self.around(rule.part as usize) {
            let own = self.policy.parts[at].own_rules;
            if left < own {
                return self.sources.locate(&TablePath::Map(at, left), "").map(|at| (at.file, at.line));
            }
            left -= own;
        }
        None
    }
}

impl SettingChain<'_> {
    /// Returns the value that applies to a key, which must be one of [`RouteTable::settings`].
    pub(super) fn resolved(&self, key: &'static str) -> ResolvedSetting {
        let setting = self.tables.iter().find_map(|(place, keys)| Some((place, keys.effective_value_of(key)?)));
        match setting {
            Some((place, (key, value))) => ResolvedSetting { key, value, place: Some(place.clone()) },
            None => {
                ResolvedSetting { key, value: RouteTable::defaults().written(key).unwrap_or_default(), place: None }
            }
        }
    }

    /// Returns the number of tables that are between the request and this table.
    pub(super) fn distance(&self, place: &TablePath) -> Option<usize> {
        self.tables.iter().position(|(other, _)| other == place)
    }
}

#[cfg(test)]
pub(in crate::loader) mod tests;
