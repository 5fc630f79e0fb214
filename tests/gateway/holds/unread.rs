//! Tests a client that never reads its response (`--write-timeout`). Its connection is closed, the request is logged
//! once as abandoned, and its memory is returned.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::runtime::Runtime;

use super::gateway::Gateway;
use super::service::{Service, full, streamed};
use super::streams::{AGREE, ASK};
use crate::wait::{until, when};

const MANY: usize = 8;
static PIECE: [u8; 64 * 1024] = [0; 64 * 1024];
/// This limit is short here and long elsewhere.
const SHORT: [&str; 2] = ["--write-timeout", "1s"];

/// Returns a service with the paths `/endless`, `/whole` (in one piece), and `/slow` (with a pause that is longer than
/// the limit).
fn service() -> Service {
    Service::new(|request: Request<Incoming>| async move {
        Response::new(match request.uri().path() {
            "/endless" => streamed(|send| async move { while send.send(Bytes::from_static(&PIECE)).await.is_ok() {} }),
            "/whole" => full(vec![0; 8 * 1024]),
            "/slow" => streamed(|send| async move {
                for word in ["begun, ", "ended"] {
                    let _ = send.send(Bytes::from(word)).await;
                    tokio::time::sleep(Duration::from_secs(2)).await;
                }
            }),
            _ => full("done"),
        })
    })
}

