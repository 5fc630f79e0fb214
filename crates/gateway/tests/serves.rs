//! Tests the gateway only through its public interface.

#![allow(clippy::disallowed_methods, reason = "tests may read the clock and spawn tasks; the ban is for the layer")]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use error_envelope_core::request_id::RequestId;
use error_envelope_core::session::ClosedRecord;
use error_envelope_gateway::{AccessEntry, Error, Forward, Gateway, GatewayConfig, RequestSpan, Tracer, Upstream};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::Full;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tower_error_envelope::ErrorEnvelopeLayer;

#[tokio::test]
async fn a_service_that_is_not_there_is_one_envelope_and_a_stop_ends_the_gateway() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let upstream: Upstream = format!("http://{gone}").parse().unwrap();
    let config = GatewayConfig::new(ErrorEnvelopeLayer::new());
    let gateway = Gateway::bind("127.0.0.1:0", config).await.unwrap();
    let address = gateway.local_addr();
    let (stop, stopped) = oneshot::channel::<()>();
    let served = gateway.serve(upstream.service().unwrap(), async { drop(stopped.await) });
    let ((), response) = tokio::join!(served, async {
        let response = ask(address, "GET", "/").await;
        drop(stop);
        response
    });
    assert!(response.starts_with("HTTP/1.1 502 ") && response.contains(r#""code":"other""#), "{response}");
}

/// Keeps the status and the end that each record states.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<Stated>>>);

type Stated = (Option<u16>, &'static str);

impl Tracer for Seen {
    fn start(&self, _: &AccessEntry, _: Option<RequestId>, _: Option<&HeaderMap>) -> Box<dyn RequestSpan> {
        Box::new(self.clone())
    }
}

impl RequestSpan for Seen {
    fn traceparent(&self) -> Option<HeaderValue> {
        None
    }

    fn end(&mut self, _: &AccessEntry, record: &ClosedRecord, _: Option<&str>) {
        let status = record.status().map(|status| status.as_u16());
        self.0.lock().unwrap().push((status, record.delivery().end.as_str()));
    }
}

#[tokio::test]
async fn l5_a_body_that_http_never_sends_does_not_make_a_response_incomplete() {
    let seen = Seen::default();
    let config = GatewayConfig::new(ErrorEnvelopeLayer::new()).tracer(Arc::new(seen.clone()));
    let gateway = Gateway::bind("127.0.0.1:0", config).await.unwrap();
    let address = gateway.local_addr();
    let (stop, stopped) = oneshot::channel::<()>();
    let service = tower::service_fn(|request: Request<_>| {
        let status: u16 = request.uri().path()[1..].parse().unwrap();
        let mut response = Response::new(Full::from("a body"));
        *response.status_mut() = status.try_into().unwrap();
        std::future::ready(Ok::<_, Infallible>(response))
    });
    let asked = [("HEAD", 200), ("HEAD", 404), ("GET", 204), ("GET", 304)];
    tokio::join!(gateway.serve(service, async { drop(stopped.await) }), async {
        for (method, status) in asked {
            ask(address, method, &format!("/{status}")).await;
        }
        drop(stop);
    });
    assert_eq!(*seen.0.lock().unwrap(), asked.map(|(_, status)| (Some(status), "complete")));
}

async fn ask(address: SocketAddr, method: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!("{method} {path} HTTP/1.1\r\nhost: test.example\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    response
}

#[test]
fn a_url_that_leads_nowhere_is_refused() {
    const URLS: &str = "write http://HOST:PORT or https://HOST:PORT";
    for (url, why) in [
        ("ftp://a", format!("only http and https are supported; {URLS}")),
        ("/a", format!("this is not a URL with a scheme and a host; {URLS}")),
        (
            "http://a/b",
            format!("the URL has a path, a query or a fragment; {URLS}; the paths of requests are forwarded unchanged"),
        ),
        ("http://a:99999", format!("the port is not a number from 1 to 65535; {URLS}")),
        ("http://anna:hunter2@a", "the URL has credentials, which are never sent; leave them out".to_owned()),
    ] {
        let error = url.parse::<Upstream>().unwrap_err();
        assert_eq!((error.to_string(), error.has_credentials()), (why, url.contains('@')), "{url}");
    }
    let unsecured: Result<Forward<String>, Error> = "https://a".parse::<Upstream>().unwrap().service();
    assert!(unsecured.unwrap_err().to_string().starts_with("an https URL needs trusted certificates"));
}
