//! Removes the headers that belong to a single hop (RFC 9110 §7.6.1), and adds their replacements for the next hop.
//!
//! The bytes of the target and all other header lines pass unchanged. Lines with the same name keep their order.

use error_envelope_core::session::lines;
use http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, Entry, HOST, HeaderMap, HeaderName, HeaderValue, TE, TRANSFER_ENCODING, UPGRADE,
};
use http::uri::Authority;
use http::{Extensions, StatusCode, Version, request, response};
use hyper::ext::ReasonPhrase;

/// Returns true if a header always belongs to a single hop. The header `connection` may name further such headers.
fn is_of_one_hop(name: &HeaderName) -> bool {
    matches!(name.as_str(), "connection" | "keep-alive" | "proxy-connection" | "te" | "transfer-encoding" | "upgrade")
}

/// Removes the headers of a single hop. Most heads have no such headers, so one pass over all names costs less than a
/// search for each header.
fn strip(headers: &mut HeaderMap) {
    let removed = remove_all(headers, is_of_one_hop);
    // If a head has a transfer coding, its `content-length` is wrong (RFC 9112 §6.3), but hyper would use it.
    if removed.contains(&TRANSFER_ENCODING) {
        headers.remove(CONTENT_LENGTH);
    }
    if removed.contains(&UPGRADE) {
        headers.remove("http2-settings");
    }
}

/// Drops the headers that `connection` names.
///
/// This function must be called before the layer gets a request. Otherwise a client could name `x-request-id` in
/// `connection`, and the service would not get the id that the layer adds.
pub(crate) fn drop_named(headers: &mut HeaderMap) {
    let named: Vec<_> = tokens(headers, &CONNECTION).filter_map(|name| HeaderName::from_bytes(name).ok()).collect();
    // Later steps need these headers. `strip` removes those that belong to a single hop. A client must not remove
    // `host`.
    let needed = [&CONNECTION, &CONTENT_LENGTH, &HOST, &TE, &TRANSFER_ENCODING, &UPGRADE];
    for name in named.iter().filter(|name| !needed.contains(name)) {
        headers.remove(name);
    }
}

/// Turns a client's request into a request of the gateway.
///
/// `host` is set to the host that the client requested. An authority in the request's target takes precedence over the
/// header `host` (RFC 9112 §3.2.2, RFC 9113 §8.3.1).
pub(crate) fn towards_service(head: &mut request::Parts) {
    let trailers = has_token(&head.headers, &TE, "trailers");
    strip(&mut head.headers);
    if trailers {
        head.headers.insert(TE, HeaderValue::from_static("trailers"));
    }
    if let Some(host) = head.uri.authority().and_then(host) {
        head.headers.insert(HOST, host);
    }
    if head.version == Version::HTTP_2 {
        join_cookies(&mut head.headers);
    }
    write_length_once(&mut head.headers);
    head.extensions = Extensions::new();
}

/// Writes the length as one number on one line without leading zeros. HTTP/2 allows equal lengths in several lines, but
/// some services refuse such a request, or read another line than the gateway. A service may repeat the length in a list
/// or on several lines (R6), and HTTP/2 clients do not accept a list. hyper has already refused different lengths.
fn write_length_once(headers: &mut HeaderMap) {
    let mut all = lines(headers, &CONTENT_LENGTH);
    let (Some(first), has_more) = (all.next().map(HeaderValue::as_bytes), all.next().is_some()) else { return };
    if has_more || first.len() > 1 && (first.starts_with(b"0") || first.contains(&b',')) {
        let length = first.split(|byte| *byte == b',').next().and_then(|length| str::from_utf8(length).ok());
        let length = length.and_then(|length| length.trim_ascii().parse::<u64>().ok());
        drop(all);
        length.map(|length| headers.insert(CONTENT_LENGTH, length.into()));
    }
}

pub(crate) fn is_coded_at_most_in_chunks(headers: &HeaderMap) -> bool {
    let mut lines = headers.get_all(TRANSFER_ENCODING).into_iter();
    match (lines.next(), lines.next()) {
        (None, _) => true,
        (Some(coding), None) => coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked"),
        (Some(_), Some(_)) => false,
    }
}

/// Removes the headers for whose names `wrong` returns true, and returns these names.
pub(crate) fn remove_all(headers: &mut HeaderMap, wrong: impl Fn(&HeaderName) -> bool) -> Vec<HeaderName> {
    let names: Vec<_> = headers.keys().filter(|name| wrong(name)).cloned().collect();
    for name in &names {
        headers.remove(name);
    }
    names
}

/// Turns a service's response into a response of the gateway.
pub(crate) fn towards_client(head: &mut response::Parts) {
    drop_named(&mut head.headers);
    // RFC 9110 §15.5.22 requires a 426 to name the protocol in `upgrade`.
    let upgrade = (head.status == StatusCode::UPGRADE_REQUIRED).then(|| head.headers.remove(UPGRADE)).flatten();
    strip(&mut head.headers);
    write_length_once(&mut head.headers);
    if let Some(upgrade) = upgrade {
        head.headers.insert(UPGRADE, upgrade);
    }
    // Otherwise hyper would use the service's version, which may be HTTP/1.0. In HTTP/1.0, a complete body of unknown
    // length looks like a body that was cut off.
    head.version = Version::HTTP_11;
    // The layer reads the reason phrase of a 4xx (R3). Other phrases are dropped, because HTTP/2 has no phrases, and
    // the layer may set another status (E6).
    let reason = if head.status.is_client_error() { head.extensions.remove::<ReasonPhrase>() } else { None };
    head.extensions.clear();
    if let Some(reason) = reason {
        head.extensions.insert(reason);
    }
}

/// Returns true if the list in header `name` contains `token`, in any letter case.
pub(crate) fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    tokens(headers, name).any(|each| each.eq_ignore_ascii_case(token.as_bytes()))
}

fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    let lines = headers.get_all(name).into_iter();
    lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b',')).map(|token| {
        // A parameter, as in `trailers;q=0.5`, is not part of the name.
        token.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii()
    })
}

/// Returns the value of `host` for an authority. A user and password do not belong in `host`.
fn host(authority: &Authority) -> Option<HeaderValue> {
    let text = authority.as_str();
    HeaderValue::from_str(text.rsplit_once('@').map_or(text, |(_, host)| host)).ok()
}

/// Joins the lines of the header `cookie`. HTTP/2 clients may split it, but HTTP/1 services do not join it (RFC 9113
/// §8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    if let Entry::Occupied(crumbs) = headers.entry(COOKIE)
        && crumbs.iter().nth(1).is_some()
    {
        let joined = crumbs.iter().map(HeaderValue::as_bytes).collect::<Vec<_>>().join(&b"; "[..]);
        if let Ok(joined) = HeaderValue::from_bytes(&joined) {
            headers.insert(COOKIE, joined);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_gets_one_length_without_leading_zeros() {
        for (lines, written) in [
            (&["10", "010"][..], &["10"][..]),
            (&["10", "10"], &["10"]),
            (&["010"], &["10"]),
            (&["0"], &["0"]),
            (&["10"], &["10"]),
            (&[], &[]),
        ] {
            let mut request = http::Request::builder().version(Version::HTTP_2).uri("/p");
            for line in lines {
                request = request.header(CONTENT_LENGTH, *line);
            }
            let (mut head, ()) = request.body(()).unwrap().into_parts();
            towards_service(&mut head);
            assert_eq!(head.headers.get_all(CONTENT_LENGTH).iter().collect::<Vec<_>>(), written, "{lines:?}");
        }
    }
}
