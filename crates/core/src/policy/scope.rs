//! Routes, and scopes: parts of a policy that apply only to some requests, by their host and the first segments of
//! their path.
//!
//! 1. A scope covers a request if one of its hosts is the request's host, and the path begins with its prefix, segment
//!    by segment. `*.example.com` covers hosts of any depth below `example.com`, but not `example.com` itself.
//! 2. If two scopes overlap, one must contain the other. The scopes of a request therefore form a chain: the narrowest
//!    comes first, then the next wider one, and finally the policy itself.
//!
//! To find the narrowest scope, the host is looked up, or else its domains. After that, the prefixes are found by the
//! segments of the path. Scopes that do not cover the request are never visited.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use rustc_hash::FxHashMap;

use super::keys::RouteTable;
use super::matcher::Literals;
#[cfg(feature = "foreign")]
use crate::body_shape::BodyShape;
use crate::guard::pattern::{Pattern, RemainingPath, segments_of, split_segment};
use crate::guard::reading::PathList;
use crate::outward::OutwardRule;
use crate::policy::rule::MapRule;
use crate::table::{Kind, Refusals, SettingError, table_setters, tables};

/// Settings for the requests that a pattern matches: `[[route]]` in the policy file (rule G0).
///
/// The pattern is a path, optionally after methods: `"GET|POST /files/{*path}"`. The path has literal segments, `{one}`
/// for one segment, and `{*rest}` at the end for all further segments. `GET` covers `HEAD`.
///
/// If a route does not set a key, the next less specific route that also matches decides, and finally the policy.
///
/// ```
/// use tower_error_envelope::{Mode, Policy, RouteRule};
///
/// let policy = Policy::builder()
///     .route(RouteRule::new("POST /api/v1/sessions/{uuid}/commands/{*command}").body_limit(64 * 1024).json(true))
///     .route(RouteRule::new("/oauth/{*rest}").mode(Mode::Off))
///     .build();
/// assert!(policy.is_ok());
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct RouteRule {
    pub(crate) pattern: String,
    pub(crate) keys: RouteTable,
}

impl RouteRule {
    /// Creates a route without any settings. A wrong pattern is refused when the policy is built.
    pub fn new(pattern: impl Into<String>) -> Self {
        Self { pattern: pattern.into(), keys: RouteTable::default() }
    }

    /// Requires no credentials on this route, even if wider routes or the policy do: `auth = []`.
    ///
    /// No scheme is checked, so no request has an identity.
    ///
    /// ```
    /// use tower_error_envelope::auth::AuthScheme;
    /// use tower_error_envelope::{Policy, RouteRule};
    ///
    /// let policy = Policy::builder()
    ///     .scheme("session", AuthScheme::custom())
    ///     .auth(["session"])
    ///     .route(RouteRule::new("GET /health").open())
    ///     .build()?;
    /// # let _ = policy;
    /// # Ok::<(), tower_error_envelope::PolicyError>(())
    /// ```
    pub fn open(self) -> Self {
        self.auth([""; 0])
    }
}

/// A part of a policy that applies only to some hosts, or below some path. In a policy file, a scope is an included
/// file with a `[scope]`.
///
/// Inside the scope, its settings, routes and rules take precedence over those of the enclosing policy. Settings that
/// the scope omits are inherited. The patterns of the scope's routes are full paths. Headers, credentials and codes are
/// shared by the whole policy.
///
/// ```
/// use tower_error_envelope::policy::Scope;
/// use tower_error_envelope::{Policy, RouteRule};
///
/// let orders = Scope::new().host("orders.example.com").host("*.orders.example.com").body_limit(64 * 1024);
/// let pay = Scope::new().prefix("/pay").route(RouteRule::new("POST /pay/cards").json(true));
/// // Both would hold for orders.example.com/pay, and neither is the narrower one.
/// assert!(Policy::builder().scope(orders.clone()).scope(pay.clone()).build().is_err());
/// assert!(Policy::builder().scope(orders).scope(pay.host("example.com")).build().is_ok());
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Scope {
    pub(crate) table: ScopeTable,
    pub(crate) part: PolicyPart,
}

