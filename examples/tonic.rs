//! Uses tonic's server. The layer is one of the server's layers, around gRPC services and the HTTP routes next to them.
//!
//! A handler fails with a `Fault`, by `?`. A gRPC client gets such an error, a panic and every refusal of the layer as
//! a status with the request id. Other clients get the envelope. Health checks and reflection pass unchanged.
//!
//! `cargo run --example tonic` serves on a free port, and `-- 3000` on port 3000. With `-- --once` it sends itself a
//! few requests and exits.
#![allow(clippy::disallowed_methods, reason = "a server starts a task for each connection; the layer starts none")]

use std::error::Error;
use std::io::{self, IsTerminal};
use std::net::Ipv4Addr;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use clap::Parser;
use http::{Request, Uri};
use http_body_util::BodyExt;
use serde_json::json;
use tokio::net::TcpListener;
use tonic::Response;
use tonic::body::Body;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tower::{Layer, ServiceExt};
use tower_error_envelope::{ErrorCode, ErrorEnvelopeLayer, Fault};

use greeter::greeter_client::GreeterClient;
use greeter::greeter_server::{Greeter, GreeterServer};
use greeter::{HelloReply, HelloRequest};

/// In a crate with a build script, use `tonic::include_proto!("greeter.v1")` instead.
#[allow(missing_docs, unreachable_pub, clippy::all, reason = "generated from greeter.proto")]
mod greeter {
    include!("greeter/greeter.rs");
}

#[derive(Parser)]
#[command(about = "A tonic server with one shape for its errors")]
struct Args {
    /// The port on 127.0.0.1; 0 picks a free one
    #[arg(default_value_t = 0)]
    port: u16,
    /// Send a few requests to itself, print the answers and exit
    #[arg(long)]
    once: bool,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_ansi(io::stderr().is_terminal()).with_writer(io::stderr).init();
    let Args { port, once } = Args::parse();
    if once {
        return ask_itself().await;
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .map_err(|error| format!("cannot listen on 127.0.0.1:{port}: {error}; give another port"))?;
    let address = listener.local_addr()?;
    println!("listening on http://{address}");
    println!("  curl -i http://{address}/missing");
    println!("  curl -i http://{address}/panic");
    println!("  grpcurl -plaintext -d '{{\"name\": \"\"}}' {address} greeter.v1.Greeter/SayHello");
    serve(listener).await
}

async fn serve(listener: TcpListener) -> Result<(), Box<dyn Error>> {
    Server::builder()
        .accept_http1(true)
        .layer(ErrorEnvelopeLayer::new())
        .add_routes(routes()?)
        .serve_with_incoming(TcpIncoming::from(listener))
        .await?;
    Ok(())
}

fn routes() -> Result<Routes, Box<dyn Error>> {
    // tonic's own fallback sends 200 and `unimplemented` for every path without a route, even to a browser.
    let http = Router::new()
        .route("/", get(|| async { "hello\n" }))
        .route("/panic", get(panics))
        .fallback(|| async { StatusCode::NOT_FOUND });
    let (_, health) = tonic_health::server::health_reporter();
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(include_bytes!("greeter/greeter.bin"))
        .build_v1()?;
    Ok(Routes::from(http).add_service(GreeterServer::new(Hello)).add_service(health).add_service(reflection))
}

async fn panics() {
    panic!("the client will not read this")
}

struct Hello;

#[tonic::async_trait]
impl Greeter for Hello {
    async fn say_hello(&self, request: tonic::Request<HelloRequest>) -> Result<Response<HelloReply>, tonic::Status> {
        let text = greeting(&request.get_ref().name)?;
        Ok(Response::new(HelloReply { text }))
    }
}

fn greeting(name: &str) -> Result<String, Fault> {
    match name {
        "" => Err(Fault::new(ErrorCode::INVALID_REQUEST)
            .with_message("Whom to greet?")
            .with_details(json!({ "issues": [{ "path": ["name"], "message": "The name is empty." }] }))),
        "nobody" => panic!("the client will not read this"),
        name => Ok(format!("Hello {name}!")),
    }
}

async fn ask_itself() -> Result<(), Box<dyn Error>> {
    let service = ErrorEnvelopeLayer::new().layer(routes()?.prepare());
    for path in ["/missing", "/panic"] {
        println!("GET {path}");
        let response = service.clone().oneshot(Request::get(path).body(Body::empty())?).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        println!("  {status}\n  {}", String::from_utf8_lossy(&body));
    }
    let mut client = GreeterClient::with_origin(service, Uri::from_static("http://localhost"));
    for name in ["world", "", "nobody"] {
        println!("SayHello {name:?}");
        match client.say_hello(HelloRequest { name: name.to_owned() }).await {
            Ok(reply) => println!("  {}", reply.into_inner().text),
            Err(status) => print(&status)?,
        }
    }
    Ok(())
}

fn print(status: &tonic::Status) -> Result<(), Box<dyn Error>> {
    println!("  {:?}: {}", status.code(), status.message());
    for name in ["x-error-code", "x-request-id"] {
        println!("  {name}: {}", status.metadata().get(name).ok_or("not there")?.to_str()?);
    }
    Ok(())
}
