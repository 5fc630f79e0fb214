//! `--openapi`: each declared operation is requested, and nothing is changed.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use super::{Gateway, probe, report, with_outcome};

/// A file of this test's.
struct Document(PathBuf);

impl Document {
    fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("probe-openapi-{}-{name}", std::process::id()));
        fs::write(&path, text).unwrap();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Document {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

const OPERATIONS: &str = r##"
openapi: 3.0.3
info: { title: Demo, version: "1" }
paths:
  /ok:
    get: { responses: { "200": { description: Fine. } } }
    post:
      requestBody: { content: { application/json: { schema: { type: object } } } }
      responses: { "200": { description: Fine. }, 4XX: { description: Wrong. } }
    delete: { responses: { "200": { description: Gone. } } }
  /error:
    get: { responses: { "200": { description: Fine. } } }
  /missing/{id}:
    parameters: [{ in: path, name: id, required: true, schema: { type: integer } }]
    get: { responses: { "404": { $ref: "#/components/responses/Error404" } } }
  /message/{id}:
    parameters: [{ in: path, name: id, required: true, schema: { type: string } }]
    get: { responses: { "404": { $ref: "#/components/responses/Gone" } } }
components:
  responses:
    Error404: { description: Not there., content: { application/json: { schema: { $ref: "#/components/schemas/Error" } } } }
    Gone: { description: Gone., content: { application/json: { schema: { properties: { error: { properties: { code: { enum: [gone] } } } } } } } }
  schemas:
    Error: { type: object, properties: { error: { properties: { code: { type: string, enum: [not_found] } } }, next: { $ref: "#/components/schemas/Error" } } }
"##;

fn line<'a>(told: &'a Value, name: &str) -> &'a Value {
    told["lines"].as_array().unwrap().iter().find(|line| line["name"] == name).unwrap()
}

#[test]
fn each_operation_is_asked_and_what_is_not_declared_is_told_with_a_curl() {
    let gateway = Gateway::start("examples/probe/open.toml");
    let document = Document::new("demo.yaml", OPERATIONS);
    let json = probe(&gateway.url, &["--openapi", document.path(), "--format", "json"]);
    let told = report(&json);
    assert_eq!(json.code, Some(1), "{}", json.out);
    let failed = with_outcome(&told, "lines", "name", "failed");
    assert_eq!(failed, ["GET /error", "GET /message/{id}"], "{}", json.out);
    assert_eq!(line(&told, "GET /ok")["outcome"], "passed");
    assert_eq!(line(&told, "GET /missing/{id}")["got"], "404 not_found");

    let error = line(&told, "GET /error");
    assert_eq!(error["findings"][0]["rule"], "OpenAPI");
    assert_eq!(error["findings"][0]["wrong"], "the status 500 is not declared; declared: 200");
    let curl = error["curl"].as_str().unwrap();
    assert!(curl.contains(&format!("-X GET '{}/error'", gateway.url)), "{curl}");
    let wrong = "the code \"not_found\" is not declared for 404; declared: gone";
    assert_eq!(line(&told, "GET /message/{id}")["findings"][0]["wrong"], wrong);

    for (name, why) in
        [("POST /ok", "POST may change data; --malformed-bodies"), ("DELETE /ok", "DELETE is never sent")]
    {
        let line = line(&told, name);
        assert!(line["sent"].is_null() && line["why"].as_str().unwrap().starts_with(why), "{line}");
    }
    assert_eq!(with_outcome(&told, "rules", "rule", "broken"), ["OpenAPI"]);
}

#[test]
fn malformed_bodies_are_sent_where_the_user_allows_it_and_success_is_wrong() {
    let gateway = Gateway::start("examples/probe/open.toml");
    let document = Document::new("bodies.yaml", OPERATIONS);
    let args = ["--openapi", document.path(), "--malformed-bodies", "--format", "json"];
    let told = report(&probe(&gateway.url, &args));
    // The embedded service answers whatever the body is.
    let post = line(&told, "POST /ok");
    assert_eq!(post["findings"][0]["wrong"], "the service accepted malformed JSON", "{post}");
    assert!(post["curl"].as_str().unwrap().ends_with("--data-binary '{'"), "{post}");
    assert_eq!(line(&told, "DELETE /ok")["outcome"], "skipped");

    let dry = probe("http://127.0.0.1:9", &["--openapi", document.path(), "--dry-run"]).out;
    assert!(dry.contains("# GET /missing/{id}\nGET /missing/2147483647 HTTP/1.1\n"), "{dry}");
    assert!(dry.contains("# DELETE /ok\n# not sent: DELETE is never sent"), "{dry}");
}

#[test]
fn m2_a_document_that_cannot_be_used_is_told_with_a_way_out() {
    for (name, text, said) in [
        ("none.json", "{}", "the key `openapi` is missing"),
        ("broken.json", "{\n  \"openapi\": \"3.1.0\",\n}", ":3:1: not valid JSON"),
        ("broken.yaml", "openapi: [", "not valid YAML"),
        ("swagger.json", r#"{"swagger":"2.0"}"#, "convert it to OpenAPI 3 first"),
        ("new.json", r#"{"openapi":"4.0.0"}"#, "use 3.0 or 3.1"),
        ("empty.json", r#"{"openapi":"3.1.0","paths":{}}"#, "the document has no operations"),
        ("list.json", r#"{"openapi":"3.1.0","paths":[1]}"#, "the document has no operations"),
        (
            "loop.json",
            r##"{"openapi":"3.1.0","paths":{"/a":{"$ref":"#/paths/~1a"}}}"##,
            "the document has no operations",
        ),
        ("text.yaml", "hello", "the key `openapi` is missing"),
    ] {
        let document = Document::new(name, text);
        let refused = probe("http://127.0.0.1:9", &["--openapi", document.path()]);
        assert_eq!((refused.code, refused.out.as_str()), (Some(2), ""), "{name}");
        assert!(refused.err.contains(said), "{name}: {}", refused.err);
    }
    let large = Document::new("large.json", "{");
    fs::File::options().write(true).open(&large.0).unwrap().set_len(100 * 1024 * 1024).unwrap();
    let refused = probe("http://127.0.0.1:9", &["--openapi", large.path()]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.err.contains("the file has 104857600 bytes; at most 64 MiB are read"), "{}", refused.err);
}
