//! Servers that hang, close, or answer garbage: each line is named, the exit code is 1, and it ends.

use serde_json::Value;

use super::servers::Answers;
use super::{probe, report};

/// The lines that failed, each with all that was found of it.
fn failures(server: &Answers) -> Vec<(String, String)> {
    let json = probe(&server.url, &["--timeout", "300ms", "--json-path", "POST:/orders", "--format", "json"]);
    assert_eq!(json.code, Some(1), "{}{}", json.out, json.err);
    let report = report(&json);
    assert_eq!((report["lines"].as_array().unwrap().len(), &report["passed"]), (26, &0.into()), "{report:#}");
    let lines = report["lines"].as_array().unwrap().iter().filter(|line| line["outcome"] == "failed");
    lines.map(|line| (line["name"].as_str().unwrap().to_owned(), found(line))).collect()
}

fn found(line: &Value) -> String {
    let findings = line["findings"].as_array().unwrap().iter();
    findings.map(|it| format!("{}: {}\n", it["rule"].as_str().unwrap(), it["wrong"].as_str().unwrap())).collect()
}

#[test]
fn a_server_that_says_nothing_is_left_after_three_requests() {
    let failures = failures(&Answers::silent());
    let told: Vec<_> = failures.iter().map(|(name, found)| (name.as_str(), found.as_str())).collect();
    let silent = "F1: no response within 0.3 s\n";
    assert_eq!(told, [("not-found", silent), ("other-method", silent), ("head", silent)]);
}

#[test]
fn a_server_that_says_no_http_is_named() {
    for (name, server, said) in [
        ("closes", Answers::say("", ""), "F1: no answer: "),
        ("another protocol", Answers::say("SSH-2.0-OpenSSH_9.6\r\n", ""), "invalid HTTP version"),
        ("half a head", Answers::say("HTTP/1.1 404 Not", ""), "F1: no answer: "),
        ("garbage", Answers::say("\u{1}\u{2}\u{3}\r\n\r\n", ""), "F1: no answer: "),
        ("a head without end", Answers::say("HTTP/1.1 404 Not Found\r\n", "x-more: and more\r\n"), "F1: no answer"),
    ] {
        let failures = failures(&server);
        assert_eq!(failures.len(), 3, "{name}: {failures:?}");
        assert!(
            failures.iter().all(|(_, found)| found.starts_with("F1: no answer: ") && found.contains(said)),
            "{name}: {failures:?}"
        );
    }
}

#[test]
fn a_body_without_end_is_not_read_to_its_end() {
    let head = "HTTP/1.1 404 Not Found\r\ncontent-type: text/plain\r\n\r\n";
    let failures = failures(&Answers::say(head, "and so on, and on, and on, and on, and on\n"));
    assert!(failures.len() > 3, "{failures:?}");
    // Nobody has seen how it ends.
    assert!(failures.iter().all(|(_, found)| !found.contains("F4: ")), "{failures:?}");
}

#[test]
fn what_a_server_sends_is_no_more_than_text() {
    let escape =
        "HTTP/1.1 404 \u{1b}[31m\r\nx-request-id: \u{7f}\u{80}\r\nx-error-code: \u{202e}\r\ncache-control: a\u{85}\r\n";
    let human = probe(&Answers::start(escape).url, &[]);
    assert_eq!(human.code, Some(1));
    let is_odd = |character: char| character.is_control() && character != '\n' || character == '\u{202e}';
    assert!(!human.out.contains(is_odd), "{:?}", human.out);
    let long = Box::leak(format!("HTTP/1.1 404 Not Found\r\nx-request-id: {}\r\n", "a".repeat(4000)).into_boxed_str());
    let human = probe(&Answers::start(long).url, &[]);
    assert!(human.out.lines().all(|line| line.len() < 1000), "{}", human.out);
}

