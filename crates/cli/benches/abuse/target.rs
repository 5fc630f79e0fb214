//! The service behind the gateway. It stores the id of each request, and whether it responded to the request.

use std::collections::HashMap;
use std::io::Write;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use http::{Request, Response};
use hyper::body::Incoming;

use crate::good;
use crate::service::{Body, Service, count, full, streamed};

/// The time that the service takes for a response. Without this time, the times of good requests would only show how
/// the machine schedules its threads.
pub(crate) const WORK: Duration = Duration::from_millis(5);
/// The unpacked size of a bomb.
pub(crate) const BOMB_MIB: usize = 100;

/// The requests by their id, and true if the service responded.
#[derive(Default)]
pub(crate) struct Seen(pub(crate) Mutex<HashMap<String, bool>>);

pub(crate) fn start(seen: &Arc<Seen>) -> Service {
    let seen = Arc::clone(seen);
    Service::new(move |request| {
        let seen = Arc::clone(&seen);
        async move {
            let id = request.headers().get("x-request-id").and_then(|id| id.to_str().ok()).unwrap_or("none").to_owned();
            seen.0.lock().expect("no panic under the lock").insert(id.clone(), false);
            let response = answer(request).await;
            seen.0.lock().expect("no panic under the lock").insert(id, true);
            response
        }
    })
}

async fn answer(request: Request<Incoming>) -> Response<Body> {
    let path = request.uri().path();
    if let Some(coding) = path.strip_prefix("/bomb/") {
        return bomb(coding);
    }
    match path {
        good::PATH => {
            tokio::time::sleep(WORK).await;
            Response::new(full(good::BODY))
        }
        "/hang" => std::future::pending().await,
        // The body is kept without reading any of it.
        "/unread" => {
            std::future::pending::<()>().await;
            drop(request);
            unreachable!()
        }
        "/endless" => Response::new(streamed(|send| async move {
            while send.send(Bytes::from_static(&[b'x'; 16 * 1024])).await.is_ok() {}
        })),
        "/count" => Response::new(full(format!("{:?}", count(request.into_body()).await))),
        _ => error(404, "text/html", None, "<h1>Not here</h1>".into()),
    }
}

pub(crate) fn make_bombs() {
    LazyLock::force(&BOMBS);
}

fn bomb(coding: &str) -> Response<Body> {
    let coding = coding.replace('-', ", ");
    match BOMBS.get(&*coding) {
        Some(bomb) => error(502, "application/json", Some(&coding), bomb.clone()),
        None => error(404, "text/html", None, "<h1>No such bomb</h1>".into()),
    }
}

fn error(status: u16, media_type: &str, coding: Option<&str>, body: Bytes) -> Response<Body> {
    let mut response = Response::builder().status(status).header("content-type", media_type);
    if let Some(coding) = coding {
        response = response.header("content-encoding", coding);
    }
    response.body(full(body)).expect("a response")
}

/// The bombs by their `content-encoding`.
static BOMBS: LazyLock<HashMap<&str, Bytes>> = LazyLock::new(|| {
    let gzip = |bytes: &[u8]| {
        let mut coder = GzEncoder::new(Vec::new(), Compression::fast());
        coder.write_all(bytes).expect("into memory");
        coder.finish().expect("into memory")
    };
    let zeros = vec![0; BOMB_MIB << 20];
    let once = gzip(&zeros);
    let mut deflate = ZlibEncoder::new(Vec::new(), Compression::fast());
    deflate.write_all(&zeros).expect("into memory");
    [
        ("gzip, gzip", gzip(&once)),
        ("gzip", once),
        ("deflate", deflate.finish().expect("into memory")),
        ("br", include_bytes!("zeros.br").to_vec()),
        ("zstd", zstd()),
    ]
    .map(|(coding, bomb)| (coding, Bytes::from(bomb)))
    .into()
});

/// Makes a frame by RFC 8878. Each block repeats one byte 128 Ki times, and the window is as large as decoders allow.
fn zstd() -> Vec<u8> {
    const BLOCK: u32 = 128 << 10;
    let blocks = (BOMB_MIB << 20) as u32 / BLOCK;
    // The window descriptor for 64 MiB: an exponent of 16 above 1 KiB.
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 16 << 3];
    for number in 1..=blocks {
        let head = u32::from(number == blocks) | 1 << 1 | BLOCK << 3;
        frame.extend(&head.to_le_bytes()[..3]);
        frame.push(0);
    }
    frame
}
