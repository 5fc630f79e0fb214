//! Tests the manual's page on RPC: tonic's client reads what the page shows, and its policy is right.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{self, Response, StatusCode};
use axum::routing::post;
use tokio::net::TcpListener;
use tonic::client::Grpc;
use tonic::service::Routes;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Endpoint, Server};
use tonic::{Request, Status};
use tonic_prost::ProstCodec;
use tonic_types::StatusExt;
use tower::{Layer, ServiceExt, service_fn};
use tower_error_envelope::{ErrorCode, ErrorEnvelopeLayer, Fault, Policy};

const PAGE: &str = include_str!("../../manual/rpc.md");
const TOO_LONG: usize = 1024 * 1024;

/// The failures in the table, and the method of each.
const ROWS: [(&str, &str); 3] = [
    ("a message over the limit: 413 with JSON", "/a.B/Reads"),
    ("an inner 503 with JSON", "/a.B/Unavailable"),
    ("a panic", "/a.B/Panics"),
];

#[tokio::test]
async fn p1_a_grpc_client_reads_what_the_manual_says() {
    let address = serve().await;
    for (what, method) in ROWS {
        let row = PAGE.lines().find_map(|line| line.strip_prefix(&format!("| {what} | "))).expect(what);
        assert_eq!(row.trim_end_matches(" |"), cell(&ask(address, method).await), "{what}");
    }
}

#[test]
fn p1_the_policy_that_the_manual_shows_is_right() {
    let shown: Vec<&str> = PAGE.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let [policy] = shown[..] else { panic!("{} policies", shown.len()) };
    Policy::from_toml("policy.toml", policy).unwrap();
    let misspelt = policy.replace("domain", "domains");
    assert!(Policy::from_toml("policy.toml", &misspelt).unwrap_err().to_string().contains("rpc.domains"));
}

#[tokio::test]
async fn p1_what_the_manual_reads_of_the_details_is_there() {
    let shown = PAGE.split_once("/// How long to wait").and_then(|(_, rest)| rest.split("```").next()).unwrap();
    assert!(include_str!("manual_rpc.rs").contains(shown), "{shown}");

    let limited = service_fn(async |_| {
        let fault = Fault::new(ErrorCode::RATE_LIMITED).with_header(http::header::RETRY_AFTER, 7);
        Err::<Response<Body>, _>(fault.with_details(serde_json::json!({ "limit": 100 })))
    });
    let call = http::Request::post("/a.B/C").header("content-type", "application/grpc").body(Body::empty()).unwrap();
    let Ok::<_, Infallible>(answer) = ErrorEnvelopeLayer::new().layer(limited).oneshot(call).await;
    let status = Status::from_header_map(answer.headers()).unwrap();
    assert_eq!(advice(&status), Some(Duration::from_secs(7)));
    let details = status.get_error_details();
    assert_eq!(details.error_info().unwrap().metadata["limit"], "100");
    assert_eq!(details.request_info().unwrap().request_id, answer.headers()["x-request-id"]);
}

/// How long to wait before the same call is worth making again.
fn advice(status: &Status) -> Option<Duration> {
    let details = status.get_error_details();
    let info = details.error_info()?;
    let request = details.request_info().map_or("?", |request| &request.request_id);
    println!("{} of {}, {:?}: tell us {request}", info.reason, info.domain, info.metadata);
    if info.reason == "RATE_LIMITED" { details.retry_info()?.retry_delay } else { None }
}

/// Serves tonic's server inside the layer, with routes that respond as a service without gRPC does.
async fn serve() -> SocketAddr {
    let unavailable = (StatusCode::SERVICE_UNAVAILABLE, [("content-type", "application/json")], "{\"a\":1}");
    let http = Router::new()
        .route("/a.B/Unavailable", post(async move || unavailable))
        .route("/a.B/Reads", post(|_: Bytes| async {}))
        .route("/a.B/Panics", post(async || -> StatusCode { panic!("the client will not read this") }));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut server = Server::builder().layer(ErrorEnvelopeLayer::new());
    tokio::spawn(server.add_routes(Routes::from(http)).serve_with_incoming(TcpIncoming::from(listener)));
    address
}

/// Makes a call with a message that is one byte too long.
async fn ask(address: SocketAddr, method: &'static str) -> Status {
    let channel = Endpoint::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
    let mut client = Grpc::new(channel);
    client.ready().await.unwrap();
    let message = Request::new(Bytes::from(vec![0; TOO_LONG]));
    let answer = client.unary(message, method.parse().unwrap(), ProstCodec::<Bytes, ()>::default()).await;
    answer.unwrap_err()
}

fn cell(status: &Status) -> String {
    format!("`{:?}`: {}", status.code(), status.message())
}
