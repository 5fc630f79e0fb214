//! The services in an Envoy configuration: a cluster for each, and the routes to it. They choose a service as the
//! policy's scopes do (G0).

use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::IpAddr;

use http::uri::Scheme;
use tower_error_envelope::Policy;
use tower_error_envelope::policy::{HostUpstreams, UpstreamUrl};

use super::yaml::{Address, indented, quoted};

/// The cluster for requests whose scope names no service.
const DEFAULT_CLUSTER: &str = "upstream";

/// The services that an Envoy listener routes to.
pub(super) struct Services<'a> {
    hosts: Vec<HostUpstreams<'a>>,
    default_upstream: Option<&'a Address>,
    http2: bool,
}

impl<'a> Services<'a> {
    pub(super) fn new(policy: &'a Policy, default_upstream: Option<&'a Address>, http2: bool) -> Self {
        Self { hosts: policy.upstreams_by_host(), default_upstream, http2 }
    }

    /// Whether there is no service to forward to.
    pub(super) fn is_empty(&self) -> bool {
        self.default_upstream.is_none() && self.named().is_empty()
    }

    /// The route configuration.
    pub(super) fn routes(&self) -> String {
        let mut text = format!("name: {DEFAULT_CLUSTER}\n");
        if self.hosts.len() > 1 {
            text += "# A scope's hosts have no port.\nignore_port_in_host_matching: true\n";
        }
        text += "virtual_hosts:\n";
        for host in &self.hosts {
            let (name, domains) = match host.host() {
                "*" => (DEFAULT_CLUSTER.to_owned(), quoted("*")),
                // A host name with a final dot is the same host.
                name => (quoted(name), format!("{}, {}", quoted(name), quoted(&format!("{name}.")))),
            };
            let _ = write!(
                text,
                "- name: {name}\n  domains: [{domains}]\n  routes:\n{}",
                indented(&self.host_routes(host), 2)
            );
        }
        text
    }

    /// The routes of one host. Prefixes without a service get no route: Envoy returns 404, which the module rewrites (V2).
    fn host_routes(&self, host: &HostUpstreams<'_>) -> String {
        let mut text = String::from("# If a service does not respond within the timeout, the client gets 504.\n");
        let mut is_any = false;
        for (prefix, upstream) in host.prefixes() {
            let (path, cluster) = match (prefix, upstream) {
                ("/", None) if self.default_upstream.is_some() => ("prefix: /".to_owned(), DEFAULT_CLUSTER.to_owned()),
                (_, None) => continue,
                ("/", Some(url)) => ("prefix: /".to_owned(), quoted(&url.to_string())),
                (prefix, Some(url)) => (path_match(prefix), quoted(&url.to_string())),
            };
            is_any = true;
            let _ = writeln!(text, "- {{ match: {{ {path} }}, route: {{ cluster: {cluster}, timeout: 30s }} }}");
        }
        if is_any { text } else { "[]\n".to_owned() }
    }

    /// The clusters.
    pub(super) fn clusters(&self) -> String {
        let default = self.default_upstream.map(|address| self.cluster(DEFAULT_CLUSTER, &address.yaml(), ""));
        let named = self.named().into_iter().map(|name| match name.parse::<UpstreamUrl>() {
            Ok(url) => {
                let address = Address { host: url.host().to_owned(), port: url.port() };
                self.cluster(&quoted(&name), &address.yaml(), &tls(&url))
            }
            Err(_) => String::new(),
        });
        default.into_iter().chain(named).collect()
    }

    fn named(&self) -> BTreeSet<String> {
        let prefixes = self.hosts.iter().flat_map(HostUpstreams::prefixes);
        prefixes.filter_map(|(_, upstream)| upstream).map(ToString::to_string).collect()
    }

    fn cluster(&self, name: &str, address: &str, tls: &str) -> String {
        let protocol = match self.http2 {
            true => "{ http2_protocol_options: {} }",
            // Over HTTP/1, too, a gRPC call ends with trailers (P1).
            false => "{ http_protocol_options: { enable_trailers: true } }",
        };
        format!(include_str!("cluster.yaml"), name = name, protocol = protocol, tls = tls, address = address)
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

/// TLS to the service; its certificate must have the host name of the URL.
fn tls(url: &UpstreamUrl) -> String {
    if *url.scheme() != Scheme::HTTPS {
        return String::new();
    }
    let host = quoted(url.host());
    let (sni, kind) = match url.host().parse::<IpAddr>() {
        Ok(_) => (String::new(), "IP_ADDRESS"),
        Err(_) => (format!("    sni: {host}\n"), "DNS"),
    };
    indented(&format!(include_str!("tls.yaml"), sni = sni, kind = kind, host = host), 2)
}
