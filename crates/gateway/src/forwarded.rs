//! Adds the headers that describe the client to the service. These are `forwarded` (RFC 7239), and `x-forwarded-for`
//! with `x-forwarded-proto`, which more services read.
//!
//! By default, a client's own values are replaced, because they may be forged. The headers are created once for each
//! connection.

use std::net::IpAddr;

use error_envelope_core::session::{Lengths, is_same_to_cgi};
use http::header::{FORWARDED, HeaderMap, HeaderName, HeaderValue};

use super::headers::remove_all;

static FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

const PREFIX: &str = "x-forwarded-";
/// Other headers that some proxies set. Some services take a client's address, certificate or name, the host or the path from
/// them. CGI turns the header `proxy` into the variable `HTTP_PROXY`, which sets the proxy for the service's own
/// requests.
const OTHERS: [&str; 43] = [
    "forwarded",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "true-client-ip",
    "cf-connecting-ip",
    "fastly-client-ip",
    "client-ip",
    "forwarded-for",
    "x-forwarded",
    "x-appengine-user-ip",
    "wl-proxy-client-ip",
    "x-envoy-external-address",
    "x-azure-clientip",
    "fly-client-ip",
    "cf-connecting-ipv6",
    "x-remote-addr",
    "x-original-forwarded-for",
    "x-original-remote-addr",
    "x-original-proto",
    "x-original-scheme",
    "x-original-url",
    "x-original-uri",
    "x-original-path",
    "x-original-host",
    "x-original-method",
    "x-rewrite-url",
    "x-rewrite-uri",
    "request-uri",
    "x-script-name",
    "x-envoy-original-path",
    "x-waws-unencoded-url",
    "x-host",
    "client-cert",
    "client-cert-chain",
    "ssl-client-cert",
    "x-ssl-client-cert",
    "x-ssl-client-verify",
    "remote-user",
    "x-remote-user",
    "x-auth-request-user",
    "x-ms-client-principal",
    "proxy",
];

const LENGTHS: Lengths = Lengths::from_names(&OTHERS);

/// How to treat the client's own `forwarded` and `x-forwarded-*` headers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Forwarding {
    #[default]
    /// The client's headers are replaced by the client's address and scheme. Use this value if clients connect
    /// directly.
    Replace,
    /// The client's address is added to the client's headers. Use this value if clients connect only through a trusted
    /// proxy.
    Append,
    /// The client's headers pass unchanged.
    Pass,
}

/// The values of the headers that describe one hop, from a client to this gateway.
pub(super) struct Hop {
    forwarding: Forwarding,
    address: HeaderValue,
    scheme: HeaderValue,
    element: HeaderValue,
}

impl Hop {
    pub(super) fn new(forwarding: Forwarding, address: IpAddr, tls: bool) -> Self {
        let scheme = if tls { "https" } else { "http" };
        // RFC 7239, section 6 requires brackets around an IPv6 address, and quotes around a value with a colon.
        let (open, close) = if address.is_ipv6() { ("\"[", "]\"") } else { ("", "") };
        let address = address.to_string();
        let element = format!("for={open}{address}{close};proto={scheme}");
        let value = |text| HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("unknown"));
        let (address, element) = (value(address), value(element));
        Self { forwarding, address, scheme: HeaderValue::from_static(scheme), element }
    }

    /// Writes the client's address and scheme into the headers of a request to the service.
    pub(super) fn apply(&self, headers: &mut HeaderMap) {
        match self.forwarding {
            Forwarding::Pass => {}
            Forwarding::Replace => {
                drop(remove_all(headers, |name| names_client(name.as_str())));
                self.write_first_hop(headers);
            }
            Forwarding::Append => {
                // A trusted proxy spells the names correctly, so headers in other spellings come from the client.
                drop(remove_all(headers, |name| looks_similar(name.as_str())));
                self.append_hop(headers);
            }
        }
    }

    fn write_first_hop(&self, headers: &mut HeaderMap) {
        headers.insert(&FOR, self.address.clone());
        headers.insert(&PROTO, self.scheme.clone());
        headers.insert(FORWARDED, self.element.clone());
    }

    /// Appends this hop to the client's own headers. If only one of `forwarded` and `x-forwarded-for` exists, the other
    /// is not created. A new header would contain only this hop, and a service that prefers the new header would not
    /// find the client's address.
    fn append_hop(&self, headers: &mut HeaderMap) {
        let (old, new) = (headers.contains_key(&FOR), headers.contains_key(FORWARDED));
        if !old && !new {
            return self.write_first_hop(headers);
        }
        if old {
            append(headers, &FOR, &self.address);
            headers.entry(&PROTO).or_insert_with(|| self.scheme.clone());
        }
        if new {
            append(headers, &FORWARDED, &self.element);
        }
    }
}

/// Appends a value to a header, and joins all its lines into one, because some services read only the first line.
fn append(headers: &mut HeaderMap, name: &HeaderName, last: &HeaderValue) {
    let lines = headers.get_all(name).into_iter().chain([last]);
    let lines: Vec<_> = lines.map(|line| line.as_bytes().trim_ascii()).filter(|line| !line.is_empty()).collect();
    if let Ok(joined) = HeaderValue::from_bytes(&lines.join(&b", "[..])) {
        headers.insert(name, joined);
    }
}