tables! {
    /// The requests that a scope covers, and the service that a gateway calls for them.
    pub(crate) struct ScopeTable {
        hosts: Hosts,
        prefix: String,
        upstream: String,
        upstream_timeout: Duration,
        stall_timeout: Duration,
    }
}

type Hosts = Vec<String>;

/// The settings of one scope, or of the policy itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct PolicyPart {
    pub(crate) keys: RouteTable,
    pub(crate) routes: Vec<RouteRule>,
    pub(crate) rules: Vec<MapRule>,
    pub(crate) outward: Vec<OutwardRule>,
    #[cfg(feature = "foreign")]
    pub(crate) shapes: Vec<BodyShape>,
}

table_setters! { Scope:
    /// Sets the prefix of the paths in the scope: `"/orders"` covers `/orders` and `/orders/1`, but not `/orders2`.
    prefix: impl Into<String>,

    /// Sets the URL of the service that a gateway calls for these requests, such as `"http://orders:8080"`. If no URL
    /// is set, the URL of the nearest enclosing scope applies. The layer itself ignores the URL, because it calls the
    /// service that it wraps.
    upstream: impl Into<String>,

    /// Sets how long the service may take to send the head of its response, including the time to connect. The time replaces the gateway's own limit.
    /// The time must be more than 0, and at most 365 days.
    upstream_timeout: Duration,

    /// Sets how long the body of a response may pause in a gateway. After this time, the body is cut off (rules F4,
    /// F6). By default there is no limit.
    stall_timeout: Duration,
}

impl Scope {
    /// Creates a scope. Add at least one host or a prefix to the scope.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a host, in any letter case and without a port. An example is `"orders.example.com"`, or
    /// `"*.orders.example.com"` for its subdomains.
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.table.hosts.get_or_insert_default().push(host.into());
        self
    }

    pub(crate) fn hosts(&self) -> &[String] {
        self.table.hosts.as_deref().unwrap_or_default()
    }

    pub(crate) fn path_prefix(&self) -> Option<&str> {
        self.table.prefix.as_deref()
    }

    #[cfg(feature = "policy-file")]
    pub(crate) fn prefix_segments(&self) -> impl Iterator<Item = &str> {
        self.path_prefix().unwrap_or_default().split('/').filter(|segment| !segment.is_empty())
    }

    /// Returns the name in the log: the first host in lower case, and the prefix, such as `orders.example.com/pay`.
    pub(crate) fn name(&self) -> String {
        let host = self.hosts().first().map(|host| host.to_ascii_lowercase()).unwrap_or_default();
        host + self.path_prefix().unwrap_or_default()
    }

    /// Returns the hosts and the prefix, as errors and tables show them.
    pub(crate) fn covers(&self) -> String {
        self.hosts().join(",") + self.path_prefix().unwrap_or_default()
    }

    pub(crate) fn cover(&self, refusals: &mut Refusals) -> Option<ScopeMatcher> {
        let written = self.hosts();
        if written.is_empty() && self.path_prefix().is_none() {
            refusals.0.push(SettingError::new("", "the scope covers all requests", "give it hosts, a prefix, or both"));
            return None;
        }
        let hosts: Vec<_> =
            written.iter().enumerate().map(|(at, host)| refusals.keep(HostPattern::parse(at, host))).collect();
        if let Some(twice) = (1..hosts.len()).find(|at| hosts[*at].is_some() && hosts[..*at].contains(&hosts[*at])) {
            let wrong = format!("{:?} is listed twice", written[twice]);
            refusals.0.push(SettingError::new("hosts", wrong, "write each host once").of_kind(Kind::DefinedTwice));
        }
        let prefix = refusals.keep_some(self.path_prefix(), parse_prefix)?.unwrap_or_default();
        Some(ScopeMatcher { hosts: hosts.into_iter().collect::<Option<_>>()?, prefix })
    }
}

/// The hosts and the prefix of a valid [`Scope`]. A scope without hosts covers all hosts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ScopeMatcher {
    hosts: Vec<HostPattern>,
    prefix: Vec<Box<str>>,
}

