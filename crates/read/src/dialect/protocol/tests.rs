use std::sync::LazyLock;

use http::HeaderMap;

use super::*;
use crate::code::CodeSet;
use crate::dialect::Dialect;

/// The head of a response without headers, to a request without a path.
static NO_HEAD: LazyLock<HeaderMap> = LazyLock::new(HeaderMap::new);

static NO_CODES: LazyLock<CodeSet> = LazyLock::new(CodeSet::default);

fn head() -> Readable<'static> {
    let target = &crate::target::UNKNOWN;
    Readable { codes: &NO_CODES, shapes: &[], dialect: Dialect::default(), target, headers: &NO_HEAD }
}

fn detected(body: &str) -> Option<Protocol> {
    if body.starts_with('[') {
        detect_batch(body)
    } else {
        detect(&Body::new(None, Object::parse(body)?), StatusCode::PAYMENT_REQUIRED, &head())
    }
}

#[test]
fn p1_grpc_names_itself_by_its_type() {
    for named in ["application/grpc", "application/grpc+proto", "Application/gRPC-web-text"] {
        assert!(names_grpc(named.as_bytes()), "{named}");
    }
    for other in ["application/json", "text/plain", "application/grpcx", "application/xml", "", "application/soap+xml"]
    {
        assert!(!names_grpc(other.as_bytes()), "{other}");
    }
}

