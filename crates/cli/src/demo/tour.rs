//! Sends one request for each case of the demo, all at once, and prints the responses.
//!
//! Each response is compared with the expected response, so the demo is also a test. Other programs can read the
//! responses as JSON lines.

use std::collections::HashSet;
use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;
use tower::BoxError;
use tower_error_envelope::RequestId;

use super::acts::{ACTS, DemoCase, DemoRequest, Expect, UpstreamBehaviour};
use crate::failure::{CommandError, print_styled};
use crate::output;
use crate::text::{cut, one_line};

/// Sends the requests, prints the table, and returns true if every response is as expected. If `recorded` is given,
/// also writes each response to that file as a line of JSON.
pub(crate) async fn tour(address: SocketAddr, recorded: Option<&Path>) -> Result<bool, CommandError> {
    let mut walk = JoinSet::new();
    let client = Client::builder(TokioExecutor::new()).build_http::<RequestBody>();
    for (row, act) in ACTS.iter().enumerate() {
        let client = client.clone();
        walk.spawn(async move { (row, act, visit(client, address, act).await) });
    }
    let mut rows = walk.join_all().await;
    rows.sort_by_key(|(row, ..)| *row);
    let rows = || rows.iter().map(|(_, act, got)| (*act, got));
    let (mut text, wrong) = report(rows());
    let _ = writeln!(text, "\n{} requests, {wrong} not as expected.", rows().len());
    print_styled(&text)?;
    recorded.map_or(Ok(()), |file| record_lines(file, rows()))?;
    Ok(wrong == 0)
}

/// Returns the table, and the number of its wrong rows.
fn report<'a>(rows: impl Iterator<Item = (&'a DemoCase, &'a Result<DemoResponse, String>)>) -> (String, usize) {
    let (mut text, mut ids, mut wrong) = (String::new(), HashSet::new(), 0);
    let _ = writeln!(text, "\n{}", head(["path", "the service", "the client got"]));
    for (act, got) in rows {
        let verdict = got.as_ref().map_err(Clone::clone).and_then(|got| judge(act, got, &mut ids));
        let outcome = got.as_ref().map_or_else(Clone::clone, |got| describe(act, got));
        let _ = writeln!(text, "{}", row([act.path, &act.upstream_body(), &outcome], verdict.is_ok()));
        if let Err(reason) = &verdict {
            let _ = writeln!(text, "  ✗ {}: {reason}", act.path);
            wrong += 1;
        }
    }
    (text, wrong)
}

/// Describes the response that the client got, for the right column of the table.
fn describe(act: &DemoCase, got: &DemoResponse) -> String {
    let (status, code) = (got.status.as_u16(), got.code());
    match act.expect {
        _ if got.broken => format!("{status}, cut off after {} bytes", got.body.len()),
        Expect::Head(..) => format!("{status} {code}, no body"),
        _ if !code.is_empty() => format!("{status} {code}: {}", got.member("/error/message")),
        _ if got.body.is_empty() => format!("{status}, nothing more"),
        _ => format!("{status}, unchanged, with an id"),
    }
}

const WIDTHS: [usize; 3] = [17, 37, 44];

const BOLD: &str = "1";
const GREEN: &str = "32";
const RED: &str = "31";

pub(super) fn head(cells: [&str; 3]) -> String {
    let rule = WIDTHS.map(|width| "─".repeat(width)).join("─");
    format!("{}\n{rule}", paint(BOLD, fit(cells).join(" ").trim_end()))
}

/// Returns one row of the table. The last cell is red if `well` is false.
pub(super) fn row(cells: [&str; 3], well: bool) -> String {
    let [path, upstream, got] = fit(cells);
    format!("{path} {upstream} {}", paint(if well { GREEN } else { RED }, got.trim_end()))
}

fn paint(colour: &str, text: &str) -> String {
    format!("\u{1b}[{colour}m{text}\u{1b}[0m")
}

