//! Runs the real gateway as a process. It starts with a case's policy, collects its log, and is killed when dropped.

use std::io::{BufReader, Read as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::format::Case;
use super::policy::Folder;
use crate::command::binary;
use crate::wait::{until, when};

/// A proxy as a process of its own.
pub(super) trait Proxy: Sized {
    /// Starts the proxy, and waits for its address. Returns its output if it refuses the policy.
    fn start(case: &Case, upstream: SocketAddr) -> Result<Self, String>;

    fn address(&self) -> SocketAddr;

    /// Returns what was logged from this point on.
    fn log_from(&self, start: usize) -> String;

    fn log_length(&self) -> usize;

    /// Replaces the policy in force, and waits until the log mentions the new one.
    fn reload(&self, policy: &str);

    /// Ends the process. Then the log is complete, and also proves what is not in it.
    fn end(&mut self);
}

pub(super) struct Process {
    child: Child,
    address: SocketAddr,
    log: Arc<Mutex<Vec<u8>>>,
    collecting: Option<JoinHandle<()>>,
    folder: Option<Folder>,
}

impl Proxy for Process {
    fn start(case: &Case, upstream: SocketAddr) -> Result<Self, String> {
        Self::start_as(case, &["gateway", "--listen", "127.0.0.1:0", "--upstream", &format!("http://{upstream}")])
    }

    fn address(&self) -> SocketAddr {
        self.address
    }

    fn log_from(&self, start: usize) -> String {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(log.get(start..).unwrap_or_default()).into_owned()
    }

    fn log_length(&self) -> usize {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn reload(&self, policy: &str) {
        let start = self.log_length();
        self.folder.as_ref().expect("a case with `reload` has a policy").write("policy.toml", policy);
        self.signal("-HUP");
        until("the log speaks of the reload", || {
            let log = self.log_from(start);
            when(log.contains("reload"), log)
        });
    }

    fn end(&mut self) {
        self.signal("-TERM");
        until("the gateway ends", || self.child.try_wait().expect("a child").ok_or_else(|| self.log_from(0)));
        if let Some(collecting) = self.collecting.take() {
            collecting.join().expect("no panic while reading");
        }
    }
}

impl Process {
    /// Starts the command with these words and the case's policy.
    pub(super) fn start_as(case: &Case, words: &[&str]) -> Result<Self, String> {
        Self::start_by(Command::new(binary()), case, words)
    }

    /// Does the same as [`Self::start_as`], with another build of the command.
    pub(super) fn start_by(mut command: Command, case: &Case, words: &[&str]) -> Result<Self, String> {
        let folder = case.policy.is_some().then(|| Folder::with(case));
        let file = case.policy_file.as_ref().map(|file| case.folder.join(file));
        let file = folder.as_ref().map(Folder::policy).or(file);
        command.args(words);
        if let Some(file) = file {
            command.arg("--policy").arg(file);
        }
        // The new id of a success is logged at TRACE.
        command.env("RUST_LOG", "info,tower_error_envelope=trace").envs(&case.env);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the gateway starts");
        let log = Arc::<Mutex<Vec<u8>>>::default();
        let collecting = collect(child.stderr.take().expect("piped"), log.clone());
        let mut output = BufReader::new(child.stdout.take().expect("piped"));
        let address = listening(&mut output);
        // Later output must not fill the pipe.
        std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
        match address {
            Some(address) => Ok(Self { child, address, log, collecting: Some(collecting), folder }),
            None => {
                let status = child.wait().expect("it has ended");
                // The pipe ends with the process. Once the reader has finished, the last output is there.
                collecting.join().expect("no panic while reading");
                Err(refusal(status, &log, folder.as_ref()))
            }
        }
    }

    /// Ends the process at once, by SIGKILL.
    pub(super) fn kill(&mut self) {
        self.child.kill().and_then(|()| self.child.wait()).expect("a child");
    }

    pub(super) fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().expect("kill").success(), "kill {signal} {pid}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns a source file that is newer than the binary. `cargo test --test it` alone does not rebuild the binary.
pub(super) fn newer_source() -> Option<PathBuf> {
    let binary = binary();
    let built = binary.metadata().and_then(|metadata| metadata.modified()).ok()?;
    let listed = std::fs::read_to_string(binary.with_extension("d")).ok()?;
    let sources = listed.split_whitespace().skip(1).map(PathBuf::from);
    let modified = |path: &PathBuf| path.metadata().and_then(|metadata| metadata.modified()).ok();
    sources.into_iter().find(|path| modified(path).is_some_and(|modified| modified > built))
}

pub(super) fn collect(mut errors: ChildStderr, log: Arc<Mutex<Vec<u8>>>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut piece = [0; 8192];
        while let Ok(count @ 1..) = errors.read(&mut piece) {
            log.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&piece[..count]);
        }
    })
}

fn listening(output: &mut impl std::io::BufRead) -> Option<SocketAddr> {
    let mut line = String::new();
    while output.read_line(&mut line).is_ok_and(|count| count > 0) {
        if let Some(address) = line.trim().strip_prefix("listening on http://") {
            return Some(address.parse().expect("an address after `listening on http://`"));
        }
        line.clear();
    }
    None
}

/// The folder's own name is removed, because a digit in it could be read as a line number.
fn refusal(status: ExitStatus, log: &Mutex<Vec<u8>>, folder: Option<&Folder>) -> String {
    let text = String::from_utf8_lossy(&log.lock().unwrap_or_else(PoisonError::into_inner)).into_owned();
    assert!(!status.success(), "the gateway ended with success before it said where it listens: {text}");
    match folder {
        Some(folder) => text.replace(&*folder.path().to_string_lossy(), ""),
        None => text,
    }
}
