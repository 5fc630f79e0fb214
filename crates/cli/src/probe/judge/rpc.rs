//! Errors of RPC protocols (section P).

use serde_json::Value;

use super::super::answer::ProbeResponse;
use super::super::finding::Finding;
use super::super::table::Rpc;

/// The names of gRPC's statuses, in the spelling of Connect.
const NAMES: [&str; 16] = [
    "canceled",
    "unknown",
    "invalid_argument",
    "deadline_exceeded",
    "not_found",
    "already_exists",
    "permission_denied",
    "resource_exhausted",
    "failed_precondition",
    "aborted",
    "out_of_range",
    "unimplemented",
    "internal",
    "unavailable",
    "data_loss",
    "unauthenticated",
];

pub(super) fn judge(protocol: Rpc, got: &ProbeResponse) -> Vec<Finding> {
    match protocol {
        Rpc::Grpc => grpc("P1", "application/grpc", got),
        Rpc::GrpcWeb => grpc("P2", "application/grpc-web", got),
        Rpc::Connect => connect(got),
    }
}

fn grpc(rule: &str, media_type: &str, got: &ProbeResponse) -> Vec<Finding> {
    let (http, came, status) = (got.status.as_u16(), text(got, "content-type"), text(got, "grpc-status"));
    let is_status = matches!(status.parse(), Ok(1..=16_u8)) || in_frame(got);
    let has_code = got.headers.contains_key("x-error-code");
    let has_details = !has_code || !text(got, "grpc-status-details-bin").is_empty();
    let wrong = [
        Finding::unless(http == 200, rule, || {
            format!("the HTTP status is {http}, expected 200: gRPC puts the error into grpc-status")
        }),
        Finding::unless(came.starts_with(media_type), rule, || {
            format!("content-type is {came:?}, expected {media_type}")
        }),
        Finding::unless(is_status, rule, || format!("grpc-status is {status:?}, expected an error status")),
        Finding::unless(has_details, rule, || "the layer's error has no grpc-status-details-bin"),
    ];
    wrong.into_iter().flatten().collect()
}

/// P2: whether the body has a status in a trailer frame.
fn in_frame(got: &ProbeResponse) -> bool {
    const TRAILERS: u8 = 0x80;
    got.body.first() == Some(&TRAILERS) && got.body.windows(12).any(|part| part.eq_ignore_ascii_case(b"grpc-status:"))
}

fn text(got: &ProbeResponse, name: &str) -> String {
    let value_in =
        |headers: &http::HeaderMap| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    value_in(&got.headers).or_else(|| value_in(got.trailers.as_ref()?)).unwrap_or_default()
}

fn connect(got: &ProbeResponse) -> Vec<Finding> {
    let is_error = got.status.is_client_error() || got.status.is_server_error();
    let came = text(got, "content-type");
    let body: Value = serde_json::from_slice(&got.body).unwrap_or_default();
    let code = match body["code"].as_str() {
        Some(code) => Finding::unless(NAMES.contains(&code), "P3", || {
            format!("the code is {code:?}, which Connect does not define")
        }),
        None => Some(Finding::new("P3", "the body has no Connect code")),
    };
    let wrong = [
        Finding::unless(is_error, "P3", || {
            format!("the HTTP status is {}, expected an error status", got.status.as_u16())
        }),
        Finding::unless(came == "application/json", "P3", || {
            format!("content-type is {came:?}, expected application/json")
        }),
        code,
    ];
    wrong.into_iter().flatten().collect()
}
