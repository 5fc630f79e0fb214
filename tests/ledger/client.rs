//! The clients: one of raw HTTP/1, and one of HTTP/2 with `h2`. They record what they saw.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use http::{HeaderMap, Request};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::plan::{Kind, Leaves, Upload};
use super::service::Service;
use super::wire::{self, Wire};

/// A time that no request needs, also on a busy machine. It only prevents a hang, and proves nothing.
const TOO_LONG: Duration = Duration::from_secs(60);

/// What a client saw of its request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Got {
    pub(crate) status: Option<u16>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<(String, String)>,
    /// True if the response broke off.
    pub(crate) is_broken: bool,
    /// True if the client left first.
    pub(crate) has_left: bool,
}

/// Sends a request of this kind.
pub(crate) async fn ask(front: SocketAddr, service: &Service, kind: &Kind, path: &str, number: u64) -> Got {
    let target = format!("{path}?n={number}");
    let asked = async {
        if kind.http2 {
            over_http2(front, service, kind, &target, number).await
        } else {
            over_http1(front, service, kind, &target, number).await
        }
    };
    timeout(TOO_LONG, asked).await.unwrap_or_else(|_| panic!("{target}: no end"))
}

async fn over_http1(front: SocketAddr, service: &Service, kind: &Kind, target: &str, number: u64) -> Got {
    let stream = TcpStream::connect(front).await.expect("the front listens");
    let _ = stream.set_nodelay(true);
    let mut wire = Wire::new(stream);
    let mut bytes = format!("{} {target} HTTP/1.1\r\nhost: shop.example\r\n", kind.method);
    kind.headers.iter().for_each(|(name, value)| bytes.push_str(&format!("{name}: {value}\r\n")));
    let body = match kind.upload {
        Upload::Nothing => Vec::new(),
        Upload::Length(length) | Upload::Half(length) | Upload::Unfinished(length) => {
            bytes.push_str(&format!("content-length: {length}\r\n"));
            kind.body(length)[..kind.upload.part(length)].to_vec()
        }
        Upload::Chunked(length) => {
            bytes.push_str("transfer-encoding: chunked\r\n");
            [format!("{length:x}\r\n").into_bytes(), kind.body(length), b"\r\n0\r\n\r\n".to_vec()].concat()
        }
        Upload::BadChunk => {
            bytes.push_str("transfer-encoding: chunked\r\n");
            b"xyz\r\nno\r\n".to_vec()
        }
        Upload::Contradicts(..) => unreachable!("over HTTP/1, the bytes after the length are another request"),
    };
    bytes.push_str("\r\n");
    let mut got = Got::default();
    // A front that responds before it has read everything may have closed the connection.
    let _ = wire.send(&[bytes.as_bytes(), &body].concat()).await;
    if kind.leaves == Leaves::AtOnce {
        let _ = wire.stream.shutdown().await;
        wire.closed().await;
        got.has_left = true;
        return got;
    }
    if matches!(kind.leaves, Leaves::BeforeHead | Leaves::WhenLet) || matches!(kind.upload, Upload::Half(_)) {
        let head = tokio::select! {
            () = service.has_come(number, kind) => None,
            head = wire.response() => head.ok(),
        };
        if head.is_none() {
            got.has_left = true;
            return got;
        }
        // The front refused the request before the service got it.
        note_head(&mut got, head);
        return got;
    }
    let Ok(head) = wire.response().await else {
        got.is_broken = true;
        return got;
    };
    let is_bodiless = kind.method == "HEAD" || head.first.contains(" 204 ") || head.first.contains(" 304 ");
    if !is_bodiless {
        let body = wire.body(&head, true, |_| kind.leaves != Leaves::InBody).await;
        got.has_left = kind.leaves == Leaves::InBody && body.is_broken;
        (got.is_broken, got.body, got.trailers) = (body.is_broken && !got.has_left, body.bytes, body.trailers);
    }
    note_head(&mut got, Some(head));
    got
}

fn note_head(got: &mut Got, head: Option<wire::Head>) {
    let Some(head) = head else { return };
    got.status = head.first.split(' ').nth(1).and_then(|status| status.parse().ok());
    got.headers = head.headers;
}

async fn over_http2(front: SocketAddr, service: &Service, kind: &Kind, target: &str, number: u64) -> Got {
    let stream = TcpStream::connect(front).await.expect("the front listens");
    let _ = stream.set_nodelay(true);
    let (client, connection) = h2::client::handshake(stream).await.expect("a handshake");
    let driving = tokio::spawn(connection);
    let mut client = client.ready().await.expect("a connection");
    let mut request = Request::builder().method(kind.method).uri(format!("http://shop.example{target}"));
    for (name, value) in &kind.headers {
        request = request.header(*name, *value);
    }
    let length = match kind.upload {
        Upload::Length(length) | Upload::Half(length) | Upload::Unfinished(length) | Upload::Chunked(length) => length,
        Upload::Contradicts(_, declared, _) => declared,
        Upload::Nothing | Upload::BadChunk => 0,
    };
    if length > 0 && !matches!(kind.upload, Upload::Chunked(_)) {
        request = request.header("content-length", length);
    }
    let request = request.body(()).expect("a request");
    let mut got = Got::default();
    let Ok((answer, mut upload)) = client.send_request(request, length == 0) else { return got };
    if length > 0 {
        let body = kind.body(length);
        let part = kind.upload.part(body.len());
        let is_whole = part == body.len() && !matches!(kind.upload, Upload::Contradicts(..));
        let _ = upload.send_data(Bytes::from(body).slice(..part), is_whole);
    }
    if let Upload::Contradicts(first, _, sent) = kind.upload {
        service.has_come(number, kind).await;
        let _ = upload.send_data(vec![b'u'; sent - first].into(), true);
    }
    if matches!(kind.leaves, Leaves::BeforeHead | Leaves::WhenLet) || matches!(kind.upload, Upload::Half(_)) {
        let head = tokio::select! {
            () = service.has_come(number, kind) => None,
            head = answer => head.ok(),
        };
        got.has_left = head.is_none();
        if let Some(head) = head {
            got.status = Some(head.status().as_u16());
            got.headers = fields(head.headers());
        }
        if number.is_multiple_of(2) {
            // The whole connection ends.
            driving.abort();
        } else {
            upload.send_reset(Reason::CANCEL);
        }
        drop((client, upload));
        let _ = driving.await;
        return got;
    }
    match answer.await {
        Err(_) => got.is_broken = true,
        Ok(head) => {
            got.status = Some(head.status().as_u16());
            got.headers = fields(head.headers());
            let mut body = head.into_body();
            loop {
                match body.data().await {
                    Some(Ok(data)) => {
                        let _ = body.flow_control().release_capacity(data.len());
                        got.body.extend_from_slice(&data);
                        if kind.leaves == Leaves::InBody {
                            got.has_left = true;
                            upload.send_reset(Reason::CANCEL);
                            break;
                        }
                    }
                    Some(Err(_)) => {
                        got.is_broken = true;
                        break;
                    }
                    None => {
                        match body.trailers().await {
                            Ok(trailers) => got.trailers = trailers.as_ref().map(fields).unwrap_or_default(),
                            Err(_) => got.is_broken = true,
                        }
                        break;
                    }
                }
            }
        }
    }
    drop((client, upload));
    driving.abort();
    got
}

fn fields(map: &HeaderMap) -> Vec<(String, String)> {
    map.iter().map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())).collect()
}
