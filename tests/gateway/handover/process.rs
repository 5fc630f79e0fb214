//! Gateways that hand their sockets over.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Output};

use crate::command::binary;
use crate::holds::gateway::{Folder, Gateway};
use crate::holds::service::Service;

/// Where gateways of one service find each other.
pub(super) struct Place {
    pub(super) folder: Folder,
    upstream: String,
}

impl Place {
    pub(super) fn new(name: &str, service: &Service) -> Self {
        Self { folder: Folder::new(name), upstream: service.url() }
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.folder.path("upgrade.sock")
    }

    pub(super) fn command(&self, more: &[&str]) -> Command {
        let mut command = Gateway::command(&binary(), &self.upstream);
        command.arg("--upgrade-socket").arg(self.socket()).args(more);
        command
    }

    /// A gateway that serves: the first, or one that has taken over.
    pub(super) fn gateway(&self, more: &[&str]) -> Gateway {
        Gateway::run(self.command(more))
    }

    /// One that does not come to serve: its exit code, and what it wrote to standard error.
    pub(super) fn refused(&self, more: &[&str]) -> (Option<i32>, String) {
        outcome(self.command(more))
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
