//! The service of the mixed load: it remembers the id of each request, and does what the path says.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;

use crate::holds::service::{Body, Service, count, full, streamed, zeros};

/// The requests that came, by their number: the id that the gateway gave them.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) ids: Mutex<HashMap<u64, String>>,
}

impl Seen {
    fn note(&self, request: &Request<Incoming>) {
        let header = |name: &str| request.headers()[name].to_str().unwrap().to_owned();
        let again = self.ids.lock().unwrap().insert(header("x-number").parse().unwrap(), header("x-request-id"));
        assert_eq!(again, None, "a request came twice");
    }

    /// Waits until it has come.
    pub(super) async fn has(&self, number: u64) {
        while !self.ids.lock().unwrap().contains_key(&number) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

pub(super) fn of(seen: &Arc<Seen>) -> Service {
    let seen = Arc::clone(seen);
    Service::of(move |request| {
        seen.note(&request);
        answer(request)
    })
}

async fn answer(request: Request<Incoming>) -> Response<Body> {
    match request.uri().path() {
        "/missing" => say(StatusCode::NOT_FOUND, full("<h1>Not here</h1>")),
        "/broken" => say(StatusCode::INTERNAL_SERVER_ERROR, full("Traceback (most recent call last)")),
        "/late" => {
            tokio::time::sleep(Duration::from_millis(50)).await;
            say(StatusCode::OK, full("late"))
        }
        "/hang" => std::future::pending().await,
        "/large" => say(StatusCode::OK, zeros(256 * 1024)),
        "/endless" => say(StatusCode::OK, endless()),
        "/count" => {
            let count = count(request.into_body()).await;
            say(StatusCode::OK, full(format!("{count:?}")))
        }
        _ => say(StatusCode::OK, full("fine")),
    }
}

fn endless() -> Body {
    streamed(|send| async move { while send.send(Bytes::from_static(&[b'x'; 16 * 1024])).await.is_ok() {} })
}

fn say(status: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}
