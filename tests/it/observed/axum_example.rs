//! Tests `examples/axum.rs`.

use axum::Extension;
use axum::Router;
use futures_util::future::join_all;
use tower_error_envelope::RequestId;

use super::ask::Ask;
use super::examples;
use super::site::{Sites, layer, serve};
use super::{Round, judge, rounds};

const POLICY: &str = r#"
version = 1
[defaults]
mode = "MODE"
body_limit = "64 KiB"
[inspect]
timeout = "60s"
[header.tenant]
name = "x-tenant"
missing = "Missing X-Tenant"
[auth.app]
scheme = "bearer"
keys = [{ id = "app", sha256 = "0000000000000000000000000000000000000000000000000000000000000000" }]
[[route]]
match = "PUT /channels/{id}"
require_headers = ["tenant"]
[[route]]
match = "DELETE /channels/{id}"
auth = ["app"]
auth_observe = OBSERVED
[[route]]
match = "POST /channels/{id}/{*rest}"
json = true
"#;

#[test]
fn m1_observe_leaves_the_axum_example_as_it_is_and_foretells_enforce() {
    let (rounds, log) = rounds(async {
        let id: RequestId = "req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D".parse().unwrap();
        // Its handlers need an id, which a service without the layer would get from elsewhere.
        let bare = examples::axum::routes().layer(Extension(id));
        let with = |observe| -> Router { examples::axum::routes().layer(layer(POLICY, observe)) };
        let sites = Sites {
            bare: serve(bare.into_service()).await,
            observed: serve(with(true).into_service()).await,
            enforced: serve(with(false).into_service()).await,
        };
        join_all(asks().into_iter().map(|ask| sites.round(ask))).await
    });
    let wrong: Vec<_> = rounds.iter().flat_map(|round| judge(round, &log)).collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), rounds.len(), wrong.join("\n"));
    let changed =
        |round: &&Round| round.bare.as_ref().map(|it| it.status) != round.enforced.as_ref().map(|it| it.status);
    assert!(rounds.iter().filter(changed).count() > 8, "enforce does otherwise");
}

fn asks() -> Vec<Ask> {
    let send = |path| Ask::new("POST", path);
    let json = |path| send(path).header("content-type", "application/json");
    let long = || format!("{{\"text\":\"{}\"}}", "x".repeat(100_000));
    let asks = [
        Ask::new("GET", "/channels/1"),
        Ask::new("HEAD", "/channels/1"),
        Ask::new("GET", "/channels/9"),
        Ask::new("HEAD", "/channels/9"),
        Ask::new("GET", "/channels/nine"),
        Ask::new("GET", "/nowhere"),
        Ask::new("PATCH", "/channels/1"),
        Ask::new("PUT", "/channels/1"),
        Ask::new("PUT", "/channels/1").header("x-tenant", "a"),
        Ask::new("DELETE", "/channels/1"),
        Ask::new("DELETE", "/channels/1").header("authorization", "Bearer nobody-knows-it"),
        json("/channels/1/messages").declared(r#"{"text":"hello"}"#),
        json("/channels/1/messages").chunked(r#"{"text":"hello"}"#),
        json("/channels/2/messages").declared(r#"{"text":"hello"}"#),
        json("/channels/9/messages").declared(r#"{"text":"hello"}"#),
        json("/channels/1/messages").declared(r#"{"text":"#),
        json("/channels/1/messages").declared(r#"{"text":1}"#),
        json("/channels/1/messages"),
        json("/channels/1/messages").declared(long()),
        json("/channels/1/messages").chunked(long()),
        send("/channels/1/messages").header("content-type", "text/plain").declared("hello"),
        send("/channels/1/messages").declared("hello"),
        send("/channels/1/messages").chunked("hello"),
        send("/channels/1/messages"),
    ];
    asks.iter().cloned().chain(asks.iter().cloned().map(Ask::over_http2)).collect()
}
