//! Refuses requests from pages of other sites in an operator's browser.
//!
//! 1. A `Host` that is a name other than `localhost` is refused, unless [`Admin::allow_host`](crate::Admin::allow_host)
//!    allows it. An attacker can point a name to this address (DNS rebinding). The browser then treats the attacker's
//!    page as a page of this address. With an IP address, this attack is impossible. A request without a `Host` does
//!    not come from a browser.
//! 2. A request that changes something is refused if `Origin`, `Referer` or `Sec-Fetch-Site` names another site. Old
//!    browsers send only `Referer`.

use std::net::IpAddr;

use http::header::{HOST, HeaderName, ORIGIN, REFERER};
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, Method, StatusCode};

use crate::answer::{self, Answer};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The host names under which the admin address may be requested.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hosts(Vec<String>);

impl Hosts {
    pub(crate) fn allow(&mut self, name: &str) {
        self.0.push(name.trim_end_matches('.').to_ascii_lowercase());
    }

    /// Returns the response to a refused request, or `None` if the request is accepted.
    pub(crate) fn refusal(&self, request: &Parts) -> Option<Answer> {
        let Ok(host) = requested_host(request) else {
            let why = "refused: the Host header is invalid, repeated, or differs from the request target; send one valid Host header";
            return Some(answer::text(StatusCode::BAD_REQUEST, why));
        };
        if let Some(host) = &host
            && !self.allows(host.host())
        {
            return Some(misdirected(host.host()));
        }
        let reads = matches!(request.method, Method::GET | Method::HEAD | Method::OPTIONS);
        let foreign = !reads && is_of_another_site(&request.headers, host.as_ref());
        foreign.then(|| {
            let why = "refused: cross-site request; use the page at this address, or a client other than a browser";
            answer::text(StatusCode::FORBIDDEN, why)
        })
    }

    fn allows(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let number = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&host);
        host == "localhost" || number.parse::<IpAddr>().is_ok() || self.0.contains(&host)
    }
}

/// Returns the host of the request, or `None` if it has neither a Host header nor an authority.
///
/// # Errors
/// Returns an error if the host is invalid or repeated, or if the header and the authority differ.
fn requested_host(request: &Parts) -> Result<Option<Authority>, ()> {
    let mut host_headers = request.headers.get_all(HOST).iter();
    let (first, second) = (host_headers.next(), host_headers.next());
    if second.is_some() {
        return Err(());
    }
    let header = first.map(|host| host.to_str().map_err(drop)?.parse::<Authority>().map_err(drop)).transpose()?;
    match (request.uri.authority(), header) {
        (Some(target), Some(header)) if !target.as_str().eq_ignore_ascii_case(header.as_str()) => Err(()),
        (Some(target), _) => Ok(Some(target.clone())),
        (None, header) => Ok(header),
    }
}

fn is_of_another_site(headers: &HeaderMap, host: Option<&Authority>) -> bool {
    let sites = headers.get_all(SEC_FETCH_SITE).iter();
    // `none` means that the operator started the request, for example from a bookmark.
    let foreign = sites.into_iter().any(|site| site != "same-origin" && site != "none");
    let mut pages = headers.get_all(ORIGIN).iter().chain(headers.get_all(REFERER));
    foreign || pages.any(|page| !page.to_str().is_ok_and(|page| is_at(page, host)))
}

fn is_at(page: &str, host: Option<&Authority>) -> bool {
    let page = page.strip_prefix("http://").or_else(|| page.strip_prefix("https://"));
    let authority = page.and_then(|page| page.split(['/', '?', '#']).next());
    matches!((authority, host), (Some(authority), Some(host)) if authority.eq_ignore_ascii_case(host.as_str()))
}

fn misdirected(host: &str) -> Answer {
    let host: String = host.chars().filter(char::is_ascii_graphic).take(255).collect();
    let why = format!(
        "refused: host {host} is not allowed; use localhost or the IP address, or start with \
         --admin-host {host} (in Rust: Admin::allow_host)"
    );
    answer::text(StatusCode::MISDIRECTED_REQUEST, why)
}
