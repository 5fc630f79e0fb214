//! axum and tonic on one port, with one layer around both. Each client gets an error of its own kind.
//!
//! For the same `Fault` of the same function, a browser gets the envelope, and a gRPC client gets a status. The same
//! applies to requests that match no route. gRPC-Web reaches the services through tonic-web. Health checks and
//! reflection pass unchanged.
//!
//! `cargo run --example mixed` serves on a free port, and `-- 3000` on port 3000. With `-- --once` it sends itself a
//! few requests and exits.

use std::error::Error;
use std::io::{self, IsTerminal};
use std::net::Ipv4Addr;

use axum::extract::Path;
use axum::routing::get;
use axum::{Json, Router};
use clap::Parser;
use http::{Request, Uri};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tonic::Response;
use tonic::body::Body;
use tonic::service::Routes;
use tonic_web::GrpcWebLayer;
use tower::ServiceExt;
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
#[command(about = "axum and tonic on one port, with one shape for each client's errors")]
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
        return ask_itself(app()?).await;
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .map_err(|error| format!("cannot listen on 127.0.0.1:{port}: {error}; give another port"))?;
    let address = listener.local_addr()?;
    println!("listening on http://{address}");
    println!("  curl -i http://{address}/missing");
    println!("  curl -i http://{address}/hello/nobody");
    println!("  grpcurl -plaintext -d '{{\"name\": \"nobody\"}}' {address} greeter.v1.Greeter/SayHello");
    axum::serve(listener, app()?).await?;
    Ok(())
}

fn app() -> Result<Router, Box<dyn Error>> {
    let http = Router::new().route("/hello/{name}", get(hello));
    // tonic's own fallback sends 200 and `unimplemented` for every path without a route, even to a browser. tonic-web
    // as a layer of the whole router would refuse requests that are not gRPC.
    let grpc = services()?.prepare().into_axum_router().reset_fallback().route_layer(GrpcWebLayer::new());
    Ok(http.merge(grpc).layer(ErrorEnvelopeLayer::new()))
}

fn services() -> Result<Routes, Box<dyn Error>> {
    let (_, health) = tonic_health::server::health_reporter();
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(include_bytes!("greeter/greeter.bin"))
        .build_v1()?;
    Ok(Routes::new(GreeterServer::new(Hello)).add_service(health).add_service(reflection))
}

async fn hello(Path(name): Path<String>) -> Result<Json<Value>, Fault> {
    Ok(Json(json!({ "text": greeting(&name)? })))
}

struct Hello;

#[tonic::async_trait]
impl Greeter for Hello {
    async fn say_hello(&self, request: tonic::Request<HelloRequest>) -> Result<Response<HelloReply>, tonic::Status> {
        Ok(Response::new(HelloReply { text: greeting(&request.get_ref().name)? }))
    }
}

fn greeting(name: &str) -> Result<String, Fault> {
    match name {
        "nobody" => Err(Fault::new(ErrorCode::NOT_FOUND).with_message("There is nobody to greet.")),
        name => Ok(format!("Hello {name}!")),
    }
}

async fn ask_itself(app: Router) -> Result<(), Box<dyn Error>> {
    for path in ["/hello/world", "/hello/nobody", "/missing"] {
        println!("GET {path}");
        let response = app.clone().oneshot(Request::get(path).body(axum::body::Body::empty())?).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        println!("  {status}\n  {}", String::from_utf8_lossy(&body));
    }
    let service = app.map_request(|request: Request<Body>| request.map(axum::body::Body::new));
    let mut client = GreeterClient::with_origin(service, Uri::from_static("http://localhost"));
    for name in ["world", "nobody"] {
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
