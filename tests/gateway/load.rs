//! Sends 10,000 requests over 64 connections to the gateway in front of its misbehaving service.

use std::collections::{HashMap, HashSet};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::command::binary;
use crate::holds::gateway::ended;

const REQUESTS: usize = 10_000;
const CONNECTIONS: usize = 64;
/// Each of these holds a connection for a second or costs 2 MiB. So only one of each is sent in this many requests.
const DEAR: [&str; 6] = ["/trickle", "/endless", "/slow-head", "/too-large", "/upload", "/upload-fits"];
const DEAR_EVERY: usize = 500;

/// The response to one request.
struct Answer {
    path: String,
    status: StatusCode,
    id: String,
    code: Option<String>,
    body: Vec<u8>,
}

#[test]
fn l1_ten_thousand_requests_get_answers_of_their_own_and_each_error_one_log_line() {
    let gateway = Gateway::start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let answers = runtime.block_on(drive(&gateway.address));
    let log = gateway.stop();

    assert_eq!(answers.len(), REQUESTS);
    let ids: HashSet<_> = answers.iter().map(|answer| &answer.id).collect();
    assert_eq!(ids.len(), REQUESTS, "each answer has an id of its own");
    let errors = answers.iter().filter(|answer| answer.code.is_some()).count();
    assert!(errors > REQUESTS / 2, "the service misbehaves: {errors} errors");

    let events = events(&log);
    let wrong: Vec<_> = answers.iter().filter_map(|answer| judge(answer, &events)).collect();
    assert!(wrong.is_empty(), "{} of {REQUESTS} answers: {:#?}", wrong.len(), &wrong[..wrong.len().min(10)]);
}

fn judge(answer: &Answer, events: &HashMap<String, Vec<String>>) -> Option<String> {
    let Answer { path, status, id, code, .. } = answer;
    let logged = events.get(id).map_or(&[][..], Vec::as_slice);
    let fail = |what: &str| Some(format!("{path} {status} {id} {code:?}: {what}; logged {logged:?}"));
    if !id.starts_with("req_") || id.len() != 30 {
        return fail("no id");
    }
    let Some(code) = code else {
        // A success, or a response that passes by R10. A body that broke off is an error of the service, and may be
        // logged.
        return if status.is_success() || path == "/json-rpc" { None } else { fail("no code") };
    };
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    if body["jsonrpc"] == "2.0" {
        // It keeps its shape (R10), but it is an error nevertheless.
        return if logged == [code.clone()] { None } else { fail("not logged once with its code") };
    }
    if body["error"]["code"] != **code || body["request_id"] != **id {
        return fail("the envelope does not say the same");
    }
    if logged != [code.clone()] { fail("not logged once with its code") } else { None }
}

/// Returns the logged codes, by request id.
fn events(log: &str) -> HashMap<String, Vec<String>> {
    let mut events: HashMap<String, Vec<String>> = HashMap::new();
    for line in log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        if let (Some(id), Some(code)) = (line["fields"]["request_id"].as_str(), line["fields"]["code"].as_str()) {
            events.entry(id.to_owned()).or_default().push(code.to_owned());
        }
    }
    events
}

async fn drive(address: &str) -> Vec<Answer> {
    let paths = Arc::new(mix(&ways(address).await));
    let next = Arc::new(AtomicUsize::new(0));
    let mut workers = JoinSet::new();
    for _ in 0..CONNECTIONS {
        workers.spawn(work(address.to_owned(), Arc::clone(&paths), Arc::clone(&next)));
    }
    workers.join_all().await.into_iter().flatten().collect()
}

/// Returns every way to misbehave, from the service's index.
async fn ways(address: &str) -> Vec<String> {
    let index = ask(&mut connect(address).await, "/").await;
    let text = String::from_utf8(index.body).unwrap();
    let ways: Vec<_> = text.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect();
    assert!(ways.len() >= 20, "at least twenty ways to misbehave, not {}", ways.len());
    assert!(DEAR.iter().all(|dear| ways.iter().any(|way| way == dear)), "{ways:?}");
    ways
}

fn mix(ways: &[String]) -> Vec<String> {
    let cheap: Vec<_> = ways.iter().filter(|way| !DEAR.contains(&way.as_str())).collect();
    let dear = |n: usize| DEAR.get(n % DEAR_EVERY).map(|way| (*way).to_owned());
    (0..REQUESTS).map(|n| dear(n).unwrap_or_else(|| cheap[n % cheap.len()].clone())).collect()
}

/// Sends requests over one connection, which is opened again if a response ended it.
async fn work(address: String, paths: Arc<Vec<String>>, next: Arc<AtomicUsize>) -> Vec<Answer> {
    let mut answers = Vec::new();
    let mut connection = connect(&address).await;
    while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
        if connection.ready().await.is_err() {
            connection = connect(&address).await;
        }
        answers.push(ask(&mut connection, path).await);
    }
    answers
}

async fn connect(address: &str) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection.with_upgrades());
    sender
}

async fn ask(connection: &mut SendRequest<Full<Bytes>>, path: &str) -> Answer {
    let request = Request::get(path).header("host", "test.example");
    let large = || Full::new(Bytes::from_static(&[b'a'; 2 * 1024 * 1024]));
    let request = match path {
        "/too-large" => request.method("POST").body(large()),
        "/upload" => request.method("POST").header("transfer-encoding", "chunked").body(large()),
        "/upload-fits" => request.method("POST").header("transfer-encoding", "chunked").body(Full::from("small")),
        _ => request.body(Full::default()),
    };
    let response = connection.send_request(request.unwrap()).await.unwrap_or_else(|error| panic!("{path}: {error}"));
    let text = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let (status, id, code) = (response.status(), text("x-request-id").unwrap_or_default(), text("x-error-code"));
    // A body that the service broke off is still a response.
    let body = response.into_body().collect().await.map(|body| body.to_bytes().to_vec()).unwrap_or_default();
    Answer { path: path.to_owned(), status, id, code, body }
}

/// The built example as a separate process.
struct Gateway {
    process: Child,
    address: String,
    log: Option<JoinHandle<String>>,
}

impl Gateway {
    fn start() -> Self {
        let mut process = Command::new(binary())
            .args(["demo", "--listen", "127.0.0.1:0", "--log", "json"])
            .env("RUST_LOG", "tower_error_envelope=info")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = collect(process.stderr.take().unwrap());
        let mut out = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://").unwrap_or_else(|| panic!("{line:?}")).to_owned();
        // The demo's own tour writes to the same pipe. A full pipe would stop it.
        collect(out);
        Self { process, address, log: Some(log) }
    }

    /// Sends SIGTERM, and returns the whole log.
    fn stop(mut self) -> String {
        let signalled = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status().unwrap();
        assert!(signalled.success());
        assert!(ended(&mut self.process).success(), "a stop is no failure");
        self.log.take().unwrap().join().unwrap()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn collect(mut from: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut text = Vec::new();
        let _ = from.read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    })
}
