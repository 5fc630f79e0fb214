//! Tests that bodies of any size pass through, while the gateway holds little of them. It also holds little for a
//! client that is done.

use std::io::{Read, Write};
use std::net::SocketAddr;

use http::{Request, Response};
use hyper::body::Incoming;

use super::gateway::{Folder, Gateway, output_of, script, setting};
use super::service::{Body, Service, count, full, zeros};
use crate::wait::{until, when};

const MIB: u64 = 1024 * 1024;

/// The most memory that the gateway may use. A process that has just started already uses 28 of the 48 MiB, most of it
/// code. The limit also applies to a short body: a gateway that kept 64 MiB would be far beyond it.
const PEAK_KIB: u64 = 64 * 1024;
const SHORT_PEAK_KIB: u64 = 48 * 1024;

#[test]
fn a_large_download_passes_through() {
    each_way("download", |gateway, bytes| {
        let url = gateway.url(&format!("/{bytes}"));
        let written = ["-sS", "-o", "/dev/null", "-w", "%{http_code} %{size_download}", &url];
        for version in ["--http1.1", "--http2-prior-knowledge"] {
            assert_eq!(output_of("curl", &[&[version], &written[..]].concat()), format!("200 {bytes}"), "{version}");
        }
        assert_eq!(
            output_of("python3", &[&script("download.py"), &address(gateway), &bytes.to_string()]).trim(),
            format!("200 {bytes}")
        );
    });
}

#[test]
fn a_large_upload_passes_through() {
    let folder = Folder::new("upload");
    each_way("upload", |gateway, bytes| {
        let (file, url) = (folder.zeros(bytes), gateway.url("/upload"));
        let sent = ["-sS", "-H", "expect:", "-T", &file, &url];
        for version in ["--http1.1", "--http2-prior-knowledge"] {
            assert_eq!(output_of("curl", &[&[version], &sent[..]].concat()), bytes.to_string(), "{version}");
        }
        let chunked = ["--http1.1", "-H", "transfer-encoding: chunked"];
        assert_eq!(output_of("curl", &[&chunked, &sent[..]].concat()), bytes.to_string(), "chunked");
        let python = [&script("upload.py"), &address(gateway), "length", &bytes.to_string()];
        assert!(output_of("python3", &python).starts_with(&format!("200 {bytes}\n")));
    });
}

/// hyper's buffers have 16 KiB for a connection, and more after a body. A connection that waits for its next request
/// has none of them.
#[test]
fn a_connection_between_two_requests_holds_little() {
    const MANY: u64 = 400;
    const BODY: usize = 300_000;
    // This is less than half of a buffer. The part that an allocator cannot return varies.
    const EACH_KIB: u64 = 8;
    let service = Service::new(|request: Request<Incoming>| async move {
        count(request.into_body()).await;
        Response::new(full("small"))
    });
    let gateway = Gateway::start(service.address, &[]);
    let ask = |_| {
        let (mut client, mut answer) = (gateway.connect(), Vec::new());
        write!(client, "POST / HTTP/1.1\r\nhost: test.example\r\ncontent-length: {BODY}\r\n\r\n").unwrap();
        client.write_all(&vec![0; BODY]).unwrap();
        while !answer.ends_with(b"small") {
            let mut byte = [0];
            client.read_exact(&mut byte).unwrap();
            answer.extend(byte);
        }
        client
    };
    drop(ask(0));
    let before = gateway.resident_kib();
    let _clients: Vec<_> = (0..MANY).map(ask).collect();
    until("hyper's buffers are given back", || {
        let each = gateway.resident_kib().saturating_sub(before) / MANY;
        when(each < EACH_KIB, each)
    });
}

fn each_way(what: &str, go: impl Fn(&Gateway, u64)) {
    let mib = setting("HOLDS_MIB", 64);
    let bound = if mib < 1024 { SHORT_PEAK_KIB } else { PEAK_KIB };
    let service = Service::new(answer);
    for more in [&[][..], &["--upstream-h2"]] {
        let gateway = Gateway::unlimited(service.address, more);
        go(&gateway, mib * MIB);
        let peak = gateway.peak_kib();
        println!("{what} of {mib} MiB {more:?}: at most {peak} KiB held");
        assert!(peak < bound, "a {what} of {mib} MiB {more:?}: {peak} KiB held, not under {bound}");
    }
}

/// Responds with as many zeros as the path states, or with the length of the request's body.
async fn answer(request: Request<Incoming>) -> Response<Body> {
    let bytes = request.uri().path()[1..].parse();
    Response::new(match bytes {
        Ok(bytes) => zeros(bytes),
        Err(_) => full(count(request.into_body()).await.map_or("broken".to_owned(), |count| count.to_string())),
    })
}

fn address(gateway: &Gateway) -> String {
    SocketAddr::to_string(&gateway.address)
}
