//! A setting that differs between two policies, and how important the change is.

/// What a change does. A list of changes is in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// A guard requires more than before: clients may be refused that were not.
    Closes,
    /// A guard requires less than before, or a setting is no longer locked. Or the definition of a scheme, a header or
    /// a scope differs in a way that a person must judge.
    Opens,
    /// Clients get other answers.
    Answers,
    /// Neither who is let in nor an answer changes.
    Neither,
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
    /// Whether it is a mode that goes from observing to enforcing.
    pub(super) begins_to_enforce: bool,
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
        Self { kind, key, old, new, begins_to_enforce: false }
    }

    /// What the change does.
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
