//! Runs the examples: with `--once`, where they make their own requests, and as servers whose address they print.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use futures_util::stream;
use serde_json::Value;
use tonic::Code;
use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest::ListServices;

use crate::kit::STARTED;

/// The name of an example, its arguments, and the codes that come back.
const EXAMPLES: [(&str, &[&str]); 13] = [
    ("axum", &["not_found", "conflict"]),
    ("typed", &["auth_missing", "sold_out"]),
    ("hyper", &["not_found", "internal_error"]),
    ("warp", &["not_found", "internal_error"]),
    ("poem", &["not_found", "internal_error"]),
    ("salvo", &["not_found", "internal_error"]),
    ("tonic", &["not_found", "internal_error", "invalid_request", "internal_error"]),
    ("mixed", &["not_found", "not_found", "not_found"]),
    ("own_error", &["out_of_stock", "service_unavailable", "internal_error"]),
    ("verifier", &["auth_missing", "auth_invalid", "service_unavailable"]),
    ("sse", &["internal_error", "not_found"]),
    ("messaging", &["internal_error", "not_found", "auth_expired"]),
    ("upload", &["payload_too_large", "invalid_request", "bad_request", "unsupported_media_type", "payload_too_large"]),
];

#[test]
fn the_index_has_each_example() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples");
    let index = std::fs::read_to_string(folder.join("README.md")).unwrap();
    for entry in folder.read_dir().unwrap().map(|entry| entry.unwrap().path()) {
        let name = entry.file_stem().unwrap().to_str().unwrap();
        assert!(name == "README" || index.contains(name), "examples/README.md does not name {name}");
    }
    let tested: Vec<_> = EXAMPLES.iter().map(|(name, _)| format!("{name}.rs")).collect();
    for entry in folder.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()) {
        let is_program = entry.ends_with(".rs") && entry != "client_hyper.rs";
        assert!(!is_program || tested.contains(&entry), "no test runs {entry}");
    }
}

#[test]
fn each_example_asks_itself_and_exits() {
    for (name, codes) in EXAMPLES {
        let output = Command::new(binary(name)).arg("--once").output().unwrap();
        let (printed, log) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{name}: {}\n{printed}\n{log}", output.status);
        assert_eq!(printed.lines().filter_map(code).collect::<Vec<_>>(), codes, "{name}: {printed}");
        assert!(!printed.contains("db-3.internal") && !printed.contains("will not read"), "{name}: {printed}");
        let own = log.lines().filter_map(|line| line.split_once("tower_error_envelope: "));
        let logged = own.filter(|(_, line)| !line.starts_with(STARTED)).count();
        assert_eq!(logged, codes.len(), "{name} logs each error once: {log}");
    }
}

#[test]
fn each_example_serves_at_the_address_that_it_prints() {
    for (name, _) in EXAMPLES {
        let (_server, mut printed) = start(name);
        let address = printed.next().unwrap().strip_prefix("listening on http://").unwrap().to_owned();
        for curl in [printed.next().unwrap(), printed.next().unwrap()] {
            assert!(curl.starts_with(&format!("  curl -i http://{address}/")), "{name}: {curl}");
            let path = curl.split(&*address).nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
            let answer = ask(&address, path);
            assert!(answer.lines().any(|line| code(line).is_some()), "{name}: {curl}: {answer}");
        }
    }
}

#[tokio::test]
async fn p1_health_checks_and_reflection_pass_in_the_examples() {
    for name in ["tonic", "mixed"] {
        let (_server, mut printed) = start(name);
        let address = printed.next().unwrap().strip_prefix("listening on ").unwrap().to_owned();
        let channel = Endpoint::from_shared(address).unwrap().connect().await.unwrap();
        let mut health = HealthClient::new(channel.clone());
        assert_eq!(health.check(HealthCheckRequest::default()).await.unwrap().into_inner().status, 1, "{name}");
        let unknown = health.check(HealthCheckRequest { service: "no.such".to_owned() }).await.unwrap_err();
        assert_eq!((unknown.code(), unknown.message()), (Code::NotFound, "service not registered"), "{name}");
        assert!(!unknown.metadata().contains_key("x-error-code"), "{name}: {unknown:?}");
        let all = ServerReflectionRequest { message_request: Some(ListServices(String::new())), ..Default::default() };
        let mut reflected =
            ServerReflectionClient::new(channel).server_reflection_info(stream::iter([all])).await.unwrap();
        let reflected = reflected.get_mut().message().await.unwrap().unwrap();
        assert!(format!("{reflected:?}").contains("greeter.v1.Greeter"), "{name}: {reflected:?}");
    }
}

/// Returns the code of a line. The line is an envelope, alone or in an event, or states the code of a gRPC response.
fn code(line: &str) -> Option<String> {
    if let Some(code) = line.trim().strip_prefix("x-error-code: ") {
        return Some(code.to_owned());
    }
    let line = line.trim();
    let line: Value = serde_json::from_str(line.strip_prefix("data: ").unwrap_or(line)).ok()?;
    assert!(line["request_id"].as_str()?.starts_with("req_"), "{line}");
    Some(line["error"]["code"].as_str()?.to_owned())
}

fn ask(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn start(name: &str) -> (Server, impl Iterator<Item = String>) {
    run(&mut Command::new(binary(name)))
}

fn run(command: &mut Command) -> (Server, impl Iterator<Item = String> + use<>) {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut server = Server(child);
    let printed = BufReader::new(server.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    (server, printed)
}

/// A program that serves as long as the test needs it.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Returns `target/<profile>/examples/NAME`, next to the folder `deps` of this test.
pub(crate) fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(|deps| deps.parent()).unwrap();
    let binary = profile.join("examples").join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(
        binary.exists(),
        "{}: not there; `cargo build --examples` or a whole `cargo test` makes it",
        binary.display()
    );
    binary
}
