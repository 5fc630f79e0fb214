//! The gateway, and servers that send what a test sets.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

use crate::kit::Running;

/// The gateway with its embedded service, for as long as a test looks.
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
        // The tour's table.
        process.may_say_more();
        Self { _process: process, url, bare }
    }
}

/// A server that gives every request the same treatment. Its threads end with the test's process.
pub(super) struct Answers {
    pub(super) url: String,
}

impl Answers {
    /// Answers every head with this one, and no body.
    pub(super) fn start(head: &'static str) -> Self {
        Self::serve(move |mut stream| {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                line.clear();
            }
            let _ = stream.write_all(format!("{head}content-length: 0\r\nconnection: close\r\n\r\n").as_bytes());
            let _ = stream.shutdown(std::net::Shutdown::Write);
            // What is still on the way must not reset the connection under the answer.
            let _ = std::io::copy(&mut reader, &mut std::io::sink());
        })
    }

    /// Asks for every body that is announced, and answers 404 to all else.
    pub(super) fn eager() -> Self {
        Self::serve(|mut stream| {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut line, mut waits) = (String::new(), false);
            while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                waits |= line.starts_with("expect:");
                line.clear();
            }
            let answer = if waits { "100 Continue\r\n\r\n" } else { "404 Not Found\r\ncontent-length: 0\r\n\r\n" };
            let _ = stream.write_all(format!("HTTP/1.1 {answer}").as_bytes());
            let _ = std::io::copy(&mut reader, &mut std::io::sink());
        })
    }

    /// Says these bytes to whoever connects, and then these again and again; then closes.
    pub(super) fn say(first: &'static str, again: &'static str) -> Self {
        Self::serve(move |mut stream| {
            let _ = stream.read(&mut [0; 1024]);
            let mut open = stream.write_all(first.as_bytes()).is_ok();
            while open && !again.is_empty() {
                open = stream.write_all(again.as_bytes()).is_ok();
            }
        })
    }

    /// Resets each call of HTTP/2, and answers 404 to all else.
    pub(super) fn resets() -> Self {
        const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
        const RESET: [u8; 13] = [0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 2];
        const HEADERS: u8 = 1;

        Self::serve(|mut stream| {
            let (mut preface, mut head) = ([0; 24], [0; 9]);
            if stream.read_exact(&mut preface).is_err() || !preface.starts_with(b"PRI ") {
                let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                let _ = stream.shutdown(std::net::Shutdown::Write);
            } else if stream.write_all(&SETTINGS).is_ok() {
                while stream.read_exact(&mut head).is_ok() && head[3] != HEADERS {
                    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
                    let _ = std::io::copy(&mut (&stream).take(length.into()), &mut std::io::sink());
                }
                let _ = stream.write_all(&RESET);
            }
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
        })
    }

    /// Takes connections, and sends nothing.
    pub(super) fn silent() -> Self {
        Self::serve(|mut stream| drop(std::io::copy(&mut stream, &mut std::io::sink())))
    }

    fn serve(treat: impl Fn(TcpStream) + Clone + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let treat = treat.clone();
                std::thread::spawn(move || treat(stream));
            }
        });
        Self { url }
    }
}
