//! Tests SIGTERM. Requests in flight finish, no new client is accepted, and the exit is not a failure.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Response;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::gateway::{Gateway, events, start};
use super::service::{Service, full, streamed};
use crate::wait::{until, when};

/// The preface, and SETTINGS without content (RFC 9113, section 3.4).
const HTTP2_BEGINS: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const GET: &str = "GET /head HTTP/1.1\r\nhost: test.example\r\n\r\n";

#[test]
fn a_stop_lets_what_is_in_flight_finish_and_lets_nobody_new_in() {
    let (requested, go) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let service = waiting_service(&requested, &go);
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
        let requested = requested.available_permits();
        when(requested == 3, requested)
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

#[test]
fn a_second_signal_ends_it_at_once_as_a_shell_says_it() {
    for (second, code) in [("INT", 130), ("TERM", 143)] {
        let (requested, go) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let service = waiting_service(&requested, &go);
        let gateway = Gateway::start(service.address, &["--stop-timeout", "1h"]);
        let mut waits = gateway.connect();
        waits.write_all(GET.as_bytes()).unwrap();
        until("the request reaches the service", || when(requested.available_permits() == 1, "none"));
        gateway.signal("TERM");
        until("it stops", || when(gateway.log_from(0).contains("waiting for requests in flight"), gateway.log_from(0)));
        gateway.signal(second);
        let (status, log) = gateway.ended();
        assert_eq!(status.code(), Some(code), "{log}");
        assert!(log.contains("stopped at once: received a second signal"), "{log}");
        assert_eq!(events(&log).iter().map(|event| &*event.origin).collect::<Vec<_>>(), ["abandoned"], "{log}");
    }
}

#[test]
fn while_it_drains_clients_are_accepted_and_readiness_fails() {
    let service = Service::new(|_| async { Response::new(full("whole")) });
    let gateway = Gateway::start(service.address, &["--admin", "0", "--drain-delay", "1h"]);
    gateway.signal("TERM");
    until("/readyz says so", || {
        let answer = gateway.ask_admin("GET", "/readyz");
        when(answer.starts_with("HTTP/1.1 503"), answer)
    });
    // Its connection cannot serve another request.
    let answer = gateway.ask(GET);
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("\r\nconnection: close\r\n"), "{answer}");
    gateway.signal("TERM");
    let (status, log) = gateway.ended();
    assert_eq!(status.code(), Some(143), "{log}");
    assert!(log.contains("draining") && !log.contains("stopping: "), "{log}");
}

#[test]
fn it_drains_for_the_configured_time_and_ends_by_itself() {
    const DRAINS: Duration = Duration::from_millis(300);

    let service = Service::new(|_| async { Response::new(full("whole")) });
    let gateway = Gateway::start(service.address, &["--drain-delay", "300ms"]);
    let began = Instant::now();
    gateway.signal("TERM");
    let (status, log) = gateway.ended();
    assert!(began.elapsed() >= DRAINS, "{:?}", began.elapsed());
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains(r#""delay":"300ms""#) && log.contains("stopping: "), "{log}");
}

#[test]
fn requests_cut_by_a_stop_are_distinct_from_those_that_clients_gave_up() {
    let (requested, go) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let service = waiting_service(&requested, &go);
    let gateway = Gateway::start(service.address, &["--stop-timeout", "300ms"]);
    let come = |number| {
        until("the requests reach the service", || {
            let requested = requested.available_permits();
            when(requested == number, requested)
        });
    };
    let mut gone = gateway.connect();
    gone.write_all(GET.as_bytes()).unwrap();
    come(1);
    drop(gone);
    until("it is logged", || when(abandoned(&gateway.log_from(0)).len() == 1, gateway.log_from(0)));
    let mut waits = gateway.connect();
    waits.write_all(GET.as_bytes()).unwrap();
    let mut begun = gateway.connect();
    begun.write_all(GET.replace("/head", "/body").as_bytes()).unwrap();
    let mut new = start("curl", &["-sS", "--http2-prior-knowledge", &gateway.url("/head")]);
    come(4);

    gateway.signal("TERM");
    let (status, log) = gateway.ended();
    new.wait().unwrap();
    assert_eq!(status.code(), Some(0), "{log}");
    let warning = log.lines().find(|line| line.contains("stopped with requests in flight")).expect("a warning");
    assert!(warning.contains(r#""requests":3"#), "{warning}");
    let client = json!({"name": "client", "client_address": "127.0.0.1"});
    let stopped = json!({"name": "stopped", "by": "--stop-timeout ran out"});
    let by_us = vec![client.clone(), stopped];
    // Each line is also in the span of its request.
    let of_connections = abandoned(&log).into_iter().map(|mut spans| {
        spans.retain(|span| span["name"] != "envelope");
        spans
    });
    assert_eq!(of_connections.collect::<Vec<_>>(), [vec![client], by_us.clone(), by_us.clone(), by_us], "{log}");
}

#[test]
fn half_a_head_does_not_hold_a_stop() {
    let service = Service::new(|_| async { Response::new(full("whole")) });
    let gateway = Gateway::start(service.address, &["--stop-timeout", "1h", "--idle-timeout", "1h"]);
    let mut begun = gateway.connect();
    begun.write_all(GET.replace("\r\n\r\n", "\r\nx-slow").as_bytes()).unwrap();
    let mut begun_later = gateway.connect();
    begun_later.write_all(GET.as_bytes()).unwrap();
    let mut byte = [0];
    begun_later.read_exact(&mut byte).unwrap();
    begun_later.write_all(b"GET /again HT").unwrap();
    let log = gateway.stopped();
    assert!(!log.contains("stopped with requests in flight"), "{log}");
}

/// Returns the spans around each line of a request that was abandoned.
fn abandoned(log: &str) -> Vec<Vec<Value>> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let lines = lines.filter(|line| line["fields"]["origin"] == "abandoned");
    lines.map(|line| line["spans"].as_array().cloned().unwrap_or_default()).collect()
}

/// Reads a whole frame (RFC 9113, section 4.1), and returns its type.
fn frame(connection: &mut TcpStream) -> u8 {
    let mut head = [0; 9];
    connection.read_exact(&mut head).expect("a frame");
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    io::copy(&mut Read::take(connection, length.into()), &mut io::sink()).expect("a whole frame");
    head[3]
}

/// Returns a service that counts its requests, and holds the head or half the body back until it may continue.
fn waiting_service(requested: &Arc<Semaphore>, go: &Arc<Semaphore>) -> Service {
    let (requested, go) = (Arc::clone(requested), Arc::clone(go));
    Service::new(move |request| {
        requested.add_permits(1);
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
