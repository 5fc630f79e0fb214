//! The policy: the settings for each request, and the settings of the process (`process`). `faults` contains the faults
//! that are made once for all requests. `response` contains the parts that a response needs.
//!
//! Every [`Policy`] is valid, because mistakes are refused when it is built, from Rust or from a file.
//!
//! 1. Every reading of the path and the method is compared with the routes (rule G0). Most requests have one reading.
//! 2. Among the scopes that cover the request, the narrowest scope comes first, then the wider scopes, and finally the
//!    policy itself.
//! 3. Within each scope, the most specific matching route that sets a key decides that key. If no route sets the key,
//!    the scope's defaults decide.
//! 4. If readings have different guards, the settings of all readings are returned, and the session applies all guards.
//!    The normalised reading decides everything else.
//!
//! Finding the settings allocates nothing for a path with one reading. If the policy has no routes, the settings are
//! only copied.

mod builder;
pub(crate) mod choice;
mod compile;
mod faults;
pub(crate) mod host;
pub(crate) mod keys;
pub(crate) mod lookup;
mod matcher;
mod names;
pub(crate) mod process;
mod response;
pub mod rule;
pub(crate) mod scope;
mod setters;
mod summary;
mod upstream;

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::HeaderName;

pub use self::builder::PolicyBuilder;
pub use self::choice::{
    BodyLimitPer, EventStreams, ExtProcBodies, LetterCase, Mode, NoTransform, Paths, Preflight, Protocols, Trust,
    UnknownCodes,
};
use self::faults::PolicyFaults;
use self::keys::LinkedTable;
pub(crate) use self::keys::{LogLabel, RouteSettings};
pub(crate) use self::lookup::{Matched, MatchedReading, RefusedPath, Unmatched};
use self::matcher::FixedChain;
pub(crate) use self::matcher::Matcher;
use self::names::Shared;
pub(crate) use self::process::IdSettings;
use self::process::ProcessSettings;
pub(crate) use self::response::Adopted;
pub use self::response::Guards;
use self::scope::Scopes;
pub use self::scope::{RouteRule, Scope};
pub use self::summary::{HostUpstreams, PolicySummary, RouteSummary};
pub use self::upstream::{UpstreamTimeouts, UpstreamUrl};
#[cfg(feature = "foreign")]
pub use crate::body_shape::{BodyShape, ShapeIssues};
use crate::code::CodeSet;
use crate::dialect::custom::CustomShape;
use crate::dialect::outgoing::WrittenAdvice;
use crate::fault::Fault;
use crate::guard::auth::Scheme;
use crate::guard::pattern::Pattern;
use crate::outward::Outward;
pub use crate::page::ErrorPage;
use crate::policy::rule::Rule;
pub use crate::table::PolicyError;

/// The layer's settings for each request. A policy is built in Rust with [`Policy::builder`], or read from a file.
///
/// [`Policy::default`] is the policy of a layer without configuration. This policy enforces everything, its only guard
/// is the body limit (1 MiB), and it never keeps a client's request id.
///
/// ```
/// use tower_error_envelope::policy::{RequiredHeader, Trust};
/// use tower_error_envelope::{ErrorCode, Policy, RouteRule};
///
/// let policy = Policy::builder()
///     .trust(Trust::Valid)
///     .body_limit(256 * 1024)
///     .header("tenant", RequiredHeader::new("x-tenant").pattern("[a-z]{1,8}"))
///     .route(RouteRule::new("/t/{*rest}").require_headers(["tenant"]))
///     .route(RouteRule::new("POST /t/upload").no_body_limit())
///     .code(ErrorCode::custom("seat_taken", 409))
///     .build()?;
/// # Ok::<(), tower_error_envelope::PolicyError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Policy {
    pub(crate) origin: Origin,
    pub(crate) process: ProcessSettings,
    codes: CodeSet,
    /// The tables of all routes, over all parts.
    routes: Box<[LinkedTable]>,
    /// The settings for most requests of each route.
    chains: Box<[FixedChain]>,
    scopes: Scopes,
    /// The policy itself, then its scopes.
    pub(crate) parts: Box<[CompiledScope]>,
    /// The shapes of all parts, in the order in which files and builders define them.
    shapes: Box<[CustomShape]>,
    /// The schemes of all routes. A scheme that several lists name is repeated.
    schemes: Box<[Arc<Scheme>]>,
    /// True if any route requires headers.
    requires_headers: bool,
    /// The headers in which the inner service gets the ids of callers. Clients must not send these headers.
    pub(crate) forwarded_ids: Box<[HeaderName]>,
    /// The headers in which keys are sent (rule R1).
    pub(crate) key_headers: Box<[HeaderName]>,
    custom: Box<[Box<str>]>,
    /// The faults that the layer itself returns.
    pub(crate) faults: PolicyFaults,
    /// The services that scopes name, without duplicates.
    upstreams: Box<[UpstreamUrl]>,
    /// True if all requests have the same settings, because there are no routes and no scopes.
    is_everywhere: bool,
    /// True while a kill switch is on. It also turns off settings that are only made for a request.
    is_switched_off: bool,
    /// True if any route only applies to certain methods. A request is searched for other methods only then.
    pub(crate) names_methods: bool,
    /// True if it was already reported that routes only match the path that a request had before a framework stripped a
    /// prefix.
    original_reported: Arc<AtomicBool>,
    /// True if some responses depend on facts of their request, such as its path, its origin or its start time.
    pub(crate) needs_request_facts: bool,
}

