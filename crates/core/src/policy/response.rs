//! The parts of a policy that the settings of a request lead to: what its guards require (G1–G4), and how its errors are
//! written.

use std::sync::Arc;

use http::HeaderName;

use super::keys::RouteSettings;
use super::{Mode, Policy};
use crate::classify::rule::Rule;
use crate::dialect::Dialect;
use crate::dialect::custom::CustomShape;
use crate::fault::Fault;
#[cfg(feature = "jwt")]
use crate::guard::auth::RemoteKeys;
use crate::outward::Outward;

/// The number of prepared forms that every policy has: the canonical envelope with and without `vary`, and RFC 9457 if
/// the client chose it.
const COMMON_FORMS: usize = 3;

impl Policy {
    /// Whether any route requires credentials.
    pub(crate) fn has_schemes(&self) -> bool {
        !self.schemes.is_empty()
    }

    /// The names of the schemes whose verifiers the layer must have.
    pub fn custom_schemes(&self) -> impl Iterator<Item = &str> {
        self.custom.iter().map(|name| &**name)
    }

    /// The key sets that an adapter must fetch for the schemes of routes. If several schemes need the same set, it is
    /// repeated.
    #[cfg(feature = "jwt")]
    pub fn remote_keys(&self) -> impl Iterator<Item = &RemoteKeys> {
        self.schemes.iter().filter_map(|scheme| scheme.remote_keys())
    }

    /// Whether any route refuses requests. None does if all of them are in mode `off` or `observe`, and require no
    /// credentials.
    pub(crate) fn refuses(&self) -> bool {
        self.has_schemes()
            || self.parts.iter().any(|part| part.defaults.mode.is_enforced())
            || self.routes.iter().any(|route| route.mode().is_some_and(Mode::is_enforced))
    }

    /// The answer to a body that is over its limit (rule G4).
    pub(crate) fn too_large(&self, limit: u64) -> Fault {
        self.faults.too_large(limit)
    }

    /// The headers in which the inner service gets the ids of callers. Clients must not send them (POLICY.md).
    #[inline]
    pub(crate) fn forwarded_ids(&self) -> &[HeaderName] {
        &self.forwarded_ids
    }

    /// The headers in which keys are sent (rule R1).
    #[inline]
    pub(crate) fn key_headers(&self) -> &[HeaderName] {
        &self.key_headers
    }

    /// The dialects that a route of this policy may have: the built-in ones, and those shapes of the policy that have a
    /// template (R15).
    pub fn dialects(&self) -> impl Iterator<Item = Dialect> {
        let all = (0..self.places_of_dialects()).map(|place| Dialect::from_place(place, &self.shapes));
        all.filter(|dialect| dialect.is_written())
    }

    /// The policy's own shapes (rule R15).
    #[must_use]
    pub fn own_shapes(&self) -> &[CustomShape] {
        &self.shapes
    }

    /// The policy's own shapes that are tried for a request, beginning with those of the narrowest scope (rule R15).
    pub(crate) fn shapes(&self, settings: &RouteSettings) -> &[CustomShape] {
        &self.part(settings.part).shapes
    }

    /// The rules that apply to a request, beginning with those of the narrowest scope.
    pub(crate) fn rules(&self, settings: &RouteSettings) -> &[Arc<Rule>] {
        &self.part(settings.part).rules
    }

    /// How codes are written in another dialect (rule R12), beginning with the rules of the narrowest scope.
    pub(crate) fn outward(&self, settings: &RouteSettings) -> &[Arc<Outward>] {
        &self.part(settings.part).outward
    }

    /// Whether any rule compares the path of a request.
    #[inline]
    pub(crate) fn rules_use_path(&self, settings: &RouteSettings) -> bool {
        self.part(settings.part).rules_use_path
    }

    /// The index of the form of an error whose whole text can be prepared. `None` if the text depends on more than the
    /// code: on the path of the request, or on a part of the policy beyond the first few. `negotiated`: the client
    /// chose RFC 9457 (R11).
    #[inline]
    pub(crate) fn form(&self, settings: &RouteSettings, negotiated: bool) -> Option<usize> {
        match settings.dialect {
            _ if negotiated => Some(2),
            Dialect::Standard => Some(usize::from(!settings.negotiate && settings.html.is_none())),
            dialect => self.form_of_dialect(settings, dialect),
        }
    }

    /// The number of such forms.
    pub(crate) fn forms(&self) -> usize {
        /// Errors of further parts are not prepared, because there may be a thousand parts.
        const MOST_PARTS: usize = 8;

        COMMON_FORMS + MOST_PARTS.min(self.parts.len()) * self.places_of_dialects()
    }

    fn form_of_dialect(&self, settings: &RouteSettings, dialect: Dialect) -> Option<usize> {
        // None of the forms has `vary`.
        if settings.html.is_some() || dialect.spec().has_request_facts() || self.rules_use_path(settings) {
            return None;
        }
        let place = dialect.place(&self.shapes)?;
        let form = COMMON_FORMS + usize::from(settings.part) * self.places_of_dialects() + place;
        (form < self.forms()).then_some(form)
    }

    fn places_of_dialects(&self) -> usize {
        Dialect::ALL.len() + self.shapes.len()
    }
}

impl Mode {
    /// Whether guards refuse requests.
    pub(crate) fn is_enforced(self) -> bool {
        !matches!(self, Self::Off | Self::Observe)
    }
}
