//! Measures how much useful information for clients survives, in error bodies of some 300 products (rules E9, R2, R3,
//! R13). `tests/corpus/README.md` states what is counted.

use std::convert::Infallible;
use std::fmt::Write as _;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use serde::Deserialize;
use serde_json::Value;
use tower::{Layer, ServiceExt, service_fn};
use tower_error_envelope::policy::Dialect;
use tower_error_envelope::{ErrorEnvelopeLayer, Policy};

/// The least share of the texts of `must` and `codes` that survives, in thousandths. A commit may raise it.
const FLOOR: usize = 960;

#[derive(Deserialize)]
struct Corpus {
    body: Vec<Row>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    status: u16,
    body: String,
    #[serde(rename = "type", default = "json")]
    media_type: String,
    #[serde(default)]
    headers: Vec<(String, String)>,
    reason: Option<String>,
    method: Option<String>,
    #[serde(default)]
    request_headers: Vec<(String, String)>,
    request_body: Option<String>,
    #[serde(default)]
    must: Vec<String>,
    #[serde(default)]
    codes: Vec<String>,
    #[serde(default)]
    paths: Vec<Vec<Value>>,
    #[serde(default)]
    lacks: Vec<String>,
}

fn json() -> String {
    "application/json".to_owned()
}

fn rows() -> Vec<Row> {
    let text = include_str!("../corpus/bodies.toml");
    toml::from_str::<Corpus>(text).expect("the corpus").body
}

/// Returns the body that a client gets.
async fn answer(row: &Row, policy: Policy) -> String {
    let row = row.clone();
    let mut request = Request::builder().method(row.method.as_deref().unwrap_or("GET")).uri("/x");
    for (name, value) in &row.request_headers {
        request = request.header(name, value);
    }
    let request = request.body(Full::new(Bytes::from(row.request_body.clone().unwrap_or_default()))).unwrap();
    let served = service_fn(move |_| {
        let mut response = Response::builder().status(row.status).header("content-type", &row.media_type);
        for (name, value) in &row.headers {
            response = response.header(name, value);
        }
        if let Some(reason) = &row.reason {
            response = response.extension(hyper::ext::ReasonPhrase::try_from(reason.as_bytes()).unwrap());
        }
        let response = response.body(Full::new(Bytes::from(row.body.clone()))).unwrap();
        async { Ok::<_, Infallible>(response) }
    });
    let response = ErrorEnvelopeLayer::new().policy(policy).layer(served).oneshot(request).await.unwrap();
    String::from_utf8_lossy(&response.into_body().collect().await.unwrap().to_bytes()).into_owned()
}

/// Returns the strings and numbers of a JSON text, or the text itself if it is no JSON.
fn values(text: &str) -> Vec<String> {
    fn collect(value: &Value, into: &mut Vec<String>) {
        match value {
            Value::String(text) => into.push(text.clone()),
            Value::Number(number) => into.push(number.to_string()),
            Value::Array(list) => list.iter().for_each(|value| collect(value, into)),
            Value::Object(object) => object.values().for_each(|value| collect(value, into)),
            Value::Null | Value::Bool(_) => {}
        }
    }
    let mut all = Vec::new();
    match serde_json::from_str(text) {
        Ok(value) => collect(&value, &mut all),
        Err(_) => all.push(text.to_owned()),
    }
    all
}

/// Ignores letter case and the length of white space.
fn plain(text: &str) -> String {
    text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

fn wrong_paths(row: &Row, answer: &str) -> usize {
    let Ok(answer) = serde_json::from_str::<Value>(answer) else { return 0 };
    let issues = answer["error"]["details"]["issues"].as_array().cloned().unwrap_or_default();
    let paths = issues.iter().filter_map(|issue| issue["path"].as_array());
    paths.filter(|path| !path.is_empty() && !row.paths.iter().any(|right| right == *path)).count()
}

#[tokio::test]
async fn e9_what_a_client_could_act_on_survives() {
    let (mut texts, mut kept, mut wrong, mut right) = (0, 0, 0, 0);
    let (mut lost, mut leaks) = (String::new(), String::new());
    let rows = rows();
    for row in &rows {
        let answer = answer(row, Policy::default()).await;
        let values = values(&answer);
        let said: Vec<String> = values.iter().map(|value| plain(value)).collect();
        let has_text = |text: &String| said.iter().any(|value| value.contains(&plain(text)));
        let has_code = |code: &String| {
            said.iter().any(|value| *value == plain(code) || value.ends_with(&format!("#{}", plain(code))))
        };
        let missing: Vec<&String> =
            row.must.iter().filter(|it| !has_text(it)).chain(row.codes.iter().filter(|it| !has_code(it))).collect();
        let leaked: Vec<&String> = row.lacks.iter().filter(|secret| answer.contains(&***secret)).collect();
        let paths = wrong_paths(row, &answer);
        texts += row.must.len() + row.codes.len();
        kept += row.must.len() + row.codes.len() - missing.len();
        wrong += usize::from(paths > 0);
        right += usize::from(missing.is_empty() && leaked.is_empty() && paths == 0);
        if !missing.is_empty() || paths > 0 {
            let _ = writeln!(lost, "{}: lost {missing:?}, {paths} wrong paths: {answer}", row.name);
        }
        if !leaked.is_empty() {
            let _ = writeln!(leaks, "{}: {leaked:?}: {answer}", row.name);
        }
    }
    println!(
        "{lost}\n{kept} of {texts} texts and codes kept, {right} of {} bodies right, {wrong} with a wrong path",
        rows.len()
    );
    assert_eq!(leaks, "");
    assert!(kept * 1000 >= FLOOR * texts, "{kept} of {texts} is below the floor");
}

/// By these rules, no string of any body reaches the client of a 5xx, in any dialect.
#[tokio::test]
async fn e9_nothing_of_a_5xx_does() {
    const SECRET: &str = "s3cret-4711 of the crew";

    for dialect in Dialect::ALL {
        for row in rows() {
            let Ok(mut body) = serde_json::from_str::<Value>(&row.body) else { continue };
            mark(&mut body, SECRET);
            let row = Row { status: 500, body: body.to_string(), ..row };
            let answer = answer(&row, Policy::builder().dialect(*dialect).build().unwrap()).await;
            assert!(!answer.contains("4711"), "{dialect:?}: {}: {answer}", row.name);
        }
    }
}

fn mark(value: &mut Value, secret: &str) {
    match value {
        Value::String(text) => *text = secret.to_owned(),
        Value::Array(list) => list.iter_mut().for_each(|value| mark(value, secret)),
        Value::Object(object) => object.values_mut().for_each(|value| mark(value, secret)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
