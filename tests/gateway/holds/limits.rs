//! Tests clients that do nothing, and too many clients.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::{Request, Response};
use http_body_util::Empty;
use hyper::client::conn::http2::handshake;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::gateway::Gateway;
use super::service::{Service, full};
use crate::wait::{found, when};

const GET: &str = "GET / HTTP/1.1\r\nhost: test.example\r\n\r\n";
const PREFACE: &str = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
const MAX_STREAMS: usize = 200;
/// The number of requests of two clients while a third one waits.
const ROUNDS: usize = 50;

#[test]
fn a_client_that_asks_for_nothing_is_closed_whatever_it_speaks() {
    let service = slow(Duration::ZERO);
    // This is long enough for a whole head to arrive on a busy machine.
    let gateway = Gateway::start(service.address, &["--idle-timeout", "1s"]);
    let first_bytes = ["", "P", "PRI * HT", "GET / HTTP/1.1\r\nhost: te", GET, PREFACE];
    let clients = first_bytes.map(|first_bytes| {
        let mut client = gateway.connect();
        client.write_all(first_bytes.as_bytes()).unwrap();
        (first_bytes, client)
    });
    for (first_bytes, mut client) in clients {
        let mut answer = Vec::new();
        match client.read_to_end(&mut answer) {
            Ok(_) => {}
            // A reset is also an end.
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{first_bytes:?}: it stays open: {error}")
            }
        }
        assert_eq!(answer.starts_with(b"HTTP/1.1 200 OK"), first_bytes == GET, "{first_bytes:?}");
    }
}

#[test]
fn a_client_whose_answer_takes_its_time_is_not_idle() {
    let service = slow(Duration::from_secs(3));
    let gateway = Gateway::start(service.address, &["--idle-timeout", "1s"]);
    assert!(gateway.ask(&GET.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n")).starts_with("HTTP/1.1 200 OK"));
    Runtime::new().unwrap().block_on(ask_at_once(&gateway, 3));
}

#[test]
fn a_response_has_as_many_header_lines_as_the_limit_and_the_log_names_it() {
    let service = Service::new(|_| {
        let mut response = Response::new(full("done"));
        // These are in addition to content-length and date.
        for cookie in 0..100 {
            response.headers_mut().append("set-cookie", cookie.into());
        }
        std::future::ready(response)
    });
    let get = GET.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n");
    let raised = Gateway::start(service.address, &["--upstream-headers", "102"]);
    assert_eq!(raised.ask(&get).matches("set-cookie: ").count(), 100);
    let gateway = Gateway::start(service.address, &[]);
    let answer = gateway.ask(&get);
    assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
    let log = gateway.stopped();
    assert!(log.contains("more header lines than --upstream-headers"), "{log}");
}

#[test]
fn one_worker_is_the_main_thread() {
    let service = slow(Duration::ZERO);
    let mut command = Command::new(crate::command::binary());
    command.args([
        "gateway",
        "--listen",
        "127.0.0.1:0",
        "--log",
        "json",
        "--workers",
        "1",
        "--upstream",
        &service.url(),
    ]);
    command.env("RUST_LOG", "info").stdout(Stdio::piped()).stderr(Stdio::piped());
    let gateway = Gateway::run(command);
    Runtime::new().unwrap().block_on(ask_at_once(&gateway, 3));
    let tasks = std::fs::read_dir(format!("/proc/{}/task", gateway.id())).unwrap();
    let names = tasks.map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).unwrap());
    assert!(!names.map(|name| name.trim().to_owned()).any(|name| name == "tokio-rt-worker"));
    gateway.stopped();
}

#[test]
fn clients_beyond_the_limit_wait_for_room() {
    let request_count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&request_count);
    let service = Service::new(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        std::future::ready(Response::new(full("done")))
    });
    let gateway = Gateway::start(service.address, &["--max-connections", "2"]);
    let mut served = [gateway.connect(), gateway.connect()];
    served.iter_mut().for_each(asks);
    let mut third = gateway.connect();
    third.write_all(GET.as_bytes()).unwrap();
    // If the gateway had room for the third client, it would serve it between these requests.
    for _ in 0..ROUNDS {
        served.iter_mut().for_each(asks);
    }
    assert_eq!(request_count.load(Ordering::SeqCst), 2 + 2 * ROUNDS, "there is no room");
    drop(served);
    answers(&mut third);
}

#[test]
fn clients_find_room_whatever_descriptors_the_system_starts_it_with() {
    const FEW: usize = 64;
    let service = slow(Duration::ZERO);
    let gateway = Gateway::command(&crate::command::binary(), &service.url());
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("ulimit -Sn {FEW}; exec \"$0\" \"$@\"")]).arg(gateway.get_program());
    shell.args(gateway.get_args()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let gateway = Gateway::run(shell);
    let mut clients: Vec<_> = (0..FEW * 4).map(|_| gateway.connect()).collect();
    clients.iter_mut().for_each(asks);
}

#[test]
fn http2_streams_beyond_the_limit_wait_for_their_turn() {
    let (running, most, go) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)), Semaphore::new(0));
    let (ran, seen, go) = (Arc::clone(&running), Arc::clone(&most), Arc::new(go));
    let gone = Arc::clone(&go);
    let service = Service::new(move |_| {
        let (running, most, go) = (Arc::clone(&ran), Arc::clone(&seen), Arc::clone(&gone));
        async move {
            most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            go.acquire().await.unwrap().forget();
            running.fetch_sub(1, Ordering::SeqCst);
            Response::new(full("done"))
        }
    });
    let gateway = Gateway::start(service.address, &[]);
    let many = MAX_STREAMS * 3 / 2;
    std::thread::scope(|scope| {
        scope.spawn(|| Runtime::new().unwrap().block_on(ask_at_once(&gateway, many)));
        let at_once = found(|| {
            let running = running.load(Ordering::SeqCst);
            when(running == MAX_STREAMS, running)
        });
        // Otherwise a failure would wait for them.
        go.add_permits(many);
        assert_eq!(at_once, Ok(MAX_STREAMS), "as many as are allowed are served at once");
    });
    assert_eq!(most.load(Ordering::SeqCst), MAX_STREAMS, "and never more");
}

fn slow(time: Duration) -> Service {
    Service::new(move |_| async move {
        tokio::time::sleep(time).await;
        Response::new(full("done"))
    })
}

fn asks(client: &mut TcpStream) {
    client.write_all(GET.as_bytes()).unwrap();
    answers(client);
}

/// Reads one response, and keeps the connection open.
fn answers(client: &mut TcpStream) {
    let mut answer = Vec::new();
    while !answer.ends_with(b"done") {
        let mut byte = [0];
        client.read_exact(&mut byte).expect("an answer");
        answer.extend(byte);
    }
    assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"), "{}", String::from_utf8_lossy(&answer));
}

/// Sends this many requests over one HTTP/2 connection, each of which succeeds.
async fn ask_at_once(gateway: &Gateway, requests: usize) {
    let stream = tokio::net::TcpStream::connect(gateway.address).await.unwrap();
    let (client, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut request_count = JoinSet::new();
    for _ in 0..requests {
        let mut client = client.clone();
        request_count.spawn(async move {
            let request = Request::get("http://test.example/").body(Empty::<bytes::Bytes>::new()).unwrap();
            client.send_request(request).await.unwrap().status()
        });
    }
    assert!(request_count.join_all().await.iter().all(|status| *status == 200));
}
