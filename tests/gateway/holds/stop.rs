//! SIGTERM: what is in flight finishes, nobody new is let in, and the end is no failure.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use tokio::sync::Semaphore;

use super::gateway::{Gateway, start};
use super::service::{Service, full, streamed};
use crate::wait::{until, when};

/// RFC 9113, section 3.4: the preface, and SETTINGS with nothing in it.
const HTTP2_BEGINS: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const GET: &str = "GET /head HTTP/1.1\r\nhost: test.example\r\n\r\n";

#[test]
fn a_stop_lets_what_is_in_flight_finish_and_lets_nobody_new_in() {
    let (asked, go) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let service = held(&asked, &go);
    let gateway = Gateway::start(service.address, &[]);
    let address = gateway.address;

    let mut idle = gateway.connect();
    let mut idle_new = gateway.connect();
    idle_new.write_all(HTTP2_BEGINS).unwrap();
    assert_eq!(frame(&mut idle_new), SETTINGS);
    let mut waits = gateway.connect();
    waits.write_all(GET.as_bytes()).unwrap();
    let old = start("curl", &["-sS", "--http1.1", &gateway.url("/body")]);
    let new = start("curl", &["-sS", "--http2-prior-knowledge", &gateway.url("/head")]);
    until("three requests reach the service", || {
        let asked = asked.available_permits();
        when(asked == 3, asked)
    });

    gateway.signal("TERM");
    until("new connections are refused", || match TcpStream::connect(address) {
        Ok(_) => Err("one was accepted"),
        Err(refused) => Ok(refused),
    });
    assert_eq!(idle.read(&mut [0; 16]).unwrap(), 0, "an idle connection is closed");
    while frame(&mut idle_new) != GOAWAY {}
    drop(idle_new);
    go.add_permits(1000);

    let mut answer = String::new();
    waits.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nwhole"), "{answer}");
    let old = old.wait_with_output().unwrap();
    assert_eq!((old.status.code(), &*old.stdout), (Some(0), &b"begun, ended"[..]));
    let new = new.wait_with_output().unwrap();
    assert_eq!((new.status.code(), &*new.stdout), (Some(0), &b"whole"[..]));

    let (status, log) = gateway.ended();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("stopping") && !log.contains("stopped with requests in flight"), "{log}");
}

/// Reads a whole frame (RFC 9113, section 4.1), and gives its type.
fn frame(connection: &mut TcpStream) -> u8 {
    let mut head = [0; 9];
    connection.read_exact(&mut head).expect("a frame");
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    io::copy(&mut Read::take(connection, length.into()), &mut io::sink()).expect("a whole frame");
    head[3]
}

/// Counts the requests that came, and keeps the head or half the body back until it may go on.
fn held(asked: &Arc<Semaphore>, go: &Arc<Semaphore>) -> Service {
    let (asked, go) = (Arc::clone(asked), Arc::clone(go));
    Service::of(move |request| {
        asked.add_permits(1);
        let go = Arc::clone(&go);
        async move {
            if request.uri().path() == "/head" {
                go.acquire().await.unwrap().forget();
                return Response::new(full("whole"));
            }
            Response::new(streamed(|send| async move {
                let _ = send.send(Bytes::from("begun, ")).await;
                go.acquire().await.unwrap().forget();
                let _ = send.send(Bytes::from("ended")).await;
            }))
        }
    })
}
