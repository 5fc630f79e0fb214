//! Tests the admin address while Envoy makes and releases configurations.
#![cfg(not(miri))]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use crate::callbacks;
use crate::hooks::{self, Config};

fn ask(admin: SocketAddr, line: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(admin)?;
    stream.write_all(format!("{line} HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes())?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

/// Repeats a request until the awaited result, a response or a refusal. The address has its own thread.
fn request_until(admin: SocketAddr, line: &str, awaited: impl Fn(&std::io::Result<String>) -> bool) -> String {
    for _ in 0..12_000 {
        let answer = ask(admin, line);
        if awaited(&answer) {
            return answer.unwrap_or_default();
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("{line}: {:?}", ask(admin, line));
}

fn configure(route: &str, admin: SocketAddr) -> Config {
    let text = format!(r#"{{"policy": "version = 1\n[[route]]\nmatch = \"{route}\"\n", "admin": "{admin}"}}"#);
    hooks::configure(text.as_bytes()).unwrap_or_else(|| panic!("{}", callbacks::log()))
}

#[test]
fn v4_an_address_is_of_the_newest_configuration_and_its_switch_outlives_them_all() {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address");
    let shows = |route: &str| {
        request_until(free, "GET /policy", |answer| {
            answer.as_ref().is_ok_and(|text| text.contains(&format!("\"{route}\"")))
        });
    };
    let first = configure("/first", free);
    shows("/first");
    let second = configure("/second", free);
    shows("/second");
    let third = configure("/third", free);
    shows("/third");
    // Envoy releases a new configuration, and the earlier one continues.
    hooks::unconfigure(third);
    shows("/second");
    hooks::unconfigure(first);
    shows("/second");
    request_until(free, "POST /kill-switch/on", |answer| {
        answer.as_ref().is_ok_and(|text| text.contains("\"kill_switch\": true"))
    });
    hooks::unconfigure(second);
    request_until(free, "GET /healthz", Result::is_err);
    let fourth = configure("/fourth", free);
    shows("/fourth");
    let switch = request_until(free, "GET /kill-switch", Result::is_ok);
    assert!(switch.contains("\"kill_switch\": true"), "{switch}");
    hooks::unconfigure(fourth);
}
