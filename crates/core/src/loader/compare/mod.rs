//! Compares two policies: [`PolicyFile::changes_to`].
//!
//! 1. Both policies decide the settings of the same sample requests ([`requests`]). There is one request for each table
//!    of either policy. For each route that only one policy has, there is also one for each route that it crosses. Each
//!    setting that differs is a change, with the requests that it concerns.
//! 2. Whether a setting is weaker is decided as for `locked`: by [`weakens`].
//! 3. Everything else is compared as text, key by key ([`tables`]). Such a change may make a scheme or a header require
//!    less, which is not judged here: these changes are listed after the weaker settings.

mod change;
mod requests;
mod tables;

use std::collections::BTreeMap;

pub use self::change::{ChangeKind, PlacedValue, PolicyChange};
use super::chain::{SettingChain, keys};
use super::file::PolicyFile;
use super::locked::weakens;
use super::witness::SampleRequest;
use crate::policy::keys::TableSettings;

impl PolicyFile {
    /// The changes from this policy to another one: weaker guards first, and then sorted by key.
    ///
    /// ```
    /// use tower_error_envelope::policy::{ChangeKind, PolicyLoader};
    ///
    /// let read = |text: &str| PolicyLoader::new().parse("policy.toml", text);
    /// let (old, new) = (read("version = 1\n")?, read("version = 1\n[defaults]\nbody_limit = \"none\"\n")?);
    /// let changes = old.changes_to(&new);
    /// assert_eq!((changes.len(), changes[0].kind(), changes[0].key()), (1, ChangeKind::Weaker, "body_limit"));
    /// # Ok::<(), tower_error_envelope::PolicyError>(())
    /// ```
    #[must_use]
    pub fn changes_to(&self, new: &Self) -> Vec<PolicyChange> {
        let mut settings: BTreeMap<_, PolicyChange> = BTreeMap::new();
        for request in self.requests_to_compare(new) {
            for change in self.changed_settings(new, &request) {
                let id = (change.key.clone(), change.old.clone(), change.new.clone());
                settings.entry(id).or_insert(change).requests.push(request.to_text());
            }
        }
        settings.values_mut().for_each(|change| change.requests.dedup());
        let mut changes: Vec<_> = self.locks_removed(new).chain(settings.into_values()).collect();
        changes.extend(tables::changed_tables(self, new));
        changes.sort_by_key(|change| change.kind);
        changes
    }

    /// The settings that differ for one request.
    fn changed_settings(&self, new: &Self, request: &SampleRequest) -> Vec<PolicyChange> {
        let defaults = TableSettings::defaults();
        let (method, host, path) = (&request.method, &request.host, request.path.as_bytes());
        let (before, after) = (self.chain(method, host, path), new.chain(method, host, path));
        let changed = keys().filter_map(|key| {
            let (old, own) = self.decision(&before, key, &defaults);
            let (new, its) = new.decision(&after, key, &defaults);
            let kind = if weakens(its, own, key) { ChangeKind::Weaker } else { ChangeKind::Other };
            let is_changed = old.value != new.value;
            is_changed.then(|| PolicyChange::new(kind, key.to_owned(), Some(old), Some(new)))
        });
        changed.collect()
    }

    /// The value that applies to a key, and the table that sets it.
    fn decision<'a>(
        &self,
        chain: &SettingChain<'a>,
        key: &'static str,
        defaults: &'a TableSettings,
    ) -> (PlacedValue, &'a TableSettings) {
        let decided = chain.resolved(key);
        let table = chain.tables.iter().find(|(place, _)| Some(place) == decided.place.as_ref());
        let from = decided.place.as_ref().map(|place| self.place(place, decided.key));
        (PlacedValue { value: decided.value, from }, table.map_or(defaults, |(_, keys)| keys))
    }

    /// The settings that this policy locks, but the new one does not.
    fn locks_removed<'a>(&'a self, new: &'a Self) -> impl Iterator<Item = PolicyChange> {
        let removed =
            self.locked_settings.iter().filter(|lock| new.locked_settings.iter().all(|it| it.key != lock.key));
        removed.map(|lock| {
            let old = PlacedValue { value: format!("{:?}", lock.key), from: Some(lock.location.clone()) };
            PolicyChange::new(ChangeKind::Weaker, "locked".to_owned(), Some(old), None)
        })
    }
}

#[cfg(test)]
mod tests;
