//! Tests that the schema of the policy file describes exactly what the policy reader accepts: tables, keys, words and
//! defaults.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use crate::kit::{command, run};

fn schema() -> Value {
    serde_json::from_str(&run(&["schema"]).out).unwrap()
}

fn check(text: &str) -> String {
    static FOLDERS: AtomicUsize = AtomicUsize::new(0);

    // Each test may run in a separate process, in which the count starts again, so the name also contains the process
    // id.
    let name = format!("schema-{}-{}", std::process::id(), FOLDERS.fetch_add(1, Ordering::Relaxed));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("policy.toml"), text).unwrap();
    let output = command(&["check", "--format", "json", "policy.toml"]).current_dir(folder).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Returns the names that the reader's error lists for an unknown name.
fn known_to_reader(text: &str, key: &str) -> BTreeSet<String> {
    let report: Value = serde_json::from_str(&check(text)).unwrap();
    let findings = report["findings"].as_array().unwrap();
    let finding = findings.iter().find(|it| it["key"].as_str().is_some_and(|told| told.ends_with(key)));
    let help = finding.unwrap_or_else(|| panic!("{key} is taken: {report}"))["help"].as_str().unwrap();
    let list = help.split_once(" choices are ").or_else(|| help.split_once(" choice is "));
    let list = list.unwrap_or_else(|| panic!("{key}: {help}")).1;
    let list = list.replace('"', "");
    list.split(", ").flat_map(|it| it.split(" and ")).map(str::to_owned).collect()
}

fn keys(table: &Value) -> BTreeSet<String> {
    table["properties"].as_object().unwrap().keys().cloned().collect()
}

fn resolved<'s>(schema: &'s Value, value: &'s Value) -> &'s Value {
    match value["$ref"].as_str() {
        Some(place) => schema.pointer(place.trim_start_matches('#')).unwrap(),
        None => value,
    }
}

#[test]
fn each_table_has_the_keys_that_the_reader_knows() {
    let schema = schema();
    let of = |pointer: &str| keys(schema.pointer(pointer).unwrap_or_else(|| panic!("{pointer}")));
    assert_eq!(keys(&schema), known_to_reader("version = 1\nqqqq = 1\n", "qqqq"));
    for (header, pointer) in [
        ("[scope]", "/properties/scope"),
        ("[request_id]", "/properties/request_id"),
        ("[defaults]", "/properties/defaults"),
        ("[inspect]", "/properties/inspect"),
        ("[drain]", "/properties/drain"),
        ("[observe]", "/properties/observe"),
        ("[advice]", "/properties/advice"),
        ("[cors]\norigins = [\"*\"]", "/properties/cors"),
        ("[proxy]\nname = \"edge\"", "/properties/proxy"),
        ("[rpc]", "/properties/rpc"),
        ("[header.a]", "/properties/header/additionalProperties"),
        ("[auth.a]\nscheme = \"bearer\"", "/$defs/bearer_scheme"),
        ("[auth.a]\nscheme = \"header\"\nheader = \"x-a\"", "/$defs/header_scheme"),
        ("[auth.a]\nscheme = \"jwt\"", "/$defs/jwt_scheme"),
        ("[auth.a]\nscheme = \"certificate\"", "/$defs/certificate_scheme"),
        ("[auth.a]\nscheme = \"custom\"", "/$defs/custom_scheme"),
        ("[auth.a]\nscheme = \"custom\"\n[auth.a.messages]", "/$defs/messages"),
        ("[[route]]\nmatch = \"/a\"", "/properties/route/items"),
        ("[[code]]\ncode = \"a\"\nstatus = 400", "/properties/code/items"),
        ("[[code]]\ncode = \"a\"\nstatus = 400\n[code.details]", "/$defs/details"),
        ("[[map]]\nto = \"not_found\"", "/properties/map/items"),
        ("[[outward]]\ncodes = [\"not_found\"]", "/properties/outward/items"),
        ("[shape.a]\nwhen = { \"/a\" = 1 }", "/properties/shape/additionalProperties"),
    ] {
        let read = known_to_reader(&format!("version = 1\n{header}\nqqqq = 1\n"), "qqqq");
        assert_eq!(of(pointer), read, "{header}");
        assert_eq!(schema.pointer(pointer).unwrap()["additionalProperties"], false, "{header}");
    }
}

#[test]
fn each_word_is_one_of_the_readers() {
    let schema = schema();
    let mut words = 0;
    for (header, table) in [
        ("[defaults]", "/properties/defaults"),
        ("[request_id]", "/properties/request_id"),
        ("[[code]]\ncode = \"a\"\nstatus = 400", "/properties/code/items"),
    ] {
        for (key, value) in schema.pointer(table).unwrap()["properties"].as_object().unwrap() {
            // The names of a dialect include the policy's own shapes.
            let value = resolved(&schema, value);
            let Some(list) = value["enum"].as_array().or(value["anyOf"][0]["enum"].as_array()) else { continue };
            let list: BTreeSet<String> = list.iter().map(|word| word.as_str().unwrap().to_owned()).collect();
            assert_eq!(list, known_to_reader(&format!("version = 1\n{header}\n{key} = \"qqqq\"\n"), key), "{key}");
            words += 1;
        }
    }
    assert!(words > 6, "{words}");
}

#[test]
fn each_default_is_the_layers() {
    let schema = schema();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("schema-defaults");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("policy.toml"), "version = 1\n").unwrap();
    let output = command(&["check", "policy.toml", "--effective", "GET", "/"]).current_dir(folder).output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    for (key, value) in schema["properties"]["defaults"]["properties"].as_object().unwrap() {
        // This key is reported as `json`, which it replaces.
        if key == "content_types" {
            continue;
        }
        let default = &resolved(&schema, value)["default"];
        let line =
            told.lines().find(|line| line.split(' ').next() == Some(key)).unwrap_or_else(|| panic!("{key}: {told}"));
        let said = line.trim_start_matches(key.as_str()).trim_start().strip_suffix("default").unwrap().trim_end();
        assert_eq!(said, default.to_string(), "{key}");
    }
}

#[test]
fn each_key_says_what_it_is() {
    fn described(value: &Value, above: &str) {
        let Some(properties) = value["properties"].as_object() else { return };
        for (key, value) in properties {
            let told = value["description"].is_string() || value["$ref"].is_string();
            assert!(told, "{above}.{key}");
            described(value, key);
            described(&value["items"], key);
            described(&value["additionalProperties"], key);
        }
    }
    let schema = schema();
    described(&schema, "");
    schema["$defs"].as_object().unwrap().iter().for_each(|(name, value)| described(value, name));
}
