//! Runs the command.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use error_envelope_core::loader::ROUTE_KEYS;

/// The time limit for a step of another process.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The result of a run.
pub(crate) struct Run {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) code: Option<i32>,
}

/// Runs the command in the folder of the repository, so that its output names no other folder.
pub(crate) fn run(args: &[&str]) -> Run {
    let output = command(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run { out: text(output.stdout), err: text(output.stderr), code: output.status.code() }
}

/// Works like [`run`], but passes `input` to standard input.
pub(crate) fn run_with_input(args: &[&str], input: &[u8]) -> Run {
    let mut command = command(args);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run { out: text(output.stdout), err: text(output.stderr), code: output.status.code() }
}

/// Returns the verbs, as `--help` lists them.
pub(crate) fn verbs() -> Vec<String> {
    let help = run(&["--help"]).out;
    let (listed, _) = help.split_once("\nOptions:\n").unwrap();
    let names = listed.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// Returns the expected help below an error, in lines of 80 columns. The advice ends with the list of a route's keys.
pub(crate) fn advice_to_known_keys(advice: &str) -> String {
    let quoted: Vec<String> = ROUTE_KEYS.iter().map(|key| format!("{key:?}")).collect();
    let (last, others) = quoted.split_last().unwrap();
    let advice = format!("{advice} {} and {last}", others.join(", "));
    let (mut text, mut line) = (String::new(), "  = help:".to_owned());
    for word in advice.split(' ') {
        if line.len() + 1 + word.len() > 80 {
            text += &format!("{line}\n");
            line = " ".repeat(9);
        }
        line += &format!(" {word}");
    }
    text + &line
}

/// A run that continues until it is dropped, such as a gateway.
pub(crate) struct Running {
    process: Child,
    out: Option<BufReader<ChildStdout>>,
}

impl Running {
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::spawn(command(args))
    }

    /// Starts a command that runs until the result is dropped.
    pub(crate) fn spawn(mut command: Command) -> Self {
        Self::of(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap())
    }

    /// Wraps a process that was started, with its output.
    pub(crate) fn of(mut process: Child) -> Self {
        let out = process.stdout.take().map(BufReader::new);
        Self { process, out }
    }

    /// Reads the process's next line of output, and returns the part after the text `before`.
    pub(crate) fn says(&mut self, before: &str) -> String {
        let mut line = String::new();
        self.out.as_mut().unwrap().read_line(&mut line).unwrap();
        line.trim().strip_prefix(before).unwrap_or_else(|| panic!("{line:?}")).to_owned()
    }

    /// Reads the process's further output, so that it does not fill the pipe.
    pub(crate) fn may_say_more(&mut self) {
        let mut out = self.out.take().unwrap();
        std::thread::spawn(move || std::io::copy(&mut out, &mut std::io::sink()));
    }

    pub(crate) fn is_told_to_end(&self) {
        self.is_sent("TERM");
    }

    /// Sends a signal to the process.
    pub(crate) fn is_sent(&self, signal: &str) {
        let sent = Command::new("kill").args([&format!("-{signal}"), &self.process.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn ended(&mut self) -> ExitStatus {
        self.process.wait().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A gateway with its admin address, as long as the test needs it.
pub(crate) struct Gateway {
    pub(crate) process: Running,
    pub(crate) address: String,
    pub(crate) admin: String,
}

impl Gateway {
    pub(crate) fn start(upstream: &str, more: &[&str]) -> Self {
        let args = ["gateway", "--listen", "127.0.0.1:0", "--admin", "0", "--upstream", upstream];
        Self::of(Running::start(&[&args, more].concat()))
    }

    /// Wraps a gateway that was started, with its output.
    pub(crate) fn of(mut process: Running) -> Self {
        let (address, admin) = (process.says("listening on http://"), process.says("admin on http://"));
        Self { process, address, admin }
    }
}

/// Returns the whole response, or `None` if no process listens at the address.
pub(crate) fn ask(address: &str, method: &str, target: &str, lines: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "{method} {target} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{lines}\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    Some(answer)
}

pub(crate) fn wait_for(what: &str, mut there: impl FnMut() -> bool) {
    wait_for_value(what, || there().then_some(()));
}

pub(crate) fn wait_for_value<T>(what: &str, mut there: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = there() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "{what}");
        thread::yield_now();
    }
}

pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_error-envelope"));
    command.args(args).current_dir(repository());
    command
}

pub(crate) fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}
