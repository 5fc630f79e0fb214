//! `error-envelope error-backend` writes the error responses of another gateway, such as nginx. That gateway forwards
//! failed requests to it over HTTP.
//!
//! 1. [`HandedOver`] parses the failed request and its status from the headers and paths of ingress-nginx, nginx and
//!    Traefik.
//! 2. [`answer`] writes the error in the same way as errors of other proxies in front of the service (V2). It uses the
//!    dialect, page, id and advice that the policy sets for the request's route. No guard runs, because the other
//!    gateway has already admitted the request.
//! 3. A [`SmallServer`] listens for requests. Each error is logged and counted as in the gateway.

use std::future;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use error_envelope_admin::SmallServer;
use error_envelope_core::session::{
    BodyFacts, Delivery, End, Follow, ProxyError, ProxyFailure, ResponseStep, Session, SessionConfig,
};
use error_envelope_gateway::ListeningSockets;
use error_envelope_runtime::{Watch, end, new_request_id};
use http::header::{ACCEPT, HOST};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::Full;

use crate::failure::{CommandError, block_on, print_line};
use crate::gateway::limits::address;
use crate::gateway::log::Log;
use crate::gateway::on_call::{AdminArgs, AdminListener, watched_policy};
use crate::gateway::{self, system};
use crate::policy;
use crate::text::{cut, one_line};

/// Serve error responses for another gateway, such as ingress-nginx, nginx or Traefik
///
/// Reads the status from X-Code or from the path /{status}, and the failed request from X-Original-URI or ?url=.
/// Returns the error in the shape that the policy sets for that route. GET /healthz returns 200. The first line on
/// standard output shows the address. Ctrl-C and SIGTERM stop it; SIGHUP reloads the policy.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Listen on this address; a port alone means loopback, and port 0 picks a free port [default: 127.0.0.1:8081]
    #[arg(long, value_name = "ADDR", value_parser = address)]
    listen: Option<String>,
    /// Apply this policy file, which is reloaded when it changes [default: the built-in settings]
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Set the format of the log on standard error; RUST_LOG sets the filter
    #[arg(long, value_enum, default_value_t = Log::Full)]
    log: Log,
    #[command(flatten)]
    on_call: AdminArgs,
}

const DEFAULT: &str = "127.0.0.1:8081";

/// The server's limits. It accepts 512 connections, because each gateway keeps only a few connections, and most systems
/// start a program with 1,024 descriptors. A head may have 64 KiB, because gateways forward all headers of a client,
/// and accept heads up to this size. An idle connection stays open for 75 s, which is longer than nginx keeps it (60
/// s).
const SERVER: SmallServer =
    SmallServer::new(512, 64 * 1024, Duration::from_secs(5)).keep_alive(Duration::from_secs(75));

/// Serves until a signal stops it.
pub(crate) fn run(args: &Args) -> Result<u8, CommandError> {
    let mut sockets = ListeningSockets::from_systemd()?;
    let log = args.log.init(None, false)?;
    block_on(async {
        log.count_drops();
        let on_call = AdminListener::listen(&args.on_call, &mut sockets).await?;
        let loader = policy::loader_without_credentials;
        let policy = watched_policy(args.policy.as_deref(), loader, on_call.as_ref())?;
        let listener = gateway::listen(args.listen.as_deref(), DEFAULT, &mut sockets).await?;
        let address = listener.local_addr().map_err(|error| CommandError::Io(format!("cannot listen: {error}")))?;
        let (stop, at_once) = system::stop()?;
        print_line(format_args!("listening on http://{address}"))?;
        if let Some(AdminListener { admin, listener, url }) = on_call {
            print_line(format_args!("admin on {url}"))?;
            tokio::spawn(async move { admin.serve(listener, future::pending()).await });
        }
        let answer = move |request| future::ready(Ok(answer(policy.config(), request)));
        tokio::select! {
            () = SERVER.serve(listener, None, answer, stop) => Ok(0),
            signal = at_once => Ok(signal.code),
        }
    })
}

