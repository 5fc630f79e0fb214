//! Compares two policies: [`PolicyFile::changes_to`].
//!
//! 1. The settings of `[defaults]` and routes are compared key by key at the same table ([`settings`]). A key that only
//!    one policy sets there is compared with the next wider table of the other one. `weaker` in the row of the key
//!    decides whether the new value requires less.
//! 2. Everything else is compared as text, key by key ([`tables`]). What is added to a scheme, a header or a scope closes
//!    a door; anything else there may open one, which a person must judge. A code, and a rule, is one line.

mod change;
mod settings;
mod tables;

pub use self::change::{ChangeKind, PlacedValue, PolicyChange};
use super::file::PolicyFile;

impl PolicyFile {
    /// The changes from this policy to another one, by their kinds and then by key. A mode in which the layer begins to
    /// enforce is the first change of the answers.
    ///
    /// ```
    /// use error_envelope_core::loader::{ChangeKind, PolicyLoader};
    ///
    /// let read = |text: &str| PolicyLoader::new().parse("policy.toml", text);
    /// let (old, new) = (read("version = 1\n")?, read("version = 1\n[defaults]\nbody_limit = \"none\"\n")?);
    /// let changes = old.changes_to(&new);
    /// assert_eq!((changes.len(), changes[0].kind(), changes[0].key()), (1, ChangeKind::Opens, "defaults.body_limit"));
    /// # Ok::<(), tower_error_envelope::PolicyError>(())
    /// ```
    #[must_use]
    pub fn changes_to(&self, new: &Self) -> Vec<PolicyChange> {
        let mut changes: Vec<_> = self.locks_removed(new).chain(settings::changed_settings(self, new)).collect();
        changes.extend(tables::changed_tables(self, new));
        changes.sort_by_key(|change| (change.kind, !change.begins_to_enforce));
        changes
    }

    /// The settings that this policy locks, but the new one does not.
    fn locks_removed<'a>(&'a self, new: &'a Self) -> impl Iterator<Item = PolicyChange> {
        let removed =
            self.locked_settings.iter().filter(|lock| new.locked_settings.iter().all(|it| it.key != lock.key));
        removed.map(|lock| {
            let old = PlacedValue { value: format!("{:?}", lock.key), from: Some(lock.location.clone()) };
            PolicyChange::new(ChangeKind::Opens, "locked".to_owned(), Some(old), None)
        })
    }
}

#[cfg(test)]
mod tests;
