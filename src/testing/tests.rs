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

fn of(response: Response<impl Into<bytes::Bytes>>) -> Envelope {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(Envelope::of(response.map(|body| http_body_util::Full::new(body.into()))))
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
    let envelope = of(Response::from_parts(head, body));
    envelope.assert_status(StatusCode::BAD_REQUEST).assert_code(crate::ErrorCode::INVALID_REQUEST);
    envelope
        .assert_status(400)
        .assert_code("invalid_request")
        .assert_message("Text.")
        .assert_issue(("items", 0), "Required.")
        .assert_details(json!({"issues": [{"message": "Required.", "path": ["items", 0]}]}));
    assert_eq!((envelope.request_id(), envelope.issues().len()), (ID, 1));
    assert_eq!((envelope.status(), envelope.headers().len()), (Some(StatusCode::BAD_REQUEST), 4));
    envelope.assert_header("x-error-code", "invalid_request");
    let text = failure(|| envelope.assert_header("retry-after", "3"));
    assert!(text.starts_with("the header retry-after should be \"3\", but is []\n\n400 Bad Request\n"), "{text}");
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
        (headers("gone"), "<html>".to_owned(), "E1: the body is not the envelope"),
        (headers("gone"), r#"{"error":"gone"}"#.to_owned(), "E1: the body is not the envelope"),
        (headers("gone"), good.replace(':', ": "), "E1: the body is not compact"),
        (headers("gone"), body("gone", r#","more":1"#), "has other fields"),
        (headers("Gone"), body("Gone", ""), "E2: the code \"Gone\""),
        (headers("gone"), good.replace("Text.", "a\\nb"), "E2: the message"),
        (headers("gone"), good.replace("Text.", ""), "E2: the message"),
        (headers("gone"), good.replace(ID, "req_1"), "I1: the request_id \"req_1\""),
        (headers("gone"), good.replace(ID, "req_01JD2V5W8Z3Q4R6T8Y0A1B2C3E"), "E3: x-request-id should be"),
        (headers("no_op"), good.clone(), "E4: x-error-code should be \"gone\", but is [\"no_op\"]"),
    ] {
        let text = failure(|| Envelope::parse(&headers, &body));
        assert!(
            text.starts_with("this is not an error that the layer wrote:\n  ") && text.contains(wrong),
            "{wrong}: {text}"
        );
    }
    let text = failure(|| Envelope::parse(&HeaderMap::new(), &good));
    for wrong in ["content-type", "x-request-id", "x-error-code", "nosniff", "\"message\": \"Text.\""] {
        assert!(text.contains(wrong), "{wrong}: {text}");
    }
    let response = Response::new(good);
    assert!(failure(|| of(response.clone())).contains("the status 200 OK is not an error status"));
}

/// Returns the policy, and the response of a layer whose service fails with a fault. The policy sets the dialect.
fn answer(policy: Policy, request: http::request::Builder) -> (Policy, http::Response<Vec<u8>>) {
    use http_body_util::BodyExt as _;
    use tower::{Layer as _, ServiceExt as _};

    let fails = tower::service_fn(|_| async {
        let issues = json!({"issues": [{"path": ["seats", 0], "message": "Required."}]});
        let fault = crate::Fault::new(crate::ErrorCode::INVALID_REQUEST)
            .with_message("Look at the seats.")
            .with_details(issues);
        Err::<http::Response<String>, crate::session::BoxError>(fault.into())
    });
    let service = crate::ErrorEnvelopeLayer::new().policy(policy.clone()).layer(fails);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let response = runtime.block_on(async {
        let (head, body) = service.oneshot(request.body(String::new()).unwrap()).await.unwrap().into_parts();
        http::Response::from_parts(head, body.collect().await.unwrap().to_bytes().to_vec())
    });
    (policy, response)
}

#[test]
fn r12_p1_every_dialect_that_the_layer_writes_is_read() {
    let built_in = Dialect::ALL.iter().map(|dialect| {
        let policy = Policy::builder().dialect(*dialect).build().unwrap();
        (dialect.as_str(), policy, http::Request::get("/"))
    });
    let rpc = |kind: &str| http::Request::post("/a.B/C").version(http::Version::HTTP_2).header("content-type", kind);
    let rpcs = [
        ("grpc", Policy::default(), rpc("application/grpc").header("te", "trailers")),
        ("grpc", Policy::default(), rpc("application/grpc-web+proto")),
        ("connect", Policy::default(), rpc("application/json").header("connect-protocol-version", "1")),
    ];
    for (name, policy, request) in built_in.chain(rpcs) {
        let (policy, response) = answer(policy, request);
        let envelope = of(response.clone());
        envelope.assert_dialect(name).assert_code("invalid_request");
        let by_parts = Envelope::parse_for(&policy, response.headers(), response.body());
        assert_eq!((by_parts.code(), by_parts.message()), (envelope.code(), envelope.message()), "{name}");
        assert!(envelope.message().starts_with("Look at the seats"), "{name}: {}", envelope.message());
        let has_issues = !matches!(name, "anthropic" | "openai");
        if has_issues {
            envelope.assert_issue(("seats", 0), "Required.");
        }
        assert!(envelope.request_id().starts_with("req_"), "{name}");
        if name != "standard" {
            let text = failure(|| envelope.assert_code("gone"));
            let read = format!("read as the dialect {name:?} from");
            assert!(text.contains("+    \"code\": \"invalid_request\",\n") && text.contains(&read), "{text}");
        }
    }
}

#[test]
fn r12_an_answer_of_a_dialect_that_no_layer_wrote_is_told_with_what_was_read() {
    let mut foreign = headers("gone");
    foreign.remove("x-error-code");
    let body =
        r#"{"error":{"message":"Slow down.","type":"rate_limit_error","param":null,"code":"rate_limit_exceeded"}}"#;
    let text = failure(|| Envelope::parse(&foreign, body));
    for part in ["it was read as the dialect \"openai\": {", "\"message\":\"Slow down.\"", "E4: x-error-code should be"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn e5_a_response_to_head_is_read_by_its_head() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let of_head = |response: Response<Vec<u8>>| {
        runtime.block_on(Envelope::of_head(response.map(|body| http_body_util::Full::new(bytes::Bytes::from(body)))))
    };
    let (_, response) = answer(Policy::default(), http::Request::head("/"));
    let envelope = of_head(response.clone());
    envelope.assert_status(400).assert_code("invalid_request").assert_no_details();
    assert!((envelope.message(), envelope.request_id()) == ("", response.headers()["x-request-id"].to_str().unwrap()));
    assert!(failure(|| of(response.clone())).contains("`Envelope::of_head` reads a response to HEAD"));
    assert!(
        failure(|| of_head(response.map(|_| b"x".to_vec()))).contains("E5: the response to a HEAD request has a body")
    );
    assert!(failure(|| of_head(Response::new(Vec::new()))).contains("E4: x-error-code is missing"));
}

#[test]
fn f6_the_error_at_the_end_of_a_stream_is_read() {
    use crate::policy::EventStreams;

    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let stream = |kind: &str, id: &str, body: String| {
        let response = Response::builder().header("content-type", kind).header("x-request-id", id);
        let response = response.body(http_body_util::Full::new(bytes::Bytes::from(body))).unwrap();
        runtime.block_on(Envelope::of_event_stream(response))
    };
    let events = |error: &str| format!("data: 1\n\ndata: 2\n\nevent: error\ndata: {error}\n\n");
    let envelope = stream("text/event-stream; charset=utf-8", ID, events(&body("gone", "")));
    envelope.assert_code("gone").assert_message("Text.").assert_dialect("standard").assert_no_details();
    let other = failure(|| stream("text/event-stream", "req_2", events(&body("gone", ""))));
    assert!(other.contains("E3: the request_id of the event is req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D"), "{other}");
    let none = failure(|| stream("text/event-stream", ID, "data: 1\n\n".to_owned()));
    assert!(none.starts_with("this is not an error that the layer wrote:\n  E1: "), "{none}");
    assert!(failure(|| stream("application/json", ID, body("gone", ""))).contains("use `Envelope::of`"));

    for dialect in ["standard", "anthropic", "openai", "google", "problem"] {
        let policy = Policy::builder().event_streams(EventStreams::AppendError).dialect(dialect).build().unwrap();
        let fails = tower::service_fn(|_| async {
            let broken = Err(crate::Fault::new(crate::ErrorCode::RATE_LIMITED));
            let frames =
                futures_util::stream::iter([Ok(http_body::Frame::data(bytes::Bytes::from("data: 1\n\n"))), broken]);
            let response = Response::builder().header("content-type", "text/event-stream");
            Ok::<_, crate::session::BoxError>(response.body(http_body_util::StreamBody::new(frames)).unwrap())
        });
        let service = tower::Layer::layer(&crate::ErrorEnvelopeLayer::new().policy(policy), fails);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let envelope = runtime.block_on(async {
            let response = tower::ServiceExt::oneshot(service, http::Request::new(String::new())).await.unwrap();
            Envelope::of_event_stream(response).await
        });
        envelope.assert_dialect(dialect).assert_code("rate_limited");
    }
}