/// Returns true if the name is `x-forwarded-…` or one of [`OTHERS`], in any spelling that a CGI-like service accepts.
fn names_client(name: &str) -> bool {
    name.get(..PREFIX.len()).is_some_and(|start| is_same_to_cgi(start, PREFIX))
        || LENGTHS.may_have(name.len()) && OTHERS.iter().any(|other| is_same_to_cgi(name, other))
}

/// Returns true if a name is a wrong spelling of such a header. A wrong spelling contains a character that is neither a
/// letter, a digit nor a dash.
fn looks_similar(name: &str) -> bool {
    name.bytes().any(|byte| !byte.is_ascii_alphanumeric() && byte != b'-') && names_client(name)
}

#[cfg(test)]
mod tests {
    use super::Forwarding::{Append, Pass, Replace};
    use super::*;

    type Lines = &'static [(&'static str, &'static str)];

    const V4: &str = "192.0.2.7";
    const V6: &str = "2001:db8::7";
    const FORGED: Lines = &[
        ("accept", "*/*"),
        ("forwarded", "for=198.51.100.1"),
        ("x-forwarded-for", "198.51.100.1"),
        ("x-forwarded-for", "198.51.100.2"),
        ("x_forwarded_for", "198.51.100.3"),
        ("x-forwarded-host", "bank.example"),
        ("x-forwarded_prefix", "/admin"),
        ("x-real-ip", "198.51.100.1"),
        ("true_client_ip", "198.51.100.1"),
        ("x.forwarded.host", "bank.example"),
        ("client-cert", ":Zm9yZ2Vk:"),
        ("client_cert", ":Zm9yZ2Vk:"),
        ("client-cert-chain", ":Zm9yZ2Vk:"),
        ("proxy", "http://evil.example"),
        ("x-host", "bank.example"),
        ("x-original-path", "/admin"),
        ("x_original_path", "/admin"),
        ("x-forwardedness", "no"),
    ];

    fn forwarded(forwarding: Forwarding, address: &str, tls: bool, came: Lines) -> Vec<(String, String)> {
        let mut headers = HeaderMap::new();
        for (name, value) in came {
            headers.append(*name, HeaderValue::from_static(value));
        }
        Hop::new(forwarding, address.parse().unwrap(), tls).apply(&mut headers);
        let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
        let mut lines: Vec<_> = headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        lines.sort();
        lines
    }

    #[test]
    fn the_service_is_told_who_asked() {
        let rows: &[(Forwarding, &str, bool, Lines, Lines)] = &[
            (
                Replace,
                V4,
                false,
                &[],
                &[
                    ("forwarded", "for=192.0.2.7;proto=http"),
                    ("x-forwarded-for", "192.0.2.7"),
                    ("x-forwarded-proto", "http"),
                ],
            ),
            // An IPv6 address has quotes and brackets only where they are needed.
            (
                Replace,
                V6,
                true,
                &[],
                &[
                    ("forwarded", "for=\"[2001:db8::7]\";proto=https"),
                    ("x-forwarded-for", "2001:db8::7"),
                    ("x-forwarded-proto", "https"),
                ],
            ),
            // No forged header of a client passes, in any spelling. A header whose name only looks like one of them
            // passes.
            (
                Replace,
                V4,
                true,
                FORGED,
                &[
                    ("accept", "*/*"),
                    ("forwarded", "for=192.0.2.7;proto=https"),
                    ("x-forwarded-for", "192.0.2.7"),
                    ("x-forwarded-proto", "https"),
                    ("x-forwardedness", "no"),
                ],
            ),
            // If no earlier proxy added its hop, this hop is the first.
            (
                Append,
                V6,
                false,
                &[("x-forwarded-host", "a.example")],
                &[
                    ("forwarded", "for=\"[2001:db8::7]\";proto=http"),
                    ("x-forwarded-for", "2001:db8::7"),
                    ("x-forwarded-host", "a.example"),
                    ("x-forwarded-proto", "http"),
                ],
            ),
            // All hops are on one line, and the scheme is the scheme of the request to the first proxy.
            (
                Append,
                V4,
                false,
                &[
                    ("x-forwarded-for", "a, b"),
                    ("x-forwarded-for", ""),
                    ("x-forwarded-for", "c"),
                    ("x-forwarded-proto", "https"),
                ],
                &[("x-forwarded-for", "a, b, c, 192.0.2.7"), ("x-forwarded-proto", "https")],
            ),
            (
                Append,
                V4,
                true,
                &[("x-forwarded-for", "a")],
                &[("x-forwarded-for", "a, 192.0.2.7"), ("x-forwarded-proto", "https")],
            ),
            (
                Append,
                V6,
                true,
                &[("forwarded", "for=a"), ("x_forwarded_for", "b"), ("x.real.ip", "c")],
                &[("forwarded", "for=a, for=\"[2001:db8::7]\";proto=https")],
            ),
            (
                Append,
                V4,
                true,
                &[("forwarded", "for=a"), ("x-forwarded-for", "a")],
                &[
                    ("forwarded", "for=a, for=192.0.2.7;proto=https"),
                    ("x-forwarded-for", "a, 192.0.2.7"),
                    ("x-forwarded-proto", "https"),
                ],
            ),
            (
                Pass,
                V4,
                true,
                &[("x-forwarded-for", "a"), ("x-real-ip", "b")],
                &[("x-forwarded-for", "a"), ("x-real-ip", "b")],
            ),
        ];
        for (forwarding, address, tls, came, expected) in rows {
            let expected: Vec<_> =
                expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            assert_eq!(forwarded(*forwarding, address, *tls, came), expected, "{forwarding:?} {came:?}");
        }
    }
}
