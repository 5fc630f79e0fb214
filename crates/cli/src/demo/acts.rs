//! Every fault of the demo, with its path, the behaviour of the service, and the response that a client should get.

use std::borrow::Cow;

/// One row of the demo.
pub(crate) struct DemoCase {
    pub(crate) path: &'static str,
    pub(crate) request: DemoRequest,
    pub(crate) play: UpstreamBehaviour,
    pub(crate) expect: Expect,
}

/// The request that the demo sends.
#[derive(Clone, Copy)]
pub(crate) enum DemoRequest {
    Get,
    Head,
    /// A request with a body of this many bytes, and with a `content-length`.
    Declared(usize),
    /// A request with a chunked body of this many bytes, and without a `content-length`.
    Chunked(usize),
    Upgrade,
}

/// The behaviour of the service.
pub(crate) enum UpstreamBehaviour {
    /// Sends a well-formed response. The fields are the status, further headers, the content type and the body.
    Responds(u16, &'static [(&'static str, &'static str)], &'static str, &'static str),
    /// Sends a well-formed, compressed response. The fields are the status, the content type and the body.
    Gzip(u16, &'static str, &'static str),
    /// Writes the second text unchanged, then closes the connection. The first text describes what is wrong with the
    /// second.
    Raw(&'static str, &'static str),
    /// Writes the first text, then the second text again and again. The number is the pause in milliseconds. With 0,
    /// there is no pause.
    Goes(&'static str, &'static str, u64),
    /// Closes the connection without a response.
    Hangs,
    /// Resets the connection.
    Resets,
    /// Waits for this many milliseconds before it responds.
    Sleeps(u64),
    /// Switches protocols and echoes every byte.
    Switches,
    /// Reads the whole request body, then responds with 200.
    Reads,
    /// A handler inside this process responds, behind the same layer.
    Inside(HandlerBehaviour),
    /// The service is never called, because the layer itself responds.
    Untouched,
}

/// The behaviour of a handler inside this process.
#[derive(Clone, Copy)]
pub(crate) enum HandlerBehaviour {
    Panics,
    PanicsInBody,
    Errs,
    Refused,
}

/// The response that the client should get.
#[derive(Clone, Copy)]
pub(crate) enum Expect {
    /// The envelope, with this status, code and message.
    Error(u16, &'static str, &'static str),
    /// A response without a body, whose head has this status and code.
    Head(u16, &'static str),
    /// The service's response, unchanged except for an added request id.
    Passed(u16),
    /// A response with this status, whose body is cut off.
    Broken(u16),
    /// A response with this status and without a body or code.
    Empty(u16),
}

use DemoRequest::{Chunked, Declared, Get, Head, Upgrade};
use Expect::{Broken, Empty, Error, Passed};
use HandlerBehaviour::{Errs, Panics, PanicsInBody, Refused};
use UpstreamBehaviour::{Goes, Gzip, Hangs, Raw, Reads, Resets, Responds, Sleeps, Switches, Untouched};

const JSON: &str = "application/json";
const TEXT: &str = "text/plain";
const HTML: &str = "text/html";
const MIB: usize = 1024 * 1024;

const INTERNAL: &str = "An unexpected error occurred.";
const UPSTREAM: &str = "An upstream provider failed.";
const CHUNKED_404: &str =
    "HTTP/1.1 404 Not Found\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
const CHUNKED_500: &str = "HTTP/1.1 500 Oops\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n";
const TRACE: &str = "Error: connect ECONNREFUSED db:5432\n    at Pool.query (/srv/app/db.js:41:11)";

const fn act(path: &'static str, request: DemoRequest, play: UpstreamBehaviour, expect: Expect) -> DemoCase {
    DemoCase { path, request, play, expect }
}

#[rustfmt::skip]
pub(crate) static ACTS: &[DemoCase] = &[
    // Responses that need no change.
    act("/ok", Get, Responds(200, &[], JSON, r#"{"ok":true}"#), Passed(200)),
    act("/early-hints", Get, Raw("103, then 200", "HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello"), Passed(200)),
    act("/upgrade", Upgrade, Switches, Passed(101)),
    act("/reset-content", Get, Responds(205, &[], TEXT, "a 205 has no body"), Empty(205)),
    // Errors without a shape.
    act("/empty-404", Get, Responds(404, &[], "", ""), Error(404, "not_found", "Not found.")),
    act("/head-404", Head, Responds(404, &[], HTML, ""), Expect::Head(404, "not_found")),
    act("/html-502", Get, Responds(502, &[], HTML, "<html><h1>502 Bad Gateway</h1><hr>nginx</html>"), Error(502, "other", UPSTREAM)),
    act("/text-400", Get, Responds(400, &[], TEXT, "no such field: colour"), Error(400, "bad_request", "no such field: colour")),
    act("/stack-trace", Get, Responds(500, &[], TEXT, TRACE), Error(500, "internal_error", INTERNAL)),
    act("/status-700", Get, Responds(700, &[], TEXT, "no such status"), Error(502, "other", UPSTREAM)),
    act("/many-cookies", Get, Responds(401, COOKIES, TEXT, "log in first"), Error(401, "auth_missing", "")),
    act("/retry-after", Get, Responds(503, &[("retry-after", "7")], HTML, "<p>down</p>"), Error(503, "service_unavailable", "The service is unavailable.")),
    // Errors in every other shape.
    act("/success-flag", Get, Responds(404, &[], JSON, r#"{"success":false,"error":"Room not found"}"#), Error(404, "not_found", "Room not found")),
    act("/status-in-error", Get, Responds(409, &[], JSON, r#"{"error":{"code":"NO_OP","message":"Already there.","status":409}}"#), Error(409, "no_op", "Already there.")),
    act("/field-errors", Get, Responds(422, &[], JSON, r#"{"message":"Bad.","errors":{"to":["Required."]}}"#), Error(422, "invalid_request", "Bad.")),
    act("/error-with-meta", Get, Responds(429, &[], JSON, r#"{"error":{"code":"RATE_LIMITED","message":"Slow down.","details":null},"meta":{"request_id":"1","ts":1}}"#), Error(429, "rate_limited", "Slow down.")),
    act("/problem", Get, Responds(403, &[], "application/problem+json", r#"{"type":"about:blank","title":"Forbidden","status":403,"detail":"Not yours."}"#), Error(403, "forbidden", "")),
    act("/openai", Get, Responds(429, &[], JSON, r#"{"error":{"message":"Slow down.","type":"requests","param":null,"code":"rate_limit_exceeded"}}"#), Error(429, "rate_limited", "")),
    act("/anthropic", Get, Responds(529, &[], JSON, r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#), Error(529, "worker_at_capacity", "")),
    act("/code-message", Get, Responds(410, &[], JSON, r#"{"error":{"code":"media_gone","message":"It has aged out.","details":{"id":7}}}"#), Error(410, "media_gone", "It has aged out.")),
    act("/google", Get, Responds(404, &[], JSON, r#"{"error":{"code":404,"message":"No such bucket.","status":"NOT_FOUND"}}"#), Error(404, "not_found", "No such bucket.")),
    act("/fastapi", Get, Responds(422, &[], JSON, r#"{"detail":[{"loc":["body","to"],"msg":"Field required","type":"missing"}]}"#), Error(422, "invalid_request", "")),
    act("/spring", Get, Responds(500, &[], JSON, r#"{"timestamp":"2026-01-01","status":500,"error":"Internal Server Error","path":"/x"}"#), Error(500, "internal_error", INTERNAL)),
    act("/aspnet", Get, Responds(400, &[], JSON, r#"{"title":"Validation","status":400,"errors":{"Name":["Too short."]}}"#), Error(400, "invalid_request", "")),
    act("/express", Get, Responds(409, &[], JSON, r#"{"error":"Name is taken."}"#), Error(409, "conflict", "Name is taken.")),
    act("/message", Get, Responds(405, &[("allow", "GET")], JSON, r#"{"message":"No POST here."}"#), Error(405, "method_not_allowed", "No POST here.")),
    act("/envelope", Get, Responds(409, &[("x-request-id", "req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D")], JSON, r#"{"error":{"code":"no_qr","message":"QR not yet ready."},"request_id":"req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D"}"#), Error(409, "no_qr", "QR not yet ready.")),
    act("/json-rpc", Get, Responds(400, &[], JSON, r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"Invalid"}}"#), Passed(400)),
    act("/gzip", Get, Gzip(503, HTML, "<html><h1>Down for maintenance</h1></html>"), Error(503, "service_unavailable", "The service is unavailable.")),
    // Bodies with a wrong length, and bodies that are slow or never end.
    act("/truncated", Get, Raw("500, 12 bytes of 500", "HTTP/1.1 500 Oops\r\ncontent-type: text/plain\r\ncontent-length: 500\r\n\r\nonly this mu"), Error(500, "internal_error", INTERNAL)),
    act("/truncated-200", Get, Raw("200, 12 bytes of 500", "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 500\r\n\r\nonly this mu"), Broken(200)),
    act("/wrong-length", Get, Raw("404, 18 bytes instead of 4", "HTTP/1.1 404 Gone\r\ncontent-type: text/plain\r\ncontent-length: 4\r\n\r\ngone and then some"), Error(404, "not_found", "gone")),
    act("/broken-chunk", Get, Raw("500, a chunk without a length", "HTTP/1.1 500 Oops\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\nnonsense\r\n"), Error(500, "internal_error", INTERNAL)),
    act("/two-lengths", Get, Raw("200, two lengths", "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab"), Error(502, "other", UPSTREAM)),
    act("/endless", Get, Goes(CHUNKED_500, "12\r\nand so on, and on \r\n", 0), Error(500, "internal_error", INTERNAL)),
    act("/trickle", Get, Goes(CHUNKED_404, "1\r\n \r\n", 100), Error(404, "not_found", "Not found.")),
    // Connections that fail.
    act("/garbage", Get, Raw("speaks another protocol", "\u{1}\u{2}SSH-2.0-OpenSSH_9.6\r\n\r\n"), Error(502, "other", UPSTREAM)),
    act("/half-a-head", Get, Raw("half a head, then closed", "HTTP/1.1 200 O"), Error(502, "other", UPSTREAM)),
    act("/closes", Get, Hangs, Error(502, "other", UPSTREAM)),
    act("/resets", Get, Resets, Error(502, "other", UPSTREAM)),
    act("/slow-head", Get, Sleeps(3000), Error(504, "gateway_timeout", "The service did not answer in time.")),
    act("/refused", Get, UpstreamBehaviour::Inside(Refused), Error(502, "other", UPSTREAM)),
    // A handler in this process, behind the same layer.
    act("/panic", Get, UpstreamBehaviour::Inside(Panics), Error(500, "internal_error", INTERNAL)),
    act("/panic-in-body", Get, UpstreamBehaviour::Inside(PanicsInBody), Broken(200)),
    act("/error", Get, UpstreamBehaviour::Inside(Errs), Error(500, "internal_error", INTERNAL)),
    // Requests that the layer does not let through.
    act("/too-large", Declared(2 * MIB), Untouched, Error(413, "payload_too_large", "The request body is too large.")),
    act("/upload", Chunked(2 * MIB), Reads, Error(413, "payload_too_large", "The request body is too large.")),
    act("/upload-fits", Chunked(MIB), Reads, Passed(200)),
];

const COOKIES: &[(&str, &str)] = &[
    ("set-cookie", "a=1"),
    ("set-cookie", "b=2; Path=/"),
    ("set-cookie", "c=3; HttpOnly"),
    ("www-authenticate", "Basic realm=\"a\""),
    ("www-authenticate", "Bearer realm=\"b\""),
];

impl DemoCase {
    pub(crate) fn by_path(path: &str) -> Option<&'static Self> {
        ACTS.iter().find(|act| act.path == path)
    }

    /// Describes the behaviour of the service, for the middle column of the table.
    pub(crate) fn upstream_body(&self) -> Cow<'static, str> {
        match &self.play {
            Responds(status, _, _, "") => format!("{status}, nothing more").into(),
            Responds(status, _, kind, body) => format!("{status} {}: {body}", short(kind)).into(),
            Gzip(status, kind, body) => format!("{status} {} gzip: {body}", short(kind)).into(),
            Raw(about, _) => (*about).into(),
            Goes(head, _, 0) => format!("{}, an endless body", line(head)).into(),
            Goes(head, _, every) => format!("{}, a byte every {every} ms", line(head)).into(),
            Hangs => "closed the connection".into(),
            Resets => "reset the connection".into(),
            Sleeps(time) => format!("nothing for {} s", time / 1000).into(),
            Switches => "101, and echoes every byte".into(),
            Reads => "reads the body, then 200".into(),
            UpstreamBehaviour::Inside(Panics) => "panics in its handler".into(),
            UpstreamBehaviour::Inside(PanicsInBody) => "200, panics in its body".into(),
            UpstreamBehaviour::Inside(Errs) => "an error, with a password in its text".into(),
            UpstreamBehaviour::Inside(Refused) => "nothing listens on its port".into(),
            Untouched => "was not called".into(),
        }
    }
}

/// Shortens `text/html` to `html`, because the column is narrow.
fn short(kind: &str) -> &str {
    kind.split('/').next_back().unwrap_or(kind)
}

/// Returns the status line without its version.
fn line(head: &'static str) -> &'static str {
    head.split("\r\n").next().and_then(|line| line.split_once(' ')).map_or(head, |(_, rest)| rest)
}
