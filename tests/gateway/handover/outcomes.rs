//! What becomes of each client and of either process.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::sync::Arc;
use std::time::Duration;

use error_envelope_gateway::{Gateway as Library, GatewayConfig, ListeningSockets, SocketPurpose, Takeover, Upstream};
use http::Response;
use tokio::sync::Semaphore;
use tower_error_envelope::ErrorEnvelopeLayer;

use super::process::{Place, outcome, port};
use crate::holds::gateway::{Gateway, output_of, start};
use crate::holds::service::{Service, full};
use crate::wait::{TOO_LONG, until, when};

const GET: &str = "GET / HTTP/1.1\r\nhost: test.example\r\nconnection: close\r\n\r\n";
const KEPT: &str = "GET / HTTP/1.1\r\nhost: test.example\r\n\r\n";
const STOP: &[&str] = &["--stop-timeout", "1h", "--idle-timeout", "1h"];

fn service() -> Service {
    Service::new(|_| std::future::ready(Response::new(full("done"))))
}

/// One that answers `/held` when it may.
fn waiting() -> (Service, Arc<Semaphore>, Arc<Semaphore>) {
    let (requested, go) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let given = (Arc::clone(&requested), Arc::clone(&go));
    let service = Service::new(move |request| {
        let (requested, go) = given.clone();
        async move {
            if request.uri().path() == "/held" {
                requested.add_permits(1);
                go.acquire().await.unwrap().forget();
            }
            Response::new(full("done"))
        }
    });
    (service, requested, go)
}

fn says(gateway: &Gateway, text: &str) {
    until(text, || when(gateway.log_from(0).contains(text), gateway.log_from(0)));
}

/// The next whole answer on a connection that is kept.
fn answer(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    while !answer.ends_with(b"done") {
        let mut byte = [0];
        assert_eq!(stream.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&answer));
        answer.extend(byte);
    }
    String::from_utf8(answer).unwrap()
}

#[test]
fn what_waits_in_the_queue_is_served_by_the_next_one_and_the_old_one_drains() {
    let (service, requested, go) = waiting();
    let place = Place::new("queue", &service);
    let old = place.gateway(&[STOP, &["--max-connections", "2"]].concat());
    let waiting = start("curl", &["-sS", "--http1.1", &old.url("/held")]);
    until("the request reaches the service", || when(requested.available_permits() == 1, "none"));
    let mut idle = old.connect();
    idle.write_all(KEPT.as_bytes()).unwrap();
    assert!(!answer(&mut idle).contains("connection: close"));
    // Both places are taken: these two wait to be accepted, one with its request.
    let (mut waits, mut silent) = (old.connect(), old.connect());
    waits.write_all(GET.as_bytes()).unwrap();

    let new = place.gateway(STOP);
    assert_eq!(new.address, old.address);
    says(&old, "handed over: serving the connected clients until they leave");
    let mut printed = String::new();
    waits.read_to_string(&mut printed).unwrap();
    assert!(printed.starts_with("HTTP/1.1 200 OK\r\n"), "{printed}");
    silent.write_all(KEPT.as_bytes()).unwrap();
    assert!(!answer(&mut silent).contains("connection: close"), "it is the new one's");
    assert!(new.ask(GET).ends_with("done"));
    // An idle connection is not closed under a request; its client is led away by the answer.
    idle.write_all(KEPT.as_bytes()).unwrap();
    assert!(answer(&mut idle).contains("connection: close"));
    assert_eq!(idle.read(&mut [0]).unwrap(), 0);

    go.add_permits(1);
    assert_eq!(&*waiting.wait_with_output().unwrap().stdout, b"done");
    let (status, log) = old.ended();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("another gateway took over"), "{log}");
    assert!(new.log_from(0).contains("took over from another gateway"));
}

#[test]
fn an_http2_connection_gets_goaway_and_its_requests_finish() {
    let (service, requested, go) = waiting();
    let place = Place::new("http2", &service);
    let old = place.gateway(STOP);
    let waiting = start("curl", &["-sS", "--http2-prior-knowledge", &old.url("/held")]);
    until("the request reaches the service", || when(requested.available_permits() == 1, "none"));
    let new = place.gateway(STOP);
    says(&old, "handed over");
    go.add_permits(1);
    assert_eq!(&*waiting.wait_with_output().unwrap().stdout, b"done");
    // Nothing but GOAWAY ends it here: every limit is an hour.
    assert_eq!(old.ended().0.code(), Some(0));
    assert_eq!(output_of("curl", &["-sS", "--http2-prior-knowledge", &new.url("/")]), "done");
}

