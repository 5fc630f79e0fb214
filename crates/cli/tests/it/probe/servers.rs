//! The gateway, a proxy that changes what it forwards, and a server that sends nothing.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};

use crate::kit::Running;

/// The gateway with its embedded service, as long as the test needs it.
pub(crate) struct Gateway {
    _process: Running,
    pub(crate) url: String,
    /// The embedded service, without the layer.
    pub(crate) bare: String,
}

impl Gateway {
    pub(crate) fn start(policy: &str) -> Self {
        let mut process = Running::start(&["demo", "--listen", "127.0.0.1:0", "--policy", policy]);
        let (url, bare) = (process.says("listening on "), process.says("the service without the layer: "));
        // This output is the tour's table.
        process.may_say_more();
        Self { _process: process, url, bare }
    }
}

/// A server. Its threads end with the test's process.
pub(super) struct Answers {
    pub(super) url: String,
}

impl Answers {
    /// Makes a server that accepts connections, and sends nothing.
    pub(super) fn silent() -> Self {
        Self { url: serve(|mut stream| drop(std::io::copy(&mut stream, &mut std::io::sink()))) }
    }
}

/// A proxy that changes the heads of requests, and responses. Each connection has one request.
pub(super) struct Proxy {
    pub(super) url: String,
}

impl Proxy {
    pub(super) fn start(
        upstream: &str,
        change_request: fn(&str) -> String,
        change_response: fn(&str, &str) -> String,
    ) -> Self {
        let upstream = upstream.strip_prefix("http://").unwrap().to_owned();
        let url = serve(move |stream| {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut head = String::new();
            while reader.read_line(&mut head).is_ok_and(|read| read > 2) {}
            if head.is_empty() {
                return;
            }
            let mut service = TcpStream::connect(&upstream).unwrap();
            let sent = change_request(&head);
            let sent = format!("{}\r\nconnection: close\r\n\r\n", sent.trim_end());
            service.write_all(sent.as_bytes()).unwrap();
            let mut upload = service.try_clone().unwrap();
            std::thread::spawn(move || std::io::copy(&mut reader, &mut upload));
            let mut response = Vec::new();
            let _ = service.read_to_end(&mut response);
            let response = change_response(&head, &String::from_utf8_lossy(&response));
            let _ = (&stream).write_all(response.as_bytes());
            let _ = stream.shutdown(Shutdown::Write);
        });
        Self { url }
    }
}

fn serve(treat: impl Fn(TcpStream) + Clone + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let treat = treat.clone();
            std::thread::spawn(move || treat(stream));
        }
    });
    url
}
