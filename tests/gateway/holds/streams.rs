//! Tests that pieces arrive one by one, as they are sent.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::Response;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, mpsc};

use super::gateway::{Gateway, start};
use super::service::{self, Service, streamed};

pub(super) const ASK: &str = "GET /chat HTTP/1.1\r\nhost: test.example\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
    sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
pub(super) const AGREE: &str = "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
    sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
/// "Hello" as in RFC 6455 §5.7, from a client and from a server.
const MASKED: [u8; 11] = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
const PLAIN: [u8; 7] = [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f];

/// Each event is sent only when the one before has arrived. If one is held back anywhere, all stop.
#[test]
fn server_sent_events_arrive_one_by_one() {
    for version in ["--http1.1", "--http2-prior-knowledge"] {
        let (arrived, go) = mpsc::unbounded_channel();
        let service = events_on(go);
        let gateway = Gateway::start(service.address, &[]);
        let mut curl = start("curl", &["-sSN", "--max-time", "30", version, &gateway.url("/events")]);
        let mut lines = BufReader::new(curl.stdout.take().unwrap()).lines().map(Result::unwrap);
        for n in 0..20 {
            assert_eq!(lines.next(), Some(format!("data: {n}")), "{version}");
            assert_eq!(lines.next().as_deref(), Some(""));
            arrived.send(()).unwrap();
        }
        curl.kill().unwrap();
        curl.wait().unwrap();
    }
}

/// Returns a service that sends an event, and another one for each notice of its arrival.
fn events_on(go: mpsc::UnboundedReceiver<()>) -> Service {
    let go = Arc::new(Mutex::new(go));
    Service::new(move |_| {
        let go = Arc::clone(&go);
        let body = streamed(|send| async move {
            for n in 0.. {
                let event = Bytes::from(format!("data: {n}\n\n"));
                if send.send(event).await.is_err() || go.lock().await.recv().await.is_none() {
                    return;
                }
            }
        });
        std::future::ready(Response::builder().header("content-type", "text/event-stream").body(body).unwrap())
    })
}

#[test]
fn a_websocket_echoes_both_ways_and_early_data_of_either_side_is_not_lost() {
    let service = Service::raw(echo);
    let gateway = Gateway::start(service.address, &[]);
    let mut client = gateway.connect();
    client.write_all(&[ASK.as_bytes(), &MASKED].concat()).unwrap();
    let mut reader = BufReader::new(client.try_clone().unwrap());
    let head: Vec<_> = reader.by_ref().lines().map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
    assert_eq!(head[0], "HTTP/1.1 101 Switching Protocols");
    assert!(head.iter().any(|line| line == "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head:?}");
    assert!(head.iter().any(|line| line.starts_with("x-request-id: req_")), "{head:?}");
    assert_eq!(read(&mut reader), PLAIN, "what came with the 101");
    assert_eq!(read(&mut reader), PLAIN, "what came with the request");
    for _ in 0..100 {
        client.write_all(&MASKED).unwrap();
        assert_eq!(read(&mut reader), PLAIN);
    }
    client.shutdown(Shutdown::Write).unwrap();
    let mut rest = Vec::new();
    reader.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, PLAIN, "the service's last word, after the client's");
}

/// A client that claims to be something else could not be counted.
#[test]
fn an_upgraded_connection_takes_its_place_until_it_is_closed() {
    let accepted = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&accepted);
    let service = Service::raw(move |stream| {
        counted.fetch_add(1, Ordering::SeqCst);
        echo(stream)
    });
    let gateway = Gateway::start(service.address, &["--max-connections", "1"]);
    let upgraded = || {
        let mut client = gateway.connect();
        client.write_all(ASK.as_bytes()).unwrap();
        client
    };
    let mut first = upgraded();
    let mut second = upgraded();
    let mut reader = BufReader::new(first.try_clone().unwrap());
    reader.by_ref().lines().map(Result::unwrap).take_while(|line| !line.is_empty()).for_each(drop);
    assert_eq!(read(&mut reader), PLAIN, "what came with the 101");
    // If the gateway had room for the second one, it would serve it between these.
    for _ in 0..100 {
        first.write_all(&MASKED).unwrap();
        assert_eq!(read(&mut reader), PLAIN);
    }
    assert_eq!(accepted.load(Ordering::SeqCst), 1, "there is no room");
    drop((first, reader));
    let mut start = [0; 12];
    second.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"HTTP/1.1 101");
}

/// Sends "Hello" with its 101, again for each "Hello", and once more at the end.
async fn echo(mut stream: TcpStream) {
    service::head(&mut stream).await;
    stream.write_all(&[AGREE.as_bytes(), &PLAIN].concat()).await.unwrap();
    let mut reply = [0; MASKED.len()];
    while stream.read_exact(&mut reply).await.is_ok() {
        assert_eq!(reply, MASKED);
        stream.write_all(&PLAIN).await.unwrap();
    }
    stream.write_all(&PLAIN).await.unwrap();
}

fn read(reader: &mut impl Read) -> [u8; PLAIN.len()] {
    let mut reply = [0; PLAIN.len()];
    reader.read_exact(&mut reply).unwrap();
    reply
}
