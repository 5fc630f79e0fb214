//! Tests what the gateway states about requests and responses over HTTP/2 that end in an unusual way: by a reset, after
//! an upload that is longer than the response, against a declared length, or with an empty frame. The client reads frames itself, because h2's client shows no head behind which a reset follows.

use std::collections::HashMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

use serde_json::Value;

use super::gateway::gateway;
use super::plan::MODES;
use super::process::Process;
use super::runtime;
use super::views::{lines, text};
use crate::wait::{TOO_LONG, until, when};

const REQUESTS: usize = 200;
/// The length that requests declare, in bytes.
const LENGTH: usize = 50;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// A request on a connection of its own.
struct Asking(TcpStream);

impl Asking {
    /// Sends the head of a request.
    fn new(front: SocketAddr, path: &str, length: Option<usize>) -> Self {
        let mut stream = TcpStream::connect(front).expect("the gateway listens");
        stream.set_nodelay(true).expect("a socket");
        stream.set_read_timeout(Some(TOO_LONG)).expect("a socket");
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").expect("it reads");
        let mut asking = Self(stream);
        asking.send(SETTINGS, 0, 0, b"");
        // After its settings, the gateway is ready for the head.
        asking.frame().expect("the gateway's settings");
        let length = length.map(|length| length.to_string());
        let head = [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "shop.example")];
        let lines = head.into_iter().chain(length.as_deref().map(|length| ("content-length", length)));
        asking.send(HEADERS, END_HEADERS, 1, &lines.flat_map(|(name, value)| line(name, value)).collect::<Vec<_>>());
        asking
    }

    /// Sends a frame. The gateway may have closed the connection.
    fn send(&mut self, kind: u8, flags: u8, stream: u8, payload: &[u8]) {
        let length = u32::try_from(payload.len()).expect("a short frame").to_be_bytes();
        let _ = self.0.write_all(&[&length[1..], &[kind, flags, 0, 0, 0, stream], payload].concat());
    }

    /// Reads a frame, and returns its kind, flags and stream. Returns `None` after the last one.
    fn frame(&mut self) -> Option<[u8; 3]> {
        let mut start = [0; 9];
        self.0.read_exact(&mut start).ok()?;
        let mut payload = vec![0; u32::from_be_bytes([0, start[0], start[1], start[2]]) as usize];
        self.0.read_exact(&mut payload).expect("a whole frame");
        Some([start[3], start[4], start[8]])
    }

    /// Reads the response, and returns the kinds of its frames. A reset may follow its end.
    fn response(&mut self, is_reset: bool) -> Vec<u8> {
        let mut kinds = Vec::new();
        while let Some([kind, flags, stream]) = self.frame() {
            if stream == 1 {
                kinds.push(kind);
                if kind == RESET || !is_reset && kind == DATA && flags & END_STREAM != 0 {
                    break;
                }
            }
        }
        kinds
    }
}

/// Returns a header line that HPACK does not compress.
fn line(name: &str, value: &str) -> Vec<u8> {
    let string = |it: &str| [&[u8::try_from(it.len()).expect("a short text")], it.as_bytes()].concat();
    [vec![0], string(name), string(value)].concat()
}

/// Reads a head. Returns false if the peer closes the connection instead.
fn read_head(stream: &mut TcpStream) -> bool {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_exact(&mut byte).is_err() {
            return false;
        }
        head.extend(byte);
    }
    true
}

/// Returns the address of a service that answers as soon as it has the head of a request.
fn early_service() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a socket");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                while read_head(&mut stream) {
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
                }
            });
        }
    });
    address
}

/// Waits until the access log has this number of lines, and returns them.
fn access(gateway: &Process, lines: usize) -> Vec<Value> {
    let log = until("all lines are written", || {
        let log = fs::read_to_string(gateway.folder.join("access.json")).expect("a log");
        when(log.lines().count() >= lines, log)
    });
    log.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// Returns the address of a service that is never called, because nothing listens at the lowest port.
fn no_service() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 1))
}

#[test]
fn l5_a_malformed_request_has_the_status_whose_head_was_sent() {
    let gateway = gateway("contradicts", no_service(), "60s", &[]);
    let ask = |number: usize| {
        let path = format!("/enforce/closed/{number}");
        let mut asking = Asking::new(gateway.address, &path, Some(LENGTH));
        (0..10 * number).for_each(|_| std::thread::yield_now());
        asking.send(DATA, END_STREAM, 1, &[b'u'; 2 * LENGTH]);
        (path, asking.response(true))
    };
    let seen: HashMap<_, _> = (0..REQUESTS).map(ask).collect();
    // h2 does not tell whether a head without its body was sent before the reset. The gateway nearly always knows.
    let mut wrong = Vec::new();
    for entry in access(&gateway, REQUESTS) {
        let frames = &seen[&text(&entry["path"])];
        let has_head = frames.contains(&HEADERS);
        if text(&entry["status"]) != if has_head { "401" } else { "none" } {
            wrong.push(format!("{frames:?} {entry}"));
        }
        let is_told = entry["end"] == "malformed" || has_head && entry["end"] == "complete";
        assert!(is_told, "{frames:?} {entry}");
    }
    assert!(wrong.len() <= REQUESTS / 20, "{wrong:#?}");
}

