//! A setting that differs between two policies, and how important the change is.

/// How important a change is to a reviewer; the most important kind comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// A guard requires less than before. Or a setting is no longer locked.
    Weaker,
    /// The definition of a scheme, a header or a scope has changed, and a person must judge the change.
    Guard,
    /// Any other change.
    Other,
}

/// A value, and where it is set as `FILE:LINE`.
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
}

impl PlacedValue {
    /// The value, spelled as in the file.
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
        Self { kind, key, old, new }
    }

    /// How important the change is.
    #[must_use]
    pub const fn kind(&self) -> ChangeKind {
        self.kind
    }

    /// The dotted key with its table, as in `defaults.auth` or `route[GET /a].auth`, and with its scope if it has one.
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
}
