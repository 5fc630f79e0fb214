//! Checks that documents become valid policies, whatever they contain.

use super::*;

fn policy_of(name: &str, document: &str) -> Result<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, document).unwrap();
    match DocumentFile::read(&path) {
        Ok(document) => Ok(policy_for(&document, Path::new(name))),
        Err(CommandError::Io(why) | CommandError::Refused(why)) => {
            Err(why.replace(&path.display().to_string(), "FILE"))
        }
        Err(other) => panic!("{other:?}"),
    }
}

#[track_caller]
fn is_right(text: &str) {
    PolicyLoader::new().parse("policy.toml", text).unwrap_or_else(|error| panic!("{error}\n{text}"));
}

const SHOP: &str = r##"
openapi: 3.1.0
info: { title: "Shop\n# [defaults]", version: "1" }
servers: [{ url: "https://api.example.com/v1/" }]
security: [{ token: [] }]
components:
  responses:
    Gone: { description: "The order\nis gone." }
  requestBodies:
    Note: { content: { text/plain: { schema: { $ref: "#/components/schemas/Note" } } } }
  schemas:
    Note: { type: string, maxLength: 500 }
    Loop: { $ref: "#/components/schemas/Loop" }
paths:
  /orders:
    get: { security: [], responses: { "200": { description: ok } } }
    post:
      requestBody: { content: { "application/json; charset=utf-8": { schema: { $ref: "#/components/schemas/Loop" } } } }
      responses: { "201": { description: ok }, "409": { description: "Taken" }, default: { description: "" } }
  /orders/{id}/note:
    put: { requestBody: { $ref: "#/components/requestBodies/Note" }, responses: { "410": { $ref: "#/components/responses/Gone" } } }
  /orders/{id}/photo:
    post: { requestBody: { content: { image/png: { schema: { format: binary, maxLength: 4000000 } }, "image/webp": {} } } }
  /orders/{other}/note:
    put: {}
  /odd/{a}-{b}:
    get: {}
  "/any\"\n[defaults]":
    get: {}
"##;

#[test]
fn each_operation_is_a_route_that_says_what_the_document_does() {
    let text = policy_of("shop.yaml", SHOP).unwrap();
    is_right(&text);
    for part in [
        "#:schema ./policy.schema.json\n# From shop.yaml, Shop # [defaults].\nversion = 1\n",
        "[[route]]\nmatch = \"GET /v1/orders\"\n\n",
        "[[route]]\nmatch = \"POST /v1/orders\"\njson = true\n# declares 409: Taken\n# declares default\n# requires credentials: token\n",
        "match = \"PUT /v1/orders/{id}/note\"\ncontent_types = [\"text/plain\"]\nbody_limit = 2000   # by maxLength\n# declares 410: The order is gone.\n",
        "match = \"POST /v1/orders/{id}/photo\"\ncontent_types = [\"image/png\", \"image/webp\"]\n# requires",
        "match the same paths",
        "# [[route]]\n# match = \"PUT /v1/orders/{other}/note\"\n",
    ] {
        assert!(text.contains(part), "{part}\n---\n{text}");
    }
    assert!(text.matches("# Left out: ").count() >= 2, "{text}");
}

#[test]
fn a_limit_is_that_of_a_text_and_a_base_that_of_a_path() {
    let body = |kind: &str, schema: &str| {
        let document = format!(
            "openapi: 3.1.0\nservers: [{{ url: \"https://{{tenant}}.example.com/v1\" }}]\npaths: {{ /a: {{ post: {{ \
             requestBody: {{ content: {{ {kind}: {{ schema: {{ {schema} }} }} }} }} }} }} }}"
        );
        policy_of("a.yaml", &document).unwrap()
    };
    for (kind, schema, limit) in [
        ("text/plain", "type: string, maxLength: 10", Some("body_limit = 40 ")),
        ("text/plain", "maxLength: 10", None),
        ("application/json", "type: object, maxLength: 10", None),
        ("application/json", "type: [string, object], maxLength: 10", None),
        ("application/json", "type: [string, 'null'], maxLength: 10", Some("body_limit = 122 ")),
        ("application/x-www-form-urlencoded", "type: string, maxLength: 10", Some("body_limit = 120 ")),
    ] {
        let text = body(kind, schema);
        assert!(text.contains("match = \"POST /v1/a\""), "{text}");
        let expected = text.lines().find(|line| line.starts_with("body_limit"));
        assert_eq!(
            expected.map(|expected| expected.split('#').next().unwrap().trim_end()),
            limit.map(str::trim_end),
            "{schema}"
        );
    }
}

