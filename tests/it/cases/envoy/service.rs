//! A service behind Envoy that does what the path names, with many requests in parallel.

use std::collections::HashMap;
use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::super::wire::{Framing, Timed, Wire};

#[derive(Default)]
pub(super) struct Seen {
    pub(super) calls: AtomicUsize,
    /// The length of the longest received body, complete or not.
    pub(super) longest: AtomicU64,
    /// The received targets, and what Envoy's route has written into `x-route`.
    pub(super) targets: Mutex<Vec<(String, Option<String>)>>,
    /// The received ids.
    pub(super) ids: Mutex<Vec<Option<String>>>,
    /// The time when the head of a stalled response was sent, by the `x-round` of its request.
    pub(super) stalled: Mutex<HashMap<String, Instant>>,
}

pub(super) fn start() -> (SocketAddr, Arc<Seen>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    let seen = Arc::<Seen>::default();
    let shared = seen.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let seen = shared.clone();
            std::thread::spawn(move || serve(stream, &seen));
        }
    });
    (address, seen)
}

fn serve(mut stream: TcpStream, seen: &Seen) {
    let Ok(reading) = stream.try_clone() else { return };
    let _ = stream.set_nodelay(true);
    let mut wire = Wire::new(Timed { stream: reading, deadline: Instant::now() + Duration::from_secs(300) });
    while let Ok(head) = wire.head() {
        seen.calls.fetch_add(1, Ordering::SeqCst);
        let mut count = 0;
        let framing = head.framing(Framing::None).expect("Envoy frames well");
        let read = wire.body(framing, |piece| count += piece.len() as u64);
        seen.longest.fetch_max(count, Ordering::SeqCst);
        if read.is_err() {
            return;
        }
        // A response to HEAD has no body. Otherwise, the next response on this connection would begin with it.
        if head.first_line.starts_with("HEAD ") {
            let _ = stream.write_all(b"HTTP/1.1 500 Said\r\ncontent-type: text/html\r\ncontent-length: 1000\r\n\r\n");
            continue;
        }
        let path = head.first_line.split(' ').nth(1).unwrap_or("/").to_owned();
        seen.targets.lock().expect("no panic under the lock").push((path.clone(), head.text("x-route")));
        seen.ids.lock().expect("no panic under the lock").push(head.text("x-request-id"));
        let stalls = || {
            let round = head.text("x-round").unwrap_or_default();
            seen.stalled.lock().expect("no panic under the lock").insert(round, Instant::now());
        };
        if !matches!(answer(&mut stream, &path, stalls), Ok(true)) {
            return;
        }
    }
}

/// No client may receive this text, whatever happens to a body.
pub(super) const CANARY: &str = "upstream-canary-51b2";

fn answer(stream: &mut TcpStream, path: &str, stalls: impl FnOnce()) -> io::Result<bool> {
    let head =
        |status: &str, framing: &str| format!("HTTP/1.1 {status} Said\r\ncontent-type: text/html\r\n{framing}\r\n\r\n");
    match path {
        "/endless" => {
            stream.write_all(head("500", "transfer-encoding: chunked").as_bytes())?;
            let chunk = format!("1000\r\n{:4096}\r\n", CANARY);
            loop {
                stream.write_all(chunk.as_bytes())?;
            }
        }
        "/stalled" => {
            // This is recorded before the head is sent, because a reader may be done with the head first.
            stalls();
            stream.write_all(head("500", "content-length: 1000").as_bytes())?;
            stream.write_all(CANARY.as_bytes())?;
            std::thread::sleep(Duration::from_secs(30));
            Ok(false)
        }
        "/truncated" => {
            stream.write_all(head("500", "content-length: 1000").as_bytes())?;
            stream.write_all(CANARY.as_bytes())?;
            Ok(false)
        }
        "/large" => {
            stream.write_all(head("500", "content-length: 3000000").as_bytes())?;
            stream.write_all(CANARY.repeat(150_000).as_bytes())?;
            Ok(true)
        }
        "/gzip" => {
            let mut coder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            coder.write_all(CANARY.as_bytes())?;
            let body = coder.finish()?;
            let framing = format!("content-encoding: gzip\r\ncontent-length: {}", body.len());
            stream.write_all(head("500", &framing).as_bytes())?;
            stream.write_all(&body)?;
            Ok(true)
        }
        "/empty" => stream.write_all(head("500", "content-length: 0").as_bytes()).map(|()| true),
        "/404" => stream.write_all((head("404", "content-length: 4") + "none").as_bytes()).map(|()| true),
        "/moved-inside" => {
            let line = "location: http://test.example/404\r\ncontent-length: 0";
            stream.write_all(head("302", line).as_bytes()).map(|()| true)
        }
        "/garbage" => stream.write_all(b"no head at all\r\n\r\n").map(|()| false),
        "/slow" => {
            std::thread::sleep(Duration::from_secs(5));
            stream.write_all(head("200", "content-length: 0").as_bytes()).map(|()| true)
        }
        _ => stream.write_all((head("200", "content-length: 2") + "ok").as_bytes()).map(|()| true),
    }
}
