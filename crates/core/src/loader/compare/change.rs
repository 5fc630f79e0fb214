//! A setting that differs between two policies, and its importance.

/// The importance of a change to a reviewer, the most important first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// A guard requires less of some requests than before, or a setting is no longer locked.
    Weaker,
    /// The definition of a scheme, a header or a scope changed: a person must judge it.
    Guard,
    /// Any other change.
    Other,
}

/// A setting's value, and its place as `FILE:LINE`; a default has no place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PlacedValue {
    pub(super) value: String,
    pub(super) from: Option<String>,
}

/// A setting that differs between two policies.
#[derive(Clone, Debug)]
pub struct PolicyChange {
    pub(super) kind: ChangeKind,
    pub(super) key: String,
    pub(super) old: Option<PlacedValue>,
    pub(super) new: Option<PlacedValue>,
    pub(super) requests: Vec<String>,
}

impl PlacedValue {
    /// The value, as written in the policy file.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The place of the value, as `FILE:LINE`; `None` for a default.
    #[must_use]
    pub fn from(&self) -> Option<&str> {
        self.from.as_deref()
    }
}

impl PolicyChange {
    pub(super) fn new(kind: ChangeKind, key: String, old: Option<PlacedValue>, new: Option<PlacedValue>) -> Self {
        Self { kind, key, old, new, requests: Vec::new() }
    }

    /// The importance of the change.
    #[must_use]
    pub const fn kind(&self) -> ChangeKind {
        self.kind
    }

    /// The key: that of a route, or the dotted key of a table.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The old value; `None` if the old policy has none.
    #[must_use]
    pub const fn old(&self) -> Option<&PlacedValue> {
        self.old.as_ref()
    }

    /// The new value; `None` if the new policy has none.
    #[must_use]
    pub const fn new_value(&self) -> Option<&PlacedValue> {
        self.new.as_ref()
    }

    /// Requests whose settings differ, with `…` for anything; empty if the key is not a setting of requests.
    #[must_use]
    pub fn requests(&self) -> &[String] {
        &self.requests
    }
}
