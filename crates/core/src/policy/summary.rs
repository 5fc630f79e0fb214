//! A summary of a policy: its numbers, its routes, and the services of its scopes. The policy chooses a service by the
//! same look-up as the guards (rule G0). Only the gateway connects to the service.

use super::keys::{LogLabel, RouteSettings};
use super::upstream::{UpstreamTimeouts, UpstreamUrl};
use super::{CompiledScope, Mode, Policy};
use crate::table::facts;

facts! {
    /// The numbers of a policy, which [`Policy::summary`] returns.
    pub struct PolicySummary<'a> {
        /// The name of the file, `built in Rust`, or `defaults`.
        origin: &'a str,
        /// The hash of the policy's files, in 16 hexadecimal digits. The same texts have the same hash in any folder.
        /// The value is `None` for a policy that is not from a file.
        hash: Option<&'a str>,
        /// The number of routes, including those of scopes.
        routes: usize,
        /// The number of scopes.
        scopes: usize,
        /// The number of `[[map]]` rules.
        map_rules: usize,
        /// The number of custom codes.
        own_codes: usize,
        /// The mode of all requests for which no route or scope sets another mode.
        mode: Mode,
        /// The `FILE:LINE` that sets this mode. The value is `None` for the default mode, and for a policy that is not
        /// from a file.
        mode_from: Option<&'a str>,
        /// The largest request body in bytes where no route or scope sets another limit, or `None` if there is no
        /// limit.
        body_limit: Option<u64>,
        /// True if an [`Observer`](crate::session::Observer) gets the bodies of errors, because of `[observe] bodies =
        /// true`.
        observes_bodies: bool,
    }

    /// One route of a policy, which [`Policy::routes`] returns.
    pub struct RouteSummary<'a> {
        /// The pattern, spelled as in the policy.
        pattern: &'a str,
        /// The scope of the route, or `None` for a route of the policy itself.
        scope: Option<&'a str>,
        /// The `FILE:LINE` of the pattern, or `None` for a policy that is not from a file.
        from: Option<&'a str>,
        /// The mode of the requests that the route matches. The mode is the route's own, or else the mode of a wider
        /// route that also matches, of the scope, or of the policy.
        mode: Mode,
        /// The `FILE:LINE` that sets this mode. The value is `None` for the default mode, and for a policy that is not
        /// from a file.
        mode_from: Option<&'a str>,
    }
}

impl Policy {
    /// Returns the numbers that are logged when the policy is first used.
    #[must_use]
    pub fn summary(&self) -> PolicySummary<'_> {
        PolicySummary {
            origin: &self.origin.name,
            hash: self.origin.hash.as_deref(),
            routes: self.routes.len(),
            scopes: self.parts.len() - 1,
            map_rules: self.parts.iter().map(|part| part.own_rules).sum(),
            own_codes: self.codes.len(),
            mode: self.root_scope().defaults.mode,
            mode_from: self.origin.mode.as_deref(),
            body_limit: self.root_scope().defaults.body_limit,
            observes_bodies: self.process.observes_bodies,
        }
    }

    /// Returns all routes: first the routes of the policy itself, then the routes of its scopes.
    /// [`RequestRecord::route`](crate::session::RequestRecord::route) returns one of these patterns, unless the
    /// framework found a pattern itself.
    ///
    /// ```
    /// use tower_error_envelope::{Mode, Policy, RouteRule};
    ///
    /// let policy = Policy::builder().route(RouteRule::new("GET /old/{id}").mode(Mode::Observe)).build()?;
    /// let routes: Vec<_> = policy.routes().map(|route| (route.pattern(), route.mode())).collect();
    /// assert_eq!(routes, [("GET /old/{id}", Mode::Observe)]);
    /// # Ok::<(), tower_error_envelope::PolicyError>(())
    /// ```
    #[doc(hidden)]
    pub fn routes(&self) -> impl Iterator<Item = RouteSummary<'_>> {
        let of_part = |part: &'_ CompiledScope| part.matcher.patterns.len();
        let scopes = self.parts.iter().flat_map(move |part| std::iter::repeat_n(part.name.as_deref(), of_part(part)));
        let patterns = self.parts.iter().flat_map(|part| &part.matcher.patterns);
        let modes = self.chains.iter().map(|chain| chain.settings.mode);
        patterns.zip(modes).zip(scopes).enumerate().map(|(at, ((pattern, mode), scope))| {
            let origin = self.origin.routes.get(at);
            RouteSummary {
                pattern: &pattern.written,
                scope,
                from: origin.map(|origin| &*origin.pattern),
                mode,
                mode_from: origin.and_then(|origin| origin.mode.as_deref()),
            }
        })
    }

    /// Returns the scopes, each with the mode of its requests that no route matches.
    #[doc(hidden)]
    pub fn scope_modes(&self) -> impl Iterator<Item = (&str, Mode)> {
        self.parts.iter().filter_map(|part| Some((part.name.as_deref()?, part.defaults.mode)))
    }

    /// Returns, for each route, the narrowest part and the routes that decide about its requests, beginning with the
    /// most specific route.
    #[cfg(feature = "policy-file")]
    pub(crate) fn chains(&self) -> impl Iterator<Item = (usize, Vec<usize>)> {
        self.chains.iter().map(|chain| (chain.part, chain.met.iter().collect()))
    }
}

