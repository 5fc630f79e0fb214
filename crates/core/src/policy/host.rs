//! The host of a request (RFC 9110 §7.2), which decides the scope.

use std::borrow::Cow;
use std::net::Ipv6Addr;

use http::header::HOST;
use http::uri::Authority;
use http::{HeaderMap, Uri};

use crate::fields;

/// The hosts that a request names, in lower case, without a port and a final dot.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Hosts<'a> {
    /// The host that decides the scope. This is the host in the target, or else the host in the `host` line (RFC 9112
    /// §3.2.2). The text is empty if the request names no host.
    pub(crate) first: Cow<'a, str>,
    /// The host in the `host` line, if it differs from the target's. A service may still use this host.
    pub(crate) other: Option<Cow<'a, str>>,
}

/// Returns true if the target and the `host` line of a request are clear about its host, or if the request has neither.
/// If the host is not clear, RFC 9112 §3.2 requires that the request is refused, because a service may read another
/// host than the guards.
///
/// ```
/// use error_envelope_core::session::has_clear_host;
/// use http::{HeaderMap, HeaderValue, Uri, header::HOST};
///
/// let line = |host| HeaderMap::from_iter([(HOST, HeaderValue::from_static(host))]);
/// assert!(has_clear_host(&Uri::from_static("/"), &line("pay.example.com:8080")));
/// assert!(!has_clear_host(&Uri::from_static("/"), &line("pay..example.com")));
/// ```
#[must_use]
pub fn has_clear_host(target: &Uri, headers: &HeaderMap) -> bool {
    hosts(target, headers).is_some()
}

/// Returns the hosts of a request. Returns `None` if the hosts are unclear, because there are several `host` lines, or
/// because a value is not a host with an optional port, such as `a.example:80:80`, `a..example` or an empty line.
pub(crate) fn hosts<'h>(target: &'h Uri, headers: &'h HeaderMap) -> Option<Hosts<'h>> {
    let line = match fields::at_most_one(headers, &HOST)? {
        Some(line) => Some(host_without_port(line.to_str().ok()?)?),
        None => None,
    };
    let target = match target.authority().map(Authority::as_str) {
        Some(authority) => Some(host_without_port(authority.rsplit_once('@').map_or(authority, |(_, host)| host))?),
        None => None,
    };
    Some(match (target, line) {
        (Some(first), line) => Hosts { other: line.filter(|line| *line != first), first },
        (None, line) => Hosts { first: line.unwrap_or_default(), other: None },
    })
}

/// Returns the host in `host [":" port]`. An IPv6 address can be written in many ways, and is returned in the form of
/// RFC 5952.
fn host_without_port(written: &str) -> Option<Cow<'_, str>> {
    if let Some((address, port)) = written.strip_prefix('[').and_then(|inside| inside.split_once(']')) {
        let address: Ipv6Addr = address.parse().ok()?;
        return is_port(port).then(|| format!("[{address}]").into());
    }
    let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    let end = written.bytes().position(|byte| !is_of_name(byte)).unwrap_or(written.len());
    let (host, port) = written.split_at(end);
    let host = host.strip_suffix('.').unwrap_or(host);
    // No valid name has more than 253 bytes (RFC 1035 §2.3.4), and each dot costs the look-up of another domain. A
    // service may drop an empty label and then see another host.
    let has_empty_label = host.as_bytes().split(|byte| *byte == b'.').any(<[u8]>::is_empty);
    if has_empty_label || host.len() > 253 || !is_port(port) {
        return None;
    }
    let has_upper = host.bytes().any(|byte| byte.is_ascii_uppercase());
    Some(if has_upper { host.to_ascii_lowercase().into() } else { host.into() })
}

fn is_port(written: &str) -> bool {
    written.is_empty() || written.strip_prefix(':').is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn host(target: &str, lines: &[&str]) -> Option<String> {
        let builder = lines.iter().fold(Request::builder().uri(target), |builder, line| builder.header(HOST, *line));
        let head = builder.body(()).unwrap().into_parts().0;
        hosts(&head.uri, &head.headers).map(|Hosts { first, other }| match other {
            Some(other) => format!("{first}, not {other}"),
            None => first.into_owned(),
        })
    }

    #[test]
    fn g0_the_host_is_told_in_one_spelling() {
        for (target, lines, expected) in [
            ("/", &["Orders.Example.com:8443"][..], Some("orders.example.com")),
            ("/", &["a.example."], Some("a.example")),
            ("/", &["a.example.:80"], Some("a.example")),
            ("/", &["[::1]:80"], Some("[::1]")),
            ("/", &["[::1]"], Some("[::1]")),
            ("/", &[], Some("")),
            ("/", &["[0:0::0001]:"], Some("[::1]")),
            ("/", &[""], None),
            ("/", &[":80"], None),
            ("/", &["."], None),
            ("/", &["pay..example.com"], None),
            ("/", &[".pay.example.com"], None),
            ("/", &["pay.example.com..:80"], None),
            ("http://a.example/", &[""], None),
            ("http://a..example/", &["a.example"], None),
            ("/", &["\u{e9}.example"], None),
            ("/", &["a.example:80:80"], None),
            ("/", &["a.example:http"], None),
            ("/", &["a.example, b.example"], None),
            ("/", &["a.example/../b"], None),
            ("/", &["u@a.example"], None),
            ("/", &["a%2eexample"], None),
            ("/", &["[::1"], None),
            ("/", &["[::1]x"], None),
            ("http://a.example:80/x", &[], Some("a.example")),
            ("http://a.example/x", &["A.example:80"], Some("a.example")),
            ("http://u:p@a.example/x", &[], Some("a.example")),
            ("http://a.example/x", &["b.example"], Some("a.example, not b.example")),
            ("/", &["a.example", "a.example"], None),
        ] {
            assert_eq!(host(target, lines).as_deref(), expected, "{target} {lines:?}");
        }
    }
}
