//! Tests a processor that is killed, stopped, panics or returns early: no request passes its guards (V4).

use std::net::SocketAddr;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::super::format::Case;
use super::super::process::{Process, Proxy};
use super::super::seen::Response;
use super::asking::{ask, case, code, get};
use super::holds::Stop;
use super::processor::{Processed, process, start_processor};
use super::profile;
use super::service::{self, Seen};
use crate::wait::{until, when};

/// The key of this policy is `x`.
const POLICY: &str = r#"
version = 1
[auth.keys]
scheme = "bearer"
keys = [{ id = "a", sha256 = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881" }]
[[route]]
match = "/locked"
auth = ["keys"]
"#;

const KEY: &str = "authorization: Bearer x\r\n";

/// Envoy must not send this id to a client, whatever happens to the processor (I1).
const CHOSEN_ID: &str = "chosen-by-the-client";

fn locked() -> Case {
    case(&format!("policy = '''\n{POLICY}'''\n"))
}

/// Requests to a route with `auth` over several parallel connections, and counters of their results.
#[derive(Debug, Default)]
struct Load {
    stop: AtomicBool,
    served: AtomicUsize,
    refused: AtomicUsize,
    failed: AtomicUsize,
}

impl Load {
    fn run(&self, address: SocketAddr, has_key: bool) {
        while !self.stop.load(Ordering::SeqCst) {
            let counter = match (locked_status(address, has_key), has_key) {
                (200, true) => &self.served,
                (401, false) => &self.refused,
                (500 | 503 | 504, _) => &self.failed,
                outcome => panic!("{outcome:?}"),
            };
            counter.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Waits until a counter has grown by this number.
    fn wait_for(&self, what: &str, counter: &AtomicUsize, more: usize) {
        let goal = counter.load(Ordering::SeqCst) + more;
        until(what, || when(counter.load(Ordering::SeqCst) >= goal || self.stop.load(Ordering::SeqCst), ()));
    }
}

/// Runs `beside` while clients with and without a key send requests.
fn under_load(address: SocketAddr, beside: impl FnOnce(&Load)) -> Load {
    let load = Load::default();
    std::thread::scope(|scope| {
        let _stop = Stop(&load.stop);
        for client in 0..6 {
            let load = &load;
            scope.spawn(move || {
                let _stop = Stop(&load.stop);
                load.run(address, client % 2 == 0);
            });
        }
        beside(&load);
    });
    load
}

/// Returns the status of a request to the locked route. Asserts that an error is an envelope with its own id.
fn locked_status(address: SocketAddr, has_key: bool) -> u16 {
    let (path, key) = if has_key { ("/locked?key", KEY) } else { ("/locked?none", "") };
    let response = ask(address, &get(path, &format!("{key}x-request-id: {CHOSEN_ID}\r\n"))).expect("an answer");
    assert!(response.header("x-request-id").is_some_and(|id| id != CHOSEN_ID), "{response:?}");
    if response.status >= 400 {
        code(&response);
    }
    response.status
}

fn grpc(address: SocketAddr) -> Response {
    ask(address, &get("/locked?none", "content-type: application/grpc\r\nte: trailers\r\n")).expect("an answer")
}

/// Asserts that the service saw no request without a key.
fn nothing_came_in(seen: &Seen) {
    let targets = seen.targets.lock().expect("no panic under the lock");
    let without = targets.iter().filter(|(target, _)| target == "/locked?none").count();
    assert_eq!(without, 0, "of {} requests", targets.len());
}

#[test]
#[ignore = "needs Envoy, which `.ci/envoy` brings"]
fn envoy_v4_no_request_passes_while_the_processor_is_killed_under_load() {
    let (upstream, seen) = service::start();
    let case = locked();
    let Processed { mut processor, envoy } = start_processor(POLICY, upstream, |text| text);
    let listen = processor.address().to_string();
    let load = under_load(envoy.address(), |load| {
        for kills in [true, true, false] {
            load.wait_for("requests with a key are served", &load.served, 20);
            load.wait_for("requests without a key are refused", &load.refused, 20);
            if kills {
                processor.kill();
            } else {
                processor.end();
            }
            load.wait_for("requests fail", &load.failed, 20);
            assert_eq!(locked_status(envoy.address(), false), 503);
            let call = grpc(envoy.address());
            assert_eq!((call.status, call.header("grpc-status").as_deref()), (200, Some("14")), "{call:?}");
            processor = process(&case, &listen).expect("the same policy");
        }
        load.wait_for("requests are served again", &load.served, 20);
    });
    nothing_came_in(&seen);
    until("every request is served again", || {
        let statuses = [true, false].map(|has_key| locked_status(envoy.address(), has_key));
        when(statuses == [200, 401], statuses)
    });
    // Envoy resets each stream that it no longer needs, which is no error.
    let log = processor.log_from(0);
    assert!(!log.contains(" ERROR ") && !log.contains("h2 protocol"), "{log}");
    super::super::drive::say(&format!("ext_proc: beside three ends of the processor: {load:?}"));
}

#[test]
#[ignore = "needs Envoy, which `.ci/envoy` brings"]
fn envoy_v4_a_processor_that_stands_still_is_a_gateway_timeout() {
    let (upstream, seen) = service::start();
    let processed = start_processor(POLICY, upstream, |text| text);
    let (processor, address) = (&processed.processor, processed.envoy.address());
    for _ in 0..3 {
        assert_eq!([true, false].map(|has_key| locked_status(address, has_key)), [200, 401]);
        let calls = seen.calls.load(Ordering::SeqCst);
        processor.signal("-STOP");
        let start = Instant::now();
        assert_eq!([true, false].map(|has_key| locked_status(address, has_key)), [504, 504]);
        let call = grpc(address);
        assert_eq!((call.status, call.header("grpc-status").as_deref()), (200, Some("14")), "{call:?}");
        assert!(start.elapsed() < Duration::from_secs(6), "{:?}", start.elapsed());
        assert_eq!(seen.calls.load(Ordering::SeqCst), calls);
        processor.signal("-CONT");
        until("the processor serves again", || {
            let statuses = [true, false].map(|has_key| locked_status(address, has_key));
            when(statuses == [200, 401], statuses)
        });
    }
    nothing_came_in(&seen);
}

/// Starts the command that panics where a request's `x-panic-in` names a message.
fn panicking(case: &Case) -> Process {
    let target = profile().parent().expect("target").join("envoy/panics/error-envelope");
    assert!(target.exists(), "{}: not there; `.ci/envoy` makes it", target.display());
    Process::start_by(Command::new(target), case, &["ext-proc", "--listen", "127.0.0.1:0", "--workers", "1"])
        .expect("a policy that is right")
}

#[test]
#[ignore = "needs Envoy, which `.ci/envoy` brings"]
fn envoy_v4_panics_and_early_returns_of_the_processor_let_nothing_in() {
    let (upstream, seen) = service::start();
    let case = locked();
    let processed =
        Processed::start_with(panicking(&case), &case, upstream, |text| text).expect("a configuration that is right");
    let address = processed.envoy.address();
    let load = under_load(address, |load| {
        for round in 0..200 {
            let (panics_in, path, status) = [
                ("request_headers", "/locked?none", 500),
                // The processor ends its stream without a verdict.
                ("stream", "/locked?none", 503),
                ("request_body", "/ok", 500),
                ("response_headers", "/ok", 500),
                ("response_body", "/404", 500),
            ][round % 5];
            let response = ask(address, &chunked(path, panics_in)).expect("an answer");
            assert_eq!(response.status, status, "{panics_in}: {response:?}");
            code(&response);
        }
        load.wait_for("the next streams are served", &load.served, 20);
    });
    nothing_came_in(&seen);
    assert_eq!(load.failed.load(Ordering::SeqCst), 0, "other streams failed");
    let calls = seen.calls.load(Ordering::SeqCst);
    for panics_in in ["request_headers", "stream"] {
        for path in ["/ok", "/locked?none"] {
            assert!(ask(address, &chunked(path, panics_in)).expect("an answer").status >= 500);
        }
    }
    assert_eq!(seen.calls.load(Ordering::SeqCst), calls, "a request went past a panic");
    assert_eq!([true, false].map(|has_key| locked_status(address, has_key)), [200, 401]);
}

fn chunked(path: &str, panics_in: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nhost: a\r\nx-panic-in: {panics_in}\r\ncontent-type: application/json\r\n\
         transfer-encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n"
    )
    .into_bytes()
}
