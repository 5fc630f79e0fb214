//! A log that nobody takes costs lines, and no request: each error is a line, and a pipe has room for a few hundred.

use std::fs::File;
use std::process::Stdio;

use http::Response;

use super::gateway::Gateway;
use super::service::{Service, full};

const GET: &str = "GET / HTTP/1.1\r\nhost: test.example\r\nconnection: close\r\n\r\n";
/// As lines, more than a pipe holds.
const MANY: usize = 1000;

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
fn a_log_that_nobody_reads_stops_nothing() {
    let service = missing();
    let (log, unread) = std::io::pipe().unwrap();
    let mut command = Gateway::command(&crate::command::binary(), &service.url());
    command.stderr(Stdio::from(unread));
    let gateway = Gateway::run(command);
    for _ in 0..MANY {
        assert_answered(&gateway);
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
