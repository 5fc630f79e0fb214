//! One request of each kind, all at once, and what came back for it.
//!
//! Each row is judged against its act, so that the tour is a test as well.

use std::collections::HashSet;
use std::fmt::Write;
use std::io::{Write as _, stdout};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;
use tower_error_envelope::RequestId;

use super::acts::{ACTS, Act, Ask, Expect, Play};
use super::table::Table;
use crate::BoxError;

type Sent = UnsyncBoxBody<Bytes, BoxError>;

/// The layer gives up on an error body after 1 s; what takes this long never comes.
const PATIENCE: Duration = Duration::from_secs(4);

/// Walks, prints, and says how it went: an exit code of 1 where a row is not as it should be.
pub(crate) async fn tour(address: SocketAddr) -> Result<ExitCode, BoxError> {
    let mut walk = JoinSet::new();
    let client = Client::builder(TokioExecutor::new()).build_http::<Sent>();
    for (row, act) in ACTS.iter().enumerate() {
        let client = client.clone();
        walk.spawn(async move { (row, visit(client, address, act).await) });
    }
    let mut rows = walk.join_all().await;
    rows.sort_by_key(|(row, _)| *row);
    let (text, wrong) = report(address, rows.iter().map(|(row, got)| (&ACTS[*row], got)));
    let mut out = stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn report<'a>(address: SocketAddr, rows: impl Iterator<Item = (&'a Act, &'a Result<Got, String>)>) -> (String, usize) {
    let table = Table::of_terminal();
    let (mut text, mut ids, mut wrong, mut count) = (String::new(), HashSet::new(), 0, 0);
    let _ = writeln!(text, "\n{}", table.head(["path", "the service", "the client got"]));
    for (act, got) in rows {
        let verdict = got.as_ref().map_err(Clone::clone).and_then(|got| judge(act, got, &mut ids));
        let got = got.as_ref().map_or_else(Clone::clone, |got| told(act, got));
        let _ = writeln!(text, "{}", table.row([act.path, &act.said(), &got], verdict.is_ok()));
        if let Err(reason) = &verdict {
            let _ = writeln!(text, "  ✗ {}: {reason}", act.path);
        }
        wrong += usize::from(verdict.is_err());
        count += 1;
    }
    let _ = writeln!(text, "\n{count} requests, {wrong} not as expected. By hand: curl -i http://{address}/html-502");
    (text, wrong)
}

/// What a client got.
struct Got {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
    broken: bool,
}

async fn visit(client: Client<HttpConnector, Sent>, address: SocketAddr, act: &Act) -> Result<Got, String> {
    let visit = async {
        let mut response = client.request(request(address, act)?).await?;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let body = converse(hyper::upgrade::on(&mut response)).await?;
            let (head, _) = response.into_parts();
            return Ok(Got { status: head.status, headers: head.headers, body, broken: false });
        }
        let (head, mut incoming) = response.into_parts();
        let (mut body, mut broken) = (Vec::new(), false);
        while let Some(frame) = incoming.frame().await {
            match frame.map(http_body::Frame::into_data) {
                Ok(data) => body.extend_from_slice(&data.unwrap_or_default()),
                Err(_) => broken = true,
            }
        }
        Ok(Got { status: head.status, headers: head.headers, body, broken })
    };
    match tokio::time::timeout(PATIENCE, visit).await {
        Ok(got) => got.map_err(|error: BoxError| format!("no answer: {error}")),
        Err(_) => Err(format!("no whole answer in {PATIENCE:?}")),
    }
}

fn request(address: SocketAddr, act: &Act) -> Result<Request<Sent>, BoxError> {
    let request = Request::builder().uri(format!("http://{address}{}", act.path));
    let empty = || Empty::new().map_err(|never| match never {}).boxed_unsync();
    let full = |size| Full::new(Bytes::from(vec![b'a'; size])).map_err(|never| match never {});
    Ok(match act.ask {
        Ask::Get => request.body(empty()),
        Ask::Head => request.method("HEAD").body(empty()),
        Ask::Upgrade => request.header(CONNECTION, "upgrade").header(UPGRADE, "echo").body(empty()),
        Ask::Declared(size) => request.method("POST").body(full(size).boxed_unsync()),
        Ask::Chunked(size) => {
            request.method("POST").header(TRANSFER_ENCODING, "chunked").body(full(size).boxed_unsync())
        }
    }?)
}

