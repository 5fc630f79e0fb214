//! Tests which requests are sent twice, and which once (rule F7). Each failure is reported by its cause.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Semaphore;

use super::gateway::Gateway;
use super::service::{Service, head};
use crate::wait::{until, when};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// The action of the service after it has read a request.
#[derive(Clone, Copy, Debug)]
enum Then {
    Close,
    Reset,
    CloseWithinHead,
    Garble,
    Hang,
    HangWithinHead,
}

/// The number of requests that a service has read, and of those that it failed on a connection where it had handled one
/// before.
#[derive(Default)]
struct Read {
    all: AtomicUsize,
    failed_after_an_answer: AtomicUsize,
}

const BROKEN: [Then; 4] = [Then::Close, Then::Reset, Then::CloseWithinHead, Then::Garble];

/// Returns requests. The flag is true if the request may be sent twice.
fn requests() -> [(String, bool); 6] {
    let bare = |method: &str| get("/").replacen("GET", method, 1);
    [
        (get("/"), true),
        (bare("DELETE"), true),
        (bare("PUT"), true),
        (bare("POST"), false),
        (post(), false),
        (post().replacen("POST", "PUT", 1), false),
    ]
}

#[test]
fn what_may_be_repeated_is_sent_once_more_where_a_used_connection_fails_without_a_byte() {
    for then in BROKEN {
        for (request, may_be_repeated) in requests() {
            assert_eq!(times_read(&request, then, 0), (1, 0), "{then:?} on a fresh connection: {request}");
            let repeated = may_be_repeated && matches!(then, Then::Close | Then::Reset);
            let expected = 1 + usize::from(repeated);
            assert_eq!(times_read(&request, then, 1), (expected, 1), "{then:?} on a used connection: {request}");
        }
    }
}

/// Sends a request to a new gateway, after this many successful ones. Returns how often the service has read a request
/// that it fails, and how often on a connection where it had handled one before.
fn times_read(request: &str, then: Then, answered_before: usize) -> (usize, usize) {
    let (service, read) = counting(answered_before, then);
    let gateway = Gateway::start(service.address, &[]);
    for _ in 0..answered_before {
        assert!(gateway.ask(&get("/")).starts_with("HTTP/1.1 200 OK"));
    }
    assert_error(&gateway.ask(request), "502 Bad Gateway", "other", then);
    // It is not sent later either, because a gateway that has ended sends nothing more.
    gateway.stopped();
    service.read_to_the_end();
    let failed = read.all.load(Ordering::SeqCst) - answered_before;
    (failed, read.failed_after_an_answer.load(Ordering::SeqCst))
}

#[test]
fn a_service_that_hangs_is_504_and_one_that_cannot_be_reached_502() {
    for then in [Then::Hang, Then::HangWithinHead] {
        let (service, read) = counting(0, then);
        // This is long enough for the request to be on its way on a busy machine.
        let gateway = Gateway::start(service.address, &["--upstream-timeout", "1s"]);
        assert_error(&gateway.ask(&get("/")), "504 Gateway Timeout", "gateway_timeout", then);
        gateway.stopped();
        service.read_to_the_end();
        assert_eq!(read.all.load(Ordering::SeqCst), 1, "{then:?}");
    }
    // Nobody listens at this port, and nobody else can.
    let closed = TcpSocket::new_v4().unwrap();
    closed.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let gateway = Gateway::start(closed.local_addr().unwrap(), &[]);
    assert_error(&gateway.ask(&get("/")), "502 Bad Gateway", "other", "nobody there");
}

#[test]
fn a_connection_that_the_service_closed_while_it_was_idle_costs_no_request() {
    let (answered, closed) = (Arc::new(Semaphore::new(0)), Arc::<AtomicUsize>::default());
    let (may_close, count) = (Arc::clone(&answered), Arc::clone(&closed));
    let service = Service::raw(move |mut stream| {
        let (may_close, count) = (Arc::clone(&may_close), Arc::clone(&count));
        async move {
            if head(&mut stream).await.is_some() {
                let _ = stream.write_all(ANSWER).await;
                may_close.acquire().await.expect("it stays open").forget();
                let _ = stream.shutdown().await;
                let _ = stream.read(&mut [0]).await;
                count.fetch_add(1, Ordering::SeqCst);
            }
        }
    });
    let gateway = Gateway::start(service.address, &[]);
    for before in 0..20 {
        let answer = gateway.ask(&get("/"));
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
        answered.add_permits(1);
        until("the gateway closes what the service closed", || {
            let closed = closed.load(Ordering::SeqCst);
            when(closed == before + 1, closed)
        });
    }
}

/// Returns a service that responds to this many requests, and counts all that it has read.
fn counting(answers: usize, then: Then) -> (Service, Arc<Read>) {
    let read = Arc::<Read>::default();
    let counted = Arc::clone(&read);
    let service = Service::raw(move |mut stream| {
        let counted = Arc::clone(&counted);
        async move {
            let mut answered = 0;
            while head(&mut stream).await.is_some() {
                if counted.all.fetch_add(1, Ordering::SeqCst) < answers {
                    let _ = stream.write_all(ANSWER).await;
                    answered += 1;
                    continue;
                }
                counted.failed_after_an_answer.fetch_add(answered, Ordering::SeqCst);
                fail(&mut stream, then).await;
                if !matches!(then, Then::Hang | Then::HangWithinHead) {
                    return;
                }
            }
        }
    });
    (service, read)
}

async fn fail(stream: &mut TcpStream, then: Then) {
    let _ = match then {
        Then::Close | Then::Hang => Ok(()),
        Then::Reset => stream.set_zero_linger(),
        Then::CloseWithinHead | Then::HangWithinHead => stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-le").await,
        Then::Garble => stream.write_all(b"\0\x01\x02 what?\r\n\r\n").await,
    };
}

#[track_caller]
fn assert_error(answer: &str, status: &str, code: &str, why: impl std::fmt::Debug) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{why:?}: {answer}");
    assert!(answer.contains(&format!("\r\nx-error-code: {code}\r\n")), "{why:?}: {answer}");
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: test.example\r\nconnection: close\r\n\r\n")
}

/// Returns a request whose body is small enough to be sent with its head.
fn post() -> String {
    "POST / HTTP/1.1\r\nhost: test.example\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok".to_owned()
}
