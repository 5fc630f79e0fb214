//! Tests rows of the contract that need no feature: an inner error of a GET, without a policy. Status, code and message
//! are compared. `tests/it` checks the rest, with all features. Rows that need the feature `foreign` are listed in
//! `foreign.txt`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use serde_json::Value as Json;
use toml::{Table, Value};
use tower::{BoxError, Layer as _, ServiceExt as _, service_fn};
use tower_error_envelope::ErrorEnvelopeLayer;
use tower_error_envelope::middleware::RequestBody;

/// The keys that a row may have in addition to its texts.
const CASE: [&str; 6] = ["name", "rules", "why", "needs", "inner", "expect"];
const INNER: [&str; 3] = ["status", "headers", "body"];
/// Words about reading, which every build supports.
const NEEDS: [&str; 6] = ["field", "kept", "shapes", "streams", "words", "world"];

#[tokio::test]
async fn rows_that_need_no_feature_hold_without_one() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cases");
    let files = std::fs::read_dir(cases).unwrap().map(|entry| entry.unwrap().path());
    let listed = include_str!("foreign.txt").lines().filter(|line| !line.starts_with('#')).collect::<BTreeSet<_>>();
    let (mut ran, mut failed) = (0, BTreeMap::new());
    for file in files.filter(|path| path.extension().is_some_and(|it| it == "toml")) {
        let table: Table = std::fs::read_to_string(&file).unwrap().parse().unwrap();
        for case in table["case"].as_array().unwrap().iter().filter_map(Value::as_table) {
            for row in rows(case).into_iter().filter(is_simple) {
                ran += 1;
                if let Err(why) = check(&row).await {
                    failed.insert(name(case, &row), why);
                }
            }
        }
    }
    assert!(ran > 600, "{ran} rows");
    let unlisted: Vec<_> = failed.iter().filter(|(name, _)| !listed.contains(&***name)).collect();
    assert!(unlisted.is_empty(), "these do not hold: {unlisted:#?}");
    let needless: Vec<_> = listed.iter().filter(|name| !failed.contains_key(**name)).collect();
    assert!(needless.is_empty(), "foreign.txt lists rows that hold without the feature: {needless:#?}");
}

/// Returns the name of a row, after that of its case.
fn name(case: &Table, row: &Table) -> String {
    let text = |table: &Table| table["name"].as_str().unwrap().to_owned();
    if text(case) == text(row) { text(case) } else { format!("{}/{}", text(case), text(row)) }
}

/// Returns the rows of a case, each merged over it, table by table.
fn rows(case: &Table) -> Vec<Table> {
    let Some(rows) = case.get("each").and_then(Value::as_array) else { return vec![case.clone()] };
    let mut base = case.clone();
    base.remove("each");
    let merged = rows.iter().filter_map(Value::as_table).map(|row| {
        let mut whole = base.clone();
        for (key, value) in row {
            match (whole.get_mut(key), value) {
                (Some(Value::Table(below)), Value::Table(above)) => below.extend(above.clone()),
                _ => drop(whole.insert(key.clone(), value.clone())),
            }
        }
        whole
    });
    merged.collect()
}

fn is_simple(row: &Table) -> bool {
    let all = |key: &str, known: &[&str]| {
        row.get(key).and_then(Value::as_table).is_some_and(|it| it.keys().all(|key| known.contains(&&**key)))
    };
    let needs = row.get("needs").and_then(Value::as_array).map_or(&[][..], |needs| needs);
    let expect = row.get("expect").and_then(Value::as_table);
    row.keys().all(|key| CASE.contains(&&**key))
        && needs.iter().all(|need| NEEDS.contains(&need.as_str().unwrap()))
        && all("inner", &INNER)
        // These rows need `charsets` or `decompress`.
        && ["charset=", "content-encoding"].iter().all(|it| !row["inner"].to_string().to_lowercase().contains(it))
        && expect.is_some_and(|expect| expect.contains_key("code") && !expect.contains_key("or"))
}

/// Checks a row, and returns what does not hold.
async fn check(row: &Table) -> Result<(), String> {
    let (inner, expect) = (&row["inner"], &row["expect"]);
    let mut response =
        Response::builder().status(inner.get("status").map_or(200, |it| it.as_integer().unwrap() as u16));
    for header in inner.get("headers").and_then(Value::as_array).into_iter().flatten() {
        response = response.header(header[0].as_str().unwrap(), header[1].as_str().unwrap());
    }
    let body = inner.get("body").map_or("", |body| body.as_str().unwrap()).to_owned();
    let response = response.body(Full::<Bytes>::from(body)).unwrap();
    let service = service_fn(move |_: Request<RequestBody<Full<Bytes>>>| {
        let response = response.clone();
        async { Ok::<_, BoxError>(response) }
    });
    let reply = ErrorEnvelopeLayer::new().layer(service).oneshot(Request::new(Full::default())).await.unwrap();
    let (head, body) = reply.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let is_one_of = |key: &str, value: &str| match expect.get(key) {
        None => true,
        Some(Value::Array(all)) => all.iter().any(|one| one.as_str().or(Some(&one.to_string())) == Some(value)),
        Some(one) => one.as_str().or(Some(&one.to_string())) == Some(value),
    };
    if !is_one_of("status", head.status.as_str()) {
        return Err(format!("{}", head.status));
    }
    let code = head.headers.get("x-error-code").map_or("", |code| code.to_str().unwrap());
    if !is_one_of("code", code) {
        return Err(format!("{code} {body:?}"));
    }
    // serde_json does not parse a lone surrogate, which a message may have.
    match serde_json::from_slice(&body) {
        Ok(Json::Object(envelope)) => {
            let message = envelope["error"]["message"].as_str().unwrap_or_default();
            if is_one_of("message", message) { Ok(()) } else { Err(message.to_owned()) }
        }
        _ => Ok(()),
    }
}
