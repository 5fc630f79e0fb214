//! Tests that the failure of one request does not affect others (rules F1a, F4, F4a, F7).

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use h2::Reason;
use http::{HeaderName, HeaderValue, Response};
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;

use super::frames::{DATA, END_STREAM, Frames, HEADERS, RST_STREAM};
use super::gateway::{Gateway, events};
use super::pool::{read_head, request, response};
use super::service::{Service, full, head};
use crate::wait::{until, when};

const NTLM: &str = "HTTP/1.1 401 Unauthorized\r\nwww-authenticate: NTLM\r\ncontent-length: 0\r\n\r\n";

#[test]
fn f7_a_connection_that_was_authenticated_serves_its_client_alone() {
    let open = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&open);
    let service = Service::raw(move |mut stream| {
        let open = Arc::clone(&counted);
        async move {
            open.fetch_add(1, Ordering::SeqCst);
            let mut user = None;
            while let Some(head) = head(&mut stream).await {
                let sent = head.lines().find_map(|line| line.strip_prefix("authorization: "));
                user = sent.and_then(|it| it.split(' ').nth(1)).map(str::to_owned).or(user);
                let answer = match &user {
                    Some(user) => format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{user}", user.len()),
                    None => NTLM.to_owned(),
                };
                let _ = stream.write_all(answer.as_bytes()).await;
            }
            open.fetch_sub(1, Ordering::SeqCst);
        }
    });
    for scheme in ["NTLM", "Negotiate", "negotiate"] {
        let gateway = Gateway::start(service.address, &[]);
        let ask = |client: &mut TcpStream, sent: &str| {
            client.write_all(request("GET", "/").replace("\r\n\r\n", &format!("\r\n{sent}\r\n")).as_bytes()).unwrap();
            response(client)
        };
        let (mut alice, mut bob, mut carol) = (gateway.connect(), gateway.connect(), gateway.connect());
        assert!(ask(&mut alice, "").starts_with("HTTP/1.1 401 "));
        assert!(ask(&mut alice, &format!("authorization: {scheme} alice\r\n")).ends_with("alice"));
        for _ in 0..3 {
            assert!(ask(&mut bob, "").starts_with("HTTP/1.1 401 "), "{scheme}");
            assert!(ask(&mut alice, "").ends_with("alice"), "{scheme}");
        }
        assert!(ask(&mut carol, &format!("authorization: {scheme} carol\r\n")).ends_with("carol"));
        assert!(ask(&mut alice, "").ends_with("alice"), "{scheme}");
        // Each connection ends with its client's connection.
        drop((alice, carol));
        until("the two are closed", || when(open.load(Ordering::SeqCst) <= 1, open.load(Ordering::SeqCst)));
        assert!(ask(&mut bob, "").starts_with("HTTP/1.1 401 "));
    }
}