#[test]
fn a_process_that_fails_before_it_is_ready_changes_nothing() {
    let service = service();
    let place = Place::new("fails", &service);
    let old = place.gateway(&[]);
    let policy = place.folder.path("policy.toml");
    fs::write(&policy, "version = 1\n[defaults]\nmode = \"loud\"\n").unwrap();
    let (code, printed) = place.refused(&["--policy", policy.to_str().unwrap()]);
    assert!(code == Some(1) && printed.contains("unknown mode"), "{code:?} {printed}");
    let missing = place.folder.path("missing.pem").display().to_string();
    let (code, printed) = place.refused(&["--tls-cert", &missing, "--tls-key", &missing]);
    assert!(code == Some(2) && printed.contains("missing.pem"), "{code:?} {printed}");
    assert!(old.ask(GET).ends_with("done"));
    // The next one is welcome, and a step back is the same.
    let new = place.gateway(&[]);
    assert_eq!((old.ended().0.code(), new.ask(GET).ends_with("done")), (Some(0), true));
    let back = place.gateway(&[]);
    assert_eq!((new.ended().0.code(), back.ask(GET).ends_with("done")), (Some(0), true));
    assert!(back.stopped().contains("stopping"));
}

/// An upgrade at a moment when the identity provider is down would refuse every token.
#[test]
fn g2_a_process_without_its_key_sets_does_not_take_over() {
    let service = service();
    let place = Place::new("keys", &service);
    let old = place.gateway(&[]);
    let policy = place.folder.path("policy.toml");
    let auth = "scheme = \"jwt\"\njwks_url = \"https://127.0.0.1:1/keys?a=b\"\nalgorithms = [\"RS256\"]";
    fs::write(&policy, format!("version = 1\n[auth.id]\n{auth}\n[defaults]\nauth = [\"id\"]\n")).unwrap();
    let (code, printed) = place.refused(&["--policy", policy.to_str().unwrap()]);
    let why = "the key set at https://127.0.0.1:1/keys cannot be fetched; the other gateway keeps serving";
    assert!(code == Some(2) && printed.contains(why), "{code:?} {printed}");
    assert!(old.ask(GET).ends_with("done"));
}

#[test]
fn of_two_at_once_the_second_is_refused() {
    let service = service();
    let place = Place::new("two", &service);
    let old = place.gateway(&[]);
    let mut first = UnixStream::connect(place.socket()).unwrap();
    let mut greeting = [0; 64];
    let read = first.read(&mut greeting).unwrap();
    assert_eq!(&greeting[..read], b"error-envelope-upgrade 2 clients upgrade\n");
    let (code, printed) = place.refused(&[]);
    assert!(code == Some(2) && printed.contains("another process is taking over"), "{code:?} {printed}");
    // The first one leaves, whatever it states.
    first.write_all(b"hello\n").unwrap();
    let mut rest = String::new();
    first.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "the new gateway did not report that it is ready\n");
    assert!(old.ask(GET).ends_with("done"));
    let new = place.gateway(&[]);
    assert_eq!((old.ended().0.code(), new.ask(GET).ends_with("done")), (Some(0), true));
}

/// The old one has stopped accepting by then, and begins again.
#[test]
fn a_process_that_is_gone_once_it_was_ready_changes_nothing() {
    let service = service();
    let place = Place::new("gone", &service);
    let old = place.gateway(&[]);
    let mut first = UnixStream::connect(place.socket()).unwrap();
    assert!(first.read(&mut [0; 64]).unwrap() > 0);
    // What is written to it fails from here on, as after its end.
    first.shutdown(Shutdown::Read).unwrap();
    first.write_all(b"ready\n").unwrap();
    says(&old, "the hand-over failed; this gateway keeps serving");
    for _ in 0..8 {
        assert!(old.ask(GET).ends_with("done"));
    }
    let new = place.gateway(&[]);
    assert_eq!((old.ended().0.code(), new.ask(GET).ends_with("done")), (Some(0), true));
}

#[test]
fn sigterm_and_kill_9_during_a_hand_over_leave_the_sockets_to_the_new_process() {
    ends_during_a_hand_over("TERM", Some(0));
    ends_during_a_hand_over("KILL", None);
}