async fn converse(upgrade: hyper::upgrade::OnUpgrade) -> Result<Vec<u8>, BoxError> {
    let mut stream = TokioIo::new(upgrade.await?);
    stream.write_all(b"echo").await?;
    let mut heard = vec![0; 4];
    stream.read_exact(&mut heard).await?;
    Ok(heard)
}

/// The right column.
fn told(act: &Act, got: &Got) -> String {
    let (status, code) = (got.status.as_u16(), code(got));
    match act.expect {
        _ if got.broken => format!("{status}, broken off after {} bytes", got.body.len()),
        Expect::Head(..) => format!("{status} {code}, no body"),
        _ if !code.is_empty() => format!("{status} {code}: {}", text(&json(got), "/error/message")),
        _ if got.body.is_empty() => format!("{status}, nothing more"),
        _ => format!("{status}, as it came, with an id"),
    }
}

fn judge(act: &Act, got: &Got, ids: &mut HashSet<String>) -> Result<(), String> {
    let id = header(got, "x-request-id");
    ensure(id.starts_with("req_") && id.parse::<RequestId>().is_ok(), || format!("x-request-id is {id:?}"))?;
    ensure(ids.insert(id.to_owned()), || format!("{id} was another request's"))?;
    let (status, broken) = match act.expect {
        Expect::Broken(status) => (status, true),
        Expect::Error(status, ..) | Expect::Head(status, _) | Expect::Passed(status) | Expect::Empty(status) => {
            (status, false)
        }
    };
    ensure(got.status == status, || format!("status {} instead of {status}", got.status.as_u16()))?;
    ensure(got.broken == broken, || format!("broken off: {}", got.broken))?;
    kept(act, got)?;
    match act.expect {
        Expect::Error(_, code, message) => envelope(got, id, code, message),
        Expect::Head(_, wanted) => {
            ensure(code(got) == wanted && got.body.is_empty(), || format!("code {:?}", code(got)))
        }
        Expect::Passed(_) => passed(act, got),
        Expect::Broken(_) => ensure(code(got).is_empty(), || "an error code on a success".into()),
        Expect::Empty(_) => ensure(got.body.is_empty(), || "a body".into()),
    }
}

fn envelope(got: &Got, id: &str, wanted: &str, message: &str) -> Result<(), String> {
    let body = json(got);
    let said = text(&body, "/error/message");
    ensure(header(got, CONTENT_TYPE.as_str()) == "application/json", || "not application/json".into())?;
    ensure(code(got) == wanted, || format!("x-error-code {:?} instead of {wanted:?}", code(got)))?;
    ensure(text(&body, "/error/code") == wanted, || format!("body {}", String::from_utf8_lossy(&got.body)))?;
    ensure(text(&body, "/request_id") == id, || "another id in the body".into())?;
    ensure(!said.is_empty() && (message.is_empty() || said == message), || format!("message {said:?}"))
}

fn passed(act: &Act, got: &Got) -> Result<(), String> {
    ensure(code(got).is_empty(), || format!("x-error-code {:?}", code(got)))?;
    match act.play {
        Play::Says(_, _, _, body) => ensure(got.body == body.as_bytes(), || "another body".into()),
        _ => ensure(!got.body.is_empty(), || "no body".into()),
    }
}

/// The headers that the service set arrive in number and order; the id alone is the layer's.
fn kept(act: &Act, got: &Got) -> Result<(), String> {
    let Play::Says(_, headers, ..) = act.play else { return Ok(()) };
    for (name, _) in headers.iter().filter(|(name, _)| *name != "x-request-id") {
        let sent = headers.iter().filter(|(each, _)| each == name).map(|(_, value)| *value);
        let came = got.headers.get_all(*name).iter().map(|value| value.to_str().unwrap_or_default());
        ensure(sent.eq(came), || format!("{name} is not as the service set it"))?;
    }
    Ok(())
}

fn ensure(holds: bool, reason: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(reason()) }
}

fn code(got: &Got) -> &str {
    header(got, "x-error-code")
}

fn header<'a>(got: &'a Got, name: &str) -> &'a str {
    got.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn json(got: &Got) -> Value {
    serde_json::from_slice(&got.body).unwrap_or_default()
}

fn text<'a>(body: &'a Value, pointer: &str) -> &'a str {
    body.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
