//! Tests two processes at one address (`--reuse-port`), one of which stops. No request is lost.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use http::Response;
use tokio::sync::Semaphore;

use crate::command::binary;
use crate::holds::gateway::{Gateway, start};
use crate::holds::service::{Service, full};
use crate::wait::{TOO_LONG, until, when};

const GET: &str = "GET / HTTP/1.1\r\nhost: test.example\r\nconnection: close\r\n\r\n";
const KEPT: &str = "GET / HTTP/1.1\r\nhost: test.example\r\n\r\n";
const STOPS: usize = 5;
/// The number of clients that keep their connection as long as the gateway does. One more opens a new one for each
/// request.
const KEEPING: usize = 6;
const CHANGING: usize = 1;
/// This is longer than any client leaves its connection idle, so that each gets `connection: close` first.
const DRAINS: &str = "1s";

#[test]
fn clients_in_the_accept_queue_are_served_before_the_listener_closes() {
    let (requested, go) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let given = (Arc::clone(&requested), Arc::clone(&go));
    let service = Service::new(move |request| {
        let (requested, go) = given.clone();
        async move {
            if request.uri().path() == "/held" {
                requested.add_permits(1);
                go.acquire().await.unwrap().forget();
            }
            Response::new(full("done"))
        }
    });
    let gateway = Gateway::start(service.address, &["--max-connections", "1", "--stop-timeout", "1h"]);
    let held = start("curl", &["-sS", "--http1.1", &gateway.url("/held")]);
    until("the request reaches the service", || when(requested.available_permits() == 1, "none"));
    // The only place is taken, so these wait to be accepted.
    let waiting: Vec<_> = (0..100).map(|_| request(gateway.address, GET).unwrap()).collect();
    gateway.signal("TERM");
    for mut stream in waiting {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("done"), "{answer}");
    }
    until("new connections are refused", || match TcpStream::connect(gateway.address) {
        Ok(_) => Err("one was accepted"),
        Err(refused) => Ok(refused),
    });
    go.add_permits(1);
    assert_eq!(&*held.wait_with_output().unwrap().stdout, b"done");
    let (status, log) = gateway.ended();
    assert!(status.success(), "{log}");
}

#[test]
fn of_two_processes_under_load_one_stops_five_times_and_no_request_is_lost() {
    let service = Service::new(|_| std::future::ready(Response::new(full("done"))));
    let mut old = process(&service, "127.0.0.1:0");
    let address = old.address;
    let load = Arc::new(Load::default());
    let clients: Vec<_> = (0..KEEPING + CHANGING)
        .map(|number| {
            let load = Arc::clone(&load);
            thread::spawn(move || load.send_until_end(address, number < KEEPING))
        })
        .collect();
    for _ in 0..STOPS {
        let new = process(&service, &address.to_string());
        let before = load.answered.load(Ordering::Relaxed);
        until("both serve", || {
            let answered = load.answered.load(Ordering::Relaxed);
            when(answered >= before + 100 * (KEEPING + CHANGING), answered)
        });
        let log = std::mem::replace(&mut old, new).stopped();
        assert!(!log.contains("abandoned") && !log.contains("in flight: they took"), "{log}");
    }
    load.ends.store(true, Ordering::Relaxed);
    let lost: Vec<_> = clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
    let (answered, connections) = (load.answered.load(Ordering::Relaxed), load.connections.load(Ordering::Relaxed));
    let reset = load.reset.load(Ordering::Relaxed);
    println!("{answered} requests over {connections} connections, {} lost, {reset} handshakes reset", lost.len());
    assert!(lost.is_empty(), "{} of {answered} lost: {lost:#?}", lost.len());
    assert!(reset <= STOPS, "more than the kernel resets as a listener closes");
    assert!(connections >= STOPS, "the stopped process served clients: {connections}");
    old.stopped();
}

fn process(service: &Service, address: &str) -> Gateway {
    let mut command = Command::new(binary());
    command.args(["gateway", "--listen", address, "--reuse-port", "--drain-delay", DRAINS, "--log", "json"]);
    command.args(["--workers", "2", "--upstream", &service.url()]).env("RUST_LOG", "info");
    command.stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    Gateway::run(command)
}

fn request(address: SocketAddr, request: &str) -> std::io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(TOO_LONG))?;
    stream.write_all(request.as_bytes())?;
    Ok(stream)
}

#[derive(Default)]
struct Load {
    ends: AtomicBool,
    answered: AtomicUsize,
    connections: AtomicUsize,
    /// The number of handshakes that were reset. Without `net.ipv4.tcp_migrate_req`, the kernel resets a handshake in
    /// progress when the listener closes.
    reset: AtomicUsize,
}

impl Load {
    /// Sends requests one after the other, and returns the lost ones. With `keeps`, the connection is kept until a
    /// response closes it.
    fn send_until_end(&self, address: SocketAddr, keeps: bool) -> Vec<String> {
        let (mut lost, mut kept) = (Vec::new(), None);
        while !self.ends.load(Ordering::Relaxed) {
            let is_new = kept.is_none();
            match self.exchange(address, &mut kept, if keeps { KEPT } else { GET }) {
                Ok(()) => {
                    self.answered.fetch_add(1, Ordering::Relaxed);
                }
                Err(error) if is_new && error.kind() == ErrorKind::ConnectionReset => {
                    self.reset.fetch_add(1, Ordering::Relaxed);
                }
                Err(error) => {
                    kept = None;
                    lost.push(format!("{error}, on a new connection: {is_new}"));
                }
            }
        }
        lost
    }

    fn exchange(&self, address: SocketAddr, kept: &mut Option<TcpStream>, text: &str) -> std::io::Result<()> {
        let mut stream = match kept.take() {
            Some(mut stream) => {
                stream.write_all(text.as_bytes())?;
                stream
            }
            None => {
                self.connections.fetch_add(1, Ordering::Relaxed);
                request(address, text)?
            }
        };
        let (mut answer, mut piece) = (Vec::new(), [0; 1024]);
        while !answer.ends_with(b"done") {
            match stream.read(&mut piece)? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                read => answer.extend_from_slice(&piece[..read]),
            }
        }
        let answer = String::from_utf8_lossy(&answer);
        if !answer.starts_with("HTTP/1.1 200 OK\r\n") {
            return Err(std::io::Error::other(answer.into_owned()));
        }
        *kept = Some(stream).filter(|_| !answer.contains("\r\nconnection: close\r\n"));
        Ok(())
    }
}