#[test]
fn what_many_routes_are_refused_for_is_told_of_each() {
    let paths = |from: usize| (0..300).map(move |at| format!("  /{}/{{{}}}: {{ get: {{}} }}\n", at, from + at));
    let paths: String = paths(0).chain(paths(1)).collect();
    let text = policy_of("a.yaml", &format!("openapi: 3.1.0\npaths:\n{paths}")).unwrap();
    is_right(&text);
    assert!(!text.contains("(line "), "of a policy that is not this one: {text}");
    assert_eq!((text.matches("\n[[route]]").count(), text.matches("# Left out: ").count()), (300, 300));
}

#[cfg(unix)]
#[test]
fn others_may_read_what_is_written() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let (path, plain) = (folder.path().join("policy.toml"), folder.path().join("plain"));
    write_file(&path, "a").unwrap();
    fs::write(&plain, "a").unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&path), mode(&plain), "as any file under this umask");
}

#[test]
fn a_policy_from_nothing_is_right_with_and_without_its_comments() {
    is_right(FROM_NOTHING);
    let digits = "0".repeat(64);
    let bare: Vec<&str> = FROM_NOTHING.lines().map(|line| line.strip_prefix("# ").unwrap_or(line)).collect();
    let is_toml = |line: &&&str| {
        line.contains(" = ") && !line.contains(": ") || line.starts_with('[') || line.starts_with("keys")
    };
    let text = bare.iter().filter(is_toml).map(|line| format!("{line}\n")).collect::<String>();
    is_right(&text.replace("…64 hex digits…", &digits));
    assert!(text.contains("[[map]]") && text.contains("body_limit") && text.contains("sha256"), "{text}");
}

#[test]
fn what_is_no_document_is_told_with_its_place() {
    for (name, text, expected) in [
        ("a.json", "{\"openapi\": \"3.1.0\",\n \"paths\": }", "FILE:2:11: not valid JSON: expected value; correct it"),
        ("a.json", "{\"openapi\": \"2.0\"}", "FILE: openapi: version \"2.0\" is not supported"),
        ("a.json", "{\"swagger\": \"2.0\"}", "FILE: swagger: version 2.0 is not supported"),
        ("a.yaml", "a: [", "FILE: not valid YAML: "),
        ("a.yaml", "", "FILE: the key `openapi` is missing"),
        ("a.yaml", "hello", "FILE: the key `openapi` is missing"),
        ("a.yaml", "- 1", "FILE: the key `openapi` is missing"),
    ] {
        let why = policy_of(name, text).unwrap_err();
        assert!(why.starts_with(expected), "{text}: {why}");
    }
    for text in ["openapi: 3.0.3", "openapi: 3.1.0\npaths: []", "openapi: 3.1.0\npaths: { /a: 1, /b: { get: 2 } }"] {
        let text = policy_of("a.yaml", text).unwrap();
        is_right(&text);
        assert!(text.contains("The document has no operations."), "{text}");
    }
}

#[test]
fn a_file_that_is_there_stays_and_nothing_else_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.toml");
    write_file(&path, "a").unwrap();
    let Err(CommandError::Io(why)) = write_file(&path, "b") else { panic!("overwritten") };
    assert!(why.contains("already exists"), "{why}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "a");
    let Err(CommandError::Io(why)) = write_file(&folder.path().join("none/policy.toml"), "b") else {
        panic!("written")
    };
    assert!(why.contains("cannot be written"), "{why}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
