//! Compares the keys of two policies that are not settings of routes, as they are written in the files.

use std::collections::BTreeMap;
use std::path::Path;

use toml::de::{DeArray, DeTable, DeValue};

use super::change::{ChangeKind, PlacedValue, PolicyChange};
use crate::loader::file::PolicyFile;
use crate::table::line_of;

/// Keys that are not settings: they describe the files, or are locks, which are compared separately.
const NO_SETTINGS: [&str; 4] = ["version", "include", "base", "locked"];
/// Tables whose settings are compared separately. Here, only the texts of files that they name are compared.
const SETTINGS: [&str; 2] = ["defaults", "route"];
/// Tables with definitions of guards.
const GUARDS: [&str; 3] = ["auth", "header", "scope"];
/// Tables that change neither who is let in nor an answer.
const NEITHER: [&str; 3] = ["inspect", "drain", "observe"];
/// Lists in which the first entry that matches decides.
const RULES: [&str; 2] = ["map", "outward"];
/// Lists of which an entry is one line.
const ONE_LINE: [&str; 1] = ["code"];

/// The keys that differ, or that only one of the policies has.
pub(super) fn changed_tables(old: &PolicyFile, new: &PolicyFile) -> Vec<PolicyChange> {
    let (mut before, mut after) = (Leaves::new(old), Leaves::new(new));
    let (old_rules, new_rules) = (before.rules_shared_with(&after), after.rules_shared_with(&before));
    if old_rules != new_rules {
        before.insert("order of the rules", old_rules.join(", "), None);
        after.insert("order of the rules", new_rules.join(", "), None);
    }
    let keys = before.values.keys().chain(after.values.keys().filter(|key| !before.values.contains_key(*key)));
    let change = |key: &String| {
        let (old, new) = (before.values.get(key), after.values.get(key));
        let is_same = old.map(PlacedValue::value) == new.map(PlacedValue::value);
        (!is_same).then(|| {
            let (shown, kind) = (shown_key(key), kind_of(key, old.is_none(), new.is_none()));
            PolicyChange::new(kind, shown, old.map(|it| shown_value(key, it)), new.map(|it| shown_value(key, it)))
        })
    };
    keys.filter_map(change).collect()
}

/// What a change of a key does, which may be new or gone.
fn kind_of(key: &str, is_new: bool, is_gone: bool) -> ChangeKind {
    let root = key.split(['.', '[', ' ']).next().unwrap_or_default();
    let (is_key, is_revocation) = (key.contains(".keys["), key.ends_with(".revoked") || key.ends_with(".expires"));
    match root {
        _ if NEITHER.contains(&root) => ChangeKind::Neither,
        _ if !GUARDS.contains(&root) => ChangeKind::Answers,
        _ if key.contains(".messages.") || key.ends_with(".missing") || key.ends_with(".invalid") => {
            ChangeKind::Answers
        }
        // A key that is added lets its owner in, and one that is gone does not.
        _ if is_key && !is_revocation => {
            if is_gone {
                ChangeKind::Closes
            } else {
                ChangeKind::Opens
            }
        }
        _ if is_new => ChangeKind::Closes,
        _ => ChangeKind::Opens,
    }
}

/// No text of `[auth.*]` is shown (L3), not even the ids of its keys.
fn shown_value(key: &str, placed: &PlacedValue) -> PlacedValue {
    let value = if key.starts_with("auth.") { "…".to_owned() } else { placed.value.clone() };
    PlacedValue { value, from: placed.from.clone() }
}

fn shown_key(key: &str) -> String {
    match key.split_once(".keys[").filter(|_| key.starts_with("auth.")) {
        Some((scheme, rest)) => format!("{scheme}.keys{}", rest.rsplit_once(']').map_or("", |(_, rest)| rest)),
        None => key.to_owned(),
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
    /// The scope of the file, for keys that every scope may have.
    scope: String,
}

impl<'a> Leaves<'a> {
    fn new(policy: &'a PolicyFile) -> Self {
        let mut leaves = Self { policy, values: BTreeMap::new(), rules: Vec::new() };
        for (file, text) in policy.sources.by_precedence() {
            // The policy was read from these texts, so they can be parsed.
            let Ok(root) = DeTable::parse(text) else { continue };
            let root = root.get_ref();
            let scope = root.get("scope").and_then(|scope| scope.get_ref().as_table());
            let source = Source { file, text, scope: scope.map(|scope| scope_of(scope, text)).unwrap_or_default() };
            for (key, value) in root.iter().filter(|(key, _)| !NO_SETTINGS.contains(&&**key.get_ref())) {
                leaves.read(&source, key.get_ref(), value.get_ref(), value.span());
            }
        }
        leaves
    }

    fn read(&mut self, source: &Source<'_>, key: &str, value: &DeValue<'_>, span: std::ops::Range<usize>) {
        match value {
            DeValue::Table(table) => {
                for (name, value) in table.iter() {
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
                    let key = format!("{key} {}{}", inline(table, source.text), source.scope_suffix());
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
        let of_scope =
            if ["scope", "defaults", "route"].contains(&root) { source.scope_suffix() } else { String::new() };
        let content = content.map(|content| format!(" with the content {content}")).unwrap_or_default();
        let text = source.text.get(span.clone()).unwrap_or_default();
        self.insert(&format!("{key}{of_scope}"), format!("{text}{content}"), Some(source.place(span.start)));
    }

    /// If two files set the same key, the first one counts.
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

    fn scope_suffix(&self) -> String {
        if self.scope.is_empty() { String::new() } else { format!(" of the scope {}", self.scope) }
    }
}

/// The hosts and the prefix of a scope, as they are written.
fn scope_of(scope: &DeTable<'_>, text: &str) -> String {
    let written = |key: &str| scope.get(key).and_then(|value| text.get(value.span()));
    ["hosts", "prefix"].into_iter().filter_map(written).collect::<Vec<_>>().join(" ")
}

/// The text of a table on one line.
fn inline(table: &DeTable<'_>, text: &str) -> String {
    let written = |value: &toml::Spanned<DeValue<'_>>| text.get(value.span()).unwrap_or_default().to_owned();
    let keys: Vec<_> = table.iter().map(|(key, value)| format!("{} = {}", key.get_ref(), written(value))).collect();
    format!("{{ {} }}", keys.join(", "))
}
