//! Gateways that hand their sockets over.

use std::collections::HashSet;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::command::binary;
use crate::holds::gateway::{Folder, Gateway, signal, sockets_of};
use crate::holds::service::Service;
use crate::wait::{until, when};

/// Where gateways of one service find each other.
pub(super) struct Place {
    pub(super) folder: Folder,
    upstream: String,
    started: AtomicUsize,
}

impl Place {
    pub(super) fn new(name: &str, service: &Service) -> Self {
        Self { folder: Folder::new(name), upstream: service.url(), started: AtomicUsize::new(0) }
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.folder.path("upgrade.sock")
    }

    pub(super) fn command(&self, more: &[&str]) -> Command {
        let mut command = Gateway::command(&binary(), &self.upstream);
        command.arg("--upgrade-socket").arg(self.socket()).args(more);
        command
    }

    /// One that binds a certain address, where it gets no socket.
    pub(super) fn command_at(&self, address: SocketAddr, more: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.args(["gateway", "--log", "json", "--upstream", &self.upstream, "--workers", "2"]);
        command.args(["--listen", &address.to_string()]).arg("--upgrade-socket").arg(self.socket()).args(more);
        command.env("RUST_LOG", "info").stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    /// A gateway that serves: the first, or one that has taken over.
    pub(super) fn gateway(&self, more: &[&str]) -> Gateway {
        Gateway::run(self.command(more))
    }

    /// One that may end at any moment, here or there.
    pub(super) fn start(&self, more: &[&str]) -> Process {
        let mut command = self.command(more);
        command.stdout(Stdio::null());
        self.start_by(command)
    }

    pub(super) fn start_by(&self, mut command: Command) -> Process {
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let log = self.folder.path(&format!("{number}.log"));
        command.stderr(File::create(&log).unwrap());
        Process { child: command.spawn().expect("the gateway starts"), log }
    }

    /// One that does not come to serve: its exit code, and what it wrote to standard error.
    pub(super) fn refused(&self, more: &[&str]) -> (Option<i32>, String) {
        outcome(self.command(more))
    }
}

/// A gateway, whether it has begun to serve or not. It is killed when it is dropped.
pub(super) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    #[track_caller]
    pub(super) fn logs(&self, text: &str) {
        until(text, || when(self.log().contains(text), self.log()));
    }

    pub(super) fn sockets(&self) -> HashSet<String> {
        sockets_of(self.id())
    }

    pub(super) fn exit(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    #[track_caller]
    pub(super) fn ended(&mut self) -> ExitStatus {
        crate::holds::gateway::ended(&mut self.child)
    }

    pub(super) fn signal(&self, name: &str) {
        signal(self.id(), name);
    }

    /// `kill -9`; it is gone when this returns.
    pub(super) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(super) fn outcome(mut command: Command) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = command.output().expect("the gateway starts");
    assert!(stdout.is_empty(), "{}", String::from_utf8_lossy(&stdout));
    (status.code(), String::from_utf8_lossy(&stderr).into_owned())
}

pub(super) fn port(address: SocketAddr) -> String {
    address.port().to_string()
}
