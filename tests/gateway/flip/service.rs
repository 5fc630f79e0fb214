//! The service behind the gateway. Some of its errors are so slow that the policy changes meanwhile.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;

use crate::holds::service::{Body, Service, count, full, streamed};

/// A time that is longer than that between two changes of the policy.
const SLOW: Duration = Duration::from_millis(300);
pub(super) const PAUSE: Duration = Duration::from_millis(150);

pub(super) fn start() -> Service {
    Service::new(answer)
}

async fn answer(request: Request<Incoming>) -> Response<Body> {
    match request.uri().path() {
        "/ok" => Response::new(full("fine")),
        "/slow-head" => {
            tokio::time::sleep(SLOW).await;
            error("application/json", full(SEAT))
        }
        "/slow-body" => {
            let (begins, ends) = SEAT.split_at(10);
            error(
                "application/json",
                streamed(|send| async move {
                    let _ = send.send(Bytes::from_static(begins.as_bytes())).await;
                    tokio::time::sleep(PAUSE).await;
                    let _ = send.send(Bytes::from_static(ends.as_bytes())).await;
                }),
            )
        }
        "/page" => error("text/html", full("<h1>No such page</h1>")),
        "/upload" => Response::new(full(format!("{:?}", count(request.into_body()).await))),
        _ => error("application/json", full(SEAT)),
    }
}

const SEAT: &str = r#"{"error":{"code":"SEAT","message":"the service's own words"}}"#;

fn error(media_type: &str, body: Body) -> Response<Body> {
    Response::builder().status(404).header("content-type", media_type).body(body).unwrap()
}