/// The services for one host, for routers that need all services in advance. [`Policy::upstreams_by_host`] returns
/// them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostUpstreams<'a> {
    host: String,
    prefixes: Vec<(String, Option<&'a UpstreamUrl>)>,
}

impl HostUpstreams<'_> {
    /// Returns the host in lower case, without a port. `*.example.com` represents its subdomains, and `*` all hosts
    /// that no scope names.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the prefixes of paths, longer ones first, each with the service of its scope. The last prefix is `/`. A
    /// prefix covers whole segments of the normalised path, in exactly this letter case.
    pub fn prefixes(&self) -> impl Iterator<Item = (&str, Option<&UpstreamUrl>)> {
        self.prefixes.iter().map(|(prefix, upstream)| (prefix.as_str(), *upstream))
    }
}

impl Policy {
    /// Returns the services of the scopes, without duplicates, in the order of the scopes.
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
    #[doc(hidden)]
    pub fn upstreams(&self) -> impl Iterator<Item = &UpstreamUrl> {
        self.upstreams.iter()
    }

    /// Returns the services for each host that a scope names, and finally for all other hosts (`*`), by the prefix of
    /// the path.
    #[must_use]
    #[doc(hidden)]
    pub fn upstreams_by_host(&self) -> Vec<HostUpstreams<'_>> {
        let named = |(prefix, part): (String, usize)| (prefix, self.parts[part].upstream.as_ref());
        let hosts = self.scopes.by_host().into_iter();
        hosts
            .map(|(host, prefixes)| HostUpstreams { host, prefixes: prefixes.into_iter().map(named).collect() })
            .collect()
    }

    /// Returns the service that the scope of a request names, or else the service of the nearest scope around it.
    #[inline]
    pub(crate) fn upstream(&self, settings: &RouteSettings) -> Option<&UpstreamUrl> {
        self.part(settings.part).upstream.as_ref()
    }

    /// Returns how long a gateway waits for the service of a request, if a scope sets these time limits.
    #[inline]
    pub(crate) fn upstream_timeouts(&self, settings: &RouteSettings) -> Option<UpstreamTimeouts> {
        Some(self.part(settings.part).timeouts).filter(|timeouts| *timeouts != UpstreamTimeouts::default())
    }

    /// Returns the service for a request, by the label that is kept for the log.
    pub(crate) fn upstream_of(&self, label: LogLabel) -> Option<&UpstreamUrl> {
        self.part(label.part).upstream.as_ref()
    }
}

#[cfg(test)]
mod tests;