/// The settings inside one scope, or in the policy itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct CompiledScope {
    /// The index of the part around this part.
    parent: Option<usize>,
    pub(crate) matcher: Matcher,
    keys: LinkedTable,
    /// The settings for requests that match no route.
    defaults: Arc<RouteSettings>,
    pub(crate) own_rules: usize,
    /// The part's own rules, then the rules of the parts around it.
    rules: Box<[Arc<Rule>]>,
    pub(crate) outward: Box<[Arc<Outward>]>,
    /// The shapes that are tried for requests of this part, in this order.
    pub(crate) shapes: Box<[CustomShape]>,
    rules_use_path: bool,
    /// The part's own service, or else the service of the nearest part around it.
    pub(crate) upstream: Option<UpstreamUrl>,
    /// The time limits of a gateway for the service of the part.
    timeouts: UpstreamTimeouts,
    /// The name, or `None` for the policy itself, which is not a scope.
    name: Option<Box<str>>,
}

#[cfg(feature = "policy-file")]
impl CompiledScope {
    pub(crate) fn own_rules(&self) -> &[Arc<Rule>] {
        &self.rules[..self.own_rules]
    }
}

/// The origin of a policy.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    /// The name of the file, `built in Rust`, or `defaults`.
    pub(crate) name: Cow<'static, str>,
    /// The hash of the files, or `None` if the policy is not from files.
    pub(crate) hash: Option<Box<str>>,
    /// The `FILE:LINE` that sets the mode where no route or scope sets one, or `None` for the default mode.
    pub(crate) mode: Option<Box<str>>,
    /// The places of the routes, in the order of [`Policy::routes`]. The list is empty if the policy is not from files.
    pub(crate) routes: Vec<RouteOrigin>,
}

/// The places of a route, as `FILE:LINE`.
#[derive(Clone, Debug)]
pub(crate) struct RouteOrigin {
    pub(crate) pattern: Box<str>,
    /// The place of the mode, or `None` for the default mode.
    pub(crate) mode: Option<Box<str>>,
}

impl Origin {
    pub(crate) const DEFAULTS: Self = Self::without_files("defaults");
    const BUILT_IN_RUST: Self = Self::without_files("built in Rust");

    #[cfg(feature = "policy-file")]
    pub(crate) fn of_files(name: &str, hash: String) -> Self {
        Self { name: name.to_owned().into(), hash: Some(hash.into()), mode: None, routes: Vec::new() }
    }

    const fn without_files(name: &'static str) -> Self {
        Self { name: Cow::Borrowed(name), hash: None, mode: None, routes: Vec::new() }
    }
}

impl Policy {
    /// Returns the advice on what a client can do next (E10).
    pub(crate) fn advice<'a>(&'a self, fault: &'a Fault) -> WrittenAdvice<'a> {
        self.process.advice.of(fault, self.codes.redefined(fault.code()))
    }

