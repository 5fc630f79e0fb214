//! The services in an Envoy configuration: a cluster for each, and the routes to it. They choose a service as the
//! policy's scopes do (G0).

use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::IpAddr;

use error_envelope_core::policy::{HostUpstreams, UpstreamUrl};
use http::uri::Scheme;
use serde::Serialize;
use tower_error_envelope::Policy;

use super::yaml::{Address, quoted};

/// The cluster for requests whose scope names no service.
const DEFAULT_CLUSTER: &str = "upstream";

/// The services that an Envoy listener routes to, as the templates need them: each text is YAML.
pub(super) struct Services {
    pub(super) hosts: Vec<Host>,
    pub(super) clusters: Vec<Cluster>,
}

#[derive(Serialize)]
pub(super) struct Host {
    name: String,
    domains: String,
    routes: Vec<Route>,
}

#[derive(Serialize)]
struct Route {
    path: String,
    cluster: String,
}

#[derive(Serialize)]
pub(super) struct Cluster {
    name: String,
    address: String,
    is_tls: bool,
    /// The name that the service's certificate must have.
    host: String,
    san_type: &'static str,
    /// Whether the name is sent in the handshake, which no IP address is.
    sni: bool,
}

impl Services {
    pub(super) fn new(policy: &Policy, default_upstream: Option<&Address>) -> Self {
        let hosts = policy.upstreams_by_host();
        let urls = hosts.iter().flat_map(HostUpstreams::prefixes).filter_map(|(_, upstream)| upstream);
        let urls: BTreeSet<String> = urls.map(ToString::to_string).collect();
        let default = default_upstream.map(|address| Cluster {
            name: DEFAULT_CLUSTER.to_owned(),
            address: address.yaml(),
            is_tls: false,
            host: String::new(),
            san_type: "",
            sni: false,
        });
        let named = urls.iter().filter_map(|url| url.parse().ok()).map(|url| Cluster::named(&url));
        let clusters = default.into_iter().chain(named).collect();
        Self { hosts: hosts.iter().map(|host| Host::new(host, default_upstream.is_some())).collect(), clusters }
    }
}

impl Host {
    /// Prefixes without a service get no route: Envoy returns 404, which the module rewrites (V2).
    fn new(host: &HostUpstreams<'_>, has_default: bool) -> Self {
        let (name, domains) = match host.host() {
            "*" => (DEFAULT_CLUSTER.to_owned(), quoted("*")),
            // A host name with a final dot is the same host.
            name => (quoted(name), format!("{}, {}", quoted(name), quoted(&format!("{name}.")))),
        };
        let routes = host.prefixes().filter_map(|(prefix, upstream)| {
            let cluster = match (prefix, upstream) {
                ("/", None) if has_default => DEFAULT_CLUSTER.to_owned(),
                (_, upstream) => quoted(&upstream?.to_string()),
            };
            let path = if prefix == "/" { "prefix: /".to_owned() } else { path_match(prefix) };
            Some(Route { path, cluster })
        });
        Self { name, domains, routes: routes.collect() }
    }
}

impl Cluster {
    fn named(url: &UpstreamUrl) -> Self {
        let is_ip = url.host().parse::<IpAddr>().is_ok();
        Self {
            name: quoted(&url.to_string()),
            address: Address { host: url.host().to_owned(), port: url.port() }.yaml(),
            is_tls: *url.scheme() == Scheme::HTTPS,
            host: quoted(url.host()),
            san_type: if is_ip { "IP_ADDRESS" } else { "DNS" },
            sni: !is_ip,
        }
    }
}

/// A prefix matches only whole segments. Envoy decodes only the percent codes of letters, digits, `-`, `.`, `_` and
/// `~`, while the policy decodes all of them.
fn path_match(prefix: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/');
    if prefix.bytes().all(is_plain) {
        return format!("path_separated_prefix: {}", quoted(prefix));
    }
    let mut regex = String::new();
    for byte in prefix.bytes() {
        let digit = |digit: u8| match char::from_digit(digit.into(), 16) {
            Some(letter @ 'a'..='f') => format!("[{letter}{}]", letter.to_ascii_uppercase()),
            digit => digit.into_iter().collect(),
        };
        let _ = match byte {
            b'.' => write!(regex, "[.]"),
            byte if is_plain(byte) => write!(regex, "{}", char::from(byte)),
            byte => write!(regex, "(?:\\x{byte:02x}|%{}{})", digit(byte >> 4), digit(byte & 15)),
        };
    }
    format!("safe_regex: {{ regex: {} }}", quoted(&format!("{regex}(?:/.*)?")))
}
