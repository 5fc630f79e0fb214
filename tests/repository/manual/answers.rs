//! Tests that a policy has the results that the manual shows: its requests are sent, its services respond, its clients
//! read.

use std::fs;
use std::path::PathBuf;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use tower::{Layer, ServiceExt, service_fn};
use tower_error_envelope::policy::PolicyLoader;
use tower_error_envelope::{ErrorEnvelopeLayer, Policy};

use super::blocks::{Block, Section, sections};
use crate::answer::{Answer, answer};

#[tokio::test]
async fn the_recipes_say_what_clients_get() {
    let shown = hold("recipes").await;
    assert!(shown >= 13, "{shown}");
}

/// Compares the responses of a page, and returns their number.
async fn hold(page: &str) -> usize {
    let mut shown = 0;
    let text = super::read(&super::root().join("manual").join(page).with_extension("md"));
    for (at, section) in sections(&text).iter().enumerate().filter(|(_, section)| section.has("toml")) {
        let layer = ErrorEnvelopeLayer::new().policy(policy(&format!("{page}-{at}"), section));
        let (mut request_block, mut response_block) = (None, None);
        for block in &section.blocks {
            match &*block.info {
                "http request" => request_block = Some(block),
                "http service" => response_block = Some(block),
                "http client" => {
                    let got = ask(&layer, request_block.take(), response_block.take()).await;
                    expect(&got, block, &format!("{page}: {}", section.title));
                    shown += 1;
                }
                _ => {}
            }
        }
        assert!(
            request_block.is_none() && response_block.is_none(),
            "{page}: {}: nobody reads the last answer",
            section.title
        );
    }
    shown
}

/// Returns the section's policy, with the files that the section shows with it.
fn policy(folder: &str, section: &Section) -> Policy {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(folder);
    // Files of another version of the page are removed.
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    for block in &section.blocks {
        let name = if block.info == "toml" { Some("policy.toml") } else { block.info.strip_prefix("toml ") };
        if let Some(name) = name {
            fs::write(folder.join(name), &block.text).unwrap();
        }
    }
    let secret = "a secret of at least thirty-two bytes";
    let loader = PolicyLoader::new().environment(move |name| (name == "SESSION_SECRET").then(|| secret.into()));
    let file = loader.load(folder.join("policy.toml")).unwrap_or_else(|error| panic!("{}: {error}", section.title));
    file.into_policy()
}

async fn ask(layer: &ErrorEnvelopeLayer, request_block: Option<&Block>, response_block: Option<&Block>) -> Answer {
    let request = request_block.map_or_else(Request::default, request);
    let inner = response_block.map_or_else(|| Response::new(Full::default()), response);
    let service = service_fn(move |_| {
        let inner = inner.clone();
        async { Ok::<_, std::convert::Infallible>(inner) }
    });
    answer(layer.layer(service).oneshot(request).await.unwrap()).await
}

/// Compares the status, each shown header, and the body without the id.
#[track_caller]
fn expect(got: &Answer, block: &Block, place: &str) {
    let shown = response(block);
    assert_eq!(got.head.status, shown.status(), "{place}");
    for (name, value) in shown.headers() {
        assert_eq!(got.head.headers.get(name), Some(value), "{place}: {name}");
    }
    let body = String::from_utf8(got.body.to_vec()).unwrap().replace(&got.id(), "req_…");
    assert_eq!(body, block.body(), "{place}");
}

fn request(block: &Block) -> Request<Full<Bytes>> {
    let (first, headers) = block.head();
    let [method, path, _] = first.split(' ').collect::<Vec<_>>()[..] else { panic!("no request: {first}") };
    let mut request = Request::builder().method(method).uri(path).body(Full::default()).unwrap();
    *request.headers_mut() = fields(headers);
    // The body has the length in the head.
    let length = request.headers().get("content-length").map_or(0, |it| it.to_str().unwrap().parse().unwrap());
    *request.body_mut() = Full::from(vec![b'x'; length]);
    request
}

fn response(block: &Block) -> Response<Full<Bytes>> {
    let (first, headers) = block.head();
    let status: StatusCode = first.split(' ').nth(1).and_then(|it| it.parse().ok()).expect("a status");
    let mut response = Response::new(Full::from(block.body().to_owned()));
    *response.status_mut() = status;
    *response.headers_mut() = fields(headers);
    response
}

fn fields<'a>(lines: impl Iterator<Item = &'a str>) -> HeaderMap {
    let pairs = lines.map(|line| line.split_once(": ").unwrap_or_else(|| panic!("no header: {line}")));
    pairs.map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap())).collect()
}
