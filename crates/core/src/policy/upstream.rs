//! The service of a scope, which `upstream` under `[scope]` sets, and a gateway's time limits for it.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use http::uri::{Authority, Scheme, Uri};

use super::scope::{ScopeTable, is_name};
use crate::table::{Kind, PolicyError, Refusals, SettingError, facts};

/// The URL of a service. The URL consists of `http` or `https`, a host, and a port unless the port is the default of
/// the scheme.
///
/// The URLs of the same service are equal, even if they are written differently. Cloning a URL allocates nothing. The
/// [session](crate::session::Session::begin) adds the URL for a request's scope to the extensions of the request.
///
/// ```
/// use error_envelope_core::policy::UpstreamUrl;
///
/// let orders: UpstreamUrl = "http://Orders:80/".parse()?;
/// assert_eq!((orders.host(), orders.port(), orders.to_string()), ("orders", 80, "http://orders".to_owned()));
/// assert!("http://orders/v1".parse::<UpstreamUrl>().is_err());
/// # Ok::<(), tower_error_envelope::PolicyError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct UpstreamUrl(Arc<(Scheme, Authority)>);

impl UpstreamUrl {
    /// Returns the scheme: `http` or `https`.
    #[must_use]
    pub fn scheme(&self) -> &Scheme {
        &self.0.0
    }

    /// Returns host and port in the form of a `host` header: in lower case, with an IPv6 address in brackets, and
    /// without the default port of the scheme.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.0.1
    }

    /// Returns the host. An IPv6 address has no brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        self.authority().host().trim_matches(['[', ']'])
    }

    /// Returns the port, or the default of the scheme if no port is set.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.authority().port_u16().unwrap_or(usual_port(self.scheme()))
    }

    /// Parses a URL. Errors do not quote the URL, because it may contain a password.
    pub(super) fn parse(url: &str) -> Result<Self, SettingError> {
        let refused = |wrong: &str, right: &str| Err(SettingError::new("upstream", wrong, right));
        if url.contains('@') {
            return refused("the URL has credentials, which are never sent", "leave them out");
        }
        let uri = url.parse::<Uri>().ok();
        let Some((scheme, authority)) = uri.as_ref().and_then(|uri| uri.scheme().zip(uri.authority())) else {
            return refused("this is not a URL with a scheme and a host", URLS);
        };
        if ![Scheme::HTTP, Scheme::HTTPS].contains(scheme) {
            return refused("only http and https are supported", URLS);
        }
        if url.contains(['?', '#']) || uri.as_ref().is_some_and(|uri| uri.path() != "/") {
            let right = format!("{URLS}; the paths of requests are forwarded unchanged");
            return refused("the URL has a path, a query or a fragment", &right);
        }
        let Some(host) = host(authority.host()) else {
            let right = "write an international name in its ASCII form";
            return refused("this is not a host name or an IP address", right);
        };
        let port = authority.as_str().strip_prefix(authority.host()).and_then(|port| port.strip_prefix(':'));
        let authority = match port.map(|port| port.parse::<u16>().ok().filter(|port| *port > 0)) {
            Some(None) => return refused("the port is not a number from 1 to 65535", URLS),
            Some(Some(port)) if port != usual_port(scheme) => format!("{host}:{port}"),
            _ => host,
        };
        match authority.parse() {
            Ok(authority) => Ok(Self(Arc::new((scheme.clone(), authority)))),
            Err(_) => refused("this is not a host name or an IP address", URLS),
        }
    }
}

facts! {
    /// A gateway's time limits for the service of a scope (`[scope] upstream_timeout`, `stall_timeout`), if the scope
    /// sets them. The [session](crate::session::Session::begin) adds the limits to the extensions of the request.
    #[derive(Default)]
    pub struct UpstreamTimeouts {
        /// The time limit for the head of the service's response.
        head: Option<Duration>,
        /// The longest time for which the body of a response may pause.
        stall: Option<Duration>,
    }
}

impl UpstreamTimeouts {
    pub(super) fn new(table: &ScopeTable, refusals: &mut Refusals) -> Self {
        const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
        let mut checked = |key: &'static str, time: Option<Duration>| {
            if time.is_some_and(|time| time.is_zero() || time > YEAR) {
                let (wrong, right) = ("the timeout is out of range", "set more than 0 and at most 365 days");
                refusals.0.push(SettingError::new(key, wrong, right).of_kind(Kind::OutOfRange));
            }
            time
        };
        Self {
            head: checked("upstream_timeout", table.upstream_timeout),
            stall: checked("stall_timeout", table.stall_timeout),
        }
    }
}

const URLS: &str = "write http://HOST:PORT or https://HOST:PORT";

fn usual_port(scheme: &Scheme) -> u16 {
    if *scheme == Scheme::HTTPS { 443 } else { 80 }
}

/// Returns a name, or an address in its canonical form. A final dot of the name stays, because a resolver then tries no
/// search domains.
fn host(written: &str) -> Option<String> {
    if let Some(address) = written.strip_prefix('[') {
        let address: Ipv6Addr = address.strip_suffix(']')?.parse().ok()?;
        return Some(format!("[{address}]"));
    }
    let name = written.strip_suffix('.').unwrap_or(written);
    (name.len() <= 253 && is_name(name)).then(|| written.to_ascii_lowercase())
}

impl FromStr for UpstreamUrl {
    type Err = PolicyError;

    /// # Errors
    ///
    /// Returns an error if the text is not an `http` or `https` URL with a host, or if it has credentials, a path, a
    /// query or a fragment. The error does not quote the URL.
    fn from_str(url: &str) -> Result<Self, PolicyError> {
        Self::parse(url).map_err(|SettingError { wrong, right, .. }| PolicyError::new(None, wrong, right))
    }
}

impl fmt::Display for UpstreamUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme(), self.authority())
    }
}

impl fmt::Debug for UpstreamUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UpstreamUrl({self})")
    }
}
