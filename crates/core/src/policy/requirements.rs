//! The requirements of a policy's guards (G1-G4).

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
    /// The schemes that let a request in, in the policy's order; an empty list lets everybody in (rule G2).
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

    /// The key sets that an adapter must fetch for some route's schemes. A set that several schemes need is repeated.
    #[cfg(feature = "jwt")]
    pub fn remote_keys(&self) -> impl Iterator<Item = &RemoteKeys> {
        self.auth_lists.iter().flatten().filter_map(|scheme| scheme.remote_keys())
    }

    /// Whether any route refuses requests: none does where all of them are in `off` or `observe`, without credentials.
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

    /// The answer to a body over its limit (rule G4).
    pub(crate) fn too_large(&self, limit: u64) -> Fault {
        self.faults.too_large(limit)
    }

    /// The headers in which ids of keys are passed on, and in which no client may send any (POLICY.md).
    #[inline]
    pub(crate) fn forwarded_ids(&self) -> &[HeaderName] {
        &self.forwarded_ids
    }

    /// The headers that carry keys (rule R1).
    #[inline]
    pub(crate) fn key_headers(&self) -> &[HeaderName] {
        &self.key_headers
    }

    /// Whether a request may need, or get, headers that have names of the policy's own, or a trace (I4).
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
