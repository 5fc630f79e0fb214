//! Tests wrong clocks: a clock that is set back under load, and a clock in 2038.

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::FileExt;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::holds::gateway::{Folder, Gateway, output_of};
use crate::holds::service::Service;

const DAY: i64 = 24 * 60 * 60;
/// The number of connections, of which each worker has some.
const CONNECTIONS: usize = 16;

/// A clock that the test sets. It is used by a gateway in front of a service whose responses have no `date`.
struct Clock {
    folder: Folder,
    shift: File,
    service: Service,
}

impl Clock {
    fn new(name: &str) -> Self {
        let folder = Folder::new(name);
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/gateway/clock/shift.c");
        output_of("cc", &["-shared", "-fPIC", "-O1", "-o", folder.path("shift.so").to_str().unwrap(), source]);
        let shift = File::create(folder.path("shift")).unwrap();
        let service = Service::raw(|mut stream| async move {
            let mut read = [0; 4096];
            while stream.read(&mut read).await.is_ok_and(|count| count > 0) {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ndone").await;
            }
        });
        let clock = Self { folder, shift, service };
        clock.shift_by(0);
        clock
    }

    fn shift_by(&self, seconds: i64) {
        self.shift.write_all_at(&seconds.to_ne_bytes(), 0).unwrap();
    }

    /// Sets the clock to this second since 1970.
    fn set(&self, second: i64) -> i64 {
        let shift = second - now();
        self.shift_by(shift);
        shift
    }

    fn command(&self) -> Command {
        let mut command = Gateway::command(&crate::command::binary(), &self.service.url());
        command.args(["--admin", "0", "--access-log"]).arg(self.folder.path("access.log"));
        command.env("LD_PRELOAD", self.folder.path("shift.so")).env("CLOCK_SHIFT", self.folder.path("shift"));
        command
    }
}

fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

/// Returns the `date` of the next response, in seconds since 1970.
fn date_on(stream: &mut TcpStream) -> i64 {
    stream.write_all(b"GET / HTTP/1.1\r\nhost: test.example\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"done") {
        let mut byte = [0];
        assert_eq!(stream.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&answer));
        answer.extend(byte);
    }
    date_in(&String::from_utf8(answer).unwrap())
}

fn date_in(answer: &str) -> i64 {
    let mut dates = answer.lines().filter_map(|line| line.strip_prefix("date: "));
    let (Some(date), None) = (dates.next(), dates.next()) else { panic!("not one date: {answer}") };
    let since = httpdate::parse_http_date(date.trim_end()).unwrap().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

fn http2_date(gateway: &Gateway) -> i64 {
    date_in(&output_of("curl", &["-sSi", "--http2-prior-knowledge", &gateway.url("/")]).replace("\r\n", "\n"))
}

#[track_caller]
fn is_at(date: i64, shift: i64) {
    let wanted = now() + shift;
    assert!((wanted - 5..=wanted).contains(&date), "{date} is not {wanted}");
}

#[test]
fn a_clock_that_is_set_back_takes_the_dates_of_all_workers_with_it() {
    let clock = Clock::new("clock-back");
    let gateway = Gateway::run(clock.command());
    let mut connections: Vec<_> = (0..CONNECTIONS).map(|_| gateway.connect()).collect();
    for shift in [0, DAY, 0, -DAY, -20_000 * DAY, 4_000 * DAY, -4_000 * DAY] {
        clock.shift_by(shift);
        for connection in &mut connections {
            is_at(date_on(connection), shift);
        }
        (0..4).for_each(|_| is_at(http2_date(&gateway), shift));
    }
}

#[test]
fn a_clock_in_1970_and_in_2038_fails_no_request() {
    const Y2038: i64 = i32::MAX as i64;
    let clock = Clock::new("clock-2038");
    let gateway = Gateway::run(clock.command());
    for second in [0, Y2038 - 1] {
        let shift = clock.set(second);
        for _ in 0..CONNECTIONS {
            is_at(date_on(&mut gateway.connect()), shift);
        }
        http2_date(&gateway);
        for path in ["/readyz", "/policy", "/now.json"] {
            let answer = gateway.ask_admin("GET", path);
            assert!(answer.starts_with("HTTP/1.1 200 "), "{path}: {answer}");
        }
    }
    let log = gateway.stopped();
    assert!(!log.contains("panicked") && !log.contains("\"ERROR\""), "{log}");
}
