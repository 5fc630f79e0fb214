//! Tests requests that two readers may parse differently. The service sees none of them, and no field that came too
//! late for the guards. The bench `abuse` of the command has the whole list.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::gateway::Gateway;
use super::service::{Service, full};

#[test]
fn a_request_without_one_host_or_in_another_coding_is_refused() {
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&requests);
    let service = Service::new(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        std::future::ready(Response::new(full("seen")))
    });
    let gateway = Gateway::start(service.address, &[]);
    let lines = |lines: &str| format!("POST / HTTP/1.1\r\nconnection: close\r\n{lines}\r\n\r\n0\r\n\r\n");
    for refused in [
        "x-a: b",
        "host: a.example\r\nhost: a.example",
        "host: a.example\r\nhost: b.example",
        "host: a.example, b.example",
        "host: a.example/b",
        "host: a@b.example",
        "host:",
        "host: a.example\r\ntransfer-encoding: gzip, chunked",
        "host: a.example\r\ntransfer-encoding: identity\r\ntransfer-encoding: chunked",
    ] {
        let answer = gateway.ask(&lines(refused));
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("bad_request"), "{refused:?}: {answer}");
    }
    assert_eq!(requests.load(Ordering::SeqCst), 0, "the service saw none of them");
    for passes in ["host: a.example:80", "host: [::1]:80", "host: a.example\r\ntransfer-encoding: Chunked"] {
        let answer = gateway.ask(&lines(passes));
        assert!(answer.starts_with("HTTP/1.1 200 "), "{passes:?}: {answer}");
    }
    // HTTP/1.0 does not need a host, and a URI contains one.
    for passes in ["GET / HTTP/1.0\r\n\r\n", "GET http://a.example/ HTTP/1.1\r\nconnection: close\r\n\r\n"] {
        let answer = gateway.ask(passes);
        assert!(answer.contains(" 200 OK"), "{passes:?}: {answer}");
    }
}

#[test]
fn trailers_of_a_request_tell_the_service_that_it_is_whole_and_nothing_else() {
    let service = Service::new(|request: Request<Incoming>| async move {
        let body = request.into_body().collect().await;
        let outcome = body.map_or("broken".to_owned(), |body| {
            let mut names: Vec<_> =
                body.trailers().into_iter().flatten().map(|(name, _)| name.as_str().to_owned()).collect();
            names.sort();
            names.join(" ")
        });
        Response::new(full(format!("trailers: [{outcome}]")))
    });
    let whole = "content-digest x-amz-checksum-sha256";
    for more in [&[][..], &["--upstream-h2"]] {
        let gateway = Gateway::start(service.address, more);
        for (trailers, wanted) in [
            (
                &["content-digest", "x-amz-checksum-sha256", "cookie", "x-team-key", "x-request-id", "connection"][..],
                whole,
            ),
            (&["cookie", "x-api-key"], ""),
        ] {
            let fields: String = trailers.iter().map(|name| format!("{name}: 1\r\n")).collect();
            let announced = trailers.join(", ");
            let answer = gateway.ask(&format!(
                "POST / HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\nte: trailers\r\ntrailer: {announced}\r\n\
                 transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n{fields}\r\n"
            ));
            assert!(answer.ends_with(&format!("trailers: [{wanted}]")), "{more:?}: {answer}");
        }
    }
}
