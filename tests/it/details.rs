//! Tests schemas of details (`[[code]] details`), as the policy reads them and as tests check them.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use http::HeaderMap;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tower_error_envelope::policy::PolicyLoader;
use tower_error_envelope::testing::Envelope;
use tower_error_envelope::{ErrorCode, Policy};

const ID: &str = "req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D";

fn own_codes() -> Policy {
    Policy::from_file(concat!(env!("CARGO_MANIFEST_DIR"), "/exports/tests/own-codes.toml")).unwrap()
}

fn envelope(code: &str, details: Option<&Value>) -> Envelope {
    let lines = [
        ("content-type", "application/json"),
        ("x-content-type-options", "nosniff"),
        ("x-request-id", ID),
        ("x-error-code", code),
    ];
    let headers: HeaderMap =
        lines.into_iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
    let details = details.map(|details| format!(r#","details":{details}"#)).unwrap_or_default();
    Envelope::parse(&headers, format!(r#"{{"error":{{"code":"{code}","message":"m"{details}}},"request_id":"{ID}"}}"#))
}

/// Returns the text of the assertion if it fails.
fn misfit(code: &str, details: Option<&Value>, policy: &Policy) -> Option<String> {
    let envelope = envelope(code, details);
    let fits = catch_unwind(AssertUnwindSafe(|| envelope.assert_details_fit(policy).code().len()));
    fits.err().map(|panic| *panic.downcast::<String>().expect("a formatted message"))
}

#[test]
fn tests_say_of_details_what_the_exports_say() {
    let policy = own_codes();
    let rows: Value = serde_json::from_str(include_str!("../../exports/tests/details.json")).unwrap();
    let rows = rows.as_array().unwrap();
    assert!(rows.len() >= 60);
    // The layer never writes `null`, so an envelope with `null` is not exactly canonical.
    for row in rows.iter().filter(|row| !row["details"].is_null()) {
        let mistake = misfit(row["code"].as_str().unwrap(), Some(&row["details"]), &policy);
        assert_eq!(mistake.is_none(), row["fits"].as_bool().unwrap(), "{row}: {mistake:?}");
    }
}

#[test]
fn a_misfit_is_reported_with_its_place_and_the_answer() {
    let policy = own_codes();
    let details = json!({ "seat": 1, "until": 11, "next-seats": ["2", 3] });
    let mistake = misfit("seat_taken", Some(&details), &policy).unwrap();
    assert!(
        mistake.starts_with("the details do not fit the schema of the code:\n  details.next-seats.1: 3 is no string\n")
    );
    for line in
        ["  details.seat: 1 is no string\n", "  details.until: 11 is more than 10\n", "    \"code\": \"seat_taken\""]
    {
        assert!(mistake.contains(line), "{line:?} in {mistake}");
    }
    let mistake = misfit("seat_taken", Some(&json!({})), &policy).unwrap();
    assert!(mistake.contains("\n  details: there is no \"seat\"\n"), "{mistake}");
    assert_eq!(misfit("seat_taken", None, &policy), None);
    for nonexistent in ["teapot", "conflict", "a_code_of_nobodys"] {
        let mistake = misfit(nonexistent, None, &policy).unwrap();
        assert!(mistake.starts_with(&format!("the code {nonexistent:?} has no schema of its details")), "{mistake}");
    }
}

#[test]
fn a_code_of_the_catalogue_takes_a_schema_of_the_policys() {
    let schema =
        json!({"type": "object", "properties": {"left": {"type": "integer", "minimum": 0}}, "required": ["left"]});
    let build = |schema: Value| Policy::builder().code(ErrorCode::CONFLICT.with_details(schema)).build();
    let policy = build(schema).unwrap();
    assert_eq!(misfit("conflict", Some(&json!({ "left": 3 })), &policy), None);
    let mistake = misfit("conflict", Some(&json!({ "left": -1 })), &policy).unwrap();
    assert!(mistake.contains("\n  details.left: -1 is less than 0\n"), "{mistake}");
    assert_eq!(policy.codes().custom_codes().count(), 0);
    // The text of a schema is not a schema.
    let text = build("{}".into()).unwrap_err().to_string();
    assert!(text.starts_with("code \"conflict\": details: a text has the wrong type here; write a schema"), "{text}");
    let twice = ErrorCode::CONFLICT.with_details(json!({}));
    let again = Policy::builder().code(twice.clone()).code(twice).build().unwrap_err().to_string();
    assert!(again.contains("\"conflict\" is defined twice"), "{again}");
    let plain = Policy::builder().code(ErrorCode::CONFLICT).build().unwrap_err().to_string();
    assert!(plain.contains("\"conflict\" is a code of the catalogue"), "{plain}");
}

#[test]
fn what_the_layer_says_of_its_own_codes_is_of_their_schemas() {
    let messages: Vec<&str> =
        ErrorCode::ALL.iter().filter(|code| code.details_schema().is_some()).map(ErrorCode::as_str).collect();
    assert_eq!(messages, ["invalid_request", "payload_too_large"]);
    for code in ErrorCode::ALL.iter().filter_map(ErrorCode::details_schema) {
        // An own code may have a schema of the catalogue.
        let own = ErrorCode::custom("own", 400).with_details(serde_json::from_str::<Value>(code).unwrap());
        assert_eq!(Policy::builder().code(own).build().err().map(|error| error.to_string()), None);
    }
}

fn folder(name: &str, files: &[(&str, &str)]) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("details").join(name);
    for (name, text) in files {
        let file = folder.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    folder.join("policy.toml")
}

const BY_FILE: &str = "version = 1\n[[code]]\ncode = \"a\"\nstatus = 409\ndetails = \"schemas/a.json\"\n";

fn schema_of(policy: &Policy) -> Value {
    serde_json::from_str(policy.codes().custom_codes().next().unwrap().details_schema().unwrap()).unwrap()
}

#[test]
fn a_schema_is_the_same_in_the_policy_and_in_a_file_of_its_own() {
    let schema = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "properties": { "n": { "type": "number", "maximum": 1.5 }, "of": { "enum": ["a", -7, 0.5, true] } }
}"#;
    let path = folder("same", &[("policy.toml", BY_FILE), ("schemas/a.json", schema)]);
    let loaded = PolicyLoader::new().load(&path).unwrap();
    // Each file that was read is also watched.
    assert!(loaded.files().any(|file| file.ends_with("schemas/a.json")));
    let by_file = loaded.into_policy();
    assert_eq!(schema_of(&by_file), serde_json::from_str::<Value>(schema).unwrap());

    let inline = r#"version = 1
[[code]]
code = "a"
status = 409
[code.details]
"$schema" = "https://json-schema.org/draft/2020-12/schema"
type = "object"
properties.n = { type = "number", maximum = 1.5 }
properties.of.enum = ["a", -7, 0.5, true]
"#;
    let inline = Policy::from_toml("policy.toml", inline).unwrap();
    assert_eq!(schema_of(&inline), schema_of(&by_file));

    // A file that an included file names is relative to the included file.
    let outer = "version = 1\ninclude = [\"services/a.toml\"]\n";
    let part = format!("scope.prefix = \"/a\"\n{BY_FILE}");
    let nested = [("policy.toml", outer), ("services/a.toml", &*part), ("services/schemas/a.json", schema)];
    assert_eq!(schema_of(&Policy::from_file(folder("nested", &nested)).unwrap()), schema_of(&by_file));
}

#[test]
fn m2_a_mistake_in_a_schemas_file_is_reported_with_its_line() {
    for (name, schema, mistake) in [
        (
            "word",
            "{\n  \"type\": \"object\",\n  \"properties\": {\n    \"n\": {\n      \"type\": \"numbre\"\n    }\n  }\n}",
            ":5: properties.n.type: unknown type \"numbre\"; the choices are",
        ),
        (
            "keyword",
            "{\"type\":\"string\",\n\"pattern\": \"^a$\"}",
            ":2: pattern: unknown keyword \"pattern\"; put it into the description",
        ),
        (
            "element",
            "{\"anyOf\": [\n{},\n{\"type\":\n7}]}",
            ":4: anyOf.1.type: a number has the wrong type here; write",
        ),
        ("syntax", "{\n  \"type\": s3cret\n}", ":2:11: the schema is not JSON: expected value; write"),
        ("empty", "", ":1:0: the schema is not JSON: EOF while parsing a value; write"),
        ("other", "[1]", ":1: a list has the wrong type here; write a schema"),
        (
            "draft",
            "{\"$schema\":\"http://json-schema.org/draft-07/schema#\"}",
            ":1: $schema: this is another dialect; write",
        ),
    ] {
        let path = folder(name, &[("policy.toml", BY_FILE), ("schemas/a.json", schema)]);
        let error = Policy::from_file(&path).unwrap_err();
        let file = path.parent().unwrap().join("schemas/a.json");
        assert_eq!((error.line(), error.key()), (Some(5), Some("code[0].details")), "{error}");
        assert!(error.to_string().contains(&format!("{}{mistake}", file.display())), "{name}: {error}");
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
}

#[test]
fn m2_a_schema_is_as_deep_as_one_may_be_and_no_deeper() {
    let nested = |levels: usize| format!("{}{{}}{}", r#"{"type":"array","items":"#.repeat(levels), "}".repeat(levels));
    let built = |levels| {
        let code = ErrorCode::custom("deep", 400).with_details(RawValue::from_string(nested(levels)).unwrap());
        Policy::builder().code(code).build().map_err(|error| error.to_string())
    };
    assert!(built(15).is_ok());
    let error = built(16).unwrap_err();
    assert!(error.contains("the schema is deeper than 16 levels; make it flatter"), "{error}");
    // This is deeper than the JSON reader allows.
    assert!(built(10_000).unwrap_err().contains("the schema is not JSON: recursion limit exceeded"));
}

#[test]
fn m2_all_mistakes_in_schemas_are_reported_at_once() {
    let policy = "version = 1
[[code]]
code = \"a\"
status = 409
[code.details]
type = \"objekt\"
properties.n = { type = \"number\" }
[[code]]
code = \"b\"
status = 409
details = \"none.json\"
[[code]]
code = \"c\"
status = 409
details = { type = \"string\", minimum = 1 }
[[code]]
code = \"d\"
status = 409
details = { type = \"string\", pattern = \"none\" }
[[code]]
code = \"e\"
status = 409
details = \"none.json\"
[[route]]
match = \"/a\"
auth = [\"string\"]
[[map]]
status = 409
to = \"b\"
";
    let errors = PolicyLoader::new().check(folder("several", &[("policy.toml", policy)])).unwrap_err();
    let mistake: Vec<_> = errors.iter().map(|error| (error.line().unwrap(), error.key().unwrap_or_default())).collect();
    assert_eq!(
        mistake,
        [
            (6, "code[0].details.type"),
            (11, "code[1].details"),
            (15, "code[2].details.minimum"),
            (19, "code[3].details.pattern"),
            (23, "code[4].details"),
            (26, "route[0].auth[0]")
        ]
    );
}
