//! Clients that do nothing, and clients that are too many.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http::{Request, Response};
use http_body_util::Empty;
use hyper::client::conn::http2::handshake;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use super::gateway::Gateway;
use super::service::{Service, full};

const GET: &str = "GET / HTTP/1.1\r\nhost: test.example\r\n\r\n";
const PREFACE: &str = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
const MAX_STREAMS: usize = 200;

#[test]
fn a_client_that_asks_for_nothing_is_closed_whatever_it_speaks() {
    let service = slow(Duration::ZERO);
    let gateway = Gateway::start(service.address, &["--idle-timeout", "200ms"]);
    for said in ["", "P", "PRI * HT", "GET / HTTP/1.1\r\nhost: te", GET, PREFACE] {
        let mut client = gateway.connect();
        client.write_all(said.as_bytes()).unwrap();
        let begun = Instant::now();
        let mut answer = Vec::new();
        // A reset is an end as well.
        let _ = client.read_to_end(&mut answer);
        assert!(begun.elapsed() < Duration::from_secs(30), "{said:?}: open for {:?}", begun.elapsed());
        assert_eq!(answer.starts_with(b"HTTP/1.1 200 OK"), said == GET, "{said:?}");
    }
}

#[test]
fn a_client_whose_answer_takes_its_time_is_not_idle() {
    let service = slow(Duration::from_millis(1500));
    let gateway = Gateway::start(service.address, &["--idle-timeout", "100ms"]);
    assert!(gateway.ask(&GET.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n")).starts_with("HTTP/1.1 200 OK"));
    Runtime::new().unwrap().block_on(ask_at_once(&gateway, 3));
}

#[test]
fn clients_beyond_the_limit_wait_for_room() {
    let service = slow(Duration::ZERO);
    let gateway = Gateway::start(service.address, &["--max-connections", "2"]);
    let served = [gateway.connect(), gateway.connect()].map(|mut client| {
        assert!(answers(&mut client, Duration::from_secs(20)));
        client
    });
    let mut third = gateway.connect();
    assert!(!answers(&mut third, Duration::from_millis(300)), "there is no room");
    drop(served);
    third.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    assert!(third.read(&mut [0; 64]).is_ok_and(|count| count > 0), "there is room again");
}

#[test]
fn http2_streams_beyond_the_limit_wait_for_their_turn() {
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let seen = Arc::clone(&most);
    let service = Service::of(move |_| {
        let (running, most) = (Arc::clone(&running), Arc::clone(&most));
        async move {
            most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(500)).await;
            running.fetch_sub(1, Ordering::SeqCst);
            Response::new(full("done"))
        }
    });
    let gateway = Gateway::start(service.address, &[]);
    Runtime::new().unwrap().block_on(ask_at_once(&gateway, MAX_STREAMS * 3 / 2));
    let most = seen.load(Ordering::SeqCst);
    assert!((MAX_STREAMS / 2..=MAX_STREAMS).contains(&most), "{most} at once");
}

fn slow(time: Duration) -> Service {
    Service::of(move |_| async move {
        tokio::time::sleep(time).await;
        Response::new(full("done"))
    })
}

fn answers(client: &mut TcpStream, within: Duration) -> bool {
    client.set_read_timeout(Some(within)).unwrap();
    client.write_all(GET.as_bytes()).unwrap();
    client.read(&mut [0; 1024]).is_ok_and(|count| count > 0)
}

/// So many requests over one HTTP/2 connection, each of which is answered well.
async fn ask_at_once(gateway: &Gateway, requests: usize) {
    let stream = tokio::net::TcpStream::connect(gateway.address).await.unwrap();
    let (client, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut asked = JoinSet::new();
    for _ in 0..requests {
        let mut client = client.clone();
        asked.spawn(async move {
            let request = Request::get("http://test.example/").body(Empty::<bytes::Bytes>::new()).unwrap();
            client.send_request(request).await.unwrap().status()
        });
    }
    assert!(asked.join_all().await.iter().all(|status| *status == 200));
}