#[test]
fn the_same_id_again_and_a_page_of_its_own_are_no_envelope() {
    let head = "HTTP/1.1 404 Not Found\r\nx-request-id: req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D\r\n";
    let failures = failures(&Answers::start(head));
    let of = |name: &str| &failures.iter().find(|(other, _)| other == name).unwrap().1;
    assert!(!of("not-found").contains("I1: ") && of("not-found").contains("E1: the body is empty"), "{failures:?}");
    assert!(of("head").contains("I1: req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D is the id of another request"), "{failures:?}");
    assert!(of("own-id").contains("I2: the response has the client's id"), "{failures:?}");
}

#[test]
fn g4_a_server_that_asks_for_a_body_over_the_limit_is_named() {
    let failures = failures(&Answers::eager());
    let found = &failures.iter().find(|(name, _)| name == "too-large-said").unwrap().1;
    assert_eq!(found, "G4: the service sent 100 Continue for a body whose length is over the limit\n");
}

/// What was found of that line; nothing where it did not fail.
fn failure_of<'a>(failures: &'a [(String, String)], name: &str) -> &'a str {
    failures.iter().find(|(other, _)| other == name).map_or("", |(_, found)| found)
}

#[test]
fn e5_a_body_behind_an_answer_to_head_is_named() {
    let head = "HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 4\r\n\r\n";
    let with = failures(&Answers::say(Box::leak(format!("{head}gone").into_boxed_str()), ""));
    assert!(failure_of(&with, "head").contains("E5: the response to HEAD has a body\n"), "{with:?}");
    let without = failures(&Answers::say(head, ""));
    assert!(
        !failure_of(&without, "head").contains("has a body") && !failure_of(&without, "head").contains("F4"),
        "{without:?}"
    );
}

#[test]
fn a_body_in_chunks_is_read_where_no_library_reads_it() {
    let head = "HTTP/1.1 413 Content Too Large\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunk = |data: &str| format!("{:x};a=b\r\n{data}\r\n", data.len());
    let chunks = chunk("{\"error\":{\"code\":\"payload_too_large\",\"message\"")
        + &chunk(":\"Too large.\"},\"request_id\":\"req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D\"}");
    for (end, whole) in [("0\r\n\r\n", true), ("", false), ("5\r\n", false), ("no chunk\r\n", false)] {
        let said = Box::leak(format!("{head}{chunks}{end}").into_boxed_str());
        let failures = failures(&Answers::say(said, ""));
        let found = failure_of(&failures, "too-large-said");
        assert!(found.contains("G4: ") && !found.contains("E1: "), "{end:?}: {found}");
        assert_eq!(!found.contains("F4: "), whole, "{end:?}: {found}");
    }
}

#[test]
fn a_call_that_is_reset_is_no_lack_of_http2() {
    let failures = failures(&Answers::resets());
    assert!(failure_of(&failures, "grpc").starts_with("F1: no answer: "), "{failures:?}");
}

#[test]
fn f4_a_long_page_is_whole() {
    let page = "a".repeat(300 * 1024);
    for (length, whole) in [(page.len(), true), (page.len() + 1, true), (200 * 1024, true)] {
        let head = format!("HTTP/1.1 404 Not Found\r\ncontent-type: text/plain\r\ncontent-length: {length}\r\n\r\n");
        let failures = failures(&Answers::say(Box::leak((head + &page).into_boxed_str()), ""));
        assert_eq!(!failure_of(&failures, "not-found").contains("F4: "), whole, "{failures:?}");
    }
    let head = "HTTP/1.1 404 Not Found\r\ncontent-type: text/plain\r\ncontent-length: 9\r\n\r\nshort";
    assert!(
        failure_of(&failures(&Answers::say(head, "")), "not-found")
            .contains("F4: the body is shorter than its declared length")
    );
}

#[test]
fn what_turns_the_direction_of_a_line_is_written_as_its_number() {
    let body = "{\"error\":{\"code\":\"a\u{202e}b\",\"message\":\"c\"},\"request_id\":\"d\u{202e}e\"}";
    let length = body.len();
    let head = format!("HTTP/1.1 404 Not Found\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n");
    let human = probe(&Answers::say(Box::leak((head + body).into_boxed_str()), "").url, &[]);
    assert_eq!(human.code, Some(1));
    assert!(human.out.contains("u{202e}") && !human.out.contains('\u{202e}'), "{}", human.out);
}
