//! Tests that a client of an older dialect gets that dialect for each inner response (R12), and that each written body
//! can be read back (R2).

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode};
use proptest::prelude::*;
use serde_json::{Value, json};
use tower_error_envelope::policy::{Dialect, MapRule, OutwardRule, Protocols};
use tower_error_envelope::{ErrorCode, Fault, Policy};

use crate::rewriting::{ID, inner, json_value, rewritten_for};

/// Returns all dialects except the envelope, which is the first.
fn dialects() -> &'static [Dialect] {
    &Dialect::ALL[1..]
}

/// Asserts that a body has the dialect's members, and none that contradicts the head.
fn assert_shape(dialect: Dialect, response: &Response<Bytes>) -> Result<(), TestCaseError> {
    let text = std::str::from_utf8(response.body()).unwrap();
    let body: Value = serde_json::from_str(text).map_err(|error| TestCaseError::fail(format!("{error}: {text}")))?;
    let status = response.status().as_u16();
    let is_text = |place: &str| body.pointer(place).and_then(Value::as_str).is_some_and(|text| !text.trim().is_empty());
    let holds = match dialect {
        Dialect::SuccessFlag => body["success"] == json!(false) && is_text("/error"),
        Dialect::StatusInError if body["error"].is_object() => {
            body["error"]["status"] == json!(status) && is_text("/error/message") && !body["error"]["code"].is_null()
        }
        Dialect::StatusInError => is_text("/message") && (body["errors"].is_object() || body["issues"].is_array()),
        Dialect::ErrorWithMeta => {
            is_text("/error/message") && body["meta"]["request_id"] == json!(ID) && body["meta"]["ts"].is_string()
        }
        Dialect::Problem => {
            let typed = response.headers()["content-type"] == "application/problem+json";
            let id = body["request_id"] == json!(ID);
            typed && id && body["status"] == json!(status) && is_text("/detail") && body["title"].is_string()
        }
        Dialect::OpenAi => {
            let error = body["error"].as_object();
            is_text("/error/message")
                && is_text("/error/type")
                && error.is_some_and(|error| error.contains_key("param"))
        }
        Dialect::Anthropic => {
            let id = body["request_id"] == json!(ID) && response.headers()["request-id"] == ID;
            id && body["type"] == json!("error") && is_text("/error/type") && is_text("/error/message")
        }
        Dialect::JsonRpc => {
            let number = body["error"]["code"].is_i64();
            body["jsonrpc"] == json!("2.0") && body.get("id").is_some() && number && is_text("/error/message")
        }
        Dialect::Google => {
            let details = body["error"]["details"].as_array().cloned().unwrap_or_default();
            let ids = details.iter().filter(|it| it["@type"] == json!("type.googleapis.com/google.rpc.RequestInfo"));
            let ids: Vec<_> = ids.map(|info| &info["requestId"]).collect();
            let id = ids == [&json!(ID)];
            id && body["error"]["code"] == json!(status) && is_text("/error/message") && is_text("/error/status")
        }
        _ => false,
    };
    prop_assert!(holds, "{:?} {}: {}", dialect, status, text);
    prop_assert!(response.headers()["content-length"] == response.body().len().to_string());
    Ok(())
}

fn policy(dialect: Dialect) -> Arc<Policy> {
    let builder = Policy::builder()
        .dialect(dialect)
        .protocols(Protocols::Rewrite)
        .code(ErrorCode::custom("seat_taken", 409))
        .map(MapRule::to(ErrorCode::custom("seat_taken", 409)).code("SEAT_GONE"))
        .map(MapRule::to(ErrorCode::INTERNAL_ERROR).message("very text"))
        .map(MapRule::to(ErrorCode::NO_OP).message("Nothing to do"))
        .outward(OutwardRule::new([ErrorCode::OTHER]).name("UPSTREAM_DOWN").message("Try later.").status(503))
        .outward(OutwardRule::new([ErrorCode::INVALID_REQUEST]).status(422));
    Arc::new(builder.build().unwrap())
}

