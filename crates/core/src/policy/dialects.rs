//! The dialects in which a policy writes errors, and the shapes that it reads.

use super::compile::lists::DialectIndex;
use super::{Policy, ResponseSettings};
use crate::dialect::Dialect;
use crate::dialect::custom::CustomShape;

impl Policy {
    /// The dialect in which errors are written (rule R12).
    pub(crate) fn dialect(&self, response_settings: &ResponseSettings) -> Dialect {
        self.dialect_at(response_settings.dialect)
    }

    pub(super) fn dialect_at(&self, index: DialectIndex) -> Dialect {
        Dialect::from_place(index.get(), &self.shapes)
    }

    /// The index of a dialect; `None` if this policy does not have it.
    pub(crate) fn dialect_index(&self, dialect: Dialect) -> Option<DialectIndex> {
        dialect.place(&self.shapes).and_then(DialectIndex::new)
    }

    /// The dialects that a route of this policy may have: the built-in ones, and those shapes of the policy that have a
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

    /// The policy's own shapes that are tried for a request, beginning with those of the narrowest scope (rule R15).
    pub(crate) fn shapes(&self, response_settings: &ResponseSettings) -> &[CustomShape] {
        &self.part(response_settings.part).shapes
    }
}
