//! The dialects in which a policy's errors are written, and the shapes that it reads.

use super::compile::lists::DialectIndex;
use super::{Policy, ResponseSettings};
use crate::dialect::Dialect;
use crate::dialect::custom::CustomShape;

impl Policy {
    /// The shape that errors are written in (rule R12).
    pub(crate) fn dialect(&self, response_settings: &ResponseSettings) -> Dialect {
        self.dialect_at(response_settings.dialect)
    }

    pub(super) fn dialect_at(&self, index: DialectIndex) -> Dialect {
        Dialect::from_place(index.get(), &self.shapes)
    }

    /// The index of a dialect that this policy has.
    pub(crate) fn dialect_index(&self, dialect: Dialect) -> Option<DialectIndex> {
        dialect.place(&self.shapes).and_then(DialectIndex::new)
    }

    /// The dialects that a route of this policy can have: the built-in ones, and the policy's own shapes with a
    /// template (R15).
    pub fn dialects(&self) -> impl Iterator<Item = Dialect> {
        let all = (0..Dialect::ALL.len() + self.shapes.len()).map(|place| Dialect::from_place(place, &self.shapes));
        all.filter(|dialect| dialect.is_written())
    }

    /// The policy's own shapes (rule R15).
    #[must_use]
    pub fn own_shapes(&self) -> &[CustomShape] {
        &self.shapes
    }

    /// The policy's own shapes that are read for a request, the narrowest scope's first (rule R15).
    pub(crate) fn shapes(&self, response_settings: &ResponseSettings) -> &[CustomShape] {
        &self.part(response_settings.part).shapes
    }
}