    /// Returns the address of the page about a code of this policy.
    #[cfg(feature = "openapi")]
    pub(crate) fn docs_of(&self, code: &crate::code::ErrorCode) -> Option<String> {
        Some(self.process.advice.docs_of(code)?.text().into_owned())
    }

    /// Returns the policy's own codes.
    #[must_use]
    pub fn codes(&self) -> &CodeSet {
        &self.codes
    }

    #[cfg(feature = "policy-file")]
    pub(crate) fn with_origin(self, origin: Origin) -> Self {
        Self { origin, ..self }
    }

    /// Returns this policy without required credentials (G2). Trials use this policy, because requests of a trial have
    /// no credentials.
    #[must_use]
    pub fn without_credentials(mut self) -> Self {
        let tables = self.routes.iter_mut().chain(self.parts.iter_mut().map(|part| &mut part.keys));
        tables.for_each(|table| table.auth = Some(Shared::default()));
        self.change_settings(|settings| settings.auth = Shared::default());
        Self { schemes: Box::default(), ..self }
    }

    /// Returns this policy with `mode` on every route, for both guards and responses.
    #[must_use]
    pub fn in_mode(mut self, mode: Mode) -> Self {
        let tables = self.routes.iter_mut().chain(self.parts.iter_mut().map(|part| &mut part.keys));
        tables.for_each(|table| table.mode = Some(mode));
        self.change_settings(|settings| settings.mode = mode);
        self
    }

    /// Returns this policy as it is while a kill switch is on. Every route is in mode `off`, and its own mode is kept
    /// for records.
    #[must_use]
    pub fn switched_off(mut self) -> Self {
        self.change_settings(RouteSettings::switch_off);
        Self { is_switched_off: true, ..self }
    }

    /// Changes all settings that were made when the policy was built.
    pub(super) fn change_settings(&mut self, change: impl Fn(&mut RouteSettings)) {
        let made = self.chains.iter_mut().map(|chain| &mut chain.settings);
        made.chain(self.parts.iter_mut().map(|part| &mut part.defaults)).for_each(|made| change(Arc::make_mut(made)));
    }

    /// Returns true if the policy redefines the code, or names it in a rule or a shape.
    #[cfg(feature = "openapi")]
    pub(crate) fn names_code(&self, code: &crate::code::ErrorCode) -> bool {
        let in_part = |part: &CompiledScope| {
            part.rules.iter().any(|rule| &rule.to == code) || part.outward.iter().any(|it| it.codes.contains(code))
        };
        self.codes.redefined(code).is_some()
            || self.parts.iter().any(in_part)
            || self.shapes.iter().any(|shape| shape.names_code(code))
    }

    /// Returns true if different paths may have different guards.
    #[inline]
    pub(crate) fn distinguishes_paths(&self) -> bool {
        !self.is_everywhere
    }

    /// Returns true only at the first call, so that the caller reports only once that routes match only the path that a
    /// request had before a framework stripped a prefix.
    pub(crate) fn is_first_original(&self) -> bool {
        !self.original_reported.swap(true, Ordering::Relaxed)
    }

    /// Returns the pattern of the route, spelled as in the policy. The log uses the pattern as a label, because a
    /// policy has only a few patterns (rules L1, L2).
    pub(crate) fn route_label(&self, label: LogLabel) -> Option<&str> {
        self.route_pattern(label).map(|pattern| &*pattern.written)
    }

    pub(crate) fn route_pattern(&self, label: LogLabel) -> Option<&Pattern> {
        self.pattern(label.route? as usize)
    }

    fn pattern(&self, route: usize) -> Option<&Pattern> {
        self.parts.iter().find_map(|part| part.matcher.pattern(route))
    }

    /// Returns the name of a request's scope: its first host and its prefix.
    pub(crate) fn scope_name(&self, label: LogLabel) -> Option<&str> {
        self.part(label.part).name.as_deref()
    }

    #[inline]
    fn part(&self, part: u16) -> &CompiledScope {
        self.parts.get(usize::from(part)).unwrap_or_else(|| self.root_scope())
    }

    /// Returns the part of the policy that is outside of all scopes.
    #[inline]
    fn root_scope(&self) -> &CompiledScope {
        &self.parts[0]
    }
}

#[cfg(test)]
mod tests;