#[test]
fn l5_a_request_that_its_client_resets_has_the_status_whose_head_was_sent() {
    let gateway = gateway("resets", early_service(), "60s", &[]);
    let ask = |number: usize| {
        let path = format!("/enforce/plain/{number}");
        let mut asking = Asking::new(gateway.address, &path, None);
        (0..10 * number).for_each(|_| std::thread::yield_now());
        let cancel = 8_u32.to_be_bytes();
        asking.send(RESET, 0, 1, &cancel);
        access(&gateway, number + 1);
        asking.send(PING, 0, 0, &[0; 8]);
        // What the gateway wrote for the request comes before its answer to the ping.
        let frames = std::iter::from_fn(|| asking.frame().filter(|frame| *frame != [PING, ACK, 0]));
        let frames: Vec<u8> = frames.filter(|[_, _, stream]| *stream == 1).map(|[kind, ..]| kind).collect();
        (path, frames)
    };
    let seen: HashMap<_, _> = (0..REQUESTS).map(ask).collect();
    for entry in access(&gateway, REQUESTS) {
        let frames = &seen[&text(&entry["path"])];
        let status = if frames.contains(&HEADERS) { "200" } else { "none" };
        assert_eq!(text(&entry["status"]), status, "{frames:?} {entry}");
    }
}

/// Answers each HTTP/2 request with the status that its path names, and with an empty frame at the end.
async fn bodiless_service(listener: tokio::net::TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            let mut connection = h2::server::handshake(stream).await.expect("HTTP/2");
            while let Some(Ok((request, mut answer))) = connection.accept().await {
                let status = request.uri().path().rsplit('/').next().expect("a status");
                let response = http::Response::builder().status(status).body(()).expect("a response");
                let mut body = answer.send_response(response, false).expect("a head");
                body.send_data(bytes::Bytes::new(), true).expect("an end");
            }
        });
    }
}

#[test]
fn l5_a_response_that_has_no_body_is_complete() {
    let runtime = runtime();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a socket");
    let service = listener.local_addr().expect("an address");
    runtime.spawn(bodiless_service(listener));
    let gateway = gateway("bodiless", service, "60s", &["--upstream-h2"]);
    let mut asked = 0;
    for mode in MODES {
        for (method, status) in [("HEAD", 200), ("HEAD", 404), ("GET", 204), ("GET", 304)] {
            let mut stream = TcpStream::connect(gateway.address).expect("the gateway listens");
            let head = format!("{method} /{mode}/plain/{status} HTTP/1.1\r\nhost: shop.example\r\n\r\n");
            stream.write_all(head.as_bytes()).expect("it reads");
            assert!(read_head(&mut stream));
            asked += 1;
            // The client is still connected.
            let entry = access(&gateway, asked).pop().expect("a line");
            assert_eq!(
                (text(&entry["status"]), text(&entry["end"])),
                (status.to_string(), "complete".into()),
                "{entry}"
            );
        }
    }
}

/// Returns the address of a service that answers as soon as it has the head of a request, and never ends its answer.
fn endless_service() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a socket");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            read_head(&mut stream);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n");
            std::thread::spawn(move || stream.read_to_end(&mut Vec::new()));
        }
    });
    address
}

#[test]
fn l1_a_request_that_fails_within_its_response_is_the_cause_of_the_failure() {
    let gateway = gateway("within", endless_service(), "60s", &[]);
    let long = format!("41\r\n{}\r\n", "u".repeat(65));
    let badly_framed =
        "the client's request body broke off or was badly framed: Invalid chunk size line: missing size digit";
    for (path, chunk, cause) in [
        ("/observe/plain/x", "zz\r\n", badly_framed),
        ("/own/plain/x", "zz\r\n", badly_framed),
        ("/enforce/plain/x", "zz\r\n", badly_framed),
        ("/enforce/json/x", &long, "body limit: more than 64 bytes"),
    ] {
        let mut stream = TcpStream::connect(gateway.address).expect("the gateway listens");
        let head = "host: shop.example\r\ncontent-type: application/json\r\ntransfer-encoding: chunked";
        stream.write_all(format!("POST {path} HTTP/1.1\r\n{head}\r\n\r\n2\r\n{{}}\r\n").as_bytes()).expect("it reads");
        assert!(read_head(&mut stream));
        stream.write_all(chunk.as_bytes()).expect("it reads");
        let _ = stream.read_to_end(&mut Vec::new());
        let line = until("the failure is logged", || {
            let log = fs::read_to_string(gateway.folder.join("log.json")).expect("a log");
            let line = lines(&log, "tower_error_envelope")
                .into_iter()
                .find(|line| text(&line["route"]).starts_with(&path[..path.len() - 1]));
            when(line.is_some(), line)
        });
        let line = line.expect("a line");
        assert_eq!(
            (text(&line["cause"]), text(&line["code"])),
            (cause.into(), "internal_error".into()),
            "{path}: {line}"
        );
    }
}

#[test]
fn l5_a_record_ends_with_its_response_and_not_with_the_upload() {
    let gateway = gateway("early", early_service(), "60s", &["--body-timeout", "1h"]);
    let mut asking = Asking::new(gateway.address, "/enforce/plain/x", None);
    asking.send(DATA, 0, 1, b"the upload goes on");
    assert_eq!(asking.response(false), [HEADERS, DATA]);
    assert_eq!(access(&gateway, 1)[0]["end"], "complete");
    // The connection is still open, so the upload could go on.
    asking.send(PING, 0, 0, &[0; 8]);
    while asking.frame().expect("an open connection") != [PING, ACK, 0] {}
}

#[test]
fn l5_a_record_that_ends_while_h2_writes_holds_nothing_up() {
    let gateway = gateway("writes", early_service(), "60s", &[]);
    for number in 0..REQUESTS {
        let mut asking = Asking::new(gateway.address, &format!("/enforce/plain/{number}"), Some(LENGTH));
        asking.send(DATA, 0, 1, &[b'u'; LENGTH]);
        asking.send(DATA, END_STREAM, 1, b"");
        assert_eq!(asking.response(false), [HEADERS, DATA]);
    }
    assert_eq!(access(&gateway, REQUESTS).len(), REQUESTS);
}