fn once(policy: &Arc<Policy>, inner: &Response<Bytes>) -> Response<Bytes> {
    rewritten_for(policy, Request::new(()), inner)
}

/// Generates bodies that mostly have one of the shapes.
fn shaped() -> impl Strategy<Value = Value> {
    let text =
        || "\\PC{1,20}|very text|Nothing to do|not_found|NO_OP|SEAT_GONE|rate_limit_error|server_error|<b>x</b>|a\nb";
    let member = || ("hint|n|details|errors|jsonrpc|x", json_value());
    let members = || prop::collection::vec(member(), 0..3);
    (0..10_u8, text(), text(), members(), members(), 400..600_u16).prop_map(
        |(shape, code, message, inside, extra, n)| {
            let mut error = json!({"code": code, "message": message});
            let mut body = match shape {
                0 => json!({"success": false, "error": message}),
                1 => json!({"error": {"code": code, "message": message, "status": n}}),
                2 => json!({"error": error, "meta": {"request_id": "theirs", "ts": "2026-01-01T00:00:00Z"}}),
                3 => json!({"type": "https://x.test", "title": "T", "detail": message, "code": code}),
                4 => json!({"error": {"message": message, "type": code, "param": "a[0].b", "code": null}}),
                5 => json!({"type": "error", "error": {"type": code, "message": message}, "request_id": "theirs"}),
                6 => json!({"error": {"code": n, "message": message, "status": "ABORTED", "details": [
                    {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": code, "domain": "x.test"},
                    {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [{"field": "a[0]", "description": message}]},
                ]}}),
                7 => json!({"error": error.take(), "request_id": "req_x"}),
                8 => json!({"jsonrpc": "2.0", "id": code, "error": {"code": -i32::from(n), "message": message, "data": error}}),
                _ => json!({"message": message, "errors": {"to": [message], "": ["x"]}}),
            };
            if let Some(error) = body.get_mut("error").and_then(Value::as_object_mut) {
                for (name, value) in inside {
                    error.entry(name).or_insert(value);
                }
            }
            let body_members = body.as_object_mut().unwrap();
            for (name, value) in extra {
                body_members.entry(name).or_insert(value);
            }
            body
        },
    )
}

fn any_inner() -> impl Strategy<Value = Response<Bytes>> {
    (inner(), prop::option::weighted(0.7, shaped())).prop_map(|(mut inner, body)| {
        if let Some(body) = body {
            inner.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
            *inner.body_mut() = body.to_string().into();
        }
        inner
    })
}

/// Returns true if all members and elements of a value are in another one.
fn is_part(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => {
            part.iter().all(|(name, value)| whole.get(name).is_some_and(|whole| is_part(value, whole)))
        }
        (Value::Array(part), Value::Array(whole)) => {
            part.iter().all(|value| whole.iter().any(|whole| is_part(value, whole)))
        }
        _ => part == whole,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn r12_every_inner_error_leaves_in_the_routes_dialect_and_e7_once(
        dialect in prop::sample::select(dialects()),
        inner in any_inner(),
    ) {
        let policy = policy(dialect);
        let first = once(&policy, &inner);
        assert_shape(dialect, &first)?;
        let second = once(&policy, &first);
        let code = first.headers()["x-error-code"].to_str().unwrap();
        // A code that no policy knows does not let a server's text pass (R3).
        let known = ErrorCode::in_catalogue(code).is_some() || code == "seat_taken";
        prop_assume!(known || first.status().is_client_error());
        prop_assert_eq!(second.body(), first.body());
        prop_assert_eq!(second.status(), first.status());
        prop_assert_eq!(second.headers(), first.headers());
    }

    #[test]
    fn r11_a_client_that_prefers_it_gets_a_problem_and_e7_once(inner in any_inner()) {
        let policy = Arc::new(Policy::builder().protocols(Protocols::Rewrite).build().unwrap());
        let request = || Request::get("/").header("accept", "application/problem+json").body(()).unwrap();
        let first = rewritten_for(&policy, request(), &inner);
        assert_shape(Dialect::Problem, &first)?;
        let envelope = once(&policy, &inner);
        prop_assert_eq!(&envelope.headers()["x-error-code"], &first.headers()["x-error-code"]);
        let (problem, mut envelope): (Value, Value) =
            (serde_json::from_slice(first.body()).unwrap(), serde_json::from_slice(envelope.body()).unwrap());
        // A problem from the inner service keeps its type (R11).
        let own = serde_json::from_slice::<Value>(inner.body()).map_or(Value::Null, |body| body["type"].clone());
        prop_assert!(problem["type"] == "about:blank" || problem["type"] == own, "{}", problem["type"]);
        // In other dialects, the type is a detail (E9), and so are further members. In a problem, these stay in their
        // place.
        if let Some(details) = envelope.pointer_mut("/error/details").and_then(Value::as_object_mut) {
            let words = |value: &Value| value.as_str().map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
            let is_text = |value: &Value| value.as_str().is_some_and(|text| text.contains(' '));
            let is_within = |name: &str| problem["details"].get(name).is_some();
            let stays = |name: &str, value: &Value| {
                name != "details" && !is_within(name) && problem.get(name).is_some_and(|whole| is_part(value, whole))
                    || is_text(value) && words(&problem[name]) == words(value)
            };
            details.retain(|name, value| !stays(name, value));
            // A value that is no object moves into the details, together with what is kept.
            let moved = details.get("details").filter(|moved| details.len() == 1 && problem["details"] == **moved).cloned();
            if details.is_empty() && problem.get("details").is_none() {
                envelope["error"].as_object_mut().unwrap().remove("details");
            } else if let Some(moved) = moved {
                envelope["error"]["details"] = moved;
            }
        }
        for (ours, theirs) in [("/code", "/error/code"), ("/detail", "/error/message"), ("/details", "/error/details")] {
            let theirs = envelope.pointer(theirs).filter(|value| !value.is_null());
            prop_assert_eq!(problem.pointer(ours), theirs, "{}", ours);
        }
        let second = rewritten_for(&policy, request(), &first);
        prop_assert_eq!(second.body(), first.body());
        prop_assert_eq!(second.headers(), first.headers());
    }

    #[test]
    fn r2_what_a_dialect_writes_it_reads_back(
        dialect in prop::sample::select(dialects()),
        code in prop::sample::select(ErrorCode::ALL),
        message in "[A-Za-z][ -%'-;=-~]{0,60}[a-z.]",
        details in prop::collection::btree_map("[a-d]{1,3}", json_value(), 1..4),
    ) {
        let fault = Fault::new(code.clone()).with_message(message.clone()).with_details(&details);
        let mut inner = Response::new(Bytes::new());
        *inner.status_mut() = code.status();
        inner.extensions_mut().insert(fault);
        let mut written = once(&Arc::new(Policy::builder().dialect(dialect).build().unwrap()), &inner);
        assert_shape(dialect, &written)?;
        prop_assert_eq!(&written.headers()["x-error-code"], code.as_str());
        written.headers_mut().remove("x-error-code");
        let reader = Policy::builder().protocols(Protocols::Rewrite).build().unwrap();
        let read = rewritten_for(&Arc::new(reader), request_with_a_token(), &without_extensions(&written));
        let envelope: Value = serde_json::from_slice(read.body()).unwrap();

        let says_code = matches!(
            dialect,
            Dialect::StatusInError
                | Dialect::ErrorWithMeta
                | Dialect::Problem
                | Dialect::OpenAi
                | Dialect::JsonRpc
                | Dialect::Google
        );
        // On a 5xx, the code of a protocol lets no text pass (R10).
        let says_code = says_code && !(dialect == Dialect::JsonRpc && code.status().is_server_error());
        // Random details may look like issues of fields (R13).
        let issues = envelope["error"]["details"]["issues"].as_array();
        let is_other = |issue: &Value| issue["path"] != json!([]) || issue["message"] != json!(message);
        prop_assume!(!issues.is_some_and(|issues| issues.iter().any(is_other)));
        let generic = ErrorCode::of_status(code.status());
        let own = envelope["error"]["code"] == json!(code.as_str());
        prop_assert!(own || !says_code && envelope["error"]["code"] == json!(generic.as_str()), "{}", envelope);
        let masked = code == ErrorCode::INTERNAL_ERROR || !own && code.status().is_server_error();
        let masked = masked || matches!(dialect, Dialect::SuccessFlag | Dialect::JsonRpc) && code.status().is_server_error();
        let masked = masked || dialect == Dialect::Anthropic && anthropic_says_api_error(&code);
        if !masked {
            prop_assert_eq!(&envelope["error"]["message"], &json!(message));
        }
        if says_code && dialect != Dialect::OpenAi && !masked {
            for (name, value) in &details {
                // Values of metadata are texts.
                let text = json!(value.as_str().map_or_else(|| value.to_string(), str::to_owned));
                let value = if dialect == Dialect::Google { &text } else { value };
                prop_assert_eq!(&envelope["error"]["details"][name], value, "{}", envelope);
            }
        }
    }
}

fn anthropic_says_api_error(code: &ErrorCode) -> bool {
    code.status().is_server_error() && !["worker_at_capacity", "gateway_timeout"].contains(&code.as_str())
}

/// Returns a request with a token, so that a 401 without a code of its own is `auth_invalid`.
fn request_with_a_token() -> Request<()> {
    Request::get("/").header("authorization", "Bearer x").body(()).unwrap()
}

fn without_extensions(response: &Response<Bytes>) -> Response<Bytes> {
    let mut plain = Response::new(response.body().clone());
    *plain.status_mut() = response.status();
    *plain.headers_mut() = response.headers().clone();
    plain
}

/// The text of a foreign server error reaches no client, in any dialect (R3).
#[test]
fn r3_a_servers_own_text_stays_inside_in_every_dialect() {
    const SECRET: &str = "worker 10.1.2.3 lost";
    for &dialect in dialects() {
        for body in [
            json!({"success": false, "error": SECRET, "trace": SECRET}),
            json!({"error": {"code": SECRET, "message": SECRET, "status": 500, "trace": SECRET}}),
            json!({"error": {"code": "internal_error", "message": SECRET, "trace": SECRET}, "meta": {"host": SECRET}}),
            json!({"type": SECRET, "title": SECRET, "detail": SECRET, "status": 500, "stack": SECRET}),
            json!({"error": {"message": SECRET, "type": SECRET, "param": SECRET, "code": SECRET}, "host": SECRET}),
            json!({"type": "error", "error": {"type": SECRET, "message": SECRET, "x": SECRET}, "host": SECRET}),
            json!({"jsonrpc": "2.0", "id": SECRET, "error": {"code": -1, "message": SECRET, "data": {"code": SECRET, "x": SECRET, "request_id": SECRET}}, "host": SECRET}),
            json!({"error": {"code": 500, "message": SECRET, "status": SECRET, "x": SECRET, "details": [
                {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": SECRET, "domain": SECRET, "metadata": {"x": SECRET}},
                {"@type": SECRET, "x": SECRET},
            ]}, "host": SECRET}),
        ] {
            let mut inner = Response::new(Bytes::from(body.to_string()));
            *inner.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            inner.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
            let sent = once(&policy(dialect), &inner);
            let text = std::str::from_utf8(sent.body()).unwrap();
            assert!(!text.contains("10.1.2.3"), "{dialect:?}: {text}");
            assert_eq!(sent.headers()["x-error-code"], "internal_error");
        }
    }
}
