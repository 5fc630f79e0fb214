//! Tests more requests than the service may handle at once.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::AsyncWriteExt;

use super::gateway::Gateway;
use super::service::{Service, head};
use crate::wait::{TOO_LONG, until, when};

const ENDS: &str = "GET /ends HTTP/1.1\r\nhost: test.example\r\nconnection: close\r\n\r\n";
const WHOLE: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

#[test]
fn an_upgraded_connection_is_a_request_until_it_ends() {
    let upgrades = "connection: upgrade\r\nupgrade: websocket\r\n";
    leaves_no_room(upgrades, b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n");
}

#[test]
fn an_answer_that_does_not_end_leaves_no_room() {
    leaves_no_room("", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
}

#[test]
fn an_upload_that_was_answered_early_leaves_no_room() {
    leaves_no_room("content-length: 9\r\n", WHOLE);
}

#[test]
fn clients_that_come_at_once_wait_to_be_accepted_and_are_not_turned_away() {
    let service = Service::raw(|_| async {});
    let gateway = Gateway::start(service.address, &[]);
    let allowed = std::fs::read_to_string("/proc/sys/net/core/somaxconn").expect("Linux's /proc");
    let many = allowed.trim().parse().map_or(1000, |allowed: usize| allowed.min(1000));
    // It accepts none of the clients. The handshake of a client without room in the queue would take just as long.
    gateway.signal("STOP");
    let clients: Vec<_> = (0..many)
        .map(|number| {
            let client = TcpStream::connect_timeout(&gateway.address, TOO_LONG);
            client.unwrap_or_else(|error| panic!("client {number} of {many}: {error}"))
        })
        .collect();
    gateway.signal("CONT");
    drop(clients);
}

/// Checks that a request with these headers and this response takes a place as long as its client exists. Another
/// request gets 503 meanwhile.
#[track_caller]
fn leaves_no_room(headers: &str, answer: &'static [u8]) {
    let requests = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&requests);
    let service = Service::raw(move |mut stream| {
        let requests = Arc::clone(&counted);
        async move {
            while let Some(head) = head(&mut stream).await {
                requests.fetch_add(1, Ordering::SeqCst);
                if head.contains("/ends ") {
                    let _ = stream.write_all(WHOLE).await;
                } else {
                    let _ = stream.write_all(answer).await;
                    let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
                }
            }
        }
    });
    let gateway = Gateway::start(service.address, &["--upstream-requests", "1", "--body-timeout", "1h"]);
    let mut stays = gateway.connect();
    write!(stays, "POST /stays HTTP/1.1\r\nhost: test.example\r\n{headers}\r\n").unwrap();
    assert_eq!(until_head(&mut stays), answer[..12], "it is answered");

    let refused = gateway.ask(ENDS);
    assert!(refused.starts_with("HTTP/1.1 503 ") && refused.contains(r#""code":"worker_at_capacity""#), "{refused}");
    assert_eq!(requests.load(Ordering::SeqCst), 1, "the service is not asked");
    drop(stays);
    for _ in 0..2 {
        until("there is room again", || {
            let answer = gateway.ask(ENDS);
            when(answer.starts_with("HTTP/1.1 200 OK"), answer)
        });
    }
    let cause = format!("http://{} already handles as many requests as --upstream-requests allows", service.address);
    let log = gateway.stopped();
    assert!(log.contains(&cause), "{log}");
}

/// Reads a whole head, and returns its version and status.
fn until_head(client: &mut TcpStream) -> [u8; 12] {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte).expect("a head");
        head.extend(byte);
    }
    head[..12].try_into().expect("a status line")
}