/// Fits each cell into its column: fills up a short cell with spaces, and cuts a long cell with `…`.
fn fit(cells: [&str; 3]) -> [String; 3] {
    std::array::from_fn(|column| {
        let width = WIDTHS[column];
        format!("{:<width$}", cut(&one_line(cells[column]), width))
    })
}

/// Writes a line of JSON for each response. A request without a response gets no line, and its row is treated as wrong.
///
/// The tests of the exported clients read these lines. In a line, `body` is the received text, which the tests parse.
pub(super) fn record_lines<'a>(
    file: &Path,
    rows: impl Iterator<Item = (&'a DemoCase, &'a Result<DemoResponse, String>)>,
) -> Result<(), CommandError> {
    let lines: String = rows.filter_map(|(act, got)| Some(format!("{}\n", line(act, got.as_ref().ok()?)))).collect();
    output::write(file, &lines).map_err(|error| {
        CommandError::Io(format!("--tour-json {}: {error}; name a file that can be written", file.display()))
    })
}

fn line(act: &DemoCase, got: &DemoResponse) -> Value {
    let headers: Vec<_> = got
        .headers
        .iter()
        .map(|(name, value)| json!([name.as_str(), String::from_utf8_lossy(value.as_bytes())]))
        .collect();
    let body = String::from_utf8_lossy(&got.body);
    json!({ "name": act.path, "status": got.status.as_u16(), "headers": headers, "body": body })
}

/// Compares a response with the case. `ids` contains the request ids of earlier rows.
pub(super) fn judge(act: &DemoCase, got: &DemoResponse, ids: &mut HashSet<String>) -> Result<(), String> {
    let id = got.header("x-request-id");
    ensure(id.starts_with("req_") && id.parse::<RequestId>().is_ok(), || format!("x-request-id is {id:?}"))?;
    ensure(ids.insert(id.to_owned()), || format!("{id} is the id of another request"))?;
    let (status, broken) = match act.expect {
        Expect::Broken(status) => (status, true),
        Expect::Error(status, ..) | Expect::Head(status, _) | Expect::Passed(status) | Expect::Empty(status) => {
            (status, false)
        }
    };
    ensure(got.status == status, || format!("status {} instead of {status}", got.status.as_u16()))?;
    ensure(got.broken == broken, || format!("broken off: {}", got.broken))?;
    as_expected(act, got)?;
    body(act, got, id)
}

/// Checks that all headers of the service arrive in their order, and that the layer adds only the request id.
fn as_expected(act: &DemoCase, got: &DemoResponse) -> Result<(), String> {
    let UpstreamBehaviour::Responds(_, headers, ..) = act.play else { return Ok(()) };
    for (name, _) in headers.iter().filter(|(name, _)| *name != "x-request-id") {
        let sent = headers.iter().filter(|(each, _)| each == name).map(|(_, value)| *value);
        let came = got.headers.get_all(*name).iter().map(|value| value.to_str().unwrap_or_default());
        ensure(sent.eq(came), || format!("{name} differs from the service's value"))?;
    }
    Ok(())
}

fn body(act: &DemoCase, got: &DemoResponse, id: &str) -> Result<(), String> {
    let code = got.code();
    match act.expect {
        Expect::Error(_, wanted, message) => envelope(got, id, wanted, message),
        Expect::Head(_, wanted) => ensure(code == wanted && got.body.is_empty(), || format!("code {code:?}")),
        Expect::Passed(status) => passed(act, got, status),
        Expect::Broken(_) => ensure(code.is_empty(), || "an error code in a successful response".into()),
        Expect::Empty(_) => ensure(got.body.is_empty(), || "a body".into()),
    }
}

fn envelope(got: &DemoResponse, id: &str, wanted: &str, message: &str) -> Result<(), String> {
    let in_body = got.member("/error/message");
    ensure(got.header("content-type") == "application/json", || "not application/json".into())?;
    ensure(got.code() == wanted, || format!("x-error-code {:?} instead of {wanted:?}", got.code()))?;
    ensure(got.member("/error/code") == wanted, || format!("body {}", String::from_utf8_lossy(&got.body)))?;
    ensure(got.member("/request_id") == id, || "the body has another id".into())?;
    ensure(!in_body.is_empty() && (message.is_empty() || in_body == message), || format!("message {in_body:?}"))
}

