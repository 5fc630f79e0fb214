//! Either process fails or dies at a step of the hand-over that a test can name: the other one serves.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use http::Response;

use super::process::{Place, Process};
use crate::holds::gateway::Gateway;
use crate::holds::service::{Service, full};
use crate::wait::{TOO_LONG, until, when};

const GET: &str = "GET / HTTP/1.1\r\nhost: test.example\r\nconnection: close\r\n\r\n";

fn service() -> Service {
    Service::new(|_| std::future::ready(Response::new(full("done"))))
}

#[track_caller]
fn serves(gateway: &Gateway) {
    for _ in 0..4 {
        assert!(gateway.ask(GET).ends_with("done"));
    }
}

fn log_of(gateway: &Gateway, text: &str) {
    until(text, || when(gateway.log_from(0).contains(text), gateway.log_from(0)));
}

/// A shell that becomes the gateway, after `first`.
fn after(first: &str, place: &Place) -> Command {
    let gateway = place.command(&[]);
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{first}; exec \"$@\""), "sh"]).arg(gateway.get_program()).args(gateway.get_args());
    command.env("RUST_LOG", "info").stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// Too few to start, to get the sockets, to make the threads, for the first client; and in the end enough.
#[test]
fn a_process_without_descriptors_leaves_the_one_that_serves() {
    const STEPS: std::ops::Range<u32> = 6..200;
    let service = service();
    let place = Place::new("descriptors", &service);
    let old = place.gateway(&[]);
    let mut failed = 0;
    for descriptors in STEPS {
        let mut new = place.start_by(after(&format!("ulimit -n {descriptors}"), &place));
        let took_over = |new: &Process| new.log().contains("took over from another gateway");
        let outcome = until("it takes over or ends", || match new.exit() {
            Some(status) => Ok(Some(status)),
            None if took_over(&new) => Ok(None),
            None => Err("neither"),
        });
        serves(&old);
        match outcome {
            Some(status) => {
                failed += 1;
                assert!(!status.success(), "{descriptors}: {status} {}", new.log());
                assert!(!took_over(&new), "{descriptors}: {}", new.log());
                assert!(!old.log_from(0).contains("another gateway took over"), "{descriptors}: {}", old.log_from(0));
            }
            None => {
                assert!(failed > 20, "{failed}");
                let address = old.address;
                assert_eq!(old.ended().0.code(), Some(0));
                let answer = ask(address).unwrap();
                assert!(answer.ends_with("done"), "{descriptors}: {answer} {}", new.log());
                return;
            }
        }
    }
    panic!("{} descriptors are not enough", STEPS.end);
}