fn ends_during_a_hand_over(signal: &str, code: Option<i32>) {
    let service = service();
    let place = Place::new(signal, &service);
    let old = place.gateway(&[]);
    let address = old.address;
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _entered = runtime.enter();
    let begun = runtime.block_on(Takeover::begin(&place.socket(), ListeningSockets::default()));
    let (takeover, mut sockets) = begun.unwrap();
    assert!(takeover.has_predecessor());
    let (status, log) = {
        old.signal(signal);
        old.ended()
    };
    assert_eq!(status.code(), code, "{log}");
    // Nobody accepts now, and nobody is refused.
    let mut waits = TcpStream::connect(address).unwrap();
    waits.set_read_timeout(Some(TOO_LONG)).unwrap();
    waits.write_all(GET.as_bytes()).unwrap();
    let answer = runtime.block_on(async {
        let listener = sockets.listen(SocketPurpose::Clients, None, "127.0.0.1:0").await.unwrap();
        let layer = ErrorEnvelopeLayer::new();
        let socket = takeover.prepare(&layer).await.unwrap();
        let gateway = Library::listening(listener, GatewayConfig::new(layer).upgrade_socket(socket)).unwrap();
        let upstream: Upstream = service.url().parse().unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let serving = tokio::spawn(gateway.serve(upstream.service().unwrap(), async { drop(stopped.await) }));
        let answer = tokio::task::spawn_blocking(move || {
            let mut answer = String::new();
            waits.read_to_string(&mut answer).map(|_| answer)
        });
        let answer = answer.await.unwrap().unwrap();
        drop(stop);
        serving.await.unwrap();
        answer
    });
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
}

#[test]
fn sigterm_after_a_hand_over_ends_idle_connections_too() {
    let service = service();
    let place = Place::new("after", &service);
    let old = place.gateway(&[STOP, &["--drain-delay", "1h"]].concat());
    let mut idle = old.connect();
    idle.write_all(KEPT.as_bytes()).unwrap();
    answer(&mut idle);
    let new = place.gateway(&[]);
    says(&old, "handed over");
    old.signal("TERM");
    assert_eq!(idle.read(&mut [0]).unwrap(), 0);
    assert_eq!(old.ended().0.code(), Some(0));
    assert!(new.ask(GET).ends_with("done"));
}

#[test]
fn idle_connections_end_after_the_idle_timeout() {
    let service = service();
    let place = Place::new("idle", &service);
    let old = place.gateway(&["--idle-timeout", "200ms", "--stop-timeout", "1h"]);
    let mut idle = old.connect();
    let new = place.gateway(&[]);
    assert_eq!(old.ended().0.code(), Some(0));
    assert_eq!(idle.read(&mut [0]).unwrap(), 0);
    assert!(new.ask(GET).ends_with("done"));
}

#[test]
fn another_address_is_refused_and_the_socket_keeps_its_own() {
    let service = service();
    let place = Place::new("moves", &service);
    let old = Gateway::run({
        let mut command = place.command(&[]);
        command.args(["--admin", "0"]);
        command
    });
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let elsewhere = listener.local_addr().unwrap().to_string();
    let listen = |address: &str, more: &[&str]| {
        let mut command = std::process::Command::new(crate::command::binary());
        command.args(["gateway", "--listen", address, "--upstream", &service.url(), "--upgrade-socket"]);
        command.arg(place.socket()).args(more);
        command
    };
    let own = old.address.to_string();
    for (flag, command) in [
        ("--listen", listen(&elsewhere, &[])),
        ("--admin", listen(&own, &["--admin", &port(listener.local_addr().unwrap())])),
    ] {
        let (code, printed) = outcome(command);
        let given = printed.contains("the socket passed to this process listens on 127.0.0.1:");
        assert!(
            code == Some(2) && printed.contains(flag) && given && printed.contains("keeps its address"),
            "{printed}"
        );
    }
    assert!(old.ask(GET).ends_with("done") && old.ask_admin("GET", "/readyz").contains("200 OK"));
    // The address as it is written, and without the admin address.
    let mut command = listen(&own.replace("127.0.0.1", "localhost"), &[]);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let new = Gateway::run(command);
    assert_eq!(new.address, old.address);
    assert_eq!(old.ended().0.code(), Some(0));
}

