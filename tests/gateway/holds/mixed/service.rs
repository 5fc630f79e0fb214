//! The service of the mixed load. It stores the id of each request, and does what the path requests.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;

use crate::holds::service::{Body, Service, count, full, streamed, zeros};

/// The requests by their number, each with the id that the gateway gave it.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) ids: Mutex<HashMap<u64, String>>,
}

impl Seen {
    fn note(&self, request: &Request<Incoming>) {
        let header = |name: &str| request.headers()[name].to_str().unwrap().to_owned();
        let again = self.ids.lock().unwrap().insert(header("x-number").parse().unwrap(), header("x-request-id"));
        // A request whose connection ended is sent once more if it may be repeated (rule F7).
        assert!(again.is_none() || request.uri().path() == "/gone", "a request came twice");
    }

    /// Waits until this request has come.
    pub(crate) async fn has(&self, number: u64) {
        while !self.ids.lock().unwrap().contains_key(&number) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

pub(crate) fn recording(seen: &Arc<Seen>) -> Service {
    let seen = Arc::clone(seen);
    Service::new(move |request| {
        seen.note(&request);
        answer(request)
    })
}

async fn answer(request: Request<Incoming>) -> Response<Body> {
    let path = request.uri().path();
    if let Some(dialect) = path.strip_prefix("/says/") {
        return says(dialect);
    }
    match path {
        // The connection ends without a response, as if a handler had panicked, and without the panic hook's text.
        "/gone" => std::panic::resume_unwind(Box::new("asked for")),
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

/// Returns errors in the dialects of other services.
fn says(dialect: &str) -> Response<Body> {
    let (status, media_type, text) = match dialect {
        "problem" => (
            409,
            "application/problem+json",
            r#"{"type":"about:blank","title":"Conflict","status":409,"detail":"Taken."}"#,
        ),
        "success_flag" => (404, "application/json", r#"{"success":false,"error":"Room not found"}"#),
        "openai" => (
            429,
            "application/json",
            r#"{"error":{"message":"Slow down.","type":"requests","param":null,"code":"rate_limit_exceeded"}}"#,
        ),
        "google" => (
            404,
            "application/json",
            r#"{"error":{"code":404,"message":"No such book.","status":"NOT_FOUND","details":[]}}"#,
        ),
        "fastapi" => {
            (422, "application/json", r#"{"detail":[{"loc":["body","name"],"msg":"field required","type":"missing"}]}"#)
        }
        "spring" => (
            500,
            "application/json",
            r#"{"timestamp":"2026-01-01T00:00:00Z","status":500,"error":"Internal Server Error","path":"/says"}"#,
        ),
        "zod" => {
            (400, "application/json", r#"{"issues":[{"code":"invalid_type","path":["to"],"message":"Required"}]}"#)
        }
        _ => (403, "text/plain", "You may not."),
    };
    let mut response = say(StatusCode::from_u16(status).expect("a status"), full(text));
    response.headers_mut().insert("content-type", http::HeaderValue::from_static(media_type));
    response
}

fn endless() -> Body {
    streamed(|send| async move { while send.send(Bytes::from_static(&[b'x'; 16 * 1024])).await.is_ok() {} })
}

fn say(status: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}
