//! A client of Envoy that sends the bytes of a script, one by one.

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use super::super::format::Case;
use super::super::load;
use super::super::policy::Folder;
use super::super::seen::{End, Response};
use super::super::value::is_request_id;
use super::super::wire::{Framing, Timed, Wire};
use super::service::CANARY;
use super::{Running, configuration, written};

pub(super) fn case(text: &str) -> Case {
    load::parse(&format!("[[case]]\nname = \"holds\"\n{text}"), Path::new(".")).expect("a case").remove(0)
}

/// Reserves a port without a listener, as long as the returned socket lives.
pub(super) fn closed() -> (tokio::net::TcpSocket, u16) {
    let closed = tokio::net::TcpSocket::new_v4().expect("a socket");
    closed.bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port");
    let port = closed.local_addr().expect("its address").port();
    (closed, port)
}

/// Starts Envoy with the settings that the cases need for paths and for HTTP/1.0.
pub(super) fn start(policy: &str, upstream: SocketAddr, change: impl FnOnce(String) -> String) -> Running {
    start_by(configuration, policy, upstream, change)
}

/// Starts Envoy with the configuration as the command writes it.
pub(super) fn start_as_written(policy: &str, upstream: SocketAddr, change: impl FnOnce(String) -> String) -> Running {
    start_by(|policy, upstream| written(policy, upstream).expect("a policy that is right"), policy, upstream, change)
}

/// Adds a route of Envoy before the route for all paths.
pub(super) fn with_route(text: &str, route: &str) -> String {
    let all = "- { match: { prefix: / }, ";
    assert!(text.contains(all), "the route");
    text.replace(all, &format!("{route}\n              {all}"))
}

/// Adds this line after the policy's file in the filter's configuration.
pub(super) fn with_key(text: &str, line: &str) -> String {
    let file = "policy.toml\\\"\"";
    assert!(text.contains(file), "the policy's file");
    text.replace(file, &format!("policy.toml\\\"\\n{}\"", line.replace('"', "\\\"")))
}

fn start_by(
    configuration: impl FnOnce(&Path, SocketAddr) -> String,
    policy: &str,
    upstream: SocketAddr,
    change: impl FnOnce(String) -> String,
) -> Running {
    let case = case(&format!("policy = '''\n{policy}'''\n"));
    let folder = Folder::with(&case);
    let text = change(configuration(&folder.policy(), upstream));
    Running::start_with(&case, folder, &text).unwrap_or_else(|text| panic!("{text}"))
}

/// Sends these bytes, and reads one response.
pub(super) fn ask(address: SocketAddr, request: &[u8]) -> Result<Response, String> {
    let stream = TcpStream::connect(address).map_err(|error| error.to_string())?;
    let mut writing = stream.try_clone().map_err(|error| error.to_string())?;
    // Envoy may respond and close before it has read everything.
    let _ = writing.write_all(request);
    let start = Instant::now();
    let mut wire = Wire::new(Timed { stream, deadline: start + Duration::from_secs(30) });
    let head = wire.head().map_err(|error| format!("no head: {error}"))?;
    let mut response = Response { status: head.status().map_err(|error| error.to_string())?, ..Response::default() };
    response.headers.clone_from(&head.headers);
    let framing = head.framing(Framing::ToEnd).map_err(|error| error.to_string())?;
    let body = &mut response.body;
    wire.body(framing, |piece| body.extend_from_slice(piece)).map_err(|error| format!("its body: {error}"))?;
    response.whole_at = start.elapsed();
    response.end = End::Whole;
    Ok(response)
}

pub(super) fn get(path: &str, lines: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: test.example\r\n{lines}\r\n").into_bytes()
}

/// Returns the code of an envelope. Its id must be that of the head, and no word of it may be from Envoy or the
/// service.
pub(super) fn code(response: &Response) -> String {
    let text = String::from_utf8_lossy(&response.body).into_owned();
    let body: serde_json::Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("no envelope: {response:?}"));
    let id = response.header("x-request-id").unwrap_or_else(|| panic!("no id: {response:?}"));
    assert!(is_request_id(&id), "{id}");
    assert_eq!(body["request_id"], id.as_str(), "{text}");
    assert_eq!(body["error"]["code"], response.header("x-error-code").unwrap_or_default().as_str(), "{text}");
    let whole = format!("{text} {:?}", response.headers);
    for word in ["upstream connect", "reset reason", "disconnect", CANARY] {
        assert!(!whole.contains(word), "{word}: {whole}");
    }
    body["error"]["code"].as_str().unwrap_or_default().to_owned()
}
