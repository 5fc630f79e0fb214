//! The services of scopes. The policy chooses one by the same look-up as for guards (rule G0). Only the gateway
//! connects to it.

use std::collections::HashSet;

use super::keys::RouteSettings;
use super::upstream::{UpstreamTimeouts, UpstreamUrl};
use super::{CompiledScope, LogLabel, Policy};

/// The services for one host, for routers that need them in advance: [`Policy::upstreams_by_host`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostUpstreams<'a> {
    host: String,
    prefixes: Vec<(String, Option<&'a UpstreamUrl>)>,
}

impl HostUpstreams<'_> {
    /// The host in lower case, without a port. `*.example.com` is for subdomains, and `*` for hosts that no scope
    /// names.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The prefixes of paths, longer ones first, each with the service of its scope. The last one is `/`. A prefix
    /// covers whole segments of the normalised path, in exactly this letter case.
    pub fn prefixes(&self) -> impl Iterator<Item = (&str, Option<&UpstreamUrl>)> {
        self.prefixes.iter().map(|(prefix, upstream)| (prefix.as_str(), *upstream))
    }
}

impl Policy {
    /// The services of the scopes, without duplicates, in the order of the scopes.
    ///
    /// ```
    /// use tower_error_envelope::Policy;
    /// use tower_error_envelope::policy::Scope;
    ///
    /// let orders = Scope::new().prefix("/orders").upstream("http://orders:8080");
    /// let carts = Scope::new().prefix("/carts").upstream("http://ORDERS:8080");
    /// let policy = Policy::builder().scope(orders).scope(carts).build()?;
    /// assert_eq!(policy.upstreams().map(ToString::to_string).collect::<Vec<_>>(), ["http://orders:8080"]);
    /// # Ok::<(), tower_error_envelope::PolicyError>(())
    /// ```
    pub fn upstreams(&self) -> impl Iterator<Item = &UpstreamUrl> {
        self.upstreams.iter()
    }

    /// The services for each host that a scope names, and finally for all other hosts (`*`), by the prefix of the path.
    #[must_use]
    pub fn upstreams_by_host(&self) -> Vec<HostUpstreams<'_>> {
        let named = |(prefix, part): (String, usize)| (prefix, self.parts[part].upstream.as_ref());
        let hosts = self.scopes.by_host().into_iter();
        hosts
            .map(|(host, prefixes)| HostUpstreams { host, prefixes: prefixes.into_iter().map(named).collect() })
            .collect()
    }

    /// The service that the scope of a request names, else that of the nearest scope around it.
    #[inline]
    pub(crate) fn upstream(&self, settings: &RouteSettings) -> Option<&UpstreamUrl> {
        self.part(settings.part).upstream.as_ref()
    }

    /// How long to wait for that service, if a scope sets it.
    #[inline]
    pub(crate) fn upstream_timeouts(&self, settings: &RouteSettings) -> Option<UpstreamTimeouts> {
        Some(self.part(settings.part).timeouts).filter(|timeouts| *timeouts != UpstreamTimeouts::default())
    }

    /// The service for a request, of which only the label for the log is left.
    pub(crate) fn upstream_of(&self, label: LogLabel) -> Option<&UpstreamUrl> {
        self.part(label.part).upstream.as_ref()
    }
}

/// The time limits for a part: each comes from the nearest part that sets it. `around` begins with the part itself.
pub(super) fn inherited_timeouts<'a>(around: impl Iterator<Item = &'a CompiledScope>) -> UpstreamTimeouts {
    around.fold(UpstreamTimeouts::default(), |near, part| UpstreamTimeouts {
        head: near.head.or(part.timeouts.head),
        stall: near.stall.or(part.timeouts.stall),
    })
}

/// The services without duplicates.
pub(super) fn distinct(named: &[Option<UpstreamUrl>]) -> Box<[UpstreamUrl]> {
    let mut known = HashSet::new();
    named.iter().flatten().filter(|url| known.insert(*url)).cloned().collect()
}

/// The service for a part: its own, else that of the nearest part around it. `around` begins with the part itself.
pub(super) fn inherited_upstream<'a>(mut around: impl Iterator<Item = &'a CompiledScope>) -> Option<UpstreamUrl> {
    around.find_map(|part| part.upstream.clone())
}

#[cfg(test)]
mod tests;
