//! Tests that a log which nobody reads loses lines, but no request. Each error is a line, and a pipe has room for a few
//! hundred.

use std::fs::File;
use std::io::Write;
use std::process::Stdio;

use http::Response;

use super::gateway::{Folder, Gateway};
use super::service::{Service, full};

const GET: &str = "GET / HTTP/1.1\r\nhost: test.example\r\nconnection: close\r\n\r\n";
/// A number of lines that is more than a pipe holds.
const MANY: usize = 1000;
/// A number of lines that is more than may wait to be written once the pipe is full.
const MORE_THAN_WAIT: usize = 18_000;

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

#[test]
fn a_stop_ends_well_while_nobody_reads_the_log_or_its_warnings() {
    let folder = Folder::new("unread-log");
    let policy = folder.path("policy.toml");
    // The service is not called, because that would take most of the time.
    std::fs::write(&policy, "version = 1\n[defaults]\nrequire_headers = [\"app\"]\n[header.app]\nname = \"x-app\"\n")
        .unwrap();
    let (log, unread) = std::io::pipe().unwrap();
    let mut command = Gateway::command(&crate::command::binary(), "http://127.0.0.1:1");
    command.arg("--policy").arg(policy);
    // Standard output was closed after the gateway had printed its address.
    command.stderr(Stdio::from(unread));
    let gateway = Gateway::run(command);
    let mut client = gateway.connect();
    let mut asking = client.try_clone().unwrap();
    let requester = std::thread::spawn(move || {
        for _ in 1..MORE_THAN_WAIT {
            asking.write_all(b"GET / HTTP/1.1\r\nhost: test.example\r\n\r\n").unwrap();
        }
        asking.write_all(GET.as_bytes()).unwrap();
    });
    std::io::copy(&mut client, &mut std::io::sink()).unwrap();
    requester.join().unwrap();
    gateway.stopped();
    drop(log);
}

fn missing() -> Service {
    Service::new(|_| async { Response::builder().status(404).body(full("<h1>Not here</h1>")).unwrap() })
}

#[track_caller]
fn assert_answered(gateway: &Gateway) {
    let answer = gateway.ask(GET);
    assert!(answer.starts_with("HTTP/1.1 404 Not Found\r\n") && answer.contains(r#""code":"not_found""#), "{answer}");
}
