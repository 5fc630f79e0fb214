//! Tests what the gateway states about an HTTP/2 request that contradicts its content-length while the gateway sends an
//! answer of its own. A client that reads frames sees whether the head of the answer was sent. h2's client shows no head
//! behind which a reset follows.

use std::collections::HashMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

use super::gateway::gateway;
use super::views::text;
use crate::wait::{TOO_LONG, until, when};

const REQUESTS: usize = 200;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short frame").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Returns a header line that HPACK does not compress.
fn line(name: &str, value: &str) -> Vec<u8> {
    let string = |it: &str| [&[u8::try_from(it.len()).expect("a short text")], it.as_bytes()].concat();
    [vec![0], string(name), string(value)].concat()
}

/// Sends a head that declares 50 bytes, and `pauses` later more bytes than that. Returns the kinds of the frames of the
/// answer.
fn contradict(front: SocketAddr, path: &str, pauses: usize) -> Vec<u8> {
    let mut stream = TcpStream::connect(front).expect("the gateway listens");
    stream.set_nodelay(true).expect("a socket");
    stream.set_read_timeout(Some(TOO_LONG)).expect("a socket");
    let head = [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "shop.example")];
    let head = head.into_iter().chain([("content-length", "50")]);
    let head: Vec<u8> = head.flat_map(|(name, value)| line(name, value)).collect();
    let preface = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), frame(SETTINGS, 0, 0, b"")].concat();
    stream.write_all(&preface).expect("it reads");
    // The gateway is then ready for the head.
    let mut start = [0; 9];
    stream.read_exact(&mut start).expect("the gateway's settings");
    stream.write_all(&frame(HEADERS, 4, 1, &head)).expect("it reads");
    (0..pauses).for_each(|_| std::thread::yield_now());
    let _ = stream.write_all(&frame(DATA, 1, 1, &[b'u'; 3000]));
    let mut seen = Vec::new();
    loop {
        let mut payload = vec![0; u32::from_be_bytes([0, start[0], start[1], start[2]]) as usize];
        stream.read_exact(&mut payload).expect("a whole frame");
        if stream.read_exact(&mut start).is_err() {
            return seen;
        }
        if start[5..] == [0, 0, 0, 1] {
            seen.push(start[3]);
            if start[3] == RESET {
                return seen;
            }
        }
    }
}

#[test]
fn l5_a_malformed_request_has_the_status_whose_head_was_sent() {
    // Nothing listens at the lowest port. The guard refuses each request before.
    let gateway = gateway("contradicts", SocketAddr::from(([127, 0, 0, 1], 1)), "60s", &[]);
    let path = |number: usize| format!("/enforce/closed/{number}");
    let seen: HashMap<_, _> =
        (0..REQUESTS).map(|number| (path(number), contradict(gateway.address, &path(number), 10 * number))).collect();
    let log = until("all lines are written", || {
        let log = fs::read_to_string(gateway.folder.join("access.json")).expect("a log");
        when(log.lines().count() >= REQUESTS, log)
    });
    for entry in log.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON")) {
        let frames = &seen[&text(&entry["path"])];
        let has_head = frames.contains(&HEADERS);
        assert_eq!(text(&entry["status"]), if has_head { "401" } else { "none" }, "{frames:?} {entry}");
        let is_told = entry["end"] == "malformed" || has_head && entry["end"] == "complete";
        assert!(is_told, "{frames:?} {entry}");
    }
}