#[derive(Debug, PartialEq, Eq)]
enum HostPattern {
    Exact(Box<str>),
    /// All hosts below this domain.
    Below(Box<str>),
}

impl ScopeMatcher {
    /// Returns true if a pattern may match a path inside the scope.
    pub(super) fn may_match(&self, pattern: &Pattern) -> bool {
        pattern.meets_prefix(self.prefix.iter().map(|segment| &**segment))
    }

    pub(super) fn overlaps(&self, other: &Self) -> bool {
        let hosts = self.hosts.is_empty()
            || other.hosts.is_empty()
            || self.hosts.iter().any(|host| other.hosts.iter().any(|it| host.is_within(it) || it.is_within(host)));
        hosts && (self.prefix.starts_with(&other.prefix) || other.prefix.starts_with(&self.prefix))
    }

    /// Returns true if this scope covers only a part of the requests that `wider` covers.
    pub(crate) fn is_narrower_than(&self, wider: &Self) -> bool {
        self.is_within(wider) && !wider.is_within(self)
    }

    fn is_within(&self, wider: &Self) -> bool {
        let hosts = wider.hosts.is_empty()
            || !self.hosts.is_empty() && self.hosts.iter().all(|host| wider.hosts.iter().any(|it| host.is_within(it)));
        hosts && self.prefix.starts_with(&wider.prefix)
    }
}

impl HostPattern {
    fn parse(at: usize, written: &str) -> Result<Self, SettingError> {
        let key = || format!("hosts[{at}]");
        let refused = |right: &str| Err(SettingError::new(key(), format!("{written:?} is not a valid host"), right));
        let host = written.to_ascii_lowercase();
        let (name, is_wild) = host.strip_prefix("*.").map_or((&*host, false), |domain| (domain, true));
        if !written.is_ascii() {
            return refused("write an international name in its ASCII form, as in \"xn--bcher-kva.example\"");
        }
        if written.is_empty() {
            return refused("write a name such as \"orders.example.com\"");
        }
        if name.contains('*') || name.is_empty() {
            return refused("write a * only at the start, before a domain: \"*.example.com\"");
        }
        if name.contains('/') {
            return refused("write the name alone, without scheme and path; a path goes into prefix");
        }
        if name.strip_prefix('[').map_or(name, |address| address.split_once(']').map_or(name, |it| it.1)).contains(':')
        {
            return refused("remove the port, which is ignored; write an IPv6 address in brackets: \"[::1]\"");
        }
        let is_address = name.starts_with('[') || name.parse::<Ipv4Addr>().is_ok();
        if is_wild && is_address {
            return refused("an IP address has no subdomains: remove the *.");
        }
        match (name.strip_prefix('[').and_then(|address| address.strip_suffix(']')), is_wild) {
            (Some(address), _) => match address.parse::<Ipv6Addr>() {
                Ok(address) => Ok(Self::Exact(format!("[{address}]").into())),
                Err(_) => refused("write an IPv6 address in brackets, as in \"[::1]\""),
            },
            (None, _) if !is_name(name) => {
                refused("write a name such as \"orders.example.com\", without user, final dot and spaces")
            }
            (None, true) => Ok(Self::Below(name.into())),
            (None, false) => Ok(Self::Exact(name.into())),
        }
    }

    fn is_within(&self, wider: &Self) -> bool {
        match (self, wider) {
            (Self::Exact(host), Self::Exact(other)) | (Self::Below(host), Self::Below(other)) if host == other => true,
            (Self::Exact(host) | Self::Below(host), Self::Below(domain)) => {
                host.strip_suffix(&**domain).is_some_and(|below| below.ends_with('.'))
            }
            _ => false,
        }
    }
}

/// Returns true if a text is a DNS name or an IPv4 address in lower case. RFC 9110 §4.2.3 ignores the letter case of
/// hosts.
pub(super) fn is_name(name: &str) -> bool {
    name.split('.').all(|label| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    })
}

