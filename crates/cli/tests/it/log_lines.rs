//! Tests the lines of the logs when clients send text that a terminal or a log reader would misinterpret.

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Stdio;

use crate::kit::{PATIENCE, Running};

/// Text that would forge a line or control a terminal: ESC, CR, LF, the C1 form of ESC [, and bidirectional overrides.
const HOSTILE: [&str; 6] = ["\u{1b}[31m", "\r\nFORGED", "\nFORGED", "\u{9b}31m", "\u{202e}", "\u{2066}"];

#[test]
fn no_client_begins_a_line_or_brings_an_escape_in_any_format() {
    for format in ["full", "pretty", "json"] {
        let folder = tempfile::tempdir().unwrap();
        let (log, access) = (folder.path().join("log"), folder.path().join("access"));
        let mut command = crate::kit::command(&["gateway", "--listen", "127.0.0.1:0", "--log", format]);
        // No service listens at this address, so each forwarded request is logged as an error.
        command.args(["--upstream", "http://127.0.0.1:1", "--access-log"]).arg(&access).env("RUST_LOG", "debug");
        command.stdout(Stdio::piped()).stderr(File::create(&log).unwrap());
        let mut gateway = Running::of(command.spawn().unwrap());
        let address = gateway.says("listening on http://");
        for hostile in HOSTILE {
            for head in [
                format!("GET /a{hostile}b HTTP/1.1\r\nhost: x\r\n"),
                format!("GE{hostile}T / HTTP/1.1\r\nhost: x\r\n"),
                format!("GET / HTTP/1.1\r\nhost: x{hostile}y\r\n"),
                format!("GET / HTTP/1.1\r\nhost: x\r\nuser-agent: a{hostile}b\r\nx-request-id: {hostile}\r\n"),
                format!("GET / HTTP/1.1\r\nhost: x\r\nauthorization: {hostile}\r\ncontent-type: {hostile}\r\n"),
            ] {
                send(&address, &head);
            }
        }
        gateway.is_told_to_end();
        assert_eq!(gateway.ended().code(), Some(0));
        let [log, access] = [log, access].map(|file| std::fs::read_to_string(file).unwrap());
        assert!(log.contains("request failed") && access.contains("\\\\u{202e}"), "{log}\n{access}");
        if format == "json" {
            let explained = crate::kit::run_with_input(&["explain", "-"], log.as_bytes());
            let expected = "-: request failed\nThe call failed because of the service, a limit, or a client that broke off its \
                            request. The field `cause` states the reason.\n\
                            The code other has the status 502, ";
            assert!(explained.out.starts_with(expected), "{} {}", explained.out, explained.err);
        }
        for line in log.lines().chain(access.lines()) {
            let is_hostile =
                |it: char| it.is_control() || matches!(it, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            assert!(!line.contains(is_hostile) && !line.starts_with("FORGED"), "{format}: {line:?}");
        }
    }
}

/// Sends a head, and reads any response.
fn send(address: &str, head: &str) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "{head}connection: close\r\n\r\n").unwrap();
    let _ = stream.read_to_end(&mut Vec::new());
}
