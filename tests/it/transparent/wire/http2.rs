//! Compares HTTP/2: the stream's frames, as a tap on the client's end reads them, and its headers, as the client
//! decodes them. The bytes of headers depend on the table of all earlier headers.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use h2::RecvStream;
use http::{Method, Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tower::Layer;
use tower_error_envelope::session::BoxError;
use tower_service::Service;

use super::super::scripted::{Ended, Hint, Script, Step, for_the_wire, without_a_body};
use super::super::services::{echo, plain, router};
use super::super::{Headers, Setting};
use super::{pipe, with_time_paused};

#[test]
fn e5_m1_http2_is_the_same_frames() {
    let mut compared = 0;
    with_time_paused(async {
        for (index, script) in for_the_wire().enumerate() {
            for setting in Setting::ALL {
                let statuses = setting.statuses();
                let method = [Method::GET, Method::GET, Method::GET, Method::HEAD][index % 4].clone();
                compared += same(setting, statuses[index / 4 % statuses.len()], method, &script).await;
            }
        }
    });
    println!("{compared} pairs of streams");
}

#[test]
fn e5_m1_http2_statuses_without_a_body_are_the_same_frames() {
    with_time_paused(async {
        for (setting, script) in without_a_body() {
            let statuses = if setting == Setting::Enforce { &[204, 304][..] } else { &[204, 205, 304] };
            for status in statuses {
                same(setting, *status, Method::GET, &script).await;
            }
        }
    });
}

/// The body exceeds a stream's window and a frame.
#[test]
fn e5_m1_http2_cuts_a_long_body_alike() {
    with_time_paused(async {
        let steps = [Step::Data(vec![b'x'; 200_000].into()), Step::Wait, Step::Data("more".into()), Step::Trailers(1)];
        for hint in [Hint::Unknown, Hint::Exact] {
            let script = Script { steps: VecDeque::from(steps.clone()), hint, ended: Ended::Truly };
            for setting in Setting::ALL {
                same(setting, 200, Method::GET, &script).await;
            }
        }
    });
}

#[test]
fn e5_m1_http2_gives_back_the_same_upload() {
    with_time_paused(async {
        for setting in Setting::ALL {
            for pieces in [&[][..], &["some"], &["so", "", "me"]] {
                let bare = stream(setting, echo(), Method::POST, pieces).await;
                let layered = stream(setting, setting.layer().layer(echo()), Method::POST, pieces).await;
                assert_eq!(bare, layered, "{setting:?}, {pieces:?}");
            }
        }
    });
}

async fn same(setting: Setting, status: u16, method: Method, script: &Script) -> usize {
    let context = format!("{setting:?}, {status}, {method}, {script:?}");
    let bare = stream(setting, plain(status, script), method.clone(), &[]).await;
    let layered = stream(setting, setting.layer().layer(plain(status, script)), method.clone(), &[]).await;
    assert!(!bare.frames.is_empty() && bare.head.as_ref().is_some_and(|head| head.0 == status), "{context}: {bare:?}");
    assert_eq!(bare, layered, "a plain service: {context}");
    let bare = stream(setting, router(status, script), method.clone(), &[]).await;
    let layered = stream(setting, router(status, script).layer(setting.layer()), method, &[]).await;
    assert_eq!(bare, layered, "a router: {context}");
    2
}

/// Everything that arrived on one stream.
#[derive(Debug, Default, PartialEq)]
struct Came {
    head: Option<(u16, Headers)>,
    trailers: Option<Headers>,
    failed: Option<String>,
    frames: Vec<Frame>,
}

/// A frame of the stream. Only the client knows the content of headers.
#[derive(Debug, PartialEq)]
struct Frame {
    kind: u8,
    flags: u8,
    payload: Vec<u8>,
}

const HEADERS: u8 = 1;

async fn stream<S, B>(setting: Setting, service: S, method: Method, pieces: &[&'static str]) -> Came
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let read = Arc::default();
    let tap = Tap { pipe: pipe(service), read: Arc::clone(&read) };
    let (mut send, connection) = h2::client::handshake(tap).await.unwrap();
    let connection = tokio::spawn(connection);
    poll_fn(|cx| send.poll_ready(cx)).await.unwrap();
    let request = Request::builder().method(method).uri("http://test/").header("te", "trailers").body(()).unwrap();
    let (response, mut upload) = send.send_request(request, pieces.is_empty()).unwrap();
    for (index, piece) in pieces.iter().enumerate() {
        upload.send_data(Bytes::from_static(piece.as_bytes()), index + 1 == pieces.len()).unwrap();
    }
    let mut came = Came::default();
    match response.await {
        Ok(response) => came.reads(setting, response).await,
        Err(error) => came.failed = Some(error.to_string()),
    }
    drop((send, upload));
    // The connection ends once everything has arrived.
    let _ = connection.await.unwrap();
    came.frames = frames(&read.lock().unwrap());
    came
}

impl Came {
    async fn reads(&mut self, setting: Setting, response: Response<RecvStream>) {
        let (head, mut body) = response.into_parts();
        self.head = Some((head.status.as_u16(), setting.others(&head.headers)));
        while let Some(data) = body.data().await {
            match data {
                Ok(data) => body.flow_control().release_capacity(data.len()).unwrap(),
                Err(error) => {
                    self.failed = Some(error.to_string());
                    return;
                }
            }
        }
        match body.trailers().await {
            Ok(trailers) => self.trailers = trailers.map(|trailers| setting.others(&trailers)),
            Err(error) => self.failed = Some(error.to_string()),
        }
    }
}

/// RFC 9113 §4.1: nine bytes, of which the first three are the payload's length.
fn frames(mut read: &[u8]) -> Vec<Frame> {
    let mut frames = Vec::new();
    while let Some((head, rest)) = read.split_first_chunk::<9>() {
        let [a, b, c, kind, flags, stream @ ..] = *head;
        let (payload, rest) = rest.split_at(u32::from_be_bytes([0, a, b, c]) as usize);
        read = rest;
        if u32::from_be_bytes(stream) != 0 {
            let payload = if kind == HEADERS { Vec::new() } else { payload.to_vec() };
            frames.push(Frame { kind, flags, payload });
        }
    }
    frames
}

/// A pipe that records what is read through it.
struct Tap {
    pipe: DuplexStream,
    read: Arc<Mutex<Vec<u8>>>,
}

impl AsyncRead for Tap {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.pipe).poll_read(cx, buf);
        self.read.lock().unwrap().extend_from_slice(&buf.filled()[before..]);
        polled
    }
}

impl AsyncWrite for Tap {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.pipe).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_shutdown(cx)
    }
}
