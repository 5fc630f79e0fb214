//! Tests the external processor with a real Envoy. It sees the head of a response and no delivery, and must state that.

use std::fs;
use std::io::{BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::plan::{Kind, MODES, Upload, kinds};
use super::process::Process;
use super::service::Service;
use super::{compare, expect_none, rounds, runtime, send};
use crate::wait::until;

/// An Envoy process that is killed when dropped.
struct Envoy {
    child: Child,
    address: SocketAddr,
}

impl Envoy {
    /// Starts Envoy with this processor, in front of the service.
    fn start(processor: &Process, service: SocketAddr) -> Self {
        let (folder, policy) = (&processor.folder, processor.folder.join("policy.toml"));
        let mut command = Command::new(crate::command::binary());
        command.args(["envoy-config", "--listen", "127.0.0.1:0", "--envoy-admin", "127.0.0.1:0"]);
        command.args(["--upstream", &service.to_string(), "--ext-proc", &processor.address.to_string(), "--policy"]);
        let written = command.arg(policy).output().expect("it runs");
        let text = String::from_utf8(written.stdout).expect("text");
        let usual = " message_timeout: 0.5s";
        assert!(text.contains(usual), "{text}");
        fs::write(folder.join("envoy.yaml"), text.replace(usual, " message_timeout: 10s")).expect("a file");
        let child = Command::new(std::env::var_os("ENVOY").expect("ENVOY names the binary of Envoy"))
            .arg("-c")
            .arg(folder.join("envoy.yaml"))
            .arg("--admin-address-path")
            .arg(folder.join("admin"))
            .args(["--concurrency", "1", "--disable-hot-restart", "-l", "error"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("Envoy starts");
        let address = until("Envoy listens", || listening(&folder.join("admin")).ok_or("it does not"));
        until("Envoy accepts", || TcpStream::connect(address));
        Self { child, address }
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the address where Envoy listens, once its administration interface shows it.
fn listening(admin: &Path) -> Option<SocketAddr> {
    let admin: SocketAddr = fs::read_to_string(admin).ok()?.trim().parse().ok()?;
    let mut stream = TcpStream::connect(admin).ok()?;
    stream.write_all(b"GET /listeners HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n").ok()?;
    let mut text = String::new();
    BufReader::new(stream).read_to_string(&mut text).ok()?;
    text.split_once("edge::")?.1.lines().next()?.trim().parse().ok()
}

#[test]
#[ignore = "needs Envoy, which `.ci/envoy` brings"]
fn l5_every_statement_of_the_processor_is_what_clients_and_services_saw() {
    let runtime = runtime();
    // Envoy's codec may refuse a malformed request before a filter sees it.
    let is_malformed = |kind: &Kind| matches!(kind.upload, Upload::BadChunk | Upload::Contradicts(..));
    let kinds: Vec<Kind> = kinds().into_iter().filter(|kind| !is_malformed(kind)).collect();
    let service = runtime.block_on(Service::start(&kinds));
    let processor = Process::start("processor", &["ext-proc"]);
    let envoy = Envoy::start(&processor, service.address);
    let ledger = runtime.block_on(send(envoy.address, &service, &kinds, &MODES, rounds(2), false));
    expect_none(&compare::falsehoods(&ledger, &processor.views(&ledger)), ledger.len());
}
