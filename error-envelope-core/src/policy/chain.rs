//! Which tables of a policy speak for a request, and in which order: for those who ask why (G0).
//!
//! The policy itself merges what they say when it looks a request up, and forgets who said it. Here the same matchers
//! are asked again, and the tables kept.

use http::Method;

use super::error::{SourceSpan, TablePath};
use super::file::Loaded;
use super::keys::TableSettings;
use super::scope::PolicyPart;

const JSON: &str = "json";
const TYPES: &str = "content_types";

/// The keys of a route, in the order of the manual; `json` stands for `content_types`, too.
pub(super) fn keys() -> impl Iterator<Item = &'static str> {
    TableSettings::NAMES.iter().copied().filter(|key| *key != TYPES)
}

/// The tables that speak for a request: of the narrowest scope and those around it, each one's routes that match, the
/// most specific first, then its defaults.
#[derive(Debug)]
pub(super) struct SettingChain<'a> {
    /// The narrowest scope; 0 is the policy itself.
    pub(super) part: usize,
    pub(super) tables: Vec<(TablePath, &'a TableSettings)>,
}

/// What a key is in the end, and who said it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ResolvedSetting {
    /// `content_types`, where that was said instead of `json`.
    pub(super) key: &'static str,
    /// As the file writes it.
    pub(super) value: String,
    /// None for the default.
    pub(super) place: Option<TablePath>,
}

impl Loaded {
    /// `host` is in lower case, without its port; `path` in the spelling that counts.
    pub(super) fn chain(&self, method: &Method, host: &str, path: &[u8]) -> SettingChain<'_> {
        self.chain_of(self.policy.scopes.narrowest(host, path), &self.policy.routes_of(method, host, path))
    }

    /// The tables that speak where these routes match, the most specific of the narrowest part first.
    pub(super) fn chain_of(&self, part: usize, routes: &[usize]) -> SettingChain<'_> {
        let mut tables = Vec::new();
        for at in self.around(part) {
            let (held, told) = (&self.policy.parts[at], self.part(at));
            for route in routes.iter().filter(|route| held.matcher.pattern(**route).is_some()) {
                let index = route - held.matcher.base();
                tables.push((TablePath::Route(at, index), &told.routes[index].keys));
            }
            tables.push((TablePath::Defaults(at), &told.keys));
        }
        SettingChain { part, tables }
    }

    /// A part, and those around it, the narrowest first.
    pub(super) fn around(&self, part: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(Some(part), |at| self.policy.parts[*at].parent)
    }

    /// What was told for a part.
    pub(super) fn part(&self, part: usize) -> &PolicyPart {
        match part.checked_sub(1) {
            Some(scope) => &self.builder.scopes[scope].part,
            None => &self.builder.part,
        }
    }

    /// The file and the line of a part's rule; behind its own are those of the parts around it.
    pub(crate) fn map_rule(&self, part: usize, index: usize) -> Option<(&str, usize)> {
        let mut left = index;
        let around = std::iter::successors(Some(part), |at| self.policy.parts.get(*at)?.parent);
        for at in around {
            let own = self.policy.parts.get(at)?.own_rules;
            if left < own {
                return self.span_of(&TablePath::Map(at, left), "").map(|at| (at.file, at.line));
            }
            left -= own;
        }
        None
    }

    /// Where a key stands, or its table where that does not have it.
    pub(super) fn span_of(&self, place: &TablePath, key: &str) -> Option<SourceSpan<'_>> {
        self.sources.locate(place, key)
    }
}

impl SettingChain<'_> {
    /// The value of one of [`keys`].
    pub(super) fn decided(&self, key: &'static str) -> ResolvedSetting {
        let said = self.tables.iter().find_map(|(place, keys)| Some((place, value_of(keys, key)?)));
        match said {
            Some((place, (key, value))) => ResolvedSetting { key, value, place: Some(place.clone()) },
            None => ResolvedSetting { key, value: default_of(key), place: None },
        }
    }

    /// How far from the request a table is.
    pub(super) fn distance(&self, place: &TablePath) -> Option<usize> {
        self.tables.iter().position(|(other, _)| other == place)
    }
}

/// What one table says of one of [`keys`].
pub(super) fn value_of(keys: &TableSettings, key: &'static str) -> Option<(&'static str, String)> {
    // Two ways to say one thing: the list decides, unless it is empty beside `json = true`.
    let lists = |types: &Vec<String>| keys.json != Some(true) || !types.is_empty();
    let key = if key == JSON && keys.content_types.as_ref().is_some_and(lists) { TYPES } else { key };
    Some((key, keys.written(key)?))
}

pub(super) fn default_of(key: &str) -> String {
    TableSettings::defaults().written(key).unwrap_or_default()
}
