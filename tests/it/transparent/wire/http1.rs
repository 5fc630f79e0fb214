//! Compares the exact bytes of HTTP/1.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower::Layer;
use tower_error_envelope::session::BoxError;
use tower_service::Service;

use super::super::Setting;
use super::super::scripted::{Script, for_the_wire, without_a_body};
use super::super::services::{echo, plain, router};
use super::{pipe, with_time_paused};

/// The requests of a client: on a connection that goes on, on one that ends after it, and with a version without
/// chunks.
const SENT: [&str; 2] = [
    "GET / HTTP/1.1\r\nhost: test\r\nte: trailers\r\n\r\n\
     HEAD / HTTP/1.1\r\nhost: test\r\n\r\n\
     POST / HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n4\r\nmore\r\n0\r\n\r\n\
     GET / HTTP/1.1\r\nhost: test\r\nte: trailers\r\nconnection: close\r\n\r\n",
    "GET / HTTP/1.0\r\nhost: test\r\n\r\n",
];
const UPLOADS: [&str; 3] = [
    "POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 4\r\nte: trailers\r\nconnection: close\r\n\r\nsome",
    "POST / HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\nte: trailers\r\nconnection: close\r\n\r\n\
     2\r\nso\r\n2\r\nme\r\n0\r\nx-sum: 1\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n",
];

#[test]
fn e5_m1_http1_is_the_same_bytes() {
    let mut compared = 0;
    with_time_paused(async {
        for (index, script) in for_the_wire().enumerate() {
            for setting in Setting::ALL {
                let statuses = setting.statuses();
                compared += same(setting, statuses[index % statuses.len()], &script).await;
            }
        }
    });
    println!("{compared} pairs of connections");
}

#[test]
fn e5_m1_http1_statuses_without_a_body_are_the_same_bytes() {
    with_time_paused(async {
        for (setting, script) in without_a_body() {
            let statuses = if setting == Setting::Enforce { &[204, 304][..] } else { &[204, 205, 304] };
            for status in statuses {
                same(setting, *status, &script).await;
            }
        }
    });
}

#[test]
fn e5_m1_http1_gives_back_the_same_upload() {
    with_time_paused(async {
        for setting in Setting::ALL {
            for sent in UPLOADS {
                let bare = bytes(setting, echo(), sent).await;
                assert_eq!(bare, bytes(setting, setting.layer().layer(echo()), sent).await, "{setting:?}: {sent}");
            }
        }
    });
}

async fn same(setting: Setting, status: u16, script: &Script) -> usize {
    for sent in SENT {
        let context = format!("{setting:?}, {status}, {script:?}, {sent}");
        let bare = bytes(setting, plain(status, script), sent).await;
        // hyper may send nothing at all for a script that is not well-formed.
        assert!(!script.is_well_formed() || bare.starts_with("HTTP/1."), "{context}: {bare}");
        let layered = bytes(setting, setting.layer().layer(plain(status, script)), sent).await;
        assert_eq!(bare, layered, "a plain service: {context}");
        let bare = bytes(setting, router(status, script), sent).await;
        let layered = bytes(setting, router(status, script).layer(setting.layer()), sent).await;
        assert_eq!(bare, layered, "a router: {context}");
    }
    2 * SENT.len()
}

/// Returns everything that arrives, without the lines of the layer.
async fn bytes<S, B>(setting: Setting, service: S, sent: &str) -> String
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let mut pipe = pipe(service);
    pipe.write_all(sent.as_bytes()).await.unwrap();
    let mut came = Vec::new();
    pipe.read_to_end(&mut came).await.unwrap();
    let came = String::from_utf8(came).unwrap();
    let others = came.split("\r\n").filter(|line| {
        let name = line.split_once(": ").map_or("", |(name, _)| name);
        !setting.is_ours(name)
    });
    others.collect::<Vec<_>>().join("\r\n")
}
