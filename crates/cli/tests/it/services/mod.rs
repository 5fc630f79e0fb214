//! Tests several services behind one gateway. Each request must reach the right service, and no service may disturb
//! another.

mod names;

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;
use std::{fs, thread};

use tempfile::TempDir;

use crate::kit::{PATIENCE, Running, command, run, wait_for};

/// A service that responds with its name and the path, and keeps its connections open. While the service is held, it
/// does not respond.
#[derive(Clone)]
struct Service {
    url: String,
    /// The number of received requests.
    requests: Arc<AtomicUsize>,
    /// The number of open connections.
    connections: Arc<AtomicUsize>,
    held: Arc<(Mutex<bool>, Condvar)>,
}

impl Service {
    fn start(name: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let service = Self { url, requests: Arc::default(), connections: Arc::default(), held: Arc::default() };
        let serving = service.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (serving, stream) = (serving.clone(), stream.unwrap());
                serving.connections.fetch_add(1, Ordering::SeqCst);
                thread::spawn(move || {
                    serving.serve(name, stream);
                    serving.connections.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        service
    }

    fn serve(&self, name: &str, mut stream: TcpStream) {
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        while let Some(Ok(line)) = lines.next() {
            let path = line.split(' ').nth(1).unwrap().to_owned();
            while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            self.requests.fetch_add(1, Ordering::SeqCst);
            let held = self.held.0.lock().unwrap();
            drop(self.held.1.wait_while(held, |held| *held).unwrap());
            let said = format!("{name} {path}");
            let _ = write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{said}", said.len());
        }
    }

    fn hold(&self, held: bool) {
        *self.held.0.lock().unwrap() = held;
        self.held.1.notify_all();
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// A gateway with a policy of several files.
struct Gateway {
    process: Running,
    address: String,
    folder: TempDir,
}

const MAIN: &str = "version = 1\ninclude = [\"services/*.toml\"]\n";

impl Gateway {
    /// Starts a gateway. `files` contains the name of each service's policy file, and the file's text after `version =
    /// 1`.
    fn start(main: &str, files: &[(&str, &str)], more: &[&str]) -> Self {
        Self::start_by(main, files, more, |command| command)
    }

    /// Works like `start`. `by` may replace the command by another command that becomes the gateway.
    fn start_by(main: &str, files: &[(&str, &str)], more: &[&str], by: impl FnOnce(Command) -> Command) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("services")).unwrap();
        fs::write(folder.path().join("policy.toml"), main).unwrap();
        files.iter().for_each(|(name, text)| write_file(folder.path(), name, text));
        let policy = folder.path().join("policy.toml");
        let args = [&["gateway", "--listen", "127.0.0.1:0", "--policy", policy.to_str().unwrap()], more].concat();
        let mut process = Running::spawn(by(command(&args)));
        let address = process.says("listening on http://");
        Self { process, address, folder }
    }

    /// Sends a request, and returns the status and the body.
    fn ask(&self, host: &str, path: &str, more: &str) -> (u16, String) {
        ask(&self.address, host, path, more)
    }

    fn says(&self, path: &str) -> (u16, String) {
        self.ask("test.example", path, "")
    }

    fn in_flight(&self, path: &str) -> thread::JoinHandle<(u16, String)> {
        let (address, path) = (self.address.clone(), path.to_owned());
        thread::spawn(move || ask(&address, "test.example", &path, ""))
    }
}

/// Replaces a file of the policy at once.
fn write_file(folder: &Path, name: &str, text: &str) {
    let fresh = folder.join("fresh");
    fs::write(&fresh, format!("version = 1\n{text}")).unwrap();
    fs::rename(fresh, folder.join("services").join(name)).unwrap();
}

fn ask(address: &str, host: &str, path: &str, more: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{more}\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer:?}"));
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

fn scope(covers: &str, service: &Service) -> String {
    format!("[scope]\n{covers}\nupstream = \"{}\"\n", service.url)
}

/// The address of a port that refuses connections, because nothing listens at the lowest port. Another test may get any
/// port that was free before.
const DEAD: &str = "http://127.0.0.1:1";

#[test]
fn g0_host_and_normalised_path_choose_the_service_and_its_guards() {
    let (orders, pay, rest) = (Service::start("orders"), Service::start("pay"), Service::start("rest"));
    let main = format!("{MAIN}[header.tenant]\nname = \"x-tenant\"\n");
    let guarded = scope("prefix = \"/orders\"", &orders) + "[defaults]\nrequire_headers = [\"tenant\"]\n";
    let of_pay = scope("hosts = [\"pay.example\", \"*.pay.example\"]\nprefix = \"/orders/pay\"", &pay);
    let files = [("orders.toml", &*guarded), ("pay.toml", &of_pay)];
    let gateway = Gateway::start(&main, &files, &["--upstream", &rest.url]);
    for (host, path, service) in [
        ("test.example", "/orders", "orders"),
        ("test.example", "/orders/1?q=%2F", "orders"),
        ("test.example", "/%6frders/1", "orders"),
        ("test.example", "//orders//1", "orders"),
        ("test.example", "/x/../orders/1", "orders"),
        ("test.example", "/x%2F..%2Forders%2F1", "orders"),
        ("test.example", "/orders%5C1", "orders"),
        ("test.example", "/orders2", "rest"),
        ("test.example", "/", "rest"),
        ("test.example", "/ORDERS/1", "rest"),
        ("test.example", "/orders/../1", "rest"),
        ("test.example", "/orders/pay/1", "orders"),
        ("pay.example", "/orders/pay/1", "pay"),
        ("Pay.Example:80", "/orders/pay/1", "pay"),
        ("a.b.pay.example.", "/orders/%70ay", "pay"),
        ("pay.example", "/orders/payment", "orders"),
        ("pay.example", "/pay", "rest"),
    ] {
        let told = gateway.ask(host, path, "x-tenant: a\r\n");
        assert_eq!(told, (200, format!("{service} {path}")), "{host}{path}");
        // The guards of the scope apply wherever its service is requested.
        let (status, body) = gateway.ask(host, path, "");
        let closed = service == "orders" || path.starts_with("/ORDERS") || service == "pay" || path == "/orders/../1";
        assert_eq!(status, if closed { 400 } else { 200 }, "{host}{path}: {body}");
    }
}

#[test]
fn a_request_that_no_service_is_for_is_not_found_behind_its_guards() {
    let orders = Service::start("orders");
    let main = format!(
        "{MAIN}[header.tenant]\nname = \"x-tenant\"\n[[route]]\nmatch = \"/closed\"\nrequire_headers = [\"tenant\"]\n[[route]]\n\
         match = \"/problem\"\ndialect = \"problem\"\n"
    );
    let gateway = Gateway::start(&main, &[("orders.toml", &scope("prefix = \"/orders\"", &orders))], &[]);
    assert_eq!(gateway.says("/orders/1"), (200, "orders /orders/1".to_owned()));
    let (status, body) = gateway.says("/elsewhere");
    assert!(status == 404 && body.contains(r#""error":{"code":"not_found""#), "{body}");
    let (status, body) = gateway.says("/problem");
    assert!(status == 404 && body.contains(r#""status":404"#) && body.contains("not_found"), "{body}");
    assert_eq!(gateway.says("/closed").0, 400);
    assert_eq!(gateway.ask("test.example", "/closed", "x-tenant: a\r\n").0, 404);
    let bare = run(&["gateway", "--listen", "127.0.0.1:0"]);
    assert!(bare.code == Some(2) && bare.err.contains("every request would get 404"), "{}", bare.err);
}

#[test]
fn an_address_is_refused_for_what_is_wrong_with_it_by_each_flag() {
    for (given, wrong) in [
        ("localhost", "the port is missing"),
        ("::1", "an IPv6 address needs brackets, as in [::1]:8080"),
        (":8080", "the host is missing"),
        ("127.0.0.1:99999", "the port 99999 is more than 65535"),
        ("99999", "the port 99999 is more than 65535"),
        ("$NOPE", "$NOPE contains a variable that was not replaced; set the variable, or write the address itself"),
        ("", "the address is empty, perhaps because a variable is not set"),
    ] {
        for args in [
            &["gateway", "--upstream", "http://127.0.0.1:1", "--listen", given][..],
            &["gateway", "--upstream", "http://127.0.0.1:1", "--admin", given],
            &["error-backend", "--listen", given],
            &["ext-proc", "--listen", given],
            &["demo", "--listen", given],
            &["kill-switch", "status", "--admin", given],
        ] {
            let refused = run(args);
            let line = refused.err.lines().next().unwrap_or_default();
            assert!(refused.code == Some(2) && line.contains(&format!("{wrong}; write")), "{args:?}: {}", refused.err);
        }
    }
}

#[test]
fn f7_a_service_that_is_gone_or_slow_keeps_nothing_of_another_s() {
    let (slow, third) = (Service::start("slow"), Service::start("third"));
    slow.hold(true);
    let gone = format!("[scope]\nprefix = \"/gone\"\nupstream = \"{DEAD}\"\n");
    let nameless = "[scope]\nprefix = \"/nameless\"\nupstream = \"http://nowhere.invalid:80\"\n";
    let files = [
        ("gone.toml", &*gone),
        ("nameless.toml", nameless),
        ("slow.toml", &scope("prefix = \"/slow\"", &slow)),
        ("third.toml", &scope("prefix = \"/third\"", &third)),
    ];
    let gateway = Gateway::start(MAIN, &files, &["--upstream-requests", "2", "--upstream-timeout", "1h"]);
    let held = ["/slow/1", "/slow/2"].map(|path| gateway.in_flight(path));
    wait_for("the slow service has both", || slow.requests() == 2);
    for round in 0..20 {
        assert_eq!(gateway.says("/third"), (200, "third /third".to_owned()), "{round}");
        for path in ["/gone", "/nameless"] {
            let (status, body) = gateway.says(path);
            assert!(status == 502 && body.contains(r#""code":"other""#), "{path}: {body}");
        }
    }
    let (status, body) = gateway.says("/slow/3");
    assert!(status == 503 && body.contains("worker_at_capacity"), "{body}");
    slow.hold(false);
    assert_eq!(held.map(|it| it.join().unwrap().0), [200, 200]);
}

#[test]
fn two_scopes_with_one_service_share_its_connections() {
    let (shared, other) = (Service::start("shared"), Service::start("other"));
    // The scopes spell the same address in two ways. Requests outside all scopes also use this address.
    let port = shared.url.rsplit_once(':').unwrap().1.to_owned();
    let again = format!("[scope]\nprefix = \"/b\"\nupstream = \"HTTP://127.0.0.1:{port}/\"\n");
    let files = [
        ("a.toml", &*scope("prefix = \"/a\"", &shared)),
        ("b.toml", &again),
        ("c.toml", &scope("prefix = \"/c\"", &other)),
    ];
    let bounds = ["--upstream-connections", "1", "--upstream-queue-time", "100ms", "--upstream", &shared.url];
    let gateway = Gateway::start(MAIN, &files, &bounds);
    shared.hold(true);
    let held = gateway.in_flight("/a");
    wait_for("the service has it", || shared.requests() == 1);
    for path in ["/b", "/rest"] {
        let (status, body) = gateway.says(path);
        assert!(status == 503 && body.contains("worker_at_capacity"), "{path}: {body}");
    }
    assert_eq!(gateway.says("/c"), (200, "other /c".to_owned()));
    shared.hold(false);
    assert_eq!(held.join().unwrap(), (200, "shared /a".to_owned()));
    assert_eq!(gateway.says("/b"), (200, "shared /b".to_owned()));
    assert_eq!(shared.connections(), 1);
}

#[test]
fn m3_a_reload_moves_new_requests_and_the_old_connections_end() {
    let (old, new) = (Service::start("old"), Service::start("new"));
    let files = [("a.toml", &*scope("prefix = \"/a\"", &old))];
    let gateway = Gateway::start(MAIN, &files, &["--upstream-idle-timeout", "1h"]);
    assert_eq!(gateway.says("/a/1"), (200, "old /a/1".to_owned()));
    old.hold(true);
    let held = gateway.in_flight("/a/2");
    wait_for("the old service has it", || old.requests() == 2);
    write_file(gateway.folder.path(), "a.toml", &scope("prefix = \"/a\"", &new));
    write_file(gateway.folder.path(), "b.toml", &scope("prefix = \"/b\"", &new));
    wait_for("the policy is read", || gateway.says("/b/1") == (200, "new /b/1".to_owned()));
    assert_eq!(gateway.says("/a/3"), (200, "new /a/3".to_owned()));
    old.hold(false);
    assert_eq!(held.join().unwrap(), (200, "old /a/2".to_owned()));
    wait_for("the old service has no connections", || old.connections() == 0);
    assert_eq!(new.connections(), 1);
    fs::remove_file(gateway.folder.path().join("services/a.toml")).unwrap();
    wait_for("no service is for it any more", || gateway.says("/a/4").0 == 404);
    assert_eq!(gateway.says("/b/2"), (200, "new /b/2".to_owned()));
    drop(gateway.process);
}

/// If a deployment moves a folder away, no guard is removed. It does not matter whether the watching thread or the
/// signal causes the reload.
#[test]
fn m2_a_folder_of_scopes_that_is_renamed_opens_no_door() {
    let orders = Service::start("orders");
    let key = "ab".repeat(32);
    let closed = scope("prefix = \"/orders\"", &orders)
        + "[defaults]\nauth = [\"team\"]\n[auth.team]\nscheme = \"bearer\"\n"
        + &format!("keys = [{{ id = \"a\", sha256 = \"{key}\" }}]\n");
    let log = tempfile::NamedTempFile::new().unwrap();
    let more = ["--upstream", &orders.url, "--admin", "0"];
    let by = |command| logging_to(log.path(), &command);
    let mut gateway = Gateway::start_by(MAIN, &[("orders.toml", &closed)], &more, by);
    let admin = gateway.process.says("admin on http://");
    let counts = |text: &str| ask(&admin, "localhost", "/metrics", "").1.contains(text);
    let [there, gone] = ["services", "services.gone"].map(|name| gateway.folder.path().join(name));
    let (asked, ended, began) = (AtomicUsize::new(0), AtomicBool::new(false), Instant::now());
    let client = || {
        let mut statuses = HashSet::new();
        // A failure of the other thread ends the loop, so that it is reported.
        while !ended.load(Ordering::SeqCst) && began.elapsed() < 2 * PATIENCE {
            statuses.insert(gateway.says("/orders/1").0);
            asked.fetch_add(1, Ordering::SeqCst);
        }
        statuses
    };
    let until_more_are_asked = || {
        let before = asked.load(Ordering::SeqCst);
        wait_for("more requests", || asked.load(Ordering::SeqCst) > before + 50);
    };
    thread::scope(|scope| {
        let clients = [scope.spawn(client), scope.spawn(client)];
        until_more_are_asked();
        fs::rename(&there, &gone).unwrap();
        gateway.process.is_sent("HUP");
        let refused = "include[0]: \"services/*.toml\" matches no file; did you mean \"services.gone/*.toml\"?";
        let tells = |line: &str| line.contains("ERROR") && line.contains(refused);
        wait_for("an ERROR names the include", || fs::read_to_string(&log).unwrap().lines().any(tells));
        wait_for("it is counted", || counts("error_envelope_policy_reloads_total{outcome=\"refused\"} 1"));
        until_more_are_asked();
        fs::rename(&gone, &there).unwrap();
        gateway.process.is_sent("HUP");
        wait_for("the files are taken again", || counts("error_envelope_policy_refused 0"));
        until_more_are_asked();
        ended.store(true, Ordering::SeqCst);
        assert_eq!(clients.map(|client| client.join().unwrap()), [(); 2].map(|()| HashSet::from([401])));
    });
    assert_eq!(orders.requests(), 0);
}

/// Returns the command, with its standard error in this file.
fn logging_to(log: &Path, command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", "log=$1; shift; exec \"$@\" 2>\"$log\"", "sh"]).arg(log);
    shell.arg(command.get_program()).args(command.get_args());
    shell
}

/// Accepts a connection, and returns its first bytes without responding.
fn first_bytes(listener: &TcpListener) -> String {
    let mut bytes = [0; 3];
    listener.accept().unwrap().0.read_exact(&mut bytes).unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn each_service_has_its_own_version_of_http() {
    let listeners = [TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap()];
    let urls = listeners.each_ref().map(|listener| format!("http://{}", listener.local_addr().unwrap()));
    let file = |prefix: &str, url: &str| format!("[scope]\nprefix = \"{prefix}\"\nupstream = \"{url}\"\n");
    let (one, two) = (file("/one", &urls[0]), file("/two", &urls[1]));
    let files = [("one.toml", &*one), ("two.toml", &two)];
    for (flag, expected) in
        [(format!("--upstream-h2={}", urls[1]), ["GET", "PRI"]), ("--upstream-h2".to_owned(), ["PRI"; 2])]
    {
        let gateway = Gateway::start(MAIN, &files, &[&flag]);
        for ((path, listener), expected) in ["/one", "/two"].into_iter().zip(&listeners).zip(expected) {
            let asked = gateway.in_flight(path);
            assert_eq!(first_bytes(listener), expected, "{flag} {path}");
            // The gateway repeats a request that may be repeated. The repetition gets no response either.
            drop(asked);
        }
    }
}

#[test]
fn a_service_that_cannot_be_secured_ends_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("policy.toml");
    fs::write(&policy, "version = 1\n[scope]\nprefix = \"/a\"\nupstream = \"https://orders.internal\"\n").unwrap();
    let policy = policy.to_str().unwrap();
    let told = run(&["gateway", "--listen", "127.0.0.1:0", "--policy", policy, "--upstream-ca", "/nowhere/ca.pem"]);
    assert!(told.code == Some(2) && told.err.contains("https://orders.internal: /nowhere/ca.pem"), "{}", told.err);
    let told = run(&["gateway", "--listen", "127.0.0.1:0", "--upstream-ca", "/nowhere/ca.pem"]);
    assert!(told.code == Some(2) && told.err.contains("--upstream-ca needs an https upstream"), "{}", told.err);
    let told = run(&["gateway", "--upstream-h2=http://anna:hunter2@orders"]);
    assert!(told.code == Some(2) && !told.err.contains("hunter2"), "{}", told.err);
}
