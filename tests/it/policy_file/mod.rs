//! Tests the policy file as an operator sees it (rule M2): what is wrong, where, and what would be right.

mod folders;
mod irregular;
mod spoilt;

use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;
use serde::Deserialize;
use tower_error_envelope::{Policy, PolicyError};

#[derive(Deserialize)]
struct Refused {
    case: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    at: String,
    kind: String,
    file: String,
}

#[test]
fn m2_a_mistake_is_reported_with_its_line_its_key_and_what_would_be_right() {
    let refused: Refused = toml::from_str(include_str!("../../policy_errors.toml")).unwrap();
    let mut problems = Vec::new();
    for Case { at, kind, file } in &refused.case {
        match Policy::from_toml("policy.toml", file) {
            Ok(_) => problems.push(format!("accepted:\n{file}")),
            Err(found) if place(&found) != *at || found.kind() != kind => {
                problems.push(format!("{found} [{}]\n  is not {kind} at {at} in\n{file}", found.kind()));
            }
            Err(found) => assert_text(&found),
        }
    }
    assert!(problems.is_empty(), "{} of {}:\n{}", problems.len(), refused.case.len(), problems.join("\n"));
    assert!(refused.case.len() >= 25);
}

/// Returns `FILE:LINE: KEY`, as far as the error has these parts.
fn place(error: &PolicyError) -> String {
    let line = error.line().map(|line| format!(":{line}")).unwrap_or_default();
    let key = error.key().map(|key| format!(": {key}")).unwrap_or_default();
    format!("{}{line}{key}", error.file().unwrap())
}

/// Asserts that the text has the place, the fault and advice.
fn assert_text(error: &PolicyError) {
    assert!(!error.wrong().is_empty() && !error.advice().is_empty(), "{error}");
    assert_eq!(error.to_string(), format!("{}: {}; {}", place(error), error.wrong(), error.advice()));
}

fn written(name: &str, bytes: &[u8]) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn a_file_is_read_with_either_line_end_and_with_a_byte_order_mark() {
    let path = written("policy-crlf.toml", b"\xef\xbb\xbfversion = 1\r\n[defaults]\r\nmode = \"off\"\r\n");
    let read = Policy::from_file(&path).unwrap();
    let problems = Policy::from_toml(&path.display().to_string(), "version = 1\n[defaults]\nmode = \"off\"\n").unwrap();
    assert_eq!(format!("{read:?}"), format!("{problems:?}"));
    let wrong = written("policy-crlf-wrong.toml", b"\xef\xbb\xbfversion = 1\r\n\r\n[defaults]\r\nmod = \"off\"\r\n");
    assert_eq!(Policy::from_file(wrong).unwrap_err().line(), Some(4));
}

#[test]
fn m2_a_file_that_cannot_be_read_is_named() {
    let missing = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("no-such-policy.toml");
    let error = Policy::from_file(&missing).unwrap_err();
    assert_eq!((error.file(), error.line(), error.key()), (missing.to_str(), None, None));
    assert!(error.to_string().contains("no-such-policy.toml: cannot be read: "), "{error}");
    assert!(std::error::Error::source(&error).is_some());

    let error = Policy::from_file(written("policy-latin1.toml", b"version = 1\n# caf\xe9\n")).unwrap_err();
    assert_eq!(error.line(), Some(2), "{error}");

    let error = Policy::from_file(written("policy-large.toml", &vec![b'#'; 4 * 1024 * 1024 + 1])).unwrap_err();
    assert!(error.to_string().contains("is larger than 4 MiB"), "{error}");
}

const GOOD: &str = r#"version = 1
[request_id]
trust = "valid"
[defaults]
body_limit = "2 MiB"
require_headers = ["tenant"]
[inspect]
timeout = "1500ms"
[header.tenant]
name = "x-tenant"
pattern = "[a-z]{1,8}"
[[route]]
match = "GET|POST /files/{name}/{*path}"
content_types = ["text/csv"]
[[code]]
code = "seat_taken"
status = 409
[[map]]
message_pattern = "^No .* found$"
route = "/seats/{*rest}"
to = "seat_taken"
"#;

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever an editor does to a file, the file is read, or refused by name and with one of its lines.
    #[test]
    fn m2_a_spoilt_file_is_read_or_refused(
        from in 0..GOOD.len(), length in 0..40usize, put in "[ -~\n]{0,6}|\\PC{0,2}|[{}\\[\\]\"'=.#*-]{1,3}"
    ) {
        let to = (from + length).min(GOOD.len());
        let text = format!("{}{put}{}", &GOOD[..from], &GOOD[to..]);
        if let Err(error) = Policy::from_toml("policy.toml", &text) {
            let line = error.line().expect("a line");
            prop_assert!(error.to_string().starts_with(&format!("policy.toml:{line}: ")), "{}", error);
            prop_assert!((1..=text.lines().count() + 1).contains(&line), "{} in {} lines", error, text.lines().count());
            prop_assert!(!error.to_string().contains('\n'), "{}", error);
        }
    }
}

#[test]
fn the_file_that_is_spoilt_above_is_good() {
    Policy::from_toml("policy.toml", GOOD).unwrap();
}