#[test]
fn over_http1_it_is_let_go_logged_once_counted_and_shown() {
    let service = service();
    let gateway = Gateway::start(service.address, &[&SHORT[..], &["--admin", "0"]].concat());
    let before = settled(&gateway);
    let clients: Vec<_> = (0..MANY)
        .map(|_| {
            let mut client = gateway.connect();
            client.write_all(b"GET /endless HTTP/1.1\r\nhost: test.example\r\n\r\n").unwrap();
            let mut head = [0; 512];
            client.read_exact(&mut head).unwrap();
            (id(&head), client)
        })
        .collect();
    let ids: HashSet<String> = clients.iter().map(|(id, _)| id.clone()).collect();
    assert_eq!(ids.len(), MANY);
    all_let_go(&gateway, &ids, before);
    let counted = gateway.ask_admin("GET", "/metrics");
    let counted = counted.lines().find(|line| line.contains(r#"origin="abandoned""#)).expect("a series");
    assert!(counted.ends_with(&format!(" {MANY}")), "{counted}");
    for id in ids {
        let found = gateway.ask_admin("GET", &format!("/errors.json?search={id}"));
        assert!(found.contains(r#""origin": "abandoned""#), "{found}");
    }
}

/// Each stream has a window that stays closed. Some bodies are endless, and others the gateway has already received
/// whole.
#[test]
fn over_http2_it_is_let_go_though_it_reads_its_socket() {
    let service = service();
    for (path, window) in [("/endless", 1 << 16), ("/whole", 1)] {
        let gateway = Gateway::start(service.address, &SHORT);
        let before = settled(&gateway);
        Runtime::new().unwrap().block_on(async {
            let (mut client, connection) = connect(&gateway, window, 1 << 24).await;
            let mut unread = Vec::new();
            for _ in 0..MANY {
                unread.push(client.send_request(get(path)).await.unwrap());
            }
            let ids = unread.iter().map(|response| response.headers()["x-request-id"].to_str().unwrap().to_owned());
            let ids: HashSet<String> = ids.collect();
            let ended = tokio::time::timeout(crate::wait::TOO_LONG, connection).await;
            assert!(ended.expect("the connection is closed").is_ok(), "no panic");
            all_let_go(&gateway, &ids, before);
            drop(unread);
        });
    }
}

/// The window of the connection stays closed, so all streams stop.
#[test]
fn over_http2_a_connection_that_stands_still_is_let_go() {
    let service = service();
    let gateway = Gateway::start(service.address, &SHORT);
    let before = settled(&gateway);
    Runtime::new().unwrap().block_on(async {
        let (mut client, connection) = connect(&gateway, 1 << 20, 1 << 16).await;
        let unread = [client.send_request(get("/endless")).await.unwrap()];
        let ids = unread.iter().map(|response| response.headers()["x-request-id"].to_str().unwrap().to_owned());
        let ids: HashSet<String> = ids.collect();
        let ended = tokio::time::timeout(crate::wait::TOO_LONG, connection).await;
        assert!(ended.expect("the connection is closed").is_ok(), "no panic");
        all_let_go(&gateway, &ids, before);
    });
}

/// There is no body in between, so the socket itself shows the stall.
#[test]
fn an_upgraded_connection_that_nobody_reads_is_let_go() {
    let ended = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&ended);
    let service = Service::raw(move |mut stream| {
        let ended = Arc::clone(&seen);
        async move {
            super::service::head(&mut stream).await;
            stream.write_all(AGREE.as_bytes()).await.unwrap();
            while stream.write_all(&PIECE).await.is_ok() {}
            ended.store(true, Ordering::Relaxed);
        }
    });
    let gateway = Gateway::start(service.address, &SHORT);
    let mut client = gateway.connect();
    client.write_all(ASK.as_bytes()).unwrap();
    let mut start = [0; 12];
    client.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"HTTP/1.1 101");
    until("the flood ends", || when(ended.load(Ordering::Relaxed), "it goes on"));
}

#[test]
fn who_waits_for_the_service_or_reads_slowly_stays() {
    let service = service();
    let gateway = Gateway::start(service.address, &SHORT);
    Runtime::new().unwrap().block_on(async {
        let (mut client, _connection) = connect(&gateway, 1 << 16, 1 << 17).await;
        let slow = client.send_request(get("/slow")).await.unwrap();
        let mut endless = client.send_request(get("/endless")).await.unwrap().into_body();
        // The time is more than three times the limit, but no pause is longer than half of it.
        for _ in 0..14 {
            tokio::time::sleep(Duration::from_millis(250)).await;
            endless.frame().await.expect("it goes on").expect("it is whole");
        }
        assert_eq!(slow.into_body().collect().await.unwrap().to_bytes(), "begun, ended");
    });
    let log = gateway.stopped();
    // The endless body ends only with its client.
    assert!(abandoned(&log).len() <= 1 && !log.contains("stalled"), "{log}");
}

async fn connect(
    gateway: &Gateway,
    stream_window: u32,
    connection_window: u32,
) -> (http2::SendRequest<Empty<Bytes>>, tokio::task::JoinHandle<()>) {
    let stream = tokio::net::TcpStream::connect(gateway.address).await.unwrap();
    let mut client = http2::Builder::new(TokioExecutor::new());
    client.initial_stream_window_size(stream_window).initial_connection_window_size(connection_window);
    let (client, connection) = client.handshake(TokioIo::new(stream)).await.unwrap();
    (client, tokio::spawn(async move { drop(connection.await) }))
}

fn get(path: &str) -> Request<Empty<Bytes>> {
    Request::get(format!("http://test.example{path}")).body(Empty::new()).unwrap()
}

/// Returns the number of descriptors after one request.
fn settled(gateway: &Gateway) -> usize {
    assert!(gateway.ask("GET / HTTP/1.1\r\nhost: test.example\r\nconnection: close\r\n\r\n").ends_with("done"));
    gateway.descriptors()
}

#[track_caller]
fn all_let_go(gateway: &Gateway, ids: &HashSet<String>, before: usize) {
    until("each is logged, and its descriptors are back", || {
        let (logged, descriptors) = (abandoned(&gateway.log_from(0)), gateway.descriptors());
        when(logged.len() >= ids.len() && descriptors <= before, (logged, descriptors, before))
    });
    let logged = abandoned(&gateway.log_from(0));
    assert_eq!(logged.len(), ids.len(), "once: {logged:?}");
    assert_eq!(&logged.into_iter().collect::<HashSet<_>>(), ids);
}

fn abandoned(log: &str) -> Vec<String> {
    let fields =
        log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).map(|line| line["fields"].clone());
    let abandoned = fields.filter(|fields| fields["origin"] == "abandoned");
    abandoned.map(|fields| fields["request_id"].as_str().unwrap().to_owned()).collect()
}

fn id(head: &[u8]) -> String {
    let head = String::from_utf8_lossy(head);
    let (_, rest) = head.split_once("x-request-id: ").expect("an id");
    rest.split("\r\n").next().unwrap().to_owned()
}
