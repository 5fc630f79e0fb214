//! What the guards of a policy require (G1–G4).

use std::sync::Arc;

use http::HeaderName;

use super::{Mode, Policy, Settings};
use crate::fault::Fault;
#[cfg(feature = "jwt")]
use crate::guard::auth::RemoteKeys;
use crate::guard::auth::Scheme;
use crate::guard::content_type::MediaTypes;
use crate::guard::header::HeaderGuard;

impl Policy {
    /// The schemes of which one must let the request in, in the order of the policy. An empty list lets all requests in
    /// (rule G2).
    pub(crate) fn schemes(&self, settings: &Settings) -> &[Arc<Scheme>] {
        settings.auth.and_then(|list| self.auth_lists.get(list.get())).map_or(&[], |list| list)
    }

    /// Whether any route requires credentials.
    pub(crate) fn has_schemes(&self) -> bool {
        !self.auth_lists.is_empty()
    }

    /// The names of the schemes whose verifiers the layer must have.
    pub fn custom_schemes(&self) -> impl Iterator<Item = &str> {
        self.custom.iter().map(|name| &**name)
    }

    /// The key sets that an adapter must fetch for the schemes of routes. If several schemes need the same set, it is
    /// repeated.
    #[cfg(feature = "jwt")]
    pub fn remote_keys(&self) -> impl Iterator<Item = &RemoteKeys> {
        self.auth_lists.iter().flatten().filter_map(|scheme| scheme.remote_keys())
    }

    /// Whether any route refuses requests. None does if all of them are in mode `off` or `observe`, and require no
    /// credentials.
    pub(crate) fn refuses(&self) -> bool {
        self.has_schemes()
            || self.parts.iter().any(|part| part.defaults.mode.is_enforced())
            || self.route_settings.iter().any(|route| route.mode.is_some_and(Mode::is_enforced))
    }

    pub(crate) fn required_headers(&self, settings: &Settings) -> &[HeaderGuard] {
        settings.require_headers.and_then(|list| self.header_lists.get(list.get())).map_or(&[], |list| list)
    }

    pub(crate) fn content_types(&self, settings: &Settings) -> Option<&MediaTypes> {
        settings.content_types.and_then(|list| self.type_lists.get(list.get()))
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

    /// Whether a request may need, or may get, headers with names that the policy defines, or a trace (I4).
    pub(crate) fn names_headers(&self) -> bool {
        let lists = [&self.forwarded_ids, &self.key_headers];
        self.ids.traceparent || !self.header_lists.is_empty() || lists.iter().any(|names| !names.is_empty())
    }
}

impl Mode {
    /// Whether guards refuse requests.
    pub(crate) fn is_enforced(self) -> bool {
        !matches!(self, Self::Off | Self::Observe)
    }
}
