//! A service that misbehaves, with the layer around it and an admin address. Its errors fill the errors page.
//!
//! `cargo run -p error-envelope-admin --example on-call` serves both on free ports.
#![allow(clippy::disallowed_methods, reason = "a server starts a task for each connection; the layer starts none")]

use std::convert::Infallible;
use std::error::Error;
use std::future::pending;
use std::net::Ipv4Addr;

use bytes::Bytes;
use error_envelope_admin::Admin;
use http::{Request, Response};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tower::{Layer, service_fn};
use tower_error_envelope::ErrorEnvelopeLayer;

/// The policy, unless the first argument names another one.
const POLICY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/on-call.toml");
const JSON: &str = "application/json";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let admin = Admin::new().metrics(error_envelope_admin::install_metrics()?);
    let policy = std::env::args().nth(1).unwrap_or_else(|| POLICY.to_owned());
    let layer = admin.attach(ErrorEnvelopeLayer::watch(policy)?);
    let service = layer.layer(service_fn(respond));
    let [listener, operators] =
        [TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?, TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?];
    println!("listening on http://{}", listener.local_addr()?);
    println!("admin on http://{}", operators.local_addr()?);
    tokio::spawn(async move { admin.serve(operators, pending()).await });
    loop {
        let (socket, _) = listener.accept().await?;
        let service = TowerToHyperService::new(service.clone());
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(socket), service));
    }
}

/// Responds with errors in different shapes, some of which contain text that nobody should see.
async fn respond<B>(request: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path();
    let (status, kind, body) = match path.split('/').nth(1).unwrap_or_default() {
        "names" => (409, JSON, r#"{"error":"Name is taken."}"#),
        "seats" if path.ends_with("13") => (403, JSON, r#"{"error":{"code":"FORBIDDEN","message":"Not this seat."}}"#),
        "seats" => (409, JSON, r#"{"error":{"code":"SEAT_TAKEN","message":"Seat 7 is taken."},"hint":"Take seat 8."}"#),
        "reports" => {
            (502, "text/html", "<html><head><title>502</title></head><script>alert('x')</script><h1>Bad Gateway</h1>")
        }
        "accounts" => (
            422,
            JSON,
            r#"{"detail":[{"loc":["body","password"],"msg":"Too short.","input":"hunter2-secret"}],"authorization":"Bearer hunter2-secret"}"#,
        ),
        "panics" => panic!("the client will not read this"),
        "legacy" => (404, "text/plain", "nothing here"),
        "strange" => (400, "text/plain", "</script><img src=x onerror=alert(1)>\u{202e}\0 is no colour"),
        _ => (200, "text/plain", "ok"),
    };
    let response = Response::builder().status(status).header("content-type", kind);
    Ok(response.body(Full::from(body)).unwrap_or_default())
}