#[test]
fn f7_a_body_to_head_is_no_answer_to_the_next_request() {
    const OWED: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nowned";

    let service = Service::raw(|mut stream| async move {
        let mut owed = "";
        while let Some(head) = head(&mut stream).await {
            let _ = stream.write_all(owed.as_bytes()).await;
            // The body that the head declares comes late, when the next request has arrived.
            let (answer, later) = match () {
                () if head.starts_with("HEAD") => {
                    (format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", OWED.len()), OWED)
                }
                () if head.contains("if-none-match") => {
                    (format!("HTTP/1.1 304 Not Modified\r\ncontent-length: {}\r\n\r\n", OWED.len()), OWED)
                }
                () => ("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nmine".to_owned(), ""),
            };
            owed = later;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    let gateway = Gateway::start(service.address, &[]);
    for sent in ["HEAD / HTTP/1.1\r\nhost: a\r\n\r\n", "GET / HTTP/1.1\r\nhost: a\r\nif-none-match: \"a\"\r\n\r\n"] {
        for _ in 0..20 {
            let mut client = gateway.connect();
            client.write_all(sent.as_bytes()).unwrap();
            read_head(&mut client);
            let mut next = gateway.connect();
            next.write_all(request("GET", "/").as_bytes()).unwrap();
            assert!(response(&mut next).ends_with("mine"), "{sent}");
        }
    }
}

#[test]
fn f7_a_connection_with_a_refused_upgrade_serves_nobody_else() {
    const REFUSED: &str = "HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno";

    let service = Service::raw(|mut stream| async move {
        while let Some(head) = head(&mut stream).await {
            if head.contains("upgrade: websocket") {
                let _ = stream.write_all(REFUSED.as_bytes()).await;
                // Like Node's sockets after the event, it treats the rest as bytes of the other protocol.
                let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
                return;
            }
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nmine").await;
        }
    });
    let gateway = Gateway::start(service.address, &["--upstream-timeout", "2s"]);
    let upgrade = request("GET", "/").replace("\r\n\r\n", "\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n");
    let mut client = gateway.connect();
    for _ in 0..5 {
        // This also applies to a connection that was used before.
        for sent in [&upgrade, &request("GET", "/")] {
            client.write_all(sent.as_bytes()).unwrap();
            let answer = response(&mut client);
            let status = if sent.contains("websocket") { "403" } else { "200" };
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        }
    }
}

#[test]
fn f7_a_head_of_any_size_over_http2_fails_alone() {
    let go = Arc::new(Semaphore::new(0));
    let waited = Arc::clone(&go);
    let service = Service::raw(move |stream| {
        let go = Arc::clone(&waited);
        async move {
            let mut connection = h2::server::handshake(stream).await.expect("HTTP/2");
            while let Some(Ok((request, mut respond))) = connection.accept().await {
                let (path, go) = (request.uri().path().trim_start_matches('/').to_owned(), Arc::clone(&go));
                tokio::spawn(async move {
                    let mut head = Response::new(());
                    if path == "slow" {
                        go.acquire().await.expect("it stays open").forget();
                    }
                    let (lines, size) = path.split_once('x').unwrap_or(("0", "0"));
                    for line in 0..lines.parse().unwrap_or(0) {
                        let name = HeaderName::from_bytes(format!("x-{line}").as_bytes()).expect("a name");
                        let value = "a".repeat(size.parse().unwrap_or(0));
                        head.headers_mut().insert(name, HeaderValue::try_from(value).expect("a value"));
                    }
                    let _ = respond.send_response(head, true);
                });
            }
        }
    });
    let gateway = Gateway::start(service.address, &["--upstream-h2"]);
    let mut sizes: Vec<(String, &str)> = (0..8).map(|power| (format!("1x{}", 1000 << power), "200")).collect();
    sizes.extend([("5x4000".into(), "200"), ("1x131072".into(), "200"), ("60x10000".into(), "502")]);
    for (path, status) in sizes {
        let mut slow = gateway.connect();
        slow.write_all(request("GET", "/slow").as_bytes()).unwrap();
        let mut client = gateway.connect();
        client.write_all(request("GET", &format!("/{path}")).as_bytes()).unwrap();
        let head = read_head(&mut client);
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {}", &head[..40]);
        go.add_permits(1);
        assert!(read_head(&mut slow).starts_with("HTTP/1.1 200 "), "{path}");
    }
}

#[test]
fn f4_a_reset_without_an_error_within_a_body_is_a_break() {
    let service = Service::raw(|stream| async move {
        let mut frames = Frames::accept(stream).await;
        frames.writes.allow(100).await;
        while let Some((kind, _, stream)) = frames.next().await {
            if kind != HEADERS {
                continue;
            }
            frames.writes.answer(stream, 0).await;
            // The second stream is sent to its end, and reset after that. That does not break its response.
            let ends = if stream == 3 { END_STREAM } else { 0 };
            frames.writes.frame(DATA, ends, stream, b"half").await;
            frames.writes.reset(stream, 0).await;
        }
    });
    let gateway = Gateway::start(service.address, &["--upstream-h2"]);
    for is_whole in [false, true] {
        let answer = gateway.ask(&request("GET", "/").replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n"));
        assert!(answer.contains("4\r\nhalf\r\n"), "{answer}");
        assert_eq!(answer.ends_with("\r\n0\r\n\r\n"), is_whole, "{answer}");
    }
}

#[test]
fn f4_a_client_that_resets_its_upload_has_not_sent_it() {
    let (body, open) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
    let (written, counted) = (Arc::clone(&body), Arc::clone(&open));
    let service = Service::raw(move |mut stream| {
        let (body, open) = (Arc::clone(&written), Arc::clone(&counted));
        async move {
            open.store(1, Ordering::SeqCst);
            let _ = head(&mut stream).await;
            while let Ok(byte) = stream.read_u8().await {
                body.lock().unwrap().push(byte);
            }
            open.store(0, Ordering::SeqCst);
        }
    });
    let runtime = Runtime::new().unwrap();
    for reason in [Reason::NO_ERROR, Reason::CANCEL] {
        body.lock().unwrap().clear();
        let gateway = Gateway::start(service.address, &[]);
        let mut upload = begin_upload(&runtime, &gateway);
        let has_half = || String::from_utf8_lossy(&body.lock().unwrap()).contains("half");
        until("the service has a half", || when(has_half(), "not yet"));
        runtime.block_on(async { upload.send_reset(reason) });
        until("the service's connection ends", || when(open.load(Ordering::SeqCst) == 0, "it is open"));
        let body = String::from_utf8_lossy(&body.lock().unwrap()).into_owned();
        assert!(!body.ends_with("0\r\n\r\n"), "{reason}: {body:?}");
        let log = gateway.stopped();
        let events = events(&log);
        assert!(matches!(&events[..], [one] if one.origin == "abandoned" && one.code.is_none()), "{reason}: {log}");
    }
}

#[test]
fn f4_a_client_that_resets_its_upload_has_not_sent_it_over_http2_either() {
    let (halves, ends) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
    let (counted, noted) = (Arc::clone(&halves), Arc::clone(&ends));
    let service = Service::raw(move |stream| {
        let (halves, ends) = (Arc::clone(&counted), Arc::clone(&noted));
        async move {
            let mut frames = Frames::accept(stream).await;
            frames.writes.allow(100).await;
            while let Some((kind, flags, _)) = frames.next().await {
                match kind {
                    DATA if flags & END_STREAM == 0 => drop(halves.fetch_add(1, Ordering::SeqCst)),
                    DATA | RST_STREAM => ends.lock().unwrap().push(kind),
                    _ => {}
                }
            }
        }
    });
    let gateway = Gateway::start(service.address, &["--upstream-h2"]);
    let runtime = Runtime::new().unwrap();
    for at in 0..60 {
        let reason = if at % 3 == 0 { Reason::CANCEL } else { Reason::NO_ERROR };
        let mut upload = begin_upload(&runtime, &gateway);
        until("the service has a half", || when(halves.load(Ordering::SeqCst) > at, "not yet"));
        runtime.block_on(async { upload.send_reset(reason) });
        let ended = until("the stream ends", || ends.lock().unwrap().get(at).copied().ok_or("it is open"));
        assert_eq!(ended, RST_STREAM, "{reason}");
    }
}

fn begin_upload(runtime: &Runtime, gateway: &Gateway) -> h2::SendStream<Bytes> {
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(gateway.address).await.unwrap();
        let (mut sender, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        let (_, mut upload) = sender.send_request(http::Request::post("http://a/").body(()).unwrap(), false).unwrap();
        upload.send_data(Bytes::from_static(b"half"), false).unwrap();
        upload
    })
}

#[test]
fn f1a_a_client_that_leaves_within_its_upload_is_abandoned() {
    let service = Service::raw(|mut stream| async move {
        let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    });
    for sent in ["content-length: 9\r\n\r\nhalf", "transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n"] {
        let gateway = Gateway::start(service.address, &[]);
        let mut client = gateway.connect();
        client.write_all(request("POST", "/").replace("\r\n\r\n", &format!("\r\n{sent}")).as_bytes()).unwrap();
        until("it is forwarded", || when(service.accepted() > 0, service.accepted()));
        drop(client);
        until("it is logged", || {
            let log = gateway.log_from(0);
            when(!events(&log).is_empty(), log)
        });
        let log = gateway.stopped();
        let events = events(&log);
        assert!(matches!(&events[..], [one] if one.origin == "abandoned" && one.code.is_none()), "{sent}: {log}");
    }
}

#[test]
fn l1_the_cause_of_a_bad_chunk_is_in_the_request_whatever_the_service_speaks() {
    let service = Service::new(|request| async move {
        let _ = request.into_body().collect().await;
        Response::new(full("whole"))
    });
    for more in [&[][..], &["--upstream-h2"]] {
        let gateway = Gateway::start(service.address, more);
        let mut client = gateway.connect();
        let chunks = "\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n";
        client.write_all(request("POST", "/").replace("\r\n\r\n", chunks).as_bytes()).unwrap();
        assert!(read_head(&mut client).starts_with("HTTP/1.1 400 "), "{more:?}");
        let log = gateway.stopped();
        let cause = "the client's request body broke off or was badly framed: Invalid chunk size line";
        assert!(log.contains(cause), "{more:?}: {log}");
    }
}

#[test]
fn f4a_a_service_that_says_goodbye_first_is_one_that_failed() {
    for goodbye in ["go-away", "no-streams", "closes", "go-away-after-settings"] {
        let service = Service::raw(move |stream| async move {
            let frames = Frames::accept(stream).await;
            match goodbye {
                "go-away" => frames.writes.go_away(0).await,
                "no-streams" => frames.writes.allow(0).await,
                "go-away-after-settings" => {
                    frames.writes.allow(100).await;
                    frames.writes.go_away(0).await;
                }
                _ => {}
            }
        });
        let gateway = Gateway::start(service.address, &["--upstream-h2"]);
        let answer = gateway.ask(&request("GET", "/").replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n"));
        assert!(answer.starts_with("HTTP/1.1 502 ") && answer.contains(r#""code":"other""#), "{goodbye}: {answer}");
    }
}

#[test]
fn f7_the_bound_of_streams_is_followed_as_it_changes() {
    for (first, then, connections) in [(1, 100, 1), (100, 2, 6)] {
        let (open, go) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
        let (counted, waited, changed) = (Arc::clone(&open), Arc::clone(&go), Arc::new(AtomicBool::new(false)));
        let noted = Arc::clone(&changed);
        let service = Service::raw(move |stream| {
            let (open, go, changed) = (Arc::clone(&counted), Arc::clone(&waited), Arc::clone(&noted));
            async move {
                let mut frames = Frames::accept(stream).await;
                frames.writes.allow(if changed.load(Ordering::SeqCst) { then } else { first }).await;
                while let Some((kind, _, stream)) = frames.next().await {
                    if kind != HEADERS {
                        continue;
                    }
                    if !changed.swap(true, Ordering::SeqCst) {
                        frames.writes.allow(then).await;
                        frames.writes.answer(stream, END_STREAM).await;
                        continue;
                    }
                    open.fetch_add(1, Ordering::SeqCst);
                    let (writes, go) = (frames.writes.clone(), Arc::clone(&go));
                    tokio::spawn(async move {
                        go.acquire().await.expect("it stays open").forget();
                        writes.answer(stream, END_STREAM).await;
                    });
                }
            }
        });
        let gateway = Gateway::start(service.address, &["--upstream-h2"]);
        let mut client = gateway.connect();
        client.write_all(request("GET", "/").as_bytes()).unwrap();
        assert!(read_head(&mut client).starts_with("HTTP/1.1 200 "));
        let mut clients: Vec<_> = (0..12).map(|_| gateway.connect()).collect();
        for client in &mut clients {
            client.write_all(request("GET", "/").as_bytes()).unwrap();
        }
        until("all are there at once", || when(open.load(Ordering::SeqCst) == 12, open.load(Ordering::SeqCst)));
        assert_eq!(service.accepted(), connections, "from {first} to {then}");
        go.add_permits(12);
        for client in &mut clients {
            assert!(read_head(client).starts_with("HTTP/1.1 200 "));
        }
    }
}

#[test]
fn f7_a_connection_that_will_close_says_so() {
    let service = Service::raw(|stream| async move {
        let mut frames = Frames::accept(stream).await;
        frames.writes.allow(100).await;
        while let Some((kind, _, stream)) = frames.next().await {
            if kind == HEADERS {
                frames.writes.answer(stream, END_STREAM).await;
                frames.writes.reset(stream, 0).await;
            }
        }
    });
    let gateway = Gateway::start(service.address, &["--upstream-h2"]);
    for (length, sent) in [(10, 0), (100_000, 0), (100_000, 50_000), (1_000_000, 999_999)] {
        let mut client = gateway.connect();
        let head = request("POST", "/").replace("\r\n\r\n", &format!("\r\ncontent-length: {length}\r\n\r\n"));
        client.write_all(head.as_bytes()).unwrap();
        client.write_all(&vec![b'a'; sent]).unwrap();
        let head = read_head(&mut client);
        assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("connection: close"), "{head}");
    }
    // The rest of a body that has already arrived does not cost the connection.
    let mut client = gateway.connect();
    for _ in 0..3 {
        let whole = request("POST", "/").replace("\r\n\r\n", "\r\ncontent-length: 10\r\n\r\n0123456789");
        client.write_all(whole.as_bytes()).unwrap();
        let head = read_head(&mut client);
        assert!(head.starts_with("HTTP/1.1 200 ") && !head.contains("connection: close"), "{head}");
    }
    // It is random whether all of a large body arrives in time. Either the connection continues, or the response
    // announces its end.
    for _ in 0..40 {
        let mut client = gateway.connect();
        let head = request("POST", "/").replace("\r\n\r\n", "\r\ncontent-length: 60000\r\n\r\n");
        client.write_all(&[head.as_bytes(), &[b'a'; 60_000]].concat()).unwrap();
        if !read_head(&mut client).contains("connection: close") {
            client.write_all(request("GET", "/").as_bytes()).unwrap();
            assert!(read_head(&mut client).starts_with("HTTP/1.1 200 "));
        }
    }
}

#[test]
fn f7_what_is_left_of_a_body_is_never_taken_for_the_next_request() {
    // hyper resets a stream that the service has not read, as Node does.
    let service = Service::new(|request| async move {
        if request.uri().path() == "/whole" {
            let _ = request.into_body().collect().await;
        }
        Response::new(full("answered"))
    });
    let gateway = Gateway::start(service.address, &["--upstream-h2"]);
    let body = [b"4e20\r\n", &[b'x'; 20_000][..], b"\r\n0\r\n\r\n"].concat();
    let head = |path| request("POST", path).replace("\r\n\r\n", "\r\ntransfer-encoding: chunked\r\n\r\n");
    for rounds in 0..20 {
        let mut client = gateway.connect();
        for _ in 0..=rounds % 3 {
            client.write_all(&[head("/whole").as_bytes(), &body].concat()).unwrap();
            assert!(response(&mut client).starts_with("HTTP/1.1 200 "));
        }
        client.write_all(head("/early").as_bytes()).unwrap();
        let early = response(&mut client);
        assert!(early.starts_with("HTTP/1.1 200 ") && early.contains("connection: close"), "{early}");
        // The connection may already be closed.
        let _ = client.write_all(&[&body, request("GET", "/next").as_bytes()].concat());
        let mut behind = Vec::new();
        let _ = client.read_to_end(&mut behind);
        assert_eq!(String::from_utf8_lossy(&behind), "");
    }
}

/// `HOLDS_REQUESTS=10000` sends this many requests.
#[test]
fn f7_each_request_gets_its_own_answer_from_a_service_that_fails_at_random() {
    let all: usize = std::env::var("HOLDS_REQUESTS").map_or(1_500, |count| count.parse().expect("a number"));
    let seed = Arc::new(AtomicUsize::new(1));
    let service = Service::raw(move |stream| {
        let seed = Arc::clone(&seed);
        // This is xorshift. It returns the same numbers in each run, for as many connections.
        let random = move |most: usize| {
            let next = |mut it: usize| {
                it ^= it << 13;
                it ^= it >> 7;
                it ^ it << 17
            };
            seed.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |it| Some(next(it))).expect("always some") % most
        };
        async move {
            let streams = u32::try_from(1 + random(20)).expect("few");
            let handshake = h2::server::Builder::new().max_concurrent_streams(streams).handshake::<_, Bytes>(stream);
            let Ok(mut connection) = handshake.await else { return };
            while let Some(Ok((request, mut respond))) = connection.accept().await {
                let id = Bytes::from(request.uri().path().trim_start_matches('/').to_owned());
                match random(12) {
                    0 => respond.send_reset([Reason::REFUSED_STREAM, Reason::NO_ERROR, Reason::CANCEL][random(3)]),
                    1 if random(4) == 0 => connection.graceful_shutdown(),
                    2 if random(4) == 0 => connection.abrupt_shutdown(Reason::INTERNAL_ERROR),
                    3 if random(4) == 0 => return,
                    4 => {
                        // A body that breaks off, in each possible way.
                        let Ok(mut body) = respond.send_response(Response::new(()), false) else { continue };
                        let _ = body.send_data(id, false);
                        body.send_reset([Reason::NO_ERROR, Reason::INTERNAL_ERROR][random(2)]);
                    }
                    _ => {
                        let Ok(mut body) = respond.send_response(Response::new(()), false) else { continue };
                        let _ = body.send_data(id, true);
                        if random(2) == 0 {
                            let _ = connection.set_initial_window_size(u32::try_from(1 + random(60_000)).expect("few"));
                        }
                    }
                }
            }
        }
    });
    let gateway = Gateway::start(service.address, &["--upstream-h2"]);
    let (requests, whole) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..12 {
            scope.spawn(|| {
                while let id = requests.fetch_add(1, Ordering::SeqCst)
                    && id < all
                {
                    let sent =
                        request("GET", &format!("/id-{id}-")).replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n");
                    let mut client = gateway.connect();
                    client.write_all(sent.as_bytes()).unwrap();
                    let mut answer = Vec::new();
                    // A body that breaks off may reset the connection.
                    let _ = client.read_to_end(&mut answer);
                    let answer = String::from_utf8_lossy(&answer);
                    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{id}: {answer}"));
                    if head.starts_with("HTTP/1.1 200 ") {
                        let own = format!("id-{id}-");
                        let ids = body.matches("id-").count();
                        assert!(ids == 0 || ids == 1 && body.contains(&own), "{own}: {answer}");
                        whole.fetch_add(usize::from(body.ends_with("0\r\n\r\n")), Ordering::SeqCst);
                        assert!(!body.ends_with("0\r\n\r\n") || ids == 1, "{own} is whole and empty: {answer}");
                    } else {
                        assert!(head.starts_with("HTTP/1.1 50") && body.contains(r#""error":"#), "{id}: {answer}");
                    }
                }
            });
        }
    });
    let whole = whole.into_inner();
    assert!(whole > all / 2 && whole < all, "{whole} of {all}");
}

#[test]
fn f4a_what_a_goodbye_does_not_count_goes_to_another_connection() {
    for last in [0, 1, 3, 5, 7, 9, 11] {
        let (connections, requests) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (counted, noted) = (Arc::clone(&connections), Arc::clone(&requests));
        let service = Service::raw(move |stream| {
            let (connections, requests) = (Arc::clone(&counted), Arc::clone(&noted));
            async move {
                let is_first = connections.fetch_add(1, Ordering::SeqCst) == 0;
                let mut frames = Frames::accept(stream).await;
                frames.writes.allow(100).await;
                let mut streams = Vec::new();
                while let Some((kind, _, stream)) = frames.next().await {
                    if kind != HEADERS {
                        continue;
                    }
                    requests.fetch_add(1, Ordering::SeqCst);
                    if !is_first {
                        frames.writes.answer(stream, END_STREAM).await;
                        continue;
                    }
                    streams.push(stream);
                    if streams.len() == 5 {
                        frames.writes.go_away(last).await;
                        for stream in streams.iter().filter(|stream| **stream <= last) {
                            frames.writes.answer(*stream, END_STREAM).await;
                        }
                    }
                }
            }
        });
        let gateway = Gateway::start(service.address, &["--upstream-h2"]);
        let mut clients: Vec<_> = (0..5).map(|_| gateway.connect()).collect();
        for client in &mut clients {
            client.write_all(request("POST", "/").as_bytes()).unwrap();
        }
        for client in &mut clients {
            assert!(read_head(client).starts_with("HTTP/1.1 200 "), "the last stream is {last}");
        }
        let processed = [1, 3, 5, 7, 9].into_iter().filter(|stream| *stream <= last).count();
        assert_eq!(requests.load(Ordering::SeqCst), 5 + 5 - processed, "the last stream is {last}");
    }
}

#[test]
fn f7_a_bound_of_streams_that_goes_up_and_down_loses_no_request() {
    let service = Service::raw(|stream| async move {
        let mut frames = Frames::accept(stream).await;
        frames.writes.allow(100).await;
        let mut answers = 0;
        while let Some((kind, _, stream)) = frames.next().await {
            if kind == HEADERS {
                answers += 1;
                frames.writes.allow(if answers % 2 == 0 { 100 } else { 1 }).await;
                frames.writes.answer(stream, END_STREAM).await;
            }
        }
    });
    let gateway = Gateway::start(service.address, &["--upstream-h2", "--upstream-connections", "3"]);
    std::thread::scope(|scope| {
        for _ in 0..12 {
            scope.spawn(|| {
                let mut client = gateway.connect();
                for _ in 0..40 {
                    client.write_all(request("GET", "/").as_bytes()).unwrap();
                    assert!(read_head(&mut client).starts_with("HTTP/1.1 200 "));
                }
            });
        }
    });
}

#[test]
fn f7_idle_clients_hold_no_place_of_a_service_whether_they_log_in_or_not() {
    let open = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&open);
    let service = Service::raw(move |mut stream| {
        let open = Arc::clone(&counted);
        async move {
            open.fetch_add(1, Ordering::SeqCst);
            while head(&mut stream).await.is_some() {
                let _ = stream.write_all(NTLM.as_bytes()).await;
            }
            open.fetch_sub(1, Ordering::SeqCst);
        }
    });
    let gateway = Gateway::start(service.address, &["--upstream-connections", "2"]);
    let mut clients: Vec<_> = (0..200).map(|_| gateway.connect()).collect();
    let mut ask_all = |sent: &str| {
        for client in &mut clients {
            client.write_all(request("GET", "/").replace("\r\n\r\n", &format!("\r\n{sent}\r\n")).as_bytes()).unwrap();
            let answer = response(client);
            assert!(answer.starts_with("HTTP/1.1 401 "), "{sent}{answer}");
        }
    };
    ask_all("");
    assert!(service.accepted() <= 2);
    // Each gets its own connection, for which an idle one of another client is closed.
    ask_all("authorization: NTLM a\r\n");
    for _ in 0..3 {
        let answer = gateway.ask(&request("GET", "/").replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n"));
        assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    }
    until("the others are closed", || when(open.load(Ordering::SeqCst) <= 2, open.load(Ordering::SeqCst)));
}