fn parse_prefix(written: &str) -> Result<Vec<Box<str>>, SettingError> {
    if written.contains(['{', '}', '*']) || written.contains("/:") || written.contains("/<") {
        let wrong = format!("{written:?} has a parameter, which a prefix cannot have");
        return Err(SettingError::new("prefix", wrong, "write literal segments, as in \"/orders\""));
    }
    if written == "/" {
        let right = "remove it, or write one such as \"/orders\"";
        return Err(SettingError::new("prefix", "\"/\" covers every path", right));
    }
    if !written.starts_with('/') {
        let wrong = format!("{written:?} is not a path");
        return Err(SettingError::new("prefix", wrong, "begin it with /, as in \"/orders\""));
    }
    let pattern = Pattern::parse("prefix", written)?;
    Ok(pattern.literals().map(Into::into).collect())
}

/// The part of a policy that applies to each host and path. Part 0 is the policy itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Scopes {
    /// For each host that a scope names, all parts that cover the host, so that one look-up is enough.
    exact: FxHashMap<Box<str>, Prefixes>,
    below: FxHashMap<Box<str>, Prefixes>,
    /// The prefixes for all hosts that no scope names.
    any: Prefixes,
}

/// The parts for one host, by the segments of their prefixes.
#[derive(Clone, Debug, Default)]
struct Prefixes {
    part: Option<usize>,
    next: Literals<Prefixes>,
}

impl Scopes {
    /// Builds the look-up of the parts. `covers` contains the matchers of all parts except part 0. `depths` contains
    /// the number of parts around each part.
    pub(super) fn new(covers: &[ScopeMatcher], depths: &[usize]) -> Self {
        // If two parts have the same prefix for a host, the narrower one comes last. The wider part has more hosts.
        let mut parts: Vec<(usize, &ScopeMatcher)> = (1..).zip(covers).collect();
        crate::sort_by(&mut parts, &|one, other| depths.get(one.0) > depths.get(other.0));
        let all_that = |cover_it: &dyn Fn(&ScopeMatcher) -> bool| {
            let mut prefixes = Prefixes::default();
            let covering = parts.iter().filter(|(_, cover)| cover.hosts.is_empty() || cover_it(cover));
            covering.for_each(|(part, cover)| prefixes.insert(&cover.prefix, *part));
            prefixes
        };
        let mut scopes = Self { any: all_that(&|_| false), ..Self::default() };
        for host in covers.iter().flat_map(|cover| &cover.hosts) {
            let (hosts, name) = match host {
                HostPattern::Exact(host) => (&mut scopes.exact, host),
                HostPattern::Below(domain) => (&mut scopes.below, domain),
            };
            let prefixes = || all_that(&|cover| cover.hosts.iter().any(|wider| host.is_within(wider)));
            hosts.entry(name.clone()).or_insert_with(prefixes);
        }
        scopes
    }

    /// Returns the narrowest part at each prefix, for each host that a scope names, and finally for all other hosts. A
    /// longer prefix comes before a shorter one, and the entry for the whole host comes last.
    pub(super) fn by_host(&self) -> Vec<(String, Vec<(String, usize)>)> {
        let exact = self.exact.iter().map(|(host, prefixes)| (host.to_string(), prefixes));
        let below = self.below.iter().map(|(domain, prefixes)| (format!("*.{domain}"), prefixes));
        let mut hosts: Vec<_> = exact.chain(below).collect();
        crate::sort_by(&mut hosts, &|one, other| one.0 > other.0);
        hosts.push(("*".to_owned(), &self.any));
        hosts.into_iter().map(|(host, prefixes)| (host, prefixes.listed())).collect()
    }

    /// Returns true if the host of a request matters.
    pub(super) fn depend_on_host(&self) -> bool {
        !self.exact.is_empty() || !self.below.is_empty()
    }

    /// Returns the narrowest part that covers a request. `host` is in lower case, without its port.
    #[inline]
    pub(super) fn narrowest(&self, host: &str, path: &[u8]) -> usize {
        self.prefixes(host).exact(path).unwrap_or(0)
    }

