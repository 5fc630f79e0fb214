//! Tests sockets and notifications of systemd: descriptors from 3 on, and a datagram socket.

use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Output, Stdio};

use http::Response;

use crate::command::binary;
use crate::holds::gateway::{Folder, Gateway};
use crate::holds::service::{Service, full};
use crate::wait::TOO_LONG;

const GET: &str = "GET / HTTP/1.1\r\nhost: test.example\r\nconnection: close\r\n\r\n";
/// A shell sets the values that only the process itself knows, and then becomes the gateway.
const ONE: &str = "LISTEN_PID=$$ exec \"$@\" 3<&0 </dev/null";
const TWO: &str = "LISTEN_PID=$$ exec \"$@\" 3<&0 4<&2 </dev/null 2>/dev/null";
const OTHERS: &str = "LISTEN_PID=1 exec \"$@\" 3<&0 </dev/null";

fn service() -> Service {
    Service::new(|_| std::future::ready(Response::new(full("done"))))
}

fn activated(script: &str, service: &Service, first: impl Into<OwnedFd>, more: &[&str]) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh"]).arg(binary()).args(["gateway", "--log", "json", "--upstream", &service.url()]);
    command.args(more).env("LISTEN_FDS", "1").env("RUST_LOG", "info");
    command.stdin(Stdio::from(first.into())).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

#[test]
fn the_socket_that_systemd_passes_is_served_and_survives() {
    let service = service();
    let passed = listener();
    let address = passed.local_addr().unwrap();
    let kept = passed.try_clone().unwrap();
    let gateway = Gateway::run(activated(ONE, &service, passed, &[]));
    assert_eq!(gateway.address, address);
    assert!(gateway.ask(GET).ends_with("done"));
    gateway.stopped();
    // A client that connects between two processes waits in the queue.
    let mut waits = TcpStream::connect(address).unwrap();
    waits.set_read_timeout(Some(TOO_LONG)).unwrap();
    std::io::Write::write_all(&mut waits, GET.as_bytes()).unwrap();
    let next = Gateway::run(activated(ONE, &service, kept, &["--listen", &address.to_string()]));
    let mut answer = String::new();
    std::io::Read::read_to_string(&mut waits, &mut answer).unwrap();
    assert!(answer.ends_with("done"), "{answer}");
    drop(next);
}

#[test]
fn the_admin_socket_is_known_by_its_name() {
    let service = service();
    let (clients, admin) = (listener(), listener());
    let (of_clients, of_admin) = (clients.local_addr().unwrap(), admin.local_addr().unwrap());
    let mut command = activated(TWO, &service, clients, &["--admin", &of_admin.to_string()]);
    command
        .env("LISTEN_FDS", "2")
        .env("LISTEN_FDNAMES", "gateway.socket:admin")
        .stderr(Stdio::from(OwnedFd::from(admin)));
    let gateway = Gateway::run(command);
    assert_eq!(gateway.address, of_clients);
    assert!(gateway.ask_admin("GET", "/readyz").contains("200 OK"));
}

#[test]
fn what_cannot_be_served_ends_the_start() {
    let service = service();
    let unix = || UnixDatagram::unbound().unwrap();
    let (code, printed) = outcome(activated(ONE, &service, unix(), &[]));
    assert!(
        code == Some(2) && printed.contains("cannot be used: fd 3 is not a valid tcp socket"),
        "{code:?} {printed}"
    );
    let connected = TcpStream::connect(listener().local_addr().unwrap());
    let listens = listener();
    let connected = connected.or_else(|_| TcpStream::connect(listens.local_addr().unwrap())).unwrap();
    let (code, printed) = outcome(activated(ONE, &service, connected, &[]));
    assert!(code == Some(2) && printed.contains("the socket for clients does not listen"), "{code:?} {printed}");
    let (code, printed) = outcome(activated(ONE, &service, listener(), &["--listen", "127.0.0.2:0"]));
    assert!(
        code == Some(2) && printed.contains("--listen 127.0.0.2:0: the socket passed to this process"),
        "{printed}"
    );
    let mut command = activated("LISTEN_PID=$$ exec \"$@\" 3<&0 4<&0 </dev/null", &service, listener(), &[]);
    let (code, printed) = outcome({
        command.env("LISTEN_FDS", "2");
        command
    });
    assert!(code == Some(2) && printed.contains("there are two sockets for clients"), "{code:?} {printed}");
}

/// The variables belong to a parent process, and were not removed from the environment.
#[test]
fn sockets_of_another_process_are_left_alone() {
    let service = service();
    let passed = listener();
    let address = passed.local_addr().unwrap();
    let gateway = Gateway::run(activated(OTHERS, &service, passed, &["--listen", "127.0.0.1:0"]));
    assert_ne!(gateway.address, address);
}

#[test]
fn a_service_manager_is_notified_of_the_start_and_the_stop() {
    let (service, folder) = (service(), Folder::new("notified"));
    let notified = UnixDatagram::bind(folder.path("notify")).unwrap();
    notified.set_read_timeout(Some(TOO_LONG)).unwrap();
    let word = || {
        let mut bytes = [0; 256];
        let read = notified.recv(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..read]).into_owned()
    };
    let mut command = Gateway::command(&binary(), &service.url());
    command.env("NOTIFY_SOCKET", folder.path("notify"));
    let gateway = Gateway::run(command);
    assert_eq!(word(), "READY=1\n");
    gateway.stopped();
    assert_eq!(word(), "STOPPING=1\n");
}

/// Returns the exit code, and the text on standard error.
fn outcome(mut command: Command) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = command.output().expect("the gateway starts");
    assert!(stdout.is_empty(), "{}", String::from_utf8_lossy(&stdout));
    (status.code(), String::from_utf8_lossy(&stderr).into_owned())
}
