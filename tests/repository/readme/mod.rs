//! Tests the table of `manual/library.md` that compares axum's `Json` with this crate's. The app in `readme/app.rs`
//! makes it.

mod app;

use std::fs;
use std::path::Path;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use serde_json::Value;
use tower::ServiceExt;
use tower_error_envelope::testing::Envelope;

use crate::answer::{Answer, answer};

/// With any value, this variable makes the test rewrite the table instead of comparing it.
const REWRITE: &str = "UPDATE_MANUAL";
const OPENS: &str = "<!-- the table is written by UPDATE_MANUAL=1 cargo test --test repository readme -->\n";
const CLOSES: &str = "<!-- the end of the table -->\n";

/// The row's name in the table, the content type, and the body.
const SENT: [(&str, &str, &str); 6] = [
    (r#"`{"sku":1}`"#, "application/json", r#"{"sku":1}"#),
    (r#"`{"sku":"a-7"}`"#, "application/json", r#"{"sku":"a-7"}"#),
    (r#"`{"sku":"a-7","qty":"three"}`"#, "application/json", r#"{"sku":"a-7","qty":"three"}"#),
    (r#"`{"sku":`"#, "application/json", r#"{"sku":"#),
    ("a form", "application/x-www-form-urlencoded", "sku=a-7"),
    ("more than is left", "application/json", r#"{"sku":"a-7","qty":4}"#),
];

/// R13: the issue wants this of a new user's first app.
#[tokio::test]
async fn r13_a_stock_extractor_reports_the_fields_name() {
    let answer = send("/orders", "application/json", r#"{"sku":1}"#).await;
    let message = "invalid type: integer, expected a string";
    envelope(&answer).assert_code("invalid_request").assert_issue(["sku"], message);
}

#[tokio::test]
async fn the_same_input_gets_the_same_status_and_code_from_both() {
    for (name, content_type, body) in SENT {
        let [stock, own] = both(content_type, body).await;
        assert_eq!(stock.head.status, own.head.status, "{name}");
        assert_eq!(stock.header("x-error-code"), own.header("x-error-code"), "{name}");
    }
}

#[tokio::test]
async fn the_manual_shows_what_a_client_gets() {
    let mut table = String::from("| the client sends | axum's `Json` | this crate's `Json` |\n|---|---|---|\n");
    for (name, content_type, body) in SENT {
        let [stock, own] = both(content_type, body).await.map(|answer| summary(&answer));
        table += &format!("| {name} | {stock} | {own} |\n");
    }
    let page = fs::read_to_string(path()).unwrap();
    let (before, rest) = page.split_once(OPENS).expect("the page has a place for the table");
    let (old, after) = rest.split_once(CLOSES).expect("the table has an end");
    if std::env::var_os(REWRITE).is_some() {
        fs::write(path(), format!("{before}{OPENS}{table}{CLOSES}{after}")).unwrap();
    } else {
        assert_eq!(old, table, "manual/library.md shows another table: run again with {REWRITE}=1");
    }
}

/// Returns the status, the code, and the issues, or the message if there are none.
fn summary(answer: &Answer) -> String {
    let envelope = envelope(answer);
    let issues = envelope.details().and_then(|details| details["issues"].as_array()).cloned().unwrap_or_default();
    let issues = issues.iter().map(|issue| format!("`{}` {}", issue["path"], text(&issue["message"])));
    let mut texts: Vec<String> = issues.collect();
    if texts.is_empty() {
        texts.push(envelope.message().to_owned());
    }
    format!("{} `{}`: {}", answer.head.status.as_u16(), envelope.code(), texts.join(", "))
}

fn text(message: &Value) -> &str {
    message.as_str().unwrap()
}

async fn both(content_type: &str, body: &'static str) -> [Answer; 2] {
    [send("/orders", content_type, body).await, send("/own/orders", content_type, body).await]
}

async fn send(path: &str, content_type: &str, body: &'static str) -> Answer {
    let request = Request::post(path).header(CONTENT_TYPE, content_type).body(Body::from(body)).unwrap();
    answer(app::app().oneshot(request).await.unwrap()).await
}

fn envelope(answer: &Answer) -> Envelope {
    Envelope::parse(&answer.head.headers, &answer.body)
}

fn path() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("manual/library.md")
}