/// The old process has none of the sockets that both had: else either of the two could respond. The switch,
/// which was kept in memory, is gone.
#[test]
fn the_admin_address_is_the_new_process_s() {
    let (service, requested, go) = waiting();
    let place = Place::new("admin", &service);
    let old = place.gateway(&[STOP, &["--admin", "0"]].concat());
    let waiting = start("curl", &["-sS", &old.url("/held")]);
    until("the request reaches the service", || when(requested.available_permits() == 1, "none"));
    assert!(old.ask_admin("POST", "/kill-switch/on").contains("200 OK"));
    let new = place.gateway(&["--admin", "0"]);
    says(&old, "handed over");
    until("no socket is both processes'", || {
        let (olds, news) = (old.sockets(), new.sockets());
        let shared: Vec<_> = olds.intersection(&news).cloned().collect();
        when(shared.is_empty(), shared)
    });
    assert!(new.ask_admin("GET", "/readyz").contains("200 OK"));
    assert!(new.ask_admin("GET", "/kill-switch").contains("policy"), "{}", new.ask_admin("GET", "/kill-switch"));
    go.add_permits(1);
    assert_eq!(&*waiting.wait_with_output().unwrap().stdout, b"done");
    assert_eq!(old.ended().0.code(), Some(0));
}

#[test]
#[ignore = "needs root, which `.ci/run` is"]
fn another_user_gets_nothing_and_gives_nothing() {
    const NOBODY: u32 = 65_534;
    let service = service();
    let place = Place::new("user", &service);
    let old = place.gateway(&[]);
    let mode = fs::metadata(place.socket()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let of_nobody = || {
        let mut command = place.command(&[]);
        command.uid(NOBODY).gid(NOBODY);
        outcome(command)
    };
    let (code, printed) = of_nobody();
    assert!(code == Some(2) && printed.contains("Permission denied"), "{code:?} {printed}");
    // Though somebody has opened it.
    fs::set_permissions(place.socket(), fs::Permissions::from_mode(0o666)).unwrap();
    let (code, printed) = of_nobody();
    assert!(code == Some(2) && printed.contains("this process belongs to another user"), "{code:?} {printed}");
    assert!(old.ask(GET).ends_with("done"));
    says(&old, "this process belongs to another user");
    assert!(old.stopped().contains("the hand-over failed; this gateway keeps serving"));

    // Nor does root take what a user's process hands over.
    fs::remove_file(place.socket()).unwrap();
    fs::set_permissions(place.folder.path(""), fs::Permissions::from_mode(0o777)).unwrap();
    let mut command = place.command(&[]);
    command.uid(NOBODY).gid(NOBODY);
    let foreign = Gateway::run(command);
    let (code, printed) = place.refused(&[]);
    assert!(
        code == Some(2) && printed.contains("the process that listens there belongs to another user"),
        "{code:?} {printed}"
    );
    assert!(foreign.ask(GET).ends_with("done"));
}

#[test]
fn what_a_process_has_left_is_replaced_and_a_file_is_not() {
    let service = service();
    let place = Place::new("left", &service);
    let killed = place.gateway(&[]);
    drop(killed);
    assert!(place.socket().exists());
    let next = place.gateway(&[]);
    assert!(next.ask(GET).ends_with("done"));
    next.stopped();
    fs::remove_file(place.socket()).unwrap();
    fs::write(place.socket(), "mine").unwrap();
    let (code, printed) = place.refused(&[]);
    assert!(
        code == Some(2) && printed.contains("the file at this path is not a socket; remove it"),
        "{code:?} {printed}"
    );
    assert_eq!(fs::read_to_string(place.socket()).unwrap(), "mine");
    // Somebody else's socket says something else, or nothing.
    fs::remove_file(place.socket()).unwrap();
    let other = std::os::unix::net::UnixListener::bind(place.socket()).unwrap();
    let talking = std::thread::spawn(move || {
        let mut stream = other.accept().unwrap().0;
        stream.set_write_timeout(Some(Duration::from_secs(60))).unwrap();
        let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.7\r\n");
    });
    let (code, printed) = place.refused(&[]);
    assert!(code == Some(2) && printed.contains("does not hand over: SSH-2.0"), "{code:?} {printed}");
    talking.join().unwrap();
}

/// A stop that is no hand-over closes the address as ever, though the upgrade socket had a copy of it.
#[test]
fn a_stop_refuses_clients_as_without_an_upgrade_socket() {
    let (service, requested, go) = waiting();
    let place = Place::new("stops", &service);
    let gateway = place.gateway(STOP);
    let waiting = start("curl", &["-sS", &gateway.url("/held")]);
    until("the request reaches the service", || when(requested.available_permits() == 1, "none"));
    gateway.signal("TERM");
    until("new connections are refused", || match TcpStream::connect(gateway.address) {
        Ok(_) => Err("one was accepted"),
        Err(refused) => Ok(refused),
    });
    go.add_permits(1);
    assert_eq!(&*waiting.wait_with_output().unwrap().stdout, b"done");
    assert_eq!(gateway.ended().0.code(), Some(0));
}
