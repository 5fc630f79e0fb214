//! Tests the manual's pictures: each is on a page, and `.ci/pages --pictures` makes those of pages and terminals.

use std::convert::Infallible;
use std::fs;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Request, Response};
use http_body_util::Full;
use tower::{Layer, ServiceExt, service_fn};
use tower_error_envelope::ErrorEnvelopeLayer;

use super::{manual, read, root};
use crate::answer::{Answer, answer};

/// The services in the README's picture: the status of each body, its media type, and the code that it gets.
const BEFORE: [(&str, u16, &str, &str); 5] = [
    ("axum", 422, "text/plain", "invalid_request"),
    ("FastAPI", 422, "application/json", "invalid_request"),
    ("Spring", 404, "application/json", "not_found"),
    ("Express", 500, "text/html", "internal_error"),
    ("nginx", 502, "text/html", "other"),
];

#[tokio::test]
async fn the_picture_of_the_readme_shows_what_clients_get() {
    let picture = read(&root().join("manual/images/before-after.svg"));
    let boxes: Vec<&str> = picture.split("<rect class=\"b\"").skip(1).collect();
    let [before @ .., after, log] = &*boxes else { panic!("{} boxes", boxes.len()) };
    assert_eq!(before.len(), BEFORE.len());
    for (shown, (name, status, media_type, code)) in before.iter().zip(BEFORE) {
        assert!(shown.contains(&format!(">{name}<")) && shown.contains(&format!(">{media_type}<")), "{shown}");
        let separator = if media_type == "text/plain" { " " } else { "" };
        let got = rewritten(status, media_type, lines(shown).join(separator)).await;
        assert_eq!((got.head.status.as_u16(), got.header("x-error-code")), (status, Some(code)), "{name}");
        if name == "FastAPI" {
            let expected = lines(after).join("");
            let (_, id) = expected.rsplit_once("req_").expect("an id");
            let body = String::from_utf8(got.body.to_vec()).unwrap().replace(&got.id(), &format!("req_{}", &id[..26]));
            assert_eq!(body, expected);
        }
    }
    let log = lines(log).join(" ");
    for part in ["ERROR", "code=\"other\" status=502", "INFO", "code=\"invalid_request\" status=422"] {
        assert!(log.contains(part), "{log}");
    }
}

/// Returns the lines of code in a part of the picture, without their indentation.
fn lines(part: &str) -> Vec<String> {
    let texts = part.split("<text class=\"m\"").skip(1).map(|text| text.split(['>', '<']).nth(1).unwrap());
    texts.map(|text| text.trim().replace("&lt;", "<").replace("&gt;", ">")).collect()
}

/// Returns what a client gets for this error.
async fn rewritten(status: u16, media_type: &str, body: String) -> Answer {
    let inner = Response::builder().status(status).header(CONTENT_TYPE, media_type);
    let inner = inner.body(Full::<Bytes>::from(body)).unwrap();
    let service = service_fn(move |_| std::future::ready(Ok::<_, Infallible>(inner.clone())));
    let request = Request::new(Full::<Bytes>::default());
    answer(ErrorEnvelopeLayer::new().layer(service).oneshot(request).await.unwrap()).await
}

#[test]
fn each_picture_is_on_a_page() {
    let pages: Vec<_> = manual().into_iter().chain([root().join("README.md")]).map(|page| read(&page)).collect();
    let is_shown = |name: &String| pages.iter().any(|page| page.contains(&format!("images/{name}")));
    let unused: Vec<_> = pictures().into_iter().filter(|name| !is_shown(name)).collect();
    assert_eq!(unused, [] as [String; 0]);
}

#[test]
fn each_screenshot_is_made_by_a_script() {
    let script = read(&root().join(".ci/pages"));
    let made = script.split_once("for picture in ").and_then(|(_, rest)| rest.split_once(';')).expect("a list").0;
    let mut made: Vec<_> = made.split(' ').map(|name| format!("{name}.png")).collect();
    made.sort();
    assert_eq!(pictures().into_iter().filter(|name| name.ends_with(".png")).collect::<Vec<_>>(), made);
}

fn pictures() -> Vec<String> {
    let files = fs::read_dir(root().join("manual/images")).unwrap();
    let mut names: Vec<_> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
