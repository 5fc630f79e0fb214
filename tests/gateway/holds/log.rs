//! A log that nobody takes costs lines, and no request: each error is a line, and a pipe has room for a few hundred.

use std::fs::File;
use std::io::Read;
use std::process::Stdio;

use http::Response;

use super::gateway::Gateway;
use super::service::{Service, full};

const GET: &str = "GET / HTTP/1.1\r\nhost: test.example\r\nconnection: close\r\n\r\n";
/// As lines, several times what a pipe holds.
const MANY: usize = 1500;

#[test]
fn a_disk_that_is_full_under_the_log_stops_nothing() {
    let service = missing();
    let mut command = Gateway::command(&crate::command::binary(), &service.url());
    command.stderr(File::create("/dev/full").unwrap());
    let gateway = Gateway::run(command);
    for _ in 0..10 {
        assert_answered(&gateway);
    }
    gateway.stopped();
}

#[test]
fn a_log_that_nobody_reads_stops_nothing_and_says_what_it_lost_once_it_is_read() {
    let service = missing();
    let (mut log, unread) = std::io::pipe().unwrap();
    let mut command = Gateway::command(&crate::command::binary(), &service.url());
    command.stderr(Stdio::from(unread));
    // Each error several times over, so that the lines that wait are too many as well.
    command.env("RUST_LOG", "trace");
    let gateway = Gateway::run(command);
    for _ in 0..MANY {
        assert_answered(&gateway);
    }
    let mut said = Vec::new();
    while !String::from_utf8_lossy(&said).contains("lines of the log were dropped") {
        let mut piece = [0; 64 * 1024];
        match log.read(&mut piece).unwrap() {
            0 => panic!("the log ends, and does not say what it lost"),
            read => said = [&said[said.len().saturating_sub(1024)..], &piece[..read]].concat(),
        }
    }
    drop(log);
    gateway.stopped();
}

fn missing() -> Service {
    Service::of(|_| async { Response::builder().status(404).body(full("<h1>Not here</h1>")).unwrap() })
}

#[track_caller]
fn assert_answered(gateway: &Gateway) {
    let answer = gateway.ask(GET);
    assert!(answer.starts_with("HTTP/1.1 404 Not Found\r\n") && answer.contains(r#""code":"not_found""#), "{answer}");
}