fn ask(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(TOO_LONG))?;
    stream.write_all(GET.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[test]
fn a_process_that_cannot_write_its_first_line_leaves_the_one_that_serves() {
    let service = service();
    let place = Place::new("stdout", &service);
    let old = place.gateway(&[]);
    let (reader, nobody_reads) = std::io::pipe().unwrap();
    drop(reader);
    let full = File::options().write(true).open("/dev/full").unwrap();
    for (stdout, why) in [(Stdio::from(nobody_reads), "Broken pipe"), (Stdio::from(full), "No space left")] {
        let mut command = place.command(&[]);
        command.stdout(stdout);
        let mut new = place.start_by(command);
        assert_eq!(new.ended().code(), Some(2), "{}", new.log());
        assert!(new.log().contains("standard output: ") && new.log().contains(why), "{}", new.log());
        assert!(!new.log().contains("took over"), "{}", new.log());
        serves(&old);
    }
    // Rust's runtime opens /dev/null where there is none.
    let new = place.start_by(after("exec >&-", &place));
    new.logs("took over from another gateway");
    assert_eq!(old.ended().0.code(), Some(0));
}

/// The other side of the socket, by hand.
struct Hand(UnixStream);

impl Hand {
    fn new(place: &Place) -> Self {
        let stream = UnixStream::connect(place.socket()).unwrap();
        stream.set_read_timeout(Some(TOO_LONG)).unwrap();
        Self(stream)
    }

    fn reads(&mut self, line: &str) {
        let mut read = vec![0; line.len() + 1];
        self.0.read_exact(&mut read).unwrap();
        assert_eq!(String::from_utf8(read).unwrap(), format!("{line}\n"));
    }

    fn writes(&mut self, line: &str) {
        writeln!(self.0, "{line}").unwrap();
    }
}

#[test]
fn a_new_process_that_dies_at_any_step_leaves_the_one_that_serves() {
    let service = service();
    let place = Place::new("steps", &service);
    let old = place.gateway(&["--admin", "0"]);
    let steps: [(&[&str], &str); 3] = [
        (&[], "the hand-over failed; this gateway keeps serving"),
        (&["ready", "yours"], "the hand-over failed; this gateway keeps serving"),
        (&["ready", "yours", "serving"], "the gateway that took over has ended; this one accepts clients again"),
    ];
    for (steps, log) in steps {
        let from = old.log_from(0).len();
        let mut hand = Hand::new(&place);
        hand.reads("error-envelope-upgrade 2 clients admin upgrade");
        for step in steps {
            if *step == "yours" { hand.reads(step) } else { hand.writes(step) }
        }
        if steps.contains(&"serving") {
            log_of(&old, "another gateway took over");
        }
        drop(hand);
        serves(&old);
        assert!(old.ask_admin("GET", "/readyz").contains("200 OK"));
        until(log, || when(old.log_from(from).contains(log), old.log_from(from)));
    }
    // Nor is one waited for that lives and does not begin.
    let mut hangs = Hand::new(&place);
    hangs.reads("error-envelope-upgrade 2 clients admin upgrade");
    hangs.writes("ready");
    hangs.reads("yours");
    serves(&old);
    hangs.reads("the new gateway did not accept clients within five seconds");
    assert_eq!(hangs.0.read(&mut [0]).unwrap(), 0);
    assert!(!old.log_from(0).contains("handed over"));
    let new = place.gateway(&["--admin", "0"]);
    assert_eq!(old.ended().0.code(), Some(0));
    serves(&new);
}

/// A busy gateway reads the end of one and the arrival of the next at once.
#[test]
fn a_new_process_is_not_refused_for_one_that_has_died() {
    let service = service();
    let place = Place::new("next", &service);
    let old = place.gateway(&[]);
    let mut hand = Hand::new(&place);
    for _ in 0..16 {
        hand.reads("error-envelope-upgrade 2 clients upgrade");
        old.signal("STOP");
        drop(hand);
        hand = Hand::new(&place);
        old.signal("CONT");
    }
    hand.reads("error-envelope-upgrade 2 clients upgrade");
}

#[test]
fn kill_9_of_a_process_that_took_over_leaves_the_one_that_served() {
    let service = service();
    let place = Place::new("right-after", &service);
    let old = place.gateway(&["--admin", "0"]);
    for _ in 0..8 {
        let mut new = place.start(&["--admin", "0"]);
        new.logs("took over from another gateway");
        new.kill();
        serves(&old);
        assert!(old.ask_admin("GET", "/readyz").contains("200 OK"));
    }
    assert_eq!(old.log_from(0).matches("this one accepts clients again").count(), 8, "{}", old.log_from(0));
    let new = place.gateway(&["--admin", "0"]);
    assert_eq!(old.ended().0.code(), Some(0));
    serves(&new);
    assert!(new.ask_admin("GET", "/readyz").contains("200 OK"));
}

/// Else an operator's stop of the service would bring the old binary back.
#[test]
fn a_new_process_that_is_stopped_is_not_replaced_by_the_old_one() {
    let service = service();
    let place = Place::new("stopped", &service);
    let old = place.gateway(&[]);
    let address = old.address;
    let mut new = place.start(&[]);
    new.logs("took over from another gateway");
    new.signal("TERM");
    assert_eq!(new.ended().code(), Some(0), "{}", new.log());
    let (status, log) = old.ended();
    assert!(status.code() == Some(0) && !log.contains("serves again"), "{log}");
    assert_eq!(ask(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

/// The first one stands by for the second, and not for the third.
#[test]
fn a_second_hand_over_within_the_first_leaves_one_process() {
    let service = service();
    let place = Place::new("three", &service);
    let first = place.gateway(&[]);
    let address = first.address;
    let mut second = place.start(&[]);
    second.logs("took over from another gateway");
    let third = place.start(&[]);
    third.logs("took over from another gateway");
    second.kill();
    let (status, log) = first.ended();
    assert!(status.code() == Some(0) && !log.contains("serves again"), "{log}");
    assert!(ask(address).unwrap().ends_with("done"), "{}", third.log());
}

#[test]
fn the_log_names_the_process_that_served_and_not_the_one_that_first_did() {
    let service = service();
    let place = Place::new("names", &service);
    let field = |log: &str, message: &str| {
        let line = log.lines().find(|line| line.contains(message)).unwrap_or_else(|| panic!("{message}: {log}"));
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["fields"]["process"].as_u64()
    };
    let mut before = place.gateway(&[]);
    for _ in 0..2 {
        let after = place.gateway(&[]);
        log_of(&after, "took over from another gateway");
        assert_eq!(field(&after.log_from(0), "took over from another gateway"), Some(before.id().into()));
        let (status, log) = before.ended();
        assert_eq!(status.code(), Some(0));
        assert_eq!(field(&log, "another gateway took over"), Some(after.id().into()));
        before = after;
    }
}

/// A process that SIGSTOP has stopped accepts no connection, but the kernel still queues them: it dies before it has handed
/// anything over.
#[test]
fn an_old_process_that_dies_before_it_hands_over_counts_as_absent() {
    let service = service();
    let place = Place::new("absent", &service);
    let mut old = place.gateway(&[]);
    for _ in 0..4 {
        old.signal("STOP");
        let mut command = place.command_at(old.address, &[]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let new = std::thread::spawn(move || Gateway::run(command));
        until("it is connected", || when(is_connected(&place), "nobody"));
        drop(old);
        old = new.join().unwrap();
        serves(&old);
    }
}

/// Whether a process waits to be accepted at the upgrade socket.
fn is_connected(place: &Place) -> bool {
    let connections = std::fs::read_to_string("/proc/net/unix").unwrap();
    let path = place.socket().display().to_string();
    connections.lines().filter(|line| line.ends_with(&path)).count() > 1
}