/// Returns the error response, and logs the error. For a health check, returns `ok`.
fn answer<B>(config: Arc<SessionConfig>, request: Request<B>) -> Response<Full<Bytes>> {
    let HandedOver { head, status, source } = match HandedOver::parse(request.into_parts().0) {
        Some(handed_over) => handed_over,
        None => return Response::new(Full::from("ok\n")),
    };
    let mut session = Session::handed_over(config, &head, BodyFacts::default(), new_request_id);
    let mut reply = Response::new(()).into_parts().0;
    reply.status = status;
    // Only the other gateway has the cause of the error.
    let cause = ProxyFailure::new(kind_of(status), source);
    let body = match session.proxy_failed(&mut reply, cause.into()) {
        ResponseStep::Write(written) => {
            let delivery = Delivery {
                head_sent: true,
                request_bytes: None,
                response_bytes: Some(written.body.len() as u64),
                end: End::Unknown,
            };
            // This program cannot observe the response that the other gateway's client gets.
            end(Follow::decided(written.record), Watch::default(), delivery, Instant::now);
            written.body
        }
        // A session always rewrites the failure of a proxy, so other steps do not occur.
        _ => Bytes::new(),
    };
    Response::from_parts(reply, Full::from(body))
}

/// Returns the error type of RFC 9209 for the status that a gateway returned instead of its service.
fn kind_of(status: StatusCode) -> ProxyError {
    match status {
        StatusCode::GATEWAY_TIMEOUT => ProxyError::HttpResponseTimeout,
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::BAD_GATEWAY => ProxyError::DestinationUnavailable,
        _ if status.is_client_error() => ProxyError::HttpRequestError,
        _ => ProxyError::ProxyInternalError,
    }
}

/// The longest text of [`HandedOver::source`] in the log, in characters.
const LONGEST: usize = 200;

/// A request that failed at another gateway. Gateways send status and request in these places:
///
/// | gateway | status | request |
/// |---|---|---|
/// | ingress-nginx (`custom-http-errors`), nginx (`error_page`) | `X-Code` | `X-Original-URI`, `X-Format` for `Accept`; method and host are the request's |
/// | Traefik (`errors`, `query: "/{status}?url={url}"`) | the path | `url`; host and headers are the request's |
///
/// Without a status the error is 404, because a default backend gets the requests that match no rule.
struct HandedOver {
    /// The head of the request that the client sent.
    head: Parts,
    status: StatusCode,
    /// The ingress and service of the request for the log, such as `handed over by default/shop for shop:80`.
    source: String,
}

impl HandedOver {
    /// Parses the request of the other gateway. Returns `None` for a health check.
    fn parse(mut head: Parts) -> Option<Self> {
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
        // The other gateway may have replaced the client's own `Accept`.
        if let Some(format) = head.headers.get("x-format").filter(|format| !format.is_empty()).cloned() {
            head.headers.insert(ACCEPT, format);
        }
        Some(Self { head, status: status.unwrap_or(StatusCode::NOT_FOUND), source })
    }
}

/// Returns the URI that the client requested. If the other gateway sent no URI, the path is unknown, and only the host
/// decides the scope.
fn original(head: &Parts) -> Uri {
    let by_header = text(&head.headers, "x-original-uri").map(str::to_owned);
    let by_query = || {
        let query = head.uri.query()?.as_bytes();
        form_urlencoded::parse(query).find(|(name, _)| name == "url").map(|(_, url)| url.into_owned())
    };
    let uri = by_header.or_else(by_query).and_then(|uri| uri.parse::<Uri>().ok());
    uri.filter(|uri| uri.path().starts_with('/')).unwrap_or_else(|| Uri::from(PathAndQuery::from_static("/")))
}

/// Returns the status in a path such as `/502` or `/502.html`.
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
            // Neither `200` nor `nonsense` is an error status.
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
