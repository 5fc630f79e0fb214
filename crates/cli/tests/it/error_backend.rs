//! Tests that `error-backend` writes the errors of another gateway according to the policy of their routes.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt;

use crate::kit::{self, Running};

/// Returns the head and the body of a response over a kept connection.
fn ask(stream: &TcpStream, target: &str, headers: &str) -> (String, String) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    write!(&*stream, "GET {target} HTTP/1.1\r\nhost: a.example\r\n{headers}\r\n").unwrap();
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(reader.read_line(&mut head).unwrap(), 0, "{head}");
    }
    let length =
        head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |it| it.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    (head, String::from_utf8(body).unwrap())
}

#[test]
fn v2_a_status_that_is_handed_over_becomes_the_error_of_its_route() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("error-backend");
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("policy.toml");
    let key = "[auth.k]\nscheme = \"jwt\"\nsecret_env = \"NOT_SET_HERE\"\nalgorithms = [\"HS256\"]\n";
    let policy = "version = 1\n[defaults]\nhtml = true\nauth = [\"k\"]\n[[route]]\nmatch = \"/v1/{*rest}\"\ndialect = \"openai\"\n";
    fs::write(&file, policy.to_owned() + key).unwrap();
    let mut backend = Running::start(&["error-backend", "--policy", file.to_str().unwrap(), "--listen", "127.0.0.1:0"]);
    let stream = TcpStream::connect(backend.says("listening on http://")).unwrap();
    let (head, body) = ask(&stream, "/", "x-code: 503\r\nx-original-uri: /orders/7\r\nx-format: */*\r\n");
    let id = head.lines().find_map(|line| line.strip_prefix("x-request-id: ")).unwrap();
    assert!(head.starts_with("HTTP/1.1 503 ") && head.contains("x-error-code: service_unavailable\r\n"), "{head}");
    assert!(body.contains(&format!("\"request_id\":\"{id}\"")), "{body}");
    // No guard runs, because the other gateway has already admitted the request, even without credentials.
    for (target, headers, status, part) in [
        ("/", "x-code: 429\r\nx-original-uri: /v1/models\r\n", 429, "\"code\":\"rate_limit_exceeded\""),
        ("/502?url=http%3A%2F%2Fa.example%2Fv1%2Fmodels", "", 502, "\"type\":\"server_error\""),
        ("/404.html", "accept: text/html\r\n", 404, "<!doctype html>"),
        ("/", "", 404, "\"code\":\"not_found\""),
        ("/healthz", "", 200, "ok\n"),
    ] {
        let (head, body) = ask(&stream, target, headers);
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")) && body.contains(part), "{target}: {head}{body}");
    }
    // The connection is idle, so a stop does not wait for it.
    backend.is_told_to_end();
    assert_eq!(backend.ended().code(), Some(0));
}

/// There are more silent clients than places at both addresses: the error backend has 512 places, the admin address 64.
#[test]
fn probes_are_answered_beside_silent_clients_that_come_back() {
    let mut backend = Running::start(&["error-backend", "--listen", "127.0.0.1:0", "--admin", "0"]);
    let addresses = [backend.says("listening on http://"), backend.says("admin on http://")];
    let clients = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_io().build().unwrap();
    for (address, silent) in addresses.iter().zip([600, 200]) {
        for _ in 0..silent {
            let address = address.clone();
            let mut stream = clients.block_on(tokio::net::TcpStream::connect(&address)).unwrap();
            clients.spawn(async move {
                loop {
                    let _ = stream.read(&mut [0]).await;
                    stream = tokio::net::TcpStream::connect(&address).await.unwrap();
                }
            });
        }
    }
    for _ in 0..20 {
        for address in &addresses {
            let began = Instant::now();
            let answer = kit::ask(address, "GET", "/healthz", "").unwrap();
            assert!(answer.ends_with("\r\n\r\nok\n"), "{answer}");
            assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
        }
    }
}