/// Checks a response that should pass. An error that keeps its protocol's shape has a code in its head (R10).
fn passed(act: &DemoCase, got: &DemoResponse, status: u16) -> Result<(), String> {
    ensure(got.code().is_empty() == (status < 400), || format!("x-error-code {:?}", got.code()))?;
    match act.play {
        UpstreamBehaviour::Responds(_, _, _, body) => ensure(got.body == body.as_bytes(), || "another body".into()),
        _ => ensure(!got.body.is_empty(), || "no body".into()),
    }
}

fn ensure(holds: bool, reason: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(reason()) }
}

/// The longest wait for a response. The layer waits at most 1 s for an error's body, so a response that takes longer
/// than 4 s will never come.
const PATIENCE: Duration = Duration::from_secs(4);

/// The bodies that the demo sends.
pub(super) type RequestBody = UnsyncBoxBody<Bytes, BoxError>;

pub(super) type DemoClient = Client<HttpConnector, RequestBody>;

/// The response that a client got.
pub(super) struct DemoResponse {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    pub(super) broken: bool,
}

/// Sends the request of a case. Returns an error if no response came.
pub(super) async fn visit(client: DemoClient, address: SocketAddr, act: &DemoCase) -> Result<DemoResponse, String> {
    let answer = async {
        let mut response = client.request(request(address, act)?).await?;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let body = converse(hyper::upgrade::on(&mut response)).await?;
            let (head, _) = response.into_parts();
            return Ok(DemoResponse { status: head.status, headers: head.headers, body, broken: false });
        }
        Ok(read(response).await)
    };
    match tokio::time::timeout(PATIENCE, answer).await {
        Ok(got) => got.map_err(|error: BoxError| format!("no answer: {error}")),
        Err(_) => Err(format!("no complete response within {PATIENCE:?}")),
    }
}

fn request(address: SocketAddr, act: &DemoCase) -> Result<Request<RequestBody>, BoxError> {
    let request = Request::builder().uri(format!("http://{address}{}", act.path));
    let empty = || Empty::new().map_err(|never| match never {}).boxed_unsync();
    let full = |size| Full::new(Bytes::from(vec![b'a'; size])).map_err(|never| match never {}).boxed_unsync();
    Ok(match act.request {
        DemoRequest::Get => request.body(empty()),
        DemoRequest::Head => request.method("HEAD").body(empty()),
        DemoRequest::Upgrade => request.header(CONNECTION, "upgrade").header(UPGRADE, "websocket").body(empty()),
        DemoRequest::Declared(size) => request.method("POST").body(full(size)),
        DemoRequest::Chunked(size) => request.method("POST").header(TRANSFER_ENCODING, "chunked").body(full(size)),
    }?)
}

async fn read(response: Response<Incoming>) -> DemoResponse {
    let (head, mut incoming) = response.into_parts();
    let mut got = DemoResponse { status: head.status, headers: head.headers, body: Vec::new(), broken: false };
    while let Some(frame) = incoming.frame().await {
        match frame {
            Ok(frame) => got.body.extend_from_slice(frame.data_ref().map_or(&[], |data| data)),
            Err(_) => got.broken = true,
        }
    }
    got
}

async fn converse(upgrade: OnUpgrade) -> Result<Vec<u8>, BoxError> {
    let mut stream = TokioIo::new(upgrade.await?);
    stream.write_all(b"echo").await?;
    let mut reply = vec![0; 4];
    stream.read_exact(&mut reply).await?;
    Ok(reply)
}

impl DemoResponse {
    /// Returns the error code in the response's head.
    pub(super) fn code(&self) -> &str {
        self.header("x-error-code")
    }

    /// Returns the first value of a header. The value is empty if the header is absent or not text.
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Returns the text at this JSON pointer in the body. The text is empty if the pointer leads to no string.
    pub(super) fn member(&self, pointer: &str) -> String {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        body.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    }
}
