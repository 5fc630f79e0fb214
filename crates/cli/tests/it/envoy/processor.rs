//! `envoy-config --ext-proc`, and what `envoy-check` finds in its filter.

use super::{WHOLE, checked, folder, written};

const PROCESSOR: [&str; 2] = ["--ext-proc", "127.0.0.1:9002"];

#[test]
fn what_is_written_for_the_processor_is_in_order() {
    let folder = folder();
    let config = written(folder.path(), &[&WHOLE[..], &PROCESSOR].concat());
    let (lines, code) = checked(folder.path(), "envoy.yaml", config.as_bytes());
    assert_eq!((lines, code), (vec!["FOLDER/envoy.yaml: 0 warnings, 0 notes".to_owned()], Some(0)));
    // Each request's id is in the body and in the header: `%UNIQUE_ID%` would be another one each time.
    assert!(!config.contains("UNIQUE_ID"), "{config}");
    let own = config.find("value: { string_match: { exact: error_envelope } }").expect("the mapper of own replies");
    let errors = config.find("op: GE, value: { default_value: 400").expect("the mappers of errors");
    assert!(own < errors, "Envoy would replace the processor's replies");
}

#[test]
fn each_setting_that_lets_requests_past_the_processor_is_named() {
    let folder = folder();
    let config = written(folder.path(), &[&WHOLE[..], &PROCESSOR].concat());
    let allow = "failure_mode_allow: false";
    let more = |field: &str| format!("{allow}\n              {field}: true");
    for (from, to, told) in [
        (allow, "failure_mode_allow: true".to_owned(), "failure_mode_allow is not false: "),
        (allow, more("observability_mode"), "observability_mode is not false: "),
        (allow, more("disable_immediate_response"), "disable_immediate_response is not false: "),
        ("allow_mode_override: true", String::new(), "allow_mode_override is not true: "),
        (
            "request_header_mode: SEND\n",
            String::from("request_header_mode: SKIP\n"),
            "processing_mode.request_header_mode is SKIP: ",
        ),
        (
            "response_body_mode: BUFFERED",
            "response_body_mode: STREAMED".to_owned(),
            "allowed_override_modes lacks 1 of ",
        ),
    ] {
        assert_named(folder.path(), &config, (from, &to), told, "1 errors, 0 warnings");
    }
    let mutations = "disallow_is_error: true";
    for (from, to, told) in [
        ("response_header_mode: SKIP\n", "\n", "processing_mode.response_header_mode is SEND: "),
        (
            "request_body_mode: NONE\n",
            "request_body_mode: BUFFERED\n",
            "processing_mode.request_body_mode is BUFFERED: ",
        ),
        (
            "response_body_mode: NONE\n",
            "response_body_mode: STREAMED\n",
            "processing_mode.response_body_mode is STREAMED: ",
        ),
        (
            "request_trailer_mode: SKIP\n",
            "request_trailer_mode: SEND\n",
            "processing_mode.request_trailer_mode is SEND: ",
        ),
        (
            "response_trailer_mode: SKIP\n",
            "response_trailer_mode: SEND\n",
            "processing_mode.response_trailer_mode is SEND: ",
        ),
        ("[ request.protocol ]", "[]", "request_attributes lacks request.protocol: "),
        ("[ response.code_details ]", "[]", "response_attributes lacks response.code_details: "),
        (
            "untyped: [ error_envelope ]",
            "untyped: []",
            "metadata_options.receiving_namespaces.untyped lacks error_envelope: ",
        ),
        (mutations, "disallow_is_error: false", "mutation_rules.disallow_is_error is not true: "),
        (mutations, "disallow_is_error: true, disallow_all: true", "mutation_rules.disallow_all is true: "),
        (mutations, "disallow_is_error: true, disallow_system: true", "mutation_rules.disallow_system is true: "),
    ] {
        assert_named(folder.path(), &config, (from, to), told, "1 warnings");
    }
}

fn assert_named(folder: &std::path::Path, config: &str, (from, to): (&str, &str), told: &str, count: &str) {
    assert!(config.contains(from), "{from}");
    let (lines, code) = checked(folder, "envoy.yaml", config.replacen(from, to, 1).as_bytes());
    assert!(lines[0].starts_with(told), "{from} to {to}: {lines:#?}");
    assert_eq!((lines[1].as_str(), code), (&*format!("FOLDER/envoy.yaml: {count}, 0 notes"), Some(1)), "{lines:#?}");
}
