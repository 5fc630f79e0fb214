//! What a policy says of itself, for the one line at the start.

use super::{Mode, Origin, Policy};

/// The policy in figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InForce<'a> {
    /// The file's name, `built in Rust` or `defaults`.
    pub(crate) origin: &'a str,
    pub(crate) routes: usize,
    pub(crate) scopes: usize,
    pub(crate) map_rules: usize,
    pub(crate) own_codes: usize,
    /// What holds where no route says otherwise.
    pub(crate) mode: Mode,
    pub(crate) body_limit: Option<u64>,
}

impl Policy {
    pub(crate) fn in_force(&self) -> InForce<'_> {
        InForce {
            origin: match &self.origin {
                Origin::Defaults => "defaults",
                Origin::BuiltInRust => "built in Rust",
                Origin::File(name) => name,
            },
            routes: self.said.len(),
            scopes: self.parts.len() - 1,
            map_rules: self.parts.iter().map(|part| part.own_rules).sum(),
            own_codes: self.codes.len(),
            mode: self.own().defaults.mode,
            body_limit: self.own().defaults.body_limit,
        }
    }
}

#[cfg(test)]
impl Policy {
    /// What it says, whoever said it.
    pub(super) fn without_origin(self) -> Self {
        Self { origin: Origin::default(), ..self }
    }
}
