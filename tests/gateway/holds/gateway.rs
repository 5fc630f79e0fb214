//! The built command as a process, the kernel's facts about it, and the other programs that connect to it.

use std::collections::HashSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use serde_json::Value;

use crate::wait::{TOO_LONG, until};

/// Makes glibc return every freed buffer of 8 KiB or more to the kernel.
const GIVE_BACK: &str =
    "glibc.malloc.mmap_threshold=8192:glibc.malloc.mmap_max=1000000:glibc.malloc.trim_threshold=65536";

/// A gateway that is killed when it is dropped.
pub(crate) struct Gateway {
    child: Child,
    pub(crate) address: SocketAddr,
    /// The address of `--admin`, if it was requested.
    admin: Option<SocketAddr>,
    log: Arc<Mutex<Vec<u8>>>,
    reading: Option<JoinHandle<()>>,
}

impl Gateway {
    /// Starts a gateway in front of `service`, with no limit on bodies.
    pub(crate) fn unlimited(service: SocketAddr, more: &[&str]) -> Self {
        Self::start(service, &[&["--policy", &script("unlimited.toml")], more].concat())
    }

    pub(crate) fn start(service: SocketAddr, args: &[&str]) -> Self {
        Self::before(&format!("http://{service}"), args)
    }

    pub(crate) fn before(upstream: &str, args: &[&str]) -> Self {
        let mut command = Self::command(&crate::command::binary(), upstream);
        // Otherwise its memory would include what the allocator keeps for later.
        command.args(args).env("GLIBC_TUNABLES", GIVE_BACK);
        Self::run(command)
    }

    /// Returns the command, with its log as JSON on a pipe that is read.
    pub(crate) fn command(binary: &Path, upstream: &str) -> Command {
        let mut command = Command::new(binary);
        command
            .args(["gateway", "--listen", "127.0.0.1:0", "--log", "json", "--upstream", upstream])
            // The number does not depend on the machine.
            .args(["--workers", "2"])
            .env("RUST_LOG", "info")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Starts it, and waits until it listens.
    pub(crate) fn run(mut command: Command) -> Self {
        let mut child = command.spawn().expect("the gateway starts");
        let log = Arc::<Mutex<Vec<u8>>>::default();
        let reading = child.stderr.take().map(|errors| collect(errors, Arc::clone(&log)));
        let mut output = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        output.read_line(&mut line).expect("text");
        let rest = line.trim().strip_prefix("listening on http").map(|rest| rest.trim_start_matches('s'));
        let address = rest.and_then(|rest| rest.strip_prefix("://")).and_then(|address| address.parse().ok());
        let address = address.unwrap_or_else(|| panic!("no address in {line:?}; the log says {}", text(&log)));
        let admin = command.get_args().any(|arg| arg == "--admin").then(|| {
            line.clear();
            output.read_line(&mut line).expect("text");
            let address = line.trim().strip_prefix("admin on http://").and_then(|address| address.parse().ok());
            address.unwrap_or_else(|| panic!("no admin address in {line:?}; the log says {}", text(&log)))
        });
        Self { child, address, admin, log, reading }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Returns a connection whose reads fail after a while, so that the test does not hang.
    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("the gateway accepts");
        stream.set_read_timeout(Some(TOO_LONG)).expect("a socket");
        stream.set_nodelay(true).expect("a socket");
        stream
    }

    /// Sends `request`, and reads until the gateway closes.
    pub(crate) fn ask(&self, request: &str) -> String {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).expect("the gateway reads");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("the gateway answers and closes");
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Returns the response of the admin address.
    pub(crate) fn ask_admin(&self, method: &str, path: &str) -> String {
        let admin = self.admin.expect("started with --admin");
        let mut stream = TcpStream::connect(admin).expect("the admin address accepts");
        stream.set_read_timeout(Some(TOO_LONG)).expect("a socket");
        let request =
            format!("{method} {path} HTTP/1.1\r\nhost: {admin}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("the admin address reads");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("the admin address answers and closes");
        String::from_utf8_lossy(&answer).into_owned()
    }

    pub(crate) fn has_admin(&self) -> bool {
        self.admin.is_some()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, name: &str) {
        signal(self.id(), name);
    }

    /// Sends SIGTERM, and returns the whole log.
    pub(crate) fn stopped(self) -> String {
        self.signal("TERM");
        let (status, log) = self.ended();
        assert!(status.success(), "{status}: {log}");
        log
    }

    /// Waits until the process ends by itself, and returns its exit status and the whole log.
    pub(crate) fn ended(mut self) -> (ExitStatus, String) {
        let status = ended(&mut self.child);
        if let Some(reading) = self.reading.take() {
            reading.join().expect("no panic while reading");
        }
        (status, text(&self.log))
    }

    /// Returns the most memory that it ever used, in KiB.
    pub(crate) fn peak_kib(&self) -> u64 {
        self.status("VmHWM")
    }

    /// Returns the memory that it uses now, in KiB.
    pub(crate) fn resident_kib(&self) -> u64 {
        self.status("VmRSS")
    }

    pub(crate) fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.id())).expect("Linux's /proc").count()
    }

    /// Returns its open sockets, by their names in the kernel.
    pub(crate) fn sockets(&self) -> HashSet<String> {
        sockets_of(self.child.id())
    }

    pub(crate) fn threads(&self) -> u64 {
        self.status("Threads")
    }

    fn status(&self, field: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("Linux's /proc");
        let line = status.lines().find(|line| line.starts_with(field)).expect(field);
        line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number of kB")
    }

    /// Returns the log from this byte on.
    pub(crate) fn log_from(&self, start: usize) -> String {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(log.get(start..).unwrap_or_default()).into_owned()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the open sockets of a process, by their names in the kernel. A process that has ended has none.
pub(crate) fn sockets_of(process: u32) -> HashSet<String> {
    let descriptors = fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten();
    let opened = descriptors.filter_map(|it| fs::read_link(it.ok()?.path()).ok());
    opened.map(|it| it.display().to_string()).filter(|it| it.starts_with("socket:")).collect()
}

pub(crate) fn signal(process: u32, name: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), &process.to_string()]).status();
    assert!(sent.expect("kill").success(), "kill -{name}");
}

