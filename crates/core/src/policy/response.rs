//! The parts of the policy that decide how an error is written. The settings of a request have their indices.

use std::sync::Arc;

use super::compile::lists::DialectIndex;
use super::{Policy, ResponseSettings};
use crate::classify::rule::Rule;
use crate::dialect::Dialect;
use crate::outward::Outward;
use crate::page::PageTemplate;

/// The number of prepared forms that every policy has: the canonical envelope with and without `vary`, and RFC 9457 if
/// the client chose it.
const COMMON_FORMS: usize = 3;

impl Policy {
    /// The rules that apply to a request, beginning with those of the narrowest scope.
    pub(crate) fn rules(&self, response_settings: &ResponseSettings) -> &[Arc<Rule>] {
        &self.part(response_settings.part).rules
    }

    /// How codes are written in another dialect (rule R12), beginning with the rules of the narrowest scope.
    pub(crate) fn outward(&self, response_settings: &ResponseSettings) -> &[Arc<Outward>] {
        &self.part(response_settings.part).outward
    }

    /// The names of the fields in a foreign 4xx body that pass into the details (rule R14).
    pub(crate) fn kept_fields(&self, response_settings: &ResponseSettings) -> &[Box<str>] {
        response_settings.keep_fields.and_then(|list| self.kept_lists.get(list.get())).map_or(&[], |list| list)
    }

    /// The HTML page that browsers get for errors (rule R16).
    pub(crate) fn page(&self, response_settings: &ResponseSettings) -> Option<&PageTemplate> {
        self.pages.get(response_settings.html?.get())
    }

    /// Whether any rule compares the path of a request.
    #[inline]
    pub(crate) fn rules_use_path(&self, response_settings: &ResponseSettings) -> bool {
        self.part(response_settings.part).rules_use_path
    }

    /// The index of the form of an error whose whole text can be prepared. `None` if the text depends on more than the
    /// code: on the path of the request, or on a part of the policy beyond the first few. `negotiated`: the client
    /// chose RFC 9457 (R11).
    #[inline]
    pub(crate) fn form(&self, response_settings: &ResponseSettings, negotiated: bool) -> Option<usize> {
        match response_settings.dialect {
            _ if negotiated => Some(2),
            index if index.is_standard() => {
                Some(usize::from(!response_settings.negotiate() && response_settings.html.is_none()))
            }
            index => self.form_of_dialect(response_settings, index),
        }
    }

    /// The number of such forms.
    pub(crate) fn forms(&self) -> usize {
        /// Errors of further parts are not prepared, because there may be a thousand parts.
        const MOST_PARTS: usize = 8;

        COMMON_FORMS + MOST_PARTS.min(self.parts.len()) * self.places_of_dialects()
    }

    fn form_of_dialect(&self, response_settings: &ResponseSettings, index: DialectIndex) -> Option<usize> {
        let has_facts = || self.dialect(response_settings).spec().has_request_facts();
        // None of the forms has `vary`.
        if response_settings.html.is_some() || has_facts() || self.rules_use_path(response_settings) {
            return None;
        }
        let form = COMMON_FORMS + usize::from(response_settings.part) * self.places_of_dialects() + index.get();
        (form < self.forms()).then_some(form)
    }

    fn places_of_dialects(&self) -> usize {
        Dialect::ALL.len() + self.shapes.len()
    }
}
