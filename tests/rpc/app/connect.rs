//! Serves as much of Connect as the clients need to succeed once, and to see a stream break off, under `/connect`.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD, Engine};
use futures_util::stream::{self, StreamExt};
use http::{HeaderMap, StatusCode};
use prost::Message;
use serde::Deserialize;
use serde_json::{Value, json};
use tonic_types::pb;

use super::pb::Words;
use super::{SCENARIO, SECRET, echo};

pub(super) fn routes() -> Router {
    Router::new()
        .route("/connect/echo.v1.Echo/Say", get(ask).post(say))
        .route("/connect/echo.v1.Echo/{method}", post(speak))
}

#[derive(Deserialize)]
struct GetQuery {
    encoding: String,
    message: String,
    #[serde(default)]
    base64: u8,
}

async fn ask(headers: HeaderMap, Query(query): Query<GetQuery>) -> Response {
    let message = match query.base64 {
        1 => BASE64_URL_SAFE_NO_PAD.decode(query.message.trim_end_matches('=')).expect("base64"),
        _ => query.message.into_bytes(),
    };
    answer(&headers, Codec::named(&query.encoding), &message)
}

async fn say(headers: HeaderMap, message: Bytes) -> Response {
    answer(&headers, Codec::from_headers(&headers, "application/"), &message)
}

fn answer(headers: &HeaderMap, codec: Codec, message: &[u8]) -> Response {
    if scenario(headers) == "own" {
        return (StatusCode::BAD_REQUEST, [("content-type", "application/json")], status_json().to_string())
            .into_response();
    }
    let kind = format!("application/{}", codec.name());
    ([("content-type", &*kind), ("x-greeting", "hello")], codec.write(&codec.read(message))).into_response()
}

/// Serves the three methods with streams. The whole request is read before the response.
async fn speak(Path(method): Path<String>, headers: HeaderMap, body: Bytes) -> Response {
    let codec = Codec::from_headers(&headers, "application/connect+");
    let received = messages(&body).map(|message| codec.read(message)).collect::<Vec<_>>();
    let words = match &*method {
        "Collect" => vec![collected(&received)],
        "Repeat" => vec![received[0].clone(); received[0].count as usize],
        _ => received,
    };
    let frames = words.into_iter().map(move |words| frame(0, &codec.write(&words)));
    let kind = format!("application/connect+{}", codec.name());
    ([("content-type", &*kind), ("x-greeting", "hello")], ending(scenario(&headers), frames.collect())).into_response()
}

fn collected(received: &[Words]) -> Words {
    Words { text: received.iter().map(|words| &*words.text).collect(), count: received.len() as u32 }
}

/// A late failure comes after two messages. When `error_late` ends, the service around it fails.
fn ending(scenario: &str, mut frames: Vec<Bytes>) -> Body {
    if scenario.ends_with("_late") {
        frames.truncate(2);
    }
    let own = json!({ "error": status_json() });
    match scenario {
        "own" => frames = vec![frame(2, own.to_string().as_bytes())],
        "own_late" => frames.push(frame(2, own.to_string().as_bytes())),
        "panic_late" | "error_late" => {}
        _ => frames.push(frame(2, b"{}")),
    }
    let panics = scenario == "panic_late";
    let end = stream::iter(panics.then_some(())).map(|()| panic!("{SECRET}"));
    Body::from_stream(stream::iter(frames).chain(end).map(Ok::<_, std::convert::Infallible>))
}

/// Returns the status of the gRPC service, as Connect writes it.
fn status_json() -> Value {
    let status = echo::full_status();
    let rich = pb::Status::decode(status.details()).expect("a google.rpc.Status");
    let details = rich.details.iter().map(|any| {
        let name = any.type_url.rsplit('/').next();
        json!({ "type": name, "value": BASE64_STANDARD_NO_PAD.encode(&any.value) })
    });
    json!({ "code": "failed_precondition", "message": status.message(), "details": details.collect::<Vec<_>>() })
}

fn frame(flags: u8, payload: &[u8]) -> Bytes {
    let length = (payload.len() as u32).to_be_bytes();
    [&[flags], &length[..], payload].concat().into()
}

fn messages(mut body: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (head, rest) = body.split_first_chunk::<5>()?;
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        let (message, rest) = rest.split_at(length);
        body = rest;
        Some(message)
    })
}

fn scenario(headers: &HeaderMap) -> &str {
    headers.get(SCENARIO).and_then(|scenario| scenario.to_str().ok()).unwrap_or_default()
}

#[derive(Clone, Copy)]
enum Codec {
    Json,
    Proto,
}

impl Codec {
    fn from_headers(headers: &HeaderMap, prefix: &str) -> Self {
        let kind = headers.get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        Self::named(kind.strip_prefix(prefix).unwrap_or_default())
    }

    fn named(name: &str) -> Self {
        if name == "proto" { Self::Proto } else { Self::Json }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Proto => "proto",
        }
    }

    fn read(self, message: &[u8]) -> Words {
        match self {
            Self::Proto => Words::decode(message).expect("words"),
            Self::Json => {
                let words: Value = serde_json::from_slice(message).expect("JSON");
                let count = words["count"].as_u64().unwrap_or_default() as u32;
                Words { text: words["text"].as_str().unwrap_or_default().to_owned(), count }
            }
        }
    }

    fn write(self, words: &Words) -> Vec<u8> {
        match self {
            Self::Proto => words.encode_to_vec(),
            Self::Json => json!({ "text": words.text, "count": words.count }).to_string().into_bytes(),
        }
    }
}
