use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;

const ID: &str = "req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D";

fn headers(code: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in
        [("content-type", "application/json"), ("x-content-type-options", "nosniff"), ("x-request-id", ID)]
    {
        headers.insert(name, value.parse().unwrap());
    }
    headers.insert("x-error-code", code.parse().unwrap());
    headers
}

fn body(code: &str, rest: &str) -> String {
    format!(r#"{{"error":{{"code":"{code}","message":"Text."{rest}}},"request_id":"{ID}"}}"#)
}

fn failure<T>(work: impl FnOnce() -> T) -> String {
    let panic = catch_unwind(AssertUnwindSafe(|| drop(work()))).expect_err("this should fail");
    *panic.downcast::<String>().expect("a formatted message")
}

#[test]
fn what_is_right_passes() {
    let issues = r#","details":{"issues":[{"path":["items",0],"message":"Required."}]}"#;
    let response = Response::builder().status(400).body(body("invalid_request", issues)).unwrap();
    let (mut head, body) = response.into_parts();
    head.headers = headers("invalid_request");
    let envelope = Envelope::of_response(&Response::from_parts(head, body));
    envelope
        .assert_status(400)
        .assert_code("invalid_request")
        .assert_message("Text.")
        .assert_issue(("items", 0), "Required.")
        .assert_details(json!({"issues": [{"message": "Required.", "path": ["items", 0]}]}));
    assert_eq!((envelope.request_id(), envelope.issues().len()), (ID, 1));
}

#[test]
fn what_differs_is_shown_within_the_whole_answer() {
    let envelope = Envelope::parse(&headers("gone"), body("gone", r#","details":{"a":1,"b":2}"#));
    let text = failure(|| envelope.assert_code("not_found"));
    assert!(text.starts_with("the code is not \"not_found\" (- expected, + got):\n\n"), "{text}");
    for line in ["-    \"code\": \"not_found\",\n", "+    \"code\": \"gone\",\n", " x-error-code: gone\n", " }\n"] {
        assert!(text.contains(line), "{line:?} in {text}");
    }
    let text = failure(|| envelope.assert_details(json!({"a": 1, "b": 3})));
    assert!(text.contains("       \"a\": 1,\n-      \"b\": 3\n+      \"b\": 2\n"), "{text}");
    let text = failure(|| envelope.assert_message("Other."));
    assert!(text.contains("-    \"message\": \"Other.\"\n+    \"message\": \"Text.\"\n"), "{text}");
    assert!(failure(|| envelope.assert_no_details()).contains("+    \"details\": {\n+      \"a\": 1,"));
    let text = failure(|| envelope.assert_issue(["a"], "Required."));
    assert!(text.starts_with("no issue at [\"a\"] has the message \"Required.\""), "{text}");
    assert!(text.contains("-          \"message\": \"Required.\","), "{text}");
    assert!(failure(|| envelope.assert_status(410)).contains("-410 Gone\n"));
}

#[test]
fn e1_to_e4_what_is_no_envelope_is_told_with_all_that_is_wrong() {
    let good = body("gone", "");
    for (headers, body, wrong) in [
        (
            headers("gone"),
            String::new(),
            "the layer writes it: send the request through the router with the layer, or assert on `Fault::from(error)`",
        ),
        (headers("gone"), "<html>".to_owned(), "E1: the body has not its members"),
        (headers("gone"), r#"{"error":"gone"}"#.to_owned(), "E1: the body has not its members"),
        (headers("gone"), good.replace(':', ": "), "E1: the body is not compact"),
        (headers("gone"), body("gone", r#","more":1"#), "has other members"),
        (headers("Gone"), body("Gone", ""), "E2: the code \"Gone\""),
        (headers("gone"), good.replace("Text.", "a\\nb"), "E2: the message"),
        (headers("gone"), good.replace("Text.", ""), "E2: the message"),
        (headers("gone"), good.replace(ID, "req_1"), "I1: the request_id \"req_1\""),
        (headers("gone"), good.replace(ID, "req_01JD2V5W8Z3Q4R6T8Y0A1B2C3E"), "E3: x-request-id should be"),
        (headers("no_op"), good.clone(), "E4: x-error-code should be \"gone\", and is [\"no_op\"]"),
    ] {
        let text = failure(|| Envelope::parse(&headers, &body));
        assert!(text.starts_with("this answer is not the envelope:\n  ") && text.contains(wrong), "{wrong}: {text}");
    }
    let text = failure(|| Envelope::parse(&HeaderMap::new(), &good));
    for wrong in ["content-type", "x-request-id", "x-error-code", "nosniff", "\"message\": \"Text.\""] {
        assert!(text.contains(wrong), "{wrong}: {text}");
    }
    let response = Response::new(good);
    assert!(failure(|| Envelope::of_response(&response)).contains("the status 200 OK is not an error's"));
}
