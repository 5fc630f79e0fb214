//! Tests the number of connections to the service, which request gets which, and which are not used again (rule F7).

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use h2::Reason;
use http::{Response, StatusCode};
use tokio::io::AsyncWriteExt;
use tokio::sync::Semaphore;

use super::gateway::Gateway;
use super::service::{Service, head};
use crate::wait::{until, when};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const FULL: &str = r#""code":"worker_at_capacity""#;

/// The facts that a service has observed.
#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    requests: AtomicUsize,
}

impl Seen {
    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

#[test]
fn a_client_that_asks_again_at_once_needs_one_connection() {
    let (service, seen) = answering(None);
    let gateway = Gateway::start(service.address, &[]);
    let mut client = gateway.connect();
    for _ in 0..200 {
        client.write_all(request("GET", "/").as_bytes()).unwrap();
        assert!(response(&mut client).starts_with("HTTP/1.1 200 OK"));
    }
    assert_eq!((seen.connections(), seen.requests()), (1, 200));
}

#[test]
fn at_the_bound_a_request_waits_for_a_connection_and_then_gets_503() {
    let go = Arc::new(Semaphore::new(0));
    let (service, seen) = answering(Some(Arc::clone(&go)));
    let bounds = ["--upstream-connections", "1", "--upstream-queue-time"];
    let gateway = Gateway::start(service.address, &[&bounds[..], &["200ms"]].concat());
    let mut first = gateway.connect();
    first.write_all(request("GET", "/").as_bytes()).unwrap();
    until("it is asked", || when(seen.requests() == 1, seen.requests()));
    let refused = gateway.ask(&request("GET", "/").replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n"));
    assert!(refused.starts_with("HTTP/1.1 503 ") && refused.contains(FULL), "{refused}");
    go.add_permits(1);
    assert!(response(&mut first).starts_with("HTTP/1.1 200 OK"));
    let log = gateway.stopped();
    let cause = format!("no connection to http://{} within --upstream-queue-time", service.address);
    assert!(log.contains(&cause), "{log}");

    let gateway = Gateway::start(service.address, &[&bounds[..], &["25s"]].concat());
    let mut clients: Vec<_> = (0..4).map(|_| gateway.connect()).collect();
    for client in &mut clients {
        client.write_all(request("GET", "/").as_bytes()).unwrap();
    }
    go.add_permits(4);
    for client in &mut clients {
        assert!(response(client).starts_with("HTTP/1.1 200 OK"));
    }
    assert_eq!((seen.connections(), seen.requests()), (2, 5));
}

#[test]
fn an_upgraded_connection_is_one_of_them() {
    const SWITCH: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
    let service = Service::raw(|mut stream| async move {
        if head(&mut stream).await.is_some_and(|head| head.contains("upgrade: websocket")) {
            let _ = stream.write_all(SWITCH).await;
            let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
        } else {
            let _ = stream.write_all(ANSWER).await;
        }
    });
    let gateway = Gateway::start(service.address, &["--upstream-connections", "1", "--upstream-queue-time", "200ms"]);
    let mut upgraded = gateway.connect();
    let asks = request("GET", "/").replace("\r\n\r\n", "\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n");
    upgraded.write_all(asks.as_bytes()).unwrap();
    let mut switched = [0; 12];
    upgraded.read_exact(&mut switched).unwrap();
    assert_eq!(&switched, b"HTTP/1.1 101");
    let close = request("GET", "/").replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n");
    let refused = gateway.ask(&close);
    assert!(refused.starts_with("HTTP/1.1 503 ") && refused.contains(FULL), "{refused}");
    drop(upgraded);
    until("there is room again", || {
        let answer = gateway.ask(&close);
        when(answer.starts_with("HTTP/1.1 200 OK"), answer)
    });
}

#[test]
fn a_connection_that_answered_before_the_body_was_sent_is_not_used_again() {
    let (service, seen) = answering(None);
    let gateway = Gateway::start(service.address, &[]);
    let mut early = gateway.connect();
    early.write_all(request("POST", "/").replace("\r\n\r\n", "\r\ncontent-length: 9\r\n\r\n").as_bytes()).unwrap();
    assert!(response(&mut early).starts_with("HTTP/1.1 200 OK"));
    // The service treats these bytes as the next request, like a service that never reads a body.
    early.write_all(b"the body.").unwrap();
    let mut client = gateway.connect();
    client.write_all(request("GET", "/").as_bytes()).unwrap();
    assert!(response(&mut client).starts_with("HTTP/1.1 200 OK"));
    assert_eq!((seen.connections(), seen.requests()), (2, 2));
}

#[test]
fn a_connection_is_used_again_after_100_continue() {
    let seen = Arc::<Seen>::default();
    let counted = Arc::clone(&seen);
    let service = Service::raw(move |mut stream| {
        let seen = Arc::clone(&counted);
        async move {
            seen.connections.fetch_add(1, Ordering::SeqCst);
            while head(&mut stream).await.is_some() {
                seen.requests.fetch_add(1, Ordering::SeqCst);
                let _ = stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await;
                let mut body = [0; 4];
                let _ = tokio::io::AsyncReadExt::read_exact(&mut stream, &mut body).await;
                let _ = stream.write_all(ANSWER).await;
            }
        }
    });
    let gateway = Gateway::start(service.address, &[]);
    for _ in 0..3 {
        let mut client = gateway.connect();
        let head = request("POST", "/").replace("\r\n\r\n", "\r\ncontent-length: 4\r\nexpect: 100-continue\r\n\r\n");
        client.write_all(head.as_bytes()).unwrap();
        assert!(read_head(&mut client).starts_with("HTTP/1.1 100 "));
        client.write_all(b"body").unwrap();
        assert!(response(&mut client).starts_with("HTTP/1.1 200 OK"));
    }
    assert_eq!((seen.connections(), seen.requests()), (1, 3));
}

#[test]
fn a_response_in_another_transfer_coding_is_502() {
    for coding in ["gzip, chunked", "gzip", "chunked\r\ntransfer-encoding: chunked", "identity"] {
        let service = Service::raw(move |mut stream| async move {
            while head(&mut stream).await.is_some() {
                let answer = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: {coding}\r\n\r\n2\r\nok\r\n0\r\n\r\n");
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        let gateway = Gateway::start(service.address, &[]);
        let answer = gateway.ask(&request("GET", "/").replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n"));
        assert!(answer.starts_with("HTTP/1.1 502 ") && answer.contains(r#""code":"other""#), "{coding}: {answer}");
    }
}

#[test]
fn over_http2_what_the_service_did_not_process_goes_to_another_connection() {
    for (reason, method, status, requests) in [
        (Reason::REFUSED_STREAM, "GET", "200", 2),
        (Reason::REFUSED_STREAM, "POST", "200", 2),
        (Reason::INTERNAL_ERROR, "GET", "502", 1),
        (Reason::INTERNAL_ERROR, "POST", "502", 1),
    ] {
        let (service, seen) = http2(1, Some(reason), None);
        let gateway = Gateway::start(service.address, &["--upstream-h2"]);
        let answer = gateway.ask(&request(method, "/").replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n"));
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{reason:?} {method}: {answer}");
        assert_eq!((seen.connections(), seen.requests()), (requests, requests), "{reason:?} {method}");
    }
}

#[test]
fn over_http2_the_streams_follow_the_services_limit_and_the_bound_is_on_connections() {
    let go = Arc::new(Semaphore::new(0));
    let (service, seen) = http2(2, None, Some(Arc::clone(&go)));
    let gateway = Gateway::start(
        service.address,
        &["--upstream-h2", "--upstream-connections", "2", "--upstream-queue-time", "200ms"],
    );
    let mut clients: Vec<_> = (0..4).map(|_| gateway.connect()).collect();
    for client in &mut clients {
        client.write_all(request("GET", "/").as_bytes()).unwrap();
    }
    until("four requests are there", || when(seen.requests() == 4, (seen.requests(), seen.connections())));
    assert_eq!(seen.connections(), 2);
    let refused = gateway.ask(&request("GET", "/").replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n"));
    assert!(refused.starts_with("HTTP/1.1 503 ") && refused.contains(FULL), "{refused}");
    go.add_permits(4);
    for client in &mut clients {
        assert!(response(client).starts_with("HTTP/1.1 200 OK"));
    }
}

/// Responds to each request as soon as it may, without reading a body.
fn answering(go: Option<Arc<Semaphore>>) -> (Service, Arc<Seen>) {
    let seen = Arc::<Seen>::default();
    let counted = Arc::clone(&seen);
    let service = Service::raw(move |mut stream| {
        let (seen, go) = (Arc::clone(&counted), go.clone());
        async move {
            seen.connections.fetch_add(1, Ordering::SeqCst);
            while head(&mut stream).await.is_some() {
                seen.requests.fetch_add(1, Ordering::SeqCst);
                if let Some(go) = &go {
                    go.acquire().await.expect("it stays open").forget();
                }
                let _ = stream.write_all(ANSWER).await;
            }
        }
    });
    (service, seen)
}

/// Allows this many streams on a connection. If a reason is given, the very first request is reset.
fn http2(streams: u32, reset: Option<Reason>, go: Option<Arc<Semaphore>>) -> (Service, Arc<Seen>) {
    let seen = Arc::<Seen>::default();
    let counted = Arc::clone(&seen);
    let service = Service::raw(move |stream| {
        let (seen, go) = (Arc::clone(&counted), go.clone());
        async move {
            seen.connections.fetch_add(1, Ordering::SeqCst);
            let handshake = h2::server::Builder::new().max_concurrent_streams(streams).handshake::<_, Bytes>(stream);
            let mut connection = handshake.await.expect("HTTP/2");
            while let Some(Ok((_, mut respond))) = connection.accept().await {
                let is_first = seen.requests.fetch_add(1, Ordering::SeqCst) == 0;
                if let Some(reason) = reset.filter(|_| is_first) {
                    respond.send_reset(reason);
                    continue;
                }
                let go = go.clone();
                tokio::spawn(async move {
                    if let Some(go) = go {
                        go.acquire().await.expect("it stays open").forget();
                    }
                    let mut head = Response::new(());
                    *head.status_mut() = StatusCode::OK;
                    let _ = respond.send_response(head, true);
                });
            }
        }
    });
    (service, seen)
}

pub(super) fn request(method: &str, path: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nhost: test.example\r\n\r\n")
}

/// Reads a response on a connection that stays open: its head, and a body of a known length.
pub(super) fn response(client: &mut std::net::TcpStream) -> String {
    let head = read_head(client);
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().expect("a number"))];
    client.read_exact(&mut body).expect("a body");
    head + &String::from_utf8_lossy(&body)
}

pub(super) fn read_head(client: &mut std::net::TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte).expect("a head");
        head.extend(byte);
    }
    String::from_utf8(head).expect("text")
}