    /// Returns the narrowest part that covers a path in any letter case, or `None` if letter case decides which part
    /// that is.
    #[inline]
    pub(super) fn narrowest_in_any_case(&self, host: &str, path: &[u8]) -> Option<usize> {
        let mut node = self.prefixes(host);
        let mut found = node.part;
        let mut rest: RemainingPath<'_> = if node.next.is_empty() { None } else { segments_of(path) };
        while let Some((segment, after)) = rest.map(split_segment) {
            let Some(next) = node.next.matching(segment) else { break };
            let Some((only, true)) = next.only() else { return None };
            (node, rest) = (only, after);
            found = node.part.or(found);
        }
        Some(found.unwrap_or(0))
    }

    /// Returns the narrowest parts that cover a path if letter case is ignored. Several parts may cover the path if
    /// prefixes differ only in letter case.
    pub(super) fn narrowest_folded(&self, host: &str, path: &[u8]) -> Vec<usize> {
        let mut found = Vec::new();
        self.prefixes(host).folded(segments_of(path), 0, &mut found);
        found
    }

    /// Adds the paths to those elements of the list that a prefix has as a segment in the same position.
    pub(super) fn add_elements(&self, host: &str, list: PathList<'_>, paths: &mut BTreeSet<Vec<u8>>) {
        self.prefixes(host).add_elements(list.folder(), list, paths);
    }

    /// Returns the prefixes for a host. If no scope names the host, returns the prefixes of the nearest domain above
    /// it.
    fn prefixes(&self, host: &str) -> &Prefixes {
        if let Some(prefixes) = self.exact.get(host) {
            return prefixes;
        }
        let mut domain = if self.below.is_empty() { "" } else { host };
        while let Some(at) = domain.bytes().position(|byte| byte == b'.') {
            domain = &domain[at + 1..];
            if let Some(prefixes) = self.below.get(domain) {
                return prefixes;
            }
        }
        &self.any
    }
}

impl Prefixes {
    fn insert(&mut self, prefix: &[Box<str>], part: usize) {
        let mut node = self;
        for segment in prefix {
            node = node.next.get_or_insert(segment.as_bytes());
        }
        node.part = Some(part);
    }

    fn listed(&self) -> Vec<(String, usize)> {
        let mut found = vec![("/".to_owned(), self.part.unwrap_or(0))];
        self.list("", &mut found);
        crate::sort_by(&mut found, &|one, other| one.0 < other.0);
        found
    }

    fn list(&self, above: &str, found: &mut Vec<(String, usize)>) {
        for (literal, next) in self.next.entries() {
            let prefix = format!("{above}/{}", String::from_utf8_lossy(literal));
            found.extend(next.part.map(|part| (prefix.clone(), part)));
            next.list(&prefix, found);
        }
    }

    fn exact(&self, path: &[u8]) -> Option<usize> {
        let (mut node, mut found) = (self, self.part);
        let mut rest: RemainingPath<'_> = if self.next.is_empty() { None } else { segments_of(path) };
        while let Some(left) = rest {
            let (segment, after) = split_segment(left);
            let mut alike = node.next.matching(segment).into_iter().flat_map(|next| next.each(segment));
            let Some((next, _)) = alike.find(|(_, is_same)| *is_same) else { break };
            (node, rest) = (next, after);
            found = node.part.or(found);
        }
        found
    }

    fn add_elements(&self, folder: RemainingPath<'_>, list: PathList<'_>, paths: &mut BTreeSet<Vec<u8>>) {
        let Some((segment, after)) = folder.map(split_segment) else { return self.next.add_elements(list, paths) };
        let alike = self.next.matching(segment).into_iter().flat_map(|next| next.each(segment));
        alike.for_each(|(next, _)| next.add_elements(after, list, paths));
    }

    fn folded(&self, path: RemainingPath<'_>, around: usize, found: &mut Vec<usize>) {
        let part = self.part.unwrap_or(around);
        let before = found.len();
        if let Some((segment, after)) = path.map(split_segment) {
            let alike = self.next.matching(segment).into_iter().flat_map(|next| next.each(segment));
            alike.for_each(|(next, _)| next.folded(after, part, found));
        }
        if found.len() == before && !found.contains(&part) {
            found.push(part);
        }
    }
}
