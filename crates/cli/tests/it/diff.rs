//! Tests `catalogue --diff OLD`, which shows how changes of the catalogue affect clients.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::kit::run;

const OWN: &str = "exports/tests/own-codes.toml";

/// An old export, in its own file.
struct Old(PathBuf);

impl Old {
    fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("catalogue-{}-{name}.json", std::process::id()));
        fs::write(&path, text).unwrap();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Old {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn exported(policy: &[&str]) -> Value {
    let run = run(&[&["catalogue", "--format", "json"], policy].concat());
    serde_json::from_str(&run.out).unwrap()
}

#[test]
fn an_export_of_today_differs_in_nothing() {
    let diff = run(&["catalogue", "--diff", "exports/errors.json", "--group", "channel,media"]);
    assert_eq!((diff.code, diff.out.as_str(), diff.err.as_str()), (Some(0), "nothing has changed\n", ""));
}

#[test]
fn what_breaks_clients_exits_1_and_stands_first() {
    let mut old = exported(&["--policy", OWN]);
    let codes = old["codes"].as_array_mut().unwrap();
    codes.retain(|code| code["code"] != "not_found");
    for code in codes {
        match code["code"].as_str().unwrap() {
            "no_op" => code["message"] = json!("Nothing to do."),
            "conflict" => code["status"] = json!(412),
            "gone" => code["details"] = json!({ "type": "object" }),
            _ => {}
        }
    }
    let old = Old::new("breaks", &old.to_string());
    let diff = run(&["catalogue", "--diff", old.path()]);
    let expected = "\
breaks  conflict: status was 412, is 409
breaks  gone: details removed, was {\"type\":\"object\"}
breaks  known: removed, was 409
breaks  retry: removed, was 503
breaks  seat_taken: removed, was 409
breaks  teapot: removed, was 418
keeps   no_op: message was \"Nothing to do.\", is \"Already in the requested state.\"
keeps   not_found: added, 404
8 changes: 6 would break clients
";
    assert_eq!((diff.code, diff.out.as_str(), diff.err.as_str()), (Some(1), expected, ""));

    let json = run(&["catalogue", "--format", "json", "--diff", old.path(), "--policy", OWN]);
    let told: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!((json.code, &told["breaks"], told["changes"].as_array().unwrap().len()), (Some(1), &json!(true), 4));
    let first = json!({ "breaks": true, "code": "conflict", "change": "status", "old": 412, "new": 409 });
    assert_eq!(told["changes"][0], first);
}

#[test]
fn a_new_code_breaks_nobody() {
    let diff = run(&["catalogue", "--diff", "exports/errors.json", "--group", "channel,media", "--policy", OWN]);
    let expected = "\
keeps   known: added, 409
keeps   retry: added, 503
keeps   seat_taken: added, 409
keeps   teapot: added, 418
4 changes: none breaks clients
";
    assert_eq!((diff.code, diff.out.as_str()), (Some(0), expected));
}

#[test]
fn what_is_no_export_is_named_with_its_place() {
    let code = r#"{"code":"a","status":404,"retry":"no"}"#;
    let twice = format!("{{\"contract\":\"1\",\"unknown_code\":{{\"retry\":\"no\"}},\n\"codes\":[{code},{code}]}}");
    for (name, text, said) in [
        ("broken", "{\n  \"contract\": }", ":2:15: not an export of the catalogue: expected value\n"),
        ("other", "{}", ":1:2: not an export of the catalogue: missing field `contract`\n"),
        ("twice", twice.as_str(), "-twice.json: not an export of the catalogue: the code \"a\" is listed twice\n"),
        ("empty", "", ":1:0: not an export of the catalogue: EOF while parsing a value\n"),
    ] {
        let old = Old::new(name, text);
        let diff = run(&["catalogue", "--diff", old.path()]);
        assert_eq!((diff.code, diff.out.as_str()), (Some(2), ""), "{name}");
        assert!(
            diff.err.starts_with(&format!("error: {}", old.path())) && diff.err.contains(said),
            "{name}: {}",
            diff.err
        );
        assert!(diff.err.contains(" = help: "), "{name}: {}", diff.err);
    }
    let none = run(&["catalogue", "--diff", "no-such.json"]);
    assert_eq!(none.code, Some(2));
    assert!(none.err.starts_with("error: no-such.json: cannot be read: No such file"), "{}", none.err);
}

#[test]
fn formats_that_do_not_fit_are_wrong_usage() {
    for args in [&["--format", "human"][..], &["--format", "zod", "--diff", "exports/errors.json"]] {
        let run = run(&[&["catalogue"], args].concat());
        assert_eq!((run.code, run.out.as_str()), (Some(2), ""), "{args:?}");
        assert!(run.err.contains("--diff"), "{args:?}: {}", run.err);
    }
}

#[test]
fn a_foreign_code_is_no_more_than_text() {
    let mut old = exported(&[]);
    let mut code = old["codes"][0].clone();
    code["code"] = json!("a\u{1b}[31m\u{202e}\nb");
    old["codes"].as_array_mut().unwrap().push(code);
    let old = Old::new("foreign", &old.to_string());
    let diff = run(&["catalogue", "--diff", old.path()]);
    assert!(diff.out.starts_with("breaks  a\\u{1b}[31m\\u{202e} b: removed, was "), "{:?}", diff.out);
}
