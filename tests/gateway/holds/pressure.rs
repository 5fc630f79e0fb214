//! Tests that a side that does not read stops the side that writes. The gateway holds little between them, and other
//! clients continue.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::runtime::Runtime;

use super::gateway::Gateway;
use super::service::{Service, full, streamed};
use crate::wait::{until, when};

/// The number of readers and writers that stop at once. It is more than there are large pieces for.
const MANY: usize = 192;
/// The most memory that the gateway may use for each of them.
const EACH_KIB: u64 = 384;
/// The most memory for those among them that were fast before.
const FAST_KIB: u64 = 64 * 1024;
/// The most bytes that may disappear for each of them in the kernel's buffers, two pairs of sockets, and the gateway.
const EACH_SENT: u64 = 32 * 1024 * 1024;
const SMALL: &str = "GET /small HTTP/1.1\r\nhost: test.example\r\nconnection: close\r\n\r\n";
/// The number of requests that are handled while nothing else moves.
const OTHERS: usize = 50;
static PIECE: [u8; 64 * 1024] = [0; 64 * 1024];

#[test]
fn a_client_that_does_not_read_stops_the_service() {
    for more in [&[][..], &["--upstream-h2"]] {
        let (service, sent) = endless();
        let gateway = Gateway::start(service.address, more);
        let before = settled(&gateway);
        let clients: Vec<_> = (0..MANY).map(|_| asking(&gateway)).collect();
        stands_still(&gateway, &sent, more);
        assert_bounded(&gateway, before, more);
        drop(clients);
    }
}

#[test]
fn http2_streams_that_nobody_reads_stop_the_service() {
    let (service, sent) = endless();
    let gateway = Gateway::start(service.address, &[]);
    let before = settled(&gateway);
    let runtime = Runtime::new().unwrap();
    let unread: Vec<_> = runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(gateway.address).await.unwrap();
        let mut client = http2::Builder::new(TokioExecutor::new());
        // The connection has room for all, so each stream stops by itself.
        client.initial_stream_window_size(1 << 16).initial_connection_window_size(1 << 24);
        let (mut client, connection) = client.handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let mut unread = Vec::new();
        for _ in 0..MANY {
            let request = Request::get("http://test.example/endless").body(Empty::<Bytes>::new()).unwrap();
            unread.push(client.send_request(request).await.unwrap());
        }
        unread
    });
    stands_still(&gateway, &sent, &["over HTTP/2"]);
    assert_bounded(&gateway, before, &["over HTTP/2"]);
    drop(unread);
}

#[test]
fn a_service_that_does_not_read_stops_the_clients() {
    for more in [&[][..], &["--upstream-h2"]] {
        // The service keeps each body, and reads none of it.
        let service = Service::new(|request: Request<Incoming>| async move {
            if request.uri().path() == "/small" {
                return Response::new(full("small"));
            }
            std::future::pending::<()>().await;
            drop(request);
            unreachable!()
        });
        let gateway = Gateway::unlimited(service.address, more);
        let before = settled(&gateway);
        let sent = Arc::new(AtomicU64::new(0));
        for _ in 0..MANY {
            let (mut client, sent) = (gateway.connect(), Arc::clone(&sent));
            client.write_all(b"POST / HTTP/1.1\r\nhost: test.example\r\ntransfer-encoding: chunked\r\n\r\n").unwrap();
            std::thread::spawn(move || {
                while write_piece(&mut client).is_ok() {
                    sent.fetch_add(PIECE.len() as u64, Ordering::Relaxed);
                }
            });
        }
        stands_still(&gateway, &sent, more);
        assert_bounded(&gateway, before, more);
    }
}

/// Returns a service whose bodies do not end, and the number of bytes that it could send.
fn endless() -> (Service, Arc<AtomicU64>) {
    let sent = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&sent);
    let service = Service::new(move |request: Request<Incoming>| {
        let counted = Arc::clone(&counted);
        async move {
            if request.uri().path() == "/small" {
                return Response::new(full("small"));
            }
            Response::new(streamed(|send| async move {
                while send.send(Bytes::from_static(&PIECE)).await.is_ok() {
                    counted.fetch_add(PIECE.len() as u64, Ordering::Relaxed);
                }
            }))
        }
    });
    (service, sent)
}

/// Returns a client that has sent a request, and reads only the beginning of its response.
fn asking(gateway: &Gateway) -> TcpStream {
    let mut client = gateway.connect();
    client.write_all(b"GET /endless HTTP/1.1\r\nhost: test.example\r\n\r\n").unwrap();
    let mut start = [0; 15];
    client.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"HTTP/1.1 200 OK");
    client
}

fn write_piece(client: &mut TcpStream) -> io::Result<()> {
    client.write_all(format!("{:x}\r\n", PIECE.len()).as_bytes())?;
    client.write_all(&PIECE)?;
    client.write_all(b"\r\n")
}

/// Returns the memory that the gateway uses after one request.
fn settled(gateway: &Gateway) -> u64 {
    assert!(gateway.ask(SMALL).ends_with("small"));
    gateway.resident_kib()
}

/// Waits until nothing more is sent while other requests continue. If anything could move, it would move between so
/// many of them.
#[track_caller]
fn stands_still(gateway: &Gateway, sent: &AtomicU64, how: &[&str]) {
    let (mut last, mut others) = (0, 0);
    until("nothing more is sent", || {
        assert!(gateway.ask(SMALL).ends_with("small"), "{how:?}");
        let now = sent.load(Ordering::Relaxed);
        assert!(now < EACH_SENT * MANY as u64, "{how:?}: {now} bytes were sent to nobody");
        others = if now == last { others + 1 } else { 0 };
        last = now;
        when(now > 0 && others == OTHERS, (now, others))
    });
}

#[track_caller]
fn assert_bounded(gateway: &Gateway, before: u64, how: &[&str]) {
    let growth = gateway.peak_kib().saturating_sub(before);
    println!("{MANY} that stand still {how:?}: {growth} KiB held for them");
    assert!(growth < FAST_KIB + EACH_KIB * MANY as u64, "{how:?}: {growth} KiB held for {MANY}");
}