/// A line that the layer logged.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) code: Option<String>,
    pub(crate) origin: String,
}

pub(crate) fn events(log: &str) -> Vec<Event> {
    let fields =
        log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).map(|line| line["fields"].clone());
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let event = |fields: Value| {
        let (id, origin) = (text(&fields["request_id"])?, text(&fields["origin"])?);
        Some(Event { id, code: text(&fields["code"]), origin })
    };
    fields.filter_map(event).collect()
}

/// Starts a program that must be installed.
pub(crate) fn start(program: &str, args: &[&str]) -> Child {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap_or_else(|error| {
        panic!("{program}: {error}; these tests talk to the gateway with {program}: install it, and have it in PATH")
    })
}

/// Runs a program to its end, and returns the text on its standard output.
#[track_caller]
pub(crate) fn output_of(program: &str, args: &[&str]) -> String {
    let Output { status, stdout, stderr } = start(program, args).wait_with_output().expect("pipes");
    let output = String::from_utf8_lossy(&stdout).into_owned();
    assert!(status.success(), "{program} {args:?}: {status}\n{output}\n{}", String::from_utf8_lossy(&stderr));
    output
}

/// Returns the path of a file next to these tests.
pub(crate) fn script(name: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gateway/holds").join(name);
    file.to_str().expect("a path of text").to_owned()
}

/// Returns a number from the environment, for runs that are longer than those of `cargo test`.
pub(crate) fn setting(name: &str, default: u64) -> u64 {
    let Ok(text) = std::env::var(name) else { return default };
    text.parse().unwrap_or_else(|_| panic!("{name}={text}: say a whole number, such as {default}"))
}

/// Waits for the end of a program that must end.
#[track_caller]
pub(crate) fn ended(child: &mut Child) -> ExitStatus {
    until("the gateway ends", || child.try_wait().expect("a child").ok_or("it runs"))
}

/// A folder for files that pass through the gateway, removed when it is dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("holds-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a temporary folder");
        Self(folder)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Creates a file with this many zeros, which needs no room on the disk.
    pub(crate) fn zeros(&self, bytes: u64) -> String {
        let path = self.0.join(format!("zeros-{bytes}"));
        fs::File::create(&path).and_then(|file| file.set_len(bytes)).expect("a sparse file");
        path.to_str().expect("a path of text").to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn collect(mut errors: ChildStderr, log: Arc<Mutex<Vec<u8>>>) -> JoinHandle<()> {
    thread::spawn(move || {
        let mut piece = [0; 8192];
        while let Ok(count @ 1..) = errors.read(&mut piece) {
            log.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&piece[..count]);
        }
    })
}

fn text(log: &Mutex<Vec<u8>>) -> String {
    String::from_utf8_lossy(&log.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
}
