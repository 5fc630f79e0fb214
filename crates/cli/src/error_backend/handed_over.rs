//! A failed request as gateways hand it over.
//!
//! | gateway | status | request |
//! |---|---|---|
//! | ingress-nginx (`custom-http-errors`), nginx (`error_page`) | `X-Code` | `X-Original-URI`, `X-Format` for `Accept`; method and host are the request's |
//! | Traefik (`errors`, `query: "/{status}?url={url}"`) | the path | `url`; host and headers are the request's |
//!
//! Without a status the error is 404: a default backend gets the requests that match no rule.

use std::str::FromStr;

use http::header::{ACCEPT, HOST};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, StatusCode, Uri};

use crate::text::{cut, one_line};

/// The longest source in the log, in characters.
const LONGEST: usize = 200;

/// A failed request.
pub(super) struct HandedOver {
    /// The head as the client sent it.
    pub(super) head: Parts,
    pub(super) status: StatusCode,
    /// The gateway that handed the request over, for the log: `handed over by default/shop for shop:80`.
    pub(super) source: String,
}

impl HandedOver {
    /// Parses the request of the other gateway; `None` for a health check.
    pub(super) fn parse(mut head: Parts) -> Option<Self> {
        let code = text(&head.headers, "x-code");
        if code.is_none() && head.uri.path() == "/healthz" {
            return None;
        }
        let status = code.map_or_else(|| status_of_path(head.uri.path()), error_status);
        let source = source(&head.headers);
        head.uri = original(&head);
        if head.uri.host().is_some() {
            head.headers.remove(HOST);
        }
        // The client's own `Accept` may have been replaced on the way.
        if let Some(format) = head.headers.get("x-format").filter(|format| !format.is_empty()).cloned() {
            head.headers.insert(ACCEPT, format);
        }
        Some(Self { head, status: status.unwrap_or(StatusCode::NOT_FOUND), source })
    }
}

/// The client's URI. Without one the path is unknown: only the host decides the scope.
fn original(head: &Parts) -> Uri {
    let by_header = text(&head.headers, "x-original-uri").map(str::to_owned);
    let by_query = || {
        let query = head.uri.query()?.as_bytes();
        form_urlencoded::parse(query).find(|(name, _)| name == "url").map(|(_, url)| url.into_owned())
    };
    let uri = by_header.or_else(by_query).and_then(|uri| uri.parse::<Uri>().ok());
    uri.filter(|uri| uri.path().starts_with('/')).unwrap_or_else(|| Uri::from(PathAndQuery::from_static("/")))
}

/// The status in a path such as `/502` or `/502.html`.
fn status_of_path(path: &str) -> Option<StatusCode> {
    let name = path.strip_prefix('/')?;
    error_status(name.split_once('.').map_or(name, |(status, _)| status))
}

fn error_status(text: &str) -> Option<StatusCode> {
    let status = StatusCode::from_str(text).ok()?;
    (status.is_client_error() || status.is_server_error()).then_some(status)
}

fn source(headers: &HeaderMap) -> String {
    let text = |name| text(headers, name).unwrap_or("unknown");
    let (namespace, ingress) = (text("x-namespace"), text("x-ingress-name"));
    let (service, port) = (text("x-service-name"), text("x-service-port"));
    let source = match [namespace, ingress, service, port] {
        ["unknown", "unknown", "unknown", _] => "handed over by another gateway".to_owned(),
        _ => format!("handed over by {namespace}/{ingress} for {service}:{port}"),
    };
    cut(&one_line(&source), LONGEST)
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).map(HeaderValue::to_str)?.ok().map(str::trim).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn parse(target: &str, headers: &[(&str, &str)]) -> Option<HandedOver> {
        let request = Request::builder().uri(target).header("host", "a.example");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        HandedOver::parse(request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn a_gateway_s_request_has_the_status_and_the_client_s_uri() {
        let original = ("x-original-uri", "/orders/7?x=1");
        let traefik = "/502?url=https%3A%2F%2Fb.example%2Forders%2F7%3Fx%3D1";
        for (target, headers, status, uri) in [
            ("/", &[("x-code", "503"), original][..], 503, "/orders/7?x=1"),
            ("/503", &[], 503, "/"),
            ("/404.html", &[], 404, "/"),
            (traefik, &[], 502, "https://b.example/orders/7?x=1"),
            ("/", &[], 404, "/"),
            // Neither is an error's status.
            ("/200", &[], 404, "/"),
            ("/", &[("x-code", "200"), original], 404, "/orders/7?x=1"),
            ("/99999999", &[("x-code", "nonsense")], 404, "/"),
            ("/healthz", &[("x-code", "500"), ("x-original-uri", "no uri")], 500, "/"),
            ("/500", &[("x-original-uri", "*")], 500, "/"),
        ] {
            let found = parse(target, headers).unwrap();
            assert_eq!(
                (found.status.as_u16(), found.head.uri.to_string().as_str()),
                (status, uri),
                "{target} {headers:?}"
            );
        }
        assert!(parse("/healthz", &[]).is_none());
    }

    #[test]
    fn a_gateway_s_request_has_the_client_s_format_and_names_its_service() {
        let headers = [
            ("x-code", "502"),
            ("accept", "*/*"),
            ("x-format", "text/html"),
            ("x-namespace", "shop"),
            ("x-ingress-name", "web"),
            ("x-service-name", "orders"),
            ("x-service-port", "80"),
        ];
        let found = parse("/", &headers).unwrap();
        assert_eq!(
            (&found.head.headers["accept"], &*found.source),
            (&HeaderValue::from_static("text/html"), "handed over by shop/web for orders:80")
        );
        assert_eq!(parse("/", &[("x-code", "502")]).unwrap().source, "handed over by another gateway");
        let long = parse("/", &[("x-code", "502"), ("x-service-name", &"x".repeat(4000))]).unwrap();
        assert_eq!(long.source.chars().count(), LONGEST);
    }
}
