//! Tests the gateway only through its public interface.

#![allow(clippy::disallowed_methods, reason = "tests may read the clock and spawn tasks; the ban is for the layer")]

use std::net::SocketAddr;

use error_envelope_gateway::{Error, Forward, Gateway, GatewayConfig, Upstream};
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
        let response = get(address).await;
        drop(stop);
        response
    });
    assert!(response.starts_with("HTTP/1.1 502 ") && response.contains(r#""code":"other""#), "{response}");
}

async fn get(address: SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: test.example\r\nconnection: close\r\n\r\n").await.unwrap();
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