#[test]
fn r10_a_protocol_is_known_by_its_body() {
    const RPC: &str = r#"{"jsonrpc":"2.0","id":1,"error":{}}"#;
    for (body, is) in [
        (RPC, Some(Protocol::JsonRpc)),
        (r#"[{"jsonrpc":"2.0","id":1,"result":1},{"jsonrpc":"2.0","id":2,"error":{}}]"#, Some(Protocol::JsonRpc)),
        (r#"{"jsonrpc":2.0,"id":1,"error":{}}"#, None),
        (r#"[{"jsonrpc":"2.0","id":1,"error":{}},1]"#, None),
        ("[]", None),
        (r#"{"json":{"defined":false,"code":"NO","status":404,"message":""},"meta":[]}"#, Some(Protocol::Orpc)),
        (r#"[{"json":{"defined":true,"code":"NO","status":404,"message":""}}]"#, Some(Protocol::Orpc)),
        (r#"{"json":{"defined":false,"code":"NO","status":404}}"#, None),
        (r#"{"json":{"defined":false,"code":"NO","status":404,"message":""},"trace":1}"#, None),
        (r#"{"errors":[{"message":"a"},{"message":"b","locations":[]}]}"#, Some(Protocol::GraphQl)),
        (r#"{"errors":[{"message":"a"}],"data":null}"#, Some(Protocol::GraphQl)),
        (r#"{"errors":[{"message":"a"},{"detail":"b"}],"data":null}"#, None),
        (r#"{"errors":[{"message":"a"}]}"#, None),
        (r#"{"errors":[],"data":null}"#, None),
        (r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"404"}"#, Some(Protocol::Scim)),
        (r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"]}"#, None),
        (r#"{"resourceType":"OperationOutcome","issue":[]}"#, Some(Protocol::Fhir)),
        (r#"{"resourceType":"Patient"}"#, None),
        (r#"{"error":"slow_down","interval":5}"#, Some(Protocol::OAuth { is_described: false, is_of_resource: false })),
        (
            r#"{"error":"invalid_redirect_uri","error_uri":"/e"}"#,
            Some(Protocol::OAuth { is_described: true, is_of_resource: false }),
        ),
        (r#"{"error":"slow_down","message":"a"}"#, None),
        (r#"{"error":"seat_taken"}"#, None),
        (r#"{"x402Version":1,"accepts":[]}"#, Some(Protocol::X402)),
        (r#"{"x402Version":"1","accepts":[]}"#, None),
        (r#"{"x402Version":1,"accepts":{}}"#, None),
    ] {
        assert_eq!(detected(body), is, "{body}");
    }
}

#[test]
fn r10_an_event_stream_begins_with_an_event() {
    for (body, is) in [
        ("data: 1\n\n", true),
        (": ping\n\n", true),
        ("event:error\r\ndata\r\n\r\n", true),
        ("id\rdata: 1", true),
        ("data base is down", false),
        ("retrying", false),
        ("{\"data\":1}", false),
        ("", false),
    ] {
        assert_eq!(of_text(Some(ProtocolType::EventStream), None, body, &head()).is_some(), is, "{body:?}");
    }
}

const ERROR: StatusCode = StatusCode::INTERNAL_SERVER_ERROR;

fn on_5xx(protocol: Protocol, body: &str) -> Option<String> {
    protocol.filtered(body.as_bytes(), ERROR, "No.").map(|written| String::from_utf8(written).unwrap())
}

#[test]
fn r10_the_structure_of_a_5xx_passes() {
    for (body, written) in [
        (
            r#"{ "jsonrpc" : "2.0", "id": "a/7", "error": { "code": -32603, "message": "s3", "data": { "retry": 5, "of": "s3" } } }"#,
            Some(r#"{"jsonrpc":"2.0","id":"a/7","error":{"code":-32603,"message":"No.","data":{"retry":5}}}"#),
        ),
        (
            r#"{"errors":[{"Message":"s3","path":["a",0],"locations":[{"line":1}],"extensions":{"code":"NO_1","exception":{"at":1}}}],"data":null}"#,
            Some(r#"{"errors":[{"Message":"No.","locations":[{"line":1}],"extensions":{"code":"NO_1"}}],"data":null}"#),
        ),
        (
            r#"[{"error":{"json":{"mess\u0061ge":"s3","code":-32603,"data":{"code":"X","path":"a.b"}},"meta":{"s3.x":1}}}]"#,
            Some(r#"[{"error":{"json":{"message":"No.","code":-32603,"data":{"code":"X"}},"meta":{}}}]"#),
        ),
        (
            r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"500","scimType":"a b","detail":"s3"}"#,
            Some(r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"500","detail":"No."}"#),
        ),
        (r#"{"error":"server_error","error_uri":"https://s3"}"#, Some(r#"{"error":"server_error"}"#)),
        (r#"{"error":"pq: s3","code":"a b"}"#, Some(r#"{"error":"No."}"#)),
        (r#"{"error":["s3",1]}"#, Some(r#"{"error":["No.",1]}"#)),
        // This body does not show that the request failed.
        (r#"{"errors":[]}"#, None),
        (r#"{"errors":["s3"]}"#, None),
        (r#"{"of":{"a b":{"message":"s3"}},"path":["x",{"message":"s3"}]}"#, None),
        (r#""s3""#, None),
    ] {
        assert_eq!(on_5xx(Protocol::JsonRpc, body).as_deref(), written, "{body}");
        let again = written.and_then(|written| on_5xx(Protocol::JsonRpc, written));
        assert_eq!(again.as_deref(), written, "twice");
    }
}

#[test]
fn r10_a_4xx_loses_its_stacks_alone() {
    let without = |body: &str| Protocol::Trpc.filtered(body.as_bytes(), StatusCode::NOT_FOUND, "");
    for (body, written) in [
        (
            r#"{"error":{"message":"a","data":{"stack":"s3","code":"X"}}}"#,
            Some(r#"{"error":{"message":"a","data":{"code":"X"}}}"#),
        ),
        (
            r#"{"errors":[{"message" : "a\u00e9\/","debugMessage":"s3","extensions":{"exception":{"a":[1]}, "n":1.0}}]}"#,
            Some(r#"{"errors":[{"message":"a\u00e9\/","extensions":{"n":1.0}}]}"#),
        ),
        (r#"{"errors":[{"message":"a","st\u0061ck":["s3"],"trace":[{}]}]}"#, Some(r#"{"errors":[{"message":"a"}]}"#)),
        (r#"{"error":{"message":"a","trace":"4bf92f"},"data":{"stack":"pancakes"}}"#, None),
        (r#"{"error":{"message":"a","callStack":"s3"},"stack":[1]}"#, Some(r#"{"error":{"message":"a"}}"#)),
    ] {
        assert_eq!(without(body).map(|it| String::from_utf8(it).unwrap()).as_deref(), written, "{body}");
    }
}

#[test]
fn r10_what_is_nested_deep_costs_no_stack_and_goes() {
    for (open, close) in [("[", "]"), (r#"{"data":"#, "}")] {
        let deep = format!("{}1{}", open.repeat(16_000), close.repeat(16_000));
        let body = format!(r#"{{"message":"s3","data":{deep}}}"#);
        let written = on_5xx(Protocol::GraphQl, &body).unwrap();
        assert!(written.len() < 1_000 && Object::parse(&written).is_some(), "{}", written.len());
        let stack = format!(r#"{{"error":{{"message":"a","stack":{deep},"data":{deep}}}}}"#);
        let written = Protocol::Trpc.filtered(stack.as_bytes(), StatusCode::NOT_FOUND, "").unwrap();
        assert_eq!(written, format!(r#"{{"error":{{"message":"a","data":{deep}}}}}"#).into_bytes());
    }
}
