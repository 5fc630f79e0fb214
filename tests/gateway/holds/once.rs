//! A request that may have reached the service is sent once, and its failure named for what it was.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::gateway::Gateway;
use super::service::{Service, head};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// What the service does with a request that it has read.
#[derive(Clone, Copy, Debug)]
enum Then {
    Close,
    Reset,
    CloseWithinHead,
    Garble,
    Hang,
    HangWithinHead,
}

const BROKEN: [Then; 4] = [Then::Close, Then::Reset, Then::CloseWithinHead, Then::Garble];

#[test]
fn a_request_that_was_read_is_never_sent_again() {
    for then in BROKEN {
        // On a connection of its own, and on one that has answered before.
        for answered_before in [0, 1] {
            let (service, count) = counting(answered_before, then);
            let gateway = Gateway::start(service.address, &[]);
            for _ in 0..answered_before {
                assert!(gateway.ask(&get("/")).starts_with("HTTP/1.1 200 OK"));
                // Back in the pool: the next one goes the same way.
                std::thread::sleep(Duration::from_millis(100));
            }
            for (n, request) in [get("/"), post()].iter().enumerate() {
                assert_error(&gateway.ask(request), "502 Bad Gateway", "other", then);
                // Nor later: a second one would have been sent by now.
                std::thread::sleep(Duration::from_millis(20));
                assert_eq!(count.load(Ordering::SeqCst), answered_before + n + 1, "{then:?} {answered_before}");
                assert_eq!(service.connections.load(Ordering::SeqCst), n + 1, "the first went where one was answered");
            }
        }
    }
}

#[test]
fn a_service_that_hangs_is_504_and_one_that_cannot_be_reached_502() {
    for then in [Then::Hang, Then::HangWithinHead] {
        let (service, count) = counting(0, then);
        let gateway = Gateway::start(service.address, &["--upstream-timeout", "300ms"]);
        assert_error(&gateway.ask(&get("/")), "504 Gateway Timeout", "gateway_timeout", then);
        assert_eq!(count.load(Ordering::SeqCst), 1, "{then:?}");
    }
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_error(&Gateway::start(nobody, &[]).ask(&get("/")), "502 Bad Gateway", "other", "nobody there");
}

#[test]
fn a_connection_that_the_service_closed_while_it_was_idle_costs_no_request() {
    let service = Service::raw(|mut stream| async move {
        if head(&mut stream).await.is_some() {
            let _ = stream.write_all(ANSWER).await;
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    });
    let gateway = Gateway::start(service.address, &[]);
    for _ in 0..20 {
        let answer = gateway.ask(&get("/"));
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
        std::thread::sleep(Duration::from_millis(60));
    }
}

/// A service that answers some requests on each connection, and counts all that it has read.
fn counting(answers: usize, then: Then) -> (Service, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let service = Service::raw(move |mut stream| {
        let counted = Arc::clone(&counted);
        async move {
            while head(&mut stream).await.is_some() {
                if counted.fetch_add(1, Ordering::SeqCst) >= answers {
                    return fail(stream, then).await;
                }
                let _ = stream.write_all(ANSWER).await;
            }
        }
    });
    (service, count)
}

async fn fail(mut stream: TcpStream, then: Then) {
    let _ = match then {
        Then::Close => Ok(()),
        Then::Reset => stream.set_zero_linger(),
        Then::CloseWithinHead | Then::HangWithinHead => stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-le").await,
        Then::Garble => stream.write_all(b"\0\x01\x02 what?\r\n\r\n").await,
        Then::Hang => Ok(()),
    };
    if matches!(then, Then::Hang | Then::HangWithinHead) {
        std::future::pending::<()>().await;
    }
}

#[track_caller]
fn assert_error(answer: &str, status: &str, code: &str, why: impl std::fmt::Debug) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{why:?}: {answer}");
    assert!(answer.contains(&format!("\r\nx-error-code: {code}\r\n")), "{why:?}: {answer}");
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: test.example\r\nconnection: close\r\n\r\n")
}

/// Small enough to be sent with its head.
fn post() -> String {
    "POST / HTTP/1.1\r\nhost: test.example\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok".to_owned()
}
